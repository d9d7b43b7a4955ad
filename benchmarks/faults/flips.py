"""One bit of every byte of a small cache turned over in turn: `verify` names a problem, or what the cache says is unchanged.

`python -m benchmarks flips` tries every byte; `python -m benchmarks.faults.flips N SEED` tries N of them drawn at random, and prints JSON.
Flips are tried in forks of this process, since HDF5 itself hangs or crashes on some damaged structures; `python -m features
verify` looks at a cache in a process of its own for the same reason.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from features.cache.checks import verify
from features.cache.isolated import try_to_open
from features.cache.reader import Cache
from features.cache.schema import CODED, COLUMNS, SeriesRows
from features.cache.writer import write
from features.scans.find import Skipped

SECONDS = 1.0  # an answer takes 0.02
OUTCOMES = ("named", "refused", "unchanged", "hung", "crashed", "missed")


def make_cache(path: Path) -> None:
    """Three series of two patients, one of them empty, and three lines of what was skipped."""
    rng = np.random.default_rng(0)
    blocks = []
    for patient, sequence, n in (("00002", "FLAIR", 2), ("00002", "T1w", 0), ("00011", "FLAIR", 3)):
        columns: dict[str, Any] = {c: rng.integers(0, 99, n).astype(t) for c, t in COLUMNS.items() if c not in CODED}
        columns["plane"] = np.array(["axial", "coronal", "axial"][:n], object)
        columns["source"] = np.array([f"{patient}/{sequence}/{k}.dcm" for k in range(n)], object)
        columns["pixel_digest"] = np.array([f"{k:032x}" for k in range(n)], "S32")
        features = rng.normal(size=(n, 4)).astype(np.float32)
        skipped = [Skipped(patient, sequence, f"{patient}/{sequence}/bad.dcm", "no pixels")]
        block = SeriesRows(
            patient=patient,
            sequence=sequence,
            fingerprint="ab" * 16,
            precision="float32",
            features=features,
            columns=columns,
            skipped=skipped,
        )
        blocks.append(block)
    write(path, {"dim": 4, "dtype": "float32", "precision": "float32", "weights": "custom"}, blocks)


def decoded(path: Path) -> Any:
    """All that a cache says."""
    with Cache(path) as cache:
        columns = {c: cache.column(c) for c in COLUMNS}
        values = {c: v.tolist() if c in CODED else v.tobytes() for c, v in columns.items()}
        series = {c: v.tolist() for c, v in cache.series.items()}
        return cache.settings, cache.content_digest, cache.skipped, cache.features().tobytes(), values, series


def outcome(path: Path, truth: Any) -> str:
    """What becomes of one damaged cache."""
    try:
        if verify(path):
            return "named"
        return "unchanged" if decoded(path) == truth else "missed"
    except ValueError:
        return "refused"


def try_flips(offsets: list[int], seed: int = 0) -> dict[str, list[int]]:
    """{outcome: the offsets at which it was met}; the bit that is turned over depends on offset and seed alone."""
    met: dict[str, list[int]] = {word: [] for word in OUTCOMES}
    with tempfile.TemporaryDirectory() as folder:
        path, answers = Path(folder, "cache.h5"), Path(folder, "answers")
        make_cache(path)
        raw, truth = path.read_bytes(), decoded(path)
        bits = _bits(len(raw), seed)[offsets]
        done = 0
        while done < len(offsets):
            answers.write_text("")
            pid = os.fork()
            if pid == 0:
                _flip_on(path, raw, truth, offsets[done:], bits[done:], answers)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            found = answers.read_text().split()
            for offset, word in zip(offsets[done:], found, strict=False):
                met[word].append(offset)
            done += len(found)
            if done < len(offsets):  # the process ended in the midst of one
                met["hung" if code == -signal.SIGALRM else "crashed"].append(offsets[done])
                done += 1
    return met


def survived(offsets: list[int], seed: int = 0) -> int:
    """How many of the flips that HDF5 does not survive are refused by what every command does before it opens a cache."""
    refused = 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "cache.h5")
        make_cache(path)
        raw = path.read_bytes()
        for offset, bit in zip(offsets, _bits(len(raw), seed)[offsets], strict=True):
            path.write_bytes(_flipped(raw, offset, bit))
            try:
                try_to_open(path, seconds=1)
            except ValueError:
                refused += 1
    return refused


def _bits(n: int, seed: int) -> Any:
    return np.random.default_rng(seed).integers(0, 8, n)


def _flipped(raw: bytes, offset: int, bit: int) -> bytes:
    damaged = bytearray(raw)
    damaged[offset] ^= 1 << int(bit)
    return bytes(damaged)


def _flip_on(path: Path, raw: bytes, truth: Any, offsets: list[int], bits: Any, answers: Path) -> None:
    """Flip after flip, until all are done or HDF5 hangs or crashes."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with answers.open("a") as out:
        for offset, bit in zip(offsets, bits, strict=True):
            path.write_bytes(_flipped(raw, offset, bit))
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            word = outcome(path, truth)
            signal.setitimer(signal.ITIMER_REAL, 0)
            print(word, file=out, flush=True)
    os._exit(0)


def size() -> int:
    """Bytes of the cache that is damaged."""
    with tempfile.TemporaryDirectory() as folder:
        make_cache(Path(folder, "cache.h5"))
        return Path(folder, "cache.h5").stat().st_size


def main() -> None:
    """Every byte."""
    met = try_flips(list(range(size())))
    counts = ", ".join(f"{len(met[word])} {word}" for word in OUTCOMES)
    print(f"{sum(map(len, met.values()))} flips: {counts}", met["missed"] or "", flush=True)
    deadly = met["hung"] + met["crashed"]
    print(f"of the {len(deadly)} that hang or crash HDF5, commands refuse {survived(deadly)}", flush=True)


if __name__ == "__main__":
    drawn = np.random.default_rng(int(sys.argv[2])).choice(size(), int(sys.argv[1]), replace=False)
    print(json.dumps(try_flips([int(x) for x in drawn])))
