"""Caches of several machines -> one. Nothing is guessed where two of them disagree."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from core.system.lock import file_lock
from core.text import some
from features.cache.checks import layout
from features.cache.isolated import try_to_open
from features.cache.reader import Cache, Stored
from features.cache.repair import loose_skipped, own_settings
from features.cache.schema import Settings
from features.cache.writer import write

# Settings that may differ between machines, and what joins them in one cache (FORMATS.md).
JOINED = {"precision": "+", "versions": " + ", "code_version": " + "}


def merge(paths: Sequence[Path], out: Path) -> tuple[int, int]:
    """Write the series of all caches to a new cache `out`: (how many series, how many stood in several caches alike).

    A series that is the same in several caches, by its digest, is kept once. Raises ValueError, and writes nothing, where
    `out` exists, where settings differ (named), or where caches hold one patient and sequence with different content (named).
    """
    if out.exists():
        raise ValueError(f"{str(out)!r} exists; name a new file for the merged cache")
    for path in paths:
        try_to_open(path)
    with file_lock(out), ExitStack() as opened:
        caches = [opened.enter_context(Cache(path)) for path in paths]
        for cache in caches:
            if problems := layout(cache):
                raise ValueError(f"{str(cache.path)!r} is damaged: {problems[0]}; python -m features verify lists all")
        settings = _settings(caches)
        kept: dict[tuple[str, str], tuple[Stored, Path]] = {}
        conflicts, alike = [], 0
        for cache in caches:
            for index in range(len(cache.series["patient"])):
                series = Stored(cache, index)
                first, where = kept.setdefault((series.patient, series.sequence), (series, cache.path))
                if first is series:
                    continue
                if first.digest() == series.digest():
                    alike += 1
                else:
                    named = f"patient {series.patient!r} {series.sequence}"
                    conflicts.append(f"{named} in {str(where)!r} and {str(cache.path)!r}")
        if conflicts:
            raise ValueError(
                f"{len(conflicts)} series differ between caches: {some(conflicts, comma='; ')}; extract them anew into one, or "
                "rename a patient who is another"
            )
        loose = [s for cache in caches for s in loose_skipped(cache) if (s.patient, s.sequence) not in kept]
        write(out, settings, [series for series, _ in kept.values()], loose)
    return len(kept), alike


def _settings(caches: Sequence[Cache]) -> Settings:
    """The settings of them all. Raises ValueError naming each that differs."""
    first, *others = [own_settings(cache) for cache in caches]
    for cache, theirs in zip(caches[1:], others, strict=True):
        named = [
            f"{k} is {first.get(k)!r} and {theirs.get(k)!r}"
            for k in sorted({*first, *theirs} - set(JOINED))
            if first.get(k) != theirs.get(k)
        ]
        if named:
            raise ValueError(
                f"{str(caches[0].path)!r} and {str(cache.path)!r} were made with other settings: {'; '.join(named)}; "
                "extract them alike"
            )
    return {**first, **joined([first, *others])}


def several(settings: Settings, key: str) -> list[str]:
    """The values of a setting that may differ; one where nothing was joined."""
    return str(settings[key]).split(JOINED[key])


def joined(caches: Sequence[Settings]) -> dict[str, str]:
    """What stands in one cache for those settings of several caches that may differ (`JOINED`)."""
    out = {}
    for key, mark in JOINED.items():
        found = {part for settings in caches if key in settings for part in several(settings, key)}
        if found:
            out[key] = mark.join(sorted(found))
    return out
