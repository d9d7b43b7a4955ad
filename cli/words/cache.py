"""What users are told of an extraction and of a cache."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.text import printable, some
from features.backbones.bfloat16 import has_arithmetic
from features.backbones.registry import Embed
from features.cache.isolated import try_to_open
from features.cache.reader import Cache
from features.extraction import Summary


def network_line(backbone: str, embed: Embed) -> str:
    """What computes the vectors, in words."""
    return (
        f"{backbone} on the {embed.device}, {embed.precision}, {embed.settings['weights']} weights from {embed.origin}"
    )


def precision_lines(precision: str, embed: Embed) -> list[str]:
    """What the user should know of a precision that was asked for."""
    if precision == "bfloat16" and embed.device == "CPU" and has_arithmetic() is False:
        return [
            "warning: this processor has no bfloat16 arithmetic; --precision bfloat16 is no faster here, and less exact"
        ]
    return []


def summary_lines(summary: Summary) -> list[str]:
    """The closing summary in words, a line each."""
    scans = summary.scans
    lines = [
        f"{summary.cache}: {summary.n_patients} patients, {sum(summary.slices.values())} slices, {summary.n_blank} of them blank"
    ]
    for sequence in sorted({s for s, _ in summary.slices}):
        planes = {p: n for (s, p), n in sorted(summary.slices.items()) if s == sequence}
        detail = ", ".join(f"{n} {p}" for p, n in planes.items())
        lines.append(f"  {sequence:6} {sum(planes.values()):7} slices ({detail})")
    if summary.n_views:
        lines.append(f"  augmented views: {summary.n_views}")
    for sequence, who in scans.missing(sorted({s.sequence for s in scans.series})).items():
        lines.append(f"  {sequence} is missing in {len(who)} of {len(scans.patients)} patients: {some(who)}")
    for patient, sequence in summary.empty:
        lines.append(f"  {patient} {sequence}: not one file could be used")
    if scans.excluded:
        lines.append(f"  excluded: {some(scans.excluded)}")
    if scans.never_met:
        lines.append(f"  named by --exclude but not there: {some(scans.never_met)}")
    lines.append(f"  skipped: {len(summary.skipped)}")
    lines += [f"    {s.source}: {s.reason}" for s in summary.skipped[:10]]
    if len(summary.skipped) > 10:
        lines.append(
            f"    ... and {len(summary.skipped) - 10} more (python -m features info {summary.cache} --skipped)"
        )
    lines += [f"  {note}" for note in summary.notes]
    rate = f", {summary.n_slices_new / summary.seconds:.1f} slices/s" if summary.n_slices_new else ""
    lines.append(
        f"  {summary.n_series_new} series extracted ({summary.n_slices_new} slices in {summary.seconds:.1f} s{rate}), "
        f"{summary.n_series_kept} were there already"
    )
    return list(map(printable, lines))


def info_lines(path: Path, skipped: bool = False) -> list[str]:
    """A cache in words."""
    try_to_open(path)
    with Cache(path) as cache:
        view = cache.column("view")
        brain = cache.column("brain_fraction")[view == 0]
        lines = [f"{path}: {cache.n} rows of {cache.dim} ({int((view > 0).sum())} of them augmented views)"]
        lines += [f"  {k}: {v}" for k, v in sorted(cache.settings.items())]
        lines.append(f"  content digest: {cache.content_digest}")
        lines.append(
            f"  {len(set(cache.series['patient']))} patients, {len(cache.series['patient'])} series, {int((brain == 0).sum())} blank slices"
        )
        counts = Counter(zip(cache.column("sequence")[view == 0], cache.column("plane")[view == 0], strict=True))
        lines += [f"  {sequence:6} {plane:9} {n:7} slices" for (sequence, plane), n in sorted(counts.items())]
        lines.append(f"  {len(cache.skipped)} skipped")
        if skipped:
            lines += [f"    {s.source}: {s.reason}" for s in cache.skipped]
    return list(map(printable, lines))
