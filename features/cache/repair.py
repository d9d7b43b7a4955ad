"""What is intact of a damaged cache, as a new cache, and what must be extracted again."""

from __future__ import annotations

from pathlib import Path

from core.system.lock import file_lock
from features.cache.checks import damage, layout
from features.cache.isolated import try_to_open
from features.cache.reader import Cache, Stored
from features.cache.schema import Settings
from features.cache.writer import write
from features.scans.find import Skipped


def repair(path: Path, out: Path) -> tuple[int, list[str]]:
    """Copy the series that agree with their digests to a new cache `out`: (how many, (patient, sequence) lost, in words).

    Extraction with the same settings and `--out` `out` then fills the gaps, and reads again what was listed as skipped.
    Raises ValueError where `out` exists, or where the tables of the cache are so damaged that no series can be found.
    """
    if out.exists():
        raise ValueError(f"{str(out)!r} exists; name a new file for what is intact")
    try_to_open(path)
    with file_lock(out), Cache(path) as cache:
        if problems := layout(cache):
            raise ValueError(f"{str(path)!r} cannot be repaired: {problems[0]}; extract it again")
        intact, lost, sound = [], [], set()
        for index in range(len(cache.series["patient"])):
            key = str(cache.series["patient"][index]), str(cache.series["sequence"][index])
            problems = damage(cache, [index])
            if problems or key in sound:
                lost.append(problems[0] if problems else f"patient {key[0]!r} {key[1]}: stands twice")
            else:
                sound.add(key)
                intact.append(Stored(cache, index))
        write(out, own_settings(cache), intact, loose_skipped(cache))
    return len(intact), lost


def own_settings(cache: Cache) -> Settings:
    """The settings of a cache without those that every cache has alike."""
    return {k: v for k, v in cache.settings.items() if k not in ("format", "format_version")}


def loose_skipped(cache: Cache) -> list[Skipped]:
    """What a cache says was skipped and belongs to no series of it."""
    known = set(zip(cache.series["patient"], cache.series["sequence"], strict=True))
    return [s for s in cache.skipped if (s.patient, s.sequence) not in known]
