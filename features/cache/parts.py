"""Finished series of an extraction that is not done: each a small cache in `<out>.parts/`, until all are published as one."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from core.system.files import recover
from features.cache.checks import verify
from features.cache.merge import JOINED, joined, several
from features.cache.reader import Cache, Stored
from features.cache.repair import loose_skipped
from features.cache.schema import SeriesRows, Settings
from features.cache.writer import write
from features.scans.find import Skipped


class Held(NamedTuple):
    """Where a finished series is."""

    fingerprint: str
    file: Path


class Parts:
    """The finished series of the cache `out`: those that are published, and those that are kept as parts beside it.

    held : {(patient, sequence): where it is}, parts before what is published. For whoever holds the lock of `out`.
    """

    def __init__(self, out: Path, settings: Settings) -> None:
        """`settings` : of the extraction that goes on."""
        self.out, self.settings = out, settings
        self.folder = out.with_name(out.name + ".parts")
        self.held: dict[tuple[str, str], Held] = {}

    def find(self, *, accept_versions: bool = False) -> list[str]:
        """Look at what earlier runs finished, delete what they left half-written; notes for the user.

        Raises ValueError where it was made with other settings, which are named.
        """
        recover(self.out)
        notes: list[str] = []
        for path in ([self.out] if self.out.exists() else []) + sorted(self.folder.glob("*.h5")):
            if path != self.out and (problem := _unusable(path)):
                notes.append(f"warning: a part of an earlier run is damaged and is extracted again ({problem})")
                path.unlink()
                continue
            with Cache(path) as cache:
                notes += [n for n in self._compared(path, cache.settings, accept_versions) if n not in notes]
                columns = (cache.series[name] for name in ("patient", "sequence", "fingerprint"))
                for patient, sequence, fingerprint in zip(*columns, strict=True):
                    self.held[str(patient), str(sequence)] = Held(str(fingerprint), path)
        return notes

    def keep(self, rows: SeriesRows) -> None:
        """Keep one more series."""
        self.folder.mkdir(exist_ok=True)
        name = f"{rows.patient}\0{rows.sequence}".encode(errors="surrogateescape")
        part = self.folder / f"{blake2b(name, digest_size=16).hexdigest()}.h5"
        write(part, self.settings, [rows])
        self.held[rows.patient, rows.sequence] = Held(rows.fingerprint, part)

    def publish(self, patients: Iterable[str], skipped: Iterable[Skipped]) -> None:
        """Merge the published cache and the parts, series by series, into a new cache, rename it into place, remove the parts.

        `skipped` : what was found of the `patients` and belongs to no series; of others, what earlier runs said stays.
        """
        here, loose = set(patients), list(skipped)
        found = [self.settings]
        blocks: list[SeriesRows | Stored] = []
        with ExitStack() as published:
            for path in dict.fromkeys(held.file for held in self.held.values()):
                cache = published.enter_context(Cache(path))
                found.append(cache.settings)
                keys = list(zip(cache.series["patient"], cache.series["sequence"], strict=True))
                own = [k for k, key in enumerate(keys) if self.held[key].file == path]
                blocks += [Stored(cache, k, reopen=path != self.out) for k in own]
                loose += [s for s in loose_skipped(cache) if s.patient not in here]
                if path != self.out:
                    cache.close()
            write(self.out, {**self.settings, **joined(found)}, blocks, loose)
        if self.folder.exists():
            shutil.rmtree(self.folder)  # with what a killed run left half-written

    def unpublished(self, skipped: Iterable[Skipped]) -> bool:
        """Whether there are parts, or the cache does not exist or does not tell of all that was skipped."""
        if self.folder.exists() or not self.out.exists():
            return True
        with Cache(self.out) as cache:
            return not set(skipped) <= set(cache.skipped)

    def _compared(self, path: Path, theirs: Settings, accept_versions: bool) -> list[str]:
        """Refuse to join rows of different settings; rows that differ in precision only join with a note."""
        ours = self.settings
        different = [k for k in ours if theirs.get(k) != ours[k]]
        # several, where a join was accepted before
        different = [k for k in different if not (k in JOINED and k in theirs and ours[k] in several(theirs, k))]
        versions = set(JOINED) - {"precision"}
        serious = [k for k in different if k != "precision" and not (accept_versions and k in versions)]
        if serious:
            named = "; ".join(f"{k} is {theirs.get(k)!r} there, {ours[k]!r} here" for k in serious)
            advice = "use the same settings, or write to another --out"
            if set(serious) <= versions:
                advice += ", or pass --accept-versions"
            raise ValueError(f"{str(path)!r} was made with other settings: {named}; {advice}")
        return [f"warning: rows with {k} {theirs.get(k)} and {ours[k]} are joined in one cache" for k in different]


def _unusable(part: Path) -> str:
    """The first problem of a part, "" if it is sound."""
    try:
        return next(iter(verify(part)), "")
    except ValueError as error:
        return str(error)
