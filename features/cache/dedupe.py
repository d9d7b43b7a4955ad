"""A cache -> the same without patients who are there twice under two names."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.ids import natural_key
from core.system.lock import file_lock
from features.cache.reader import Cache, Stored
from features.cache.repair import loose_skipped, own_settings
from features.cache.writer import write
from features.copies.duplicates import duplicate_patients, sentences
from features.copies.fingerprint import fingerprint
from features.copies.matching import SHARE
from features.table import load_table, open_source


def copies(path: Path) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """({patient: (who it is a copy of, what they share)}, pairs that share images and are no copies, in words).

    A patient is a copy of another where in every sequence that it has, most slices of the shorter series are the other's. Of
    such a pair the one with more slices is the original, or else the first. Raises ValueError for a damaged cache.
    """
    source = open_source(path)
    marks = {q: fingerprint(load_table(source, q)) for q in source.sequences}
    pairs = duplicate_patients(marks)
    shared = {(a, b, pair.sequence) for pair in pairs if pair.n > SHARE * pair.of for a, b in _both(pair.a, pair.b)}
    own = {p: [q for q, f in marks.items() if p in f.patients] for p in source.patients}
    size = Counter(str(f.patients[i]) for f in marks.values() for i in f.owner)
    found = sentences(pairs)
    words = {names: told for pair, told in found.items() for names in _both(*pair)}
    originals: list[str] = []
    removed: dict[str, tuple[str, str]] = {}
    for patient in sorted(source.patients, key=lambda p: (-size[p], natural_key(p))):
        like = [k for k in originals if own[patient] and all((patient, k, q) in shared for q in own[patient])]
        if like:
            removed[patient] = like[0], words[patient, like[0]]
        else:
            originals.append(patient)
    kept = [f"{a} and {b}: {told}" for (a, b), told in found.items() if not removed.keys() & {a, b}]
    return removed, kept


def dedupe(path: Path, out: Path) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """Write a new cache `out` without the copies: what `copies` says. Raises ValueError where `out` exists."""
    if out.exists():
        raise ValueError(f"{str(out)!r} exists; name a new file for the cache without copies")
    removed, kept = copies(path)
    with file_lock(out), Cache(path) as cache:
        stays = [i for i, p in enumerate(cache.series["patient"]) if str(p) not in removed]
        loose = [s for s in loose_skipped(cache) if s.patient not in removed]
        write(out, own_settings(cache), [Stored(cache, i) for i in stays], loose)
    return removed, kept


def _both(a: str, b: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return (a, b), (b, a)
