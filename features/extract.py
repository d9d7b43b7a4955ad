"""The loop of stage 1: decode in worker processes, embed, keep each series as a part, publish the cache.

`embed` is an argument, so that anything that turns (n, 224, 224) uint8 into (n, d) float32 can stand in.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core import __version__
from core.ids import natural_key
from core.lock import file_lock
from core.text import some
from features.cache.hdf5 import Cache, SeriesRows, Stored, verify, write
from features.cache.merge import JOINED, joined
from features.cache.repair import loose_skipped
from features.scans.find import Scans, Series, Skipped
from features.scans.prepare import PREPROCESSING, Images, pixel_digest, prepare_series
from features.scans.workers import decoded

LIBRARIES = ("tensorflow", "keras", "numpy", "pydicom", "pillow", "nibabel")


class Embed(Protocol):
    """What turns images into vectors. `settings` name everything that the vectors depend on but the images."""

    dim: int
    precision: str
    settings: dict[str, Any]

    def __call__(self, images: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """(n, size, size) uint8 -> (n, dim) float32."""
        ...


@dataclass
class Summary:
    """What an extraction did and what its cache now holds."""

    cache: Path
    n_patients: int = 0
    n_series_new: int = 0
    n_series_kept: int = 0
    n_slices_new: int = 0
    seconds: float = 0.0
    slices: Counter[tuple[str, str]] = field(default_factory=Counter)  # (sequence, plane) -> images
    n_blank: int = 0
    n_views: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    empty: list[tuple[str, str]] = field(default_factory=list)  # (patient, sequence) without a readable slice
    notes: list[str] = field(default_factory=list)


def extract(
    scans: Scans,
    out: Path,
    *,
    embed: Embed,
    normalize: str = "series",
    resize: str = "pad",
    plane: str = "axial",
    augment: int = 0,
    seed: int = 0,
    dtype: str = "float32",
    workers: int = 1,
    strict: bool = False,
    accept_versions: bool = False,
    progress: Callable[..., Any] | None = None,
    skip_blank_and_equal: bool = True,
) -> Summary:
    """Extract what is missing from the cache `out`, or make it.

    A series is either wholly in the cache or not at all. Each finished series is kept as a part in `<out>.parts/`
    until all are done; then the cache is published by a rename. A rerun uses the cache and the parts that are
    there; one process at a time writes `out`. `progress` is tqdm or something called like it. `workers` counts decoding processes; 0 decodes here.

    Raises ValueError where the cache was made with other settings (named), where another process is writing it, and with
    `strict` at the first file that cannot be used.
    """
    prepare = partial(
        prepare_series,
        size=embed.settings["input_size"],
        normalize=normalize,
        resize=resize,
        plane=plane,
        augment=augment,
        seed=seed,
    )
    settings = {
        **embed.settings,
        "precision": embed.precision,
        "dim": embed.dim,
        "dtype": dtype,
        "preprocessing": PREPROCESSING,
        "normalize": normalize,
        "resize": resize,
        "plane": plane,
        "augment": augment,
        "augment_seed": seed if augment else 0,
        "versions": json.dumps({name: version(name) for name in LIBRARIES}),
        "code_version": __version__,
    }
    if strict and scans.skipped:
        first = scans.skipped[0]
        raise ValueError(f"--strict: {first.source}: {first.reason}")
    with file_lock(out) as notes:
        return _extend(
            Summary(out, notes=notes),
            scans,
            out,
            settings,
            prepare,
            embed,
            skip_blank_and_equal,
            workers=workers,
            strict=strict,
            accept_versions=accept_versions,
            progress=progress,
        )


def _extend(
    summary: Summary,
    scans: Scans,
    out: Path,
    settings: dict[str, Any],
    prepare: Callable[[Series], Images],
    embed: Embed,
    skip_blank_and_equal: bool,
    *,
    workers: int,
    strict: bool,
    accept_versions: bool,
    progress: Callable[..., Any] | None,
) -> Summary:
    """The rest of `extract`, for whoever holds the lock."""
    started = time.monotonic()
    dtype = settings["dtype"]
    _sweep(out)
    parts = out.with_name(out.name + ".parts")
    done = _done(out, parts, settings, accept_versions, summary.notes)
    todo: list[Series] = []
    kept: list[Series] = []
    for series in scans.series:
        there = done.get((series.patient, series.sequence), ("", out))[0]
        (kept if there == series.fingerprint() else todo).append(series)
    changed = [s for s in todo if (s.patient, s.sequence) in done]
    summary.notes += [f"{s.patient} {s.sequence}: its files changed on disk; extracted again" for s in changed]
    summary.n_series_kept = len(kept)
    summary.notes += _taken_as_unchanged(kept, out)
    stale = [p for p in scans.excluded if any(patient == p for patient, _ in done)]
    if stale:
        summary.notes.append(
            f"warning: excluded, but in the cache already and left there: {some(stale)}; use another --out"
        )
    embed_images = without_repeats(embed) if skip_blank_and_equal else embed
    if todo:
        parts.mkdir(exist_ok=True)
    before = {patient for patient, _ in done}
    added = sorted({s.patient for s in todo} - before, key=natural_key)
    if before and added:
        summary.notes.append(f"{len(added)} patients are new to the cache: {some(added)}")
    bar = progress(total=len(todo), unit="series") if progress and todo else None
    with closing(decoded(todo, prepare, workers)) as prepared, closing(bar) if bar is not None else nullcontext():
        for series, images in prepared:
            if strict and images.skipped:
                raise ValueError(f"--strict: {images.skipped[0].source}: {images.skipped[0].reason}")
            summary.notes += [f"warning: {series.patient} {series.sequence}: {oddity}" for oddity in _oddities(images)]
            vectors = embed_images(images.pixels) if len(images.pixels) else np.empty((0, embed.dim), np.float32)
            if dtype == "float16" and np.abs(vectors).max(initial=0) > np.finfo(np.float16).max:
                raise ValueError("a feature is too large for float16; use --dtype float32")
            rows = SeriesRows(
                series.patient, series.sequence, series.fingerprint(), embed.precision, vectors.astype(dtype), images.columns, images.skipped
            )  # fmt: skip
            part = parts / f"{_part_name(series)}.h5"
            write(part, settings, [rows])
            done[series.patient, series.sequence] = (rows.fingerprint, part)
            summary.n_series_new += 1
            summary.n_slices_new += len(vectors)
            if bar is not None:
                rate = summary.n_slices_new / (time.monotonic() - started)
                bar.set_postfix_str(f"{rate:.1f} slices/s, {summary.n_slices_new} slices", refresh=False)
                bar.update()
    if todo or parts.exists() or not _records(out, scans.skipped):
        _publish(out, parts, settings, done, scans)
    summary.seconds = time.monotonic() - started
    _describe(out, summary)
    return summary


def _taken_as_unchanged(kept: Sequence[Series], out: Path) -> list[str]:
    """A warning of series that have the names and sizes of before, and files that are newer than the cache."""
    made = out.stat().st_mtime if out.exists() else np.inf
    later = [f"{s.patient} {s.sequence}" for s in kept if s.written_after(made)]
    words = "files were written after the cache, but have the names and sizes of before, so these series are taken as unchanged"
    move = "if their content is another, extract to another --out"
    return [f"warning: {words}: {some(later)}; {move}"] if later else []


def without_repeats(embed: Embed) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Embed equal images once per series, and the all-black image once per run, alone in its batch."""
    black: list[NDArray[np.float32]] = []

    def embed_unique(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        flat = images.reshape(len(images), -1)
        blank = ~flat.any(axis=1)
        vectors = np.empty((len(images), embed.dim), np.float32)
        if blank.any():
            if not black:
                black.append(embed(np.zeros_like(images[:1])))
            vectors[blank] = black[0]
        rows = np.flatnonzero(~blank)
        first: dict[bytes, int] = {}
        same_as = np.array([first.setdefault(pixel_digest(images[i]), int(i)) for i in rows], np.intp)
        kept = rows[same_as == rows]
        if len(kept):
            vectors[kept] = embed(images[kept])
        vectors[rows] = vectors[same_as]
        return vectors

    return embed_unique


def _oddities(images: Images) -> list[str]:
    """What makes a series unlikely to be one scan, in words."""
    image = images.columns["view"] == 0
    plane, position = images.columns["plane"][image], images.columns["position"][image]
    out = []
    if len(set(plane)) > 1:
        out.append(f"its slices lie in {len(set(plane))} planes ({', '.join(sorted(set(plane)))})")
    known = np.isfinite(position)
    where = list(zip(plane[known], position[known], strict=True))
    if len(set(where)) < len(where):
        out.append(f"{len(where) - len(set(where))} slices lie where another one lies already; is it one scan?")
    return out


def _part_name(series: Series) -> str:
    return blake2b(f"{series.patient}\0{series.sequence}".encode(errors="surrogateescape"), digest_size=16).hexdigest()


def _done(
    out: Path, parts: Path, settings: dict[str, Any], accept_versions: bool, notes: list[str]
) -> dict[tuple[str, str], tuple[str, Path]]:
    """(patient, sequence) -> (fingerprint, file that holds it) of what an earlier run finished, parts last."""
    done: dict[tuple[str, str], tuple[str, Path]] = {}
    for path in ([out] if out.exists() else []) + sorted(parts.glob("*.h5")):
        if path != out and (problem := _unusable(path)):
            notes.append(f"warning: a part of an earlier run is damaged and is extracted again ({problem})")
            path.unlink()
            continue
        with Cache(path) as cache:
            _compare(path, cache.settings, settings, accept_versions, notes)
            for patient, sequence, fingerprint in zip(
                cache.series["patient"], cache.series["sequence"], cache.series["fingerprint"], strict=True
            ):
                done[str(patient), str(sequence)] = (str(fingerprint), path)
    return done


def _unusable(part: Path) -> str:
    """The first problem of a part, "" if it is sound."""
    try:
        return next(iter(verify(part)), "")
    except ValueError as error:
        return str(error)


def _sweep(out: Path) -> None:
    """Delete what a killed process left half-written beside `out`."""
    stump = re.compile(rf"\.{re.escape(out.name)}\.\d+\.tmp")
    for path in out.parent.iterdir():
        if stump.fullmatch(path.name):
            path.unlink()


def _compare(path: Path, theirs: dict[str, Any], ours: dict[str, Any], accept_versions: bool, notes: list[str]) -> None:
    """Refuse to join rows of different settings; rows that differ in precision only join with a note."""
    different = [k for k in ours if theirs.get(k) != ours[k]]
    # several, where a join was accepted before
    different = [k for k in different if not (k in JOINED and ours[k] in str(theirs.get(k)).split(JOINED[k]))]
    versions = set(JOINED) - {"precision"}
    serious = [k for k in different if k != "precision" and not (accept_versions and k in versions)]
    if serious:
        named = "; ".join(f"{k} is {theirs.get(k)!r} there, {ours[k]!r} here" for k in serious)
        advice = "use the same settings, or write to another --out"
        if set(serious) <= versions:
            advice += ", or pass --accept-versions"
        raise ValueError(f"{str(path)!r} was made with other settings: {named}; {advice}")
    for k in different:
        note = f"warning: rows with {k} {theirs.get(k)} and {ours[k]} are joined in one cache"
        if note not in notes:
            notes.append(note)


def _records(out: Path, skipped: list[Skipped]) -> bool:
    """Whether `out` exists and tells of all that was skipped."""
    if not out.exists():
        return False
    with Cache(out) as cache:
        return set(skipped) <= set(cache.skipped)


def _publish(
    out: Path,
    parts: Path,
    settings: dict[str, Any],
    done: dict[tuple[str, str], tuple[str, Path]],
    scans: Scans,
) -> None:
    """Merge the published cache and the parts, series by series, into a new cache, rename it into place, remove the parts."""
    here = set(scans.patients)
    loose = list(scans.skipped)
    found = [settings]
    blocks: list[SeriesRows | Stored] = []
    with ExitStack() as published:
        for path in dict.fromkeys(p for _, p in done.values()):
            cache = published.enter_context(Cache(path))
            found.append(cache.settings)
            keys = list(zip(cache.series["patient"], cache.series["sequence"], strict=True))
            blocks += [Stored(cache, k, reopen=path != out) for k, key in enumerate(keys) if done[key][1] == path]
            loose += [s for s in loose_skipped(cache) if s.patient not in here]
            if path != out:
                cache.close()
        write(out, {**settings, **joined(found)}, blocks, loose)
    if parts.exists():
        shutil.rmtree(parts)  # with what a killed run left half-written


def _describe(out: Path, summary: Summary) -> None:
    with Cache(out) as cache:
        view = cache.column("view")
        keys = zip(cache.column("sequence")[view == 0], cache.column("plane")[view == 0], strict=True)
        summary.slices = Counter((str(s), str(p)) for s, p in keys)
        summary.n_blank = int((cache.column("brain_fraction")[view == 0] == 0).sum())
        summary.n_views = int((view > 0).sum())
        summary.n_patients = len(set(cache.series["patient"]))
        summary.skipped = cache.skipped
        rows = zip(cache.series["patient"], cache.series["sequence"], cache.series["n_rows"], strict=True)
        summary.empty = [(str(p), str(q)) for p, q, n in rows if n == 0]


def summary_lines(summary: Summary, scans: Scans) -> list[str]:
    """The closing summary in words, a line each."""
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
    return [line.encode(errors="backslashreplace").decode() for line in lines]  # names that are no UTF-8 print too
