"""Does every damaged file end in slices or in a reason? Mutants of each kind of input through the real readers and workers.

`python -m benchmarks fuzz_inputs` tries 12,000. Every mutant is seeded by its kind and number.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.timing import children_mib
from benchmarks.whole_files import SECRETS, seeds
from features.cache.checks import verify
from features.cache.reader import Cache
from features.labels import read_labels
from features.scans.find import Series, Skipped
from features.scans.prepare import Images, prepare_series
from features.scans.workers import Limits, decoded

LIMITS = Limits(seconds=20, memory=1024**3)
_PER_SERIES = 50
_EDGES = (
    b"\0\0",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\x01\0\0\0",
    b"\0\0\xc0\x7f",
    b"\0\0\x80\x7f",
)


@dataclass
class Outcome:
    """What became of the mutants of one kind; `wrong` are answers that break a promise, in words."""

    tried: int = 0
    gave: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    crashed: int = 0
    hung: int = 0
    wrong: list[str] = field(default_factory=list)


def mutant(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A damaged copy: flipped bytes, ends cut off, stretches lost, doubled, blanked or taken from `other`, lies of length."""
    data = bytearray(content)
    for _ in range(1 + int(rng.random() < 0.3)):
        n = len(data)
        if n < 8:
            break
        # Most lies that matter stand in the header, near the beginning.
        at = int(rng.integers(0, n)) if rng.random() < 0.4 else int(rng.integers(0, min(n, 900)))
        stretch = int(rng.integers(1, 1 + min(64, n - at)))
        how = int(rng.choice(8, p=(0.3, 0.08, 0.08, 0.05, 0.05, 0.12, 0.27, 0.05)))
        if how == 0:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif how == 1:
            for k in rng.integers(0, n, 1 + int(rng.integers(0, 1 + n // 200))):
                data[k] = int(rng.integers(0, 256))
        elif how == 2:
            del data[at:]
        elif how == 3:
            del data[at : at + stretch]
        elif how == 4:
            data[at:at] = data[at : at + stretch]
        elif how == 5:
            data[at : at + stretch] = bytes(stretch)
        elif how == 6:
            edge = _EDGES[int(rng.integers(0, len(_EDGES)))]
            data[at : at + len(edge)] = edge
        else:
            data[at:] = other[min(at, len(other)) :]
    return bytes(data)


def read_all(
    read: Callable[[Path], object],
    series: Series,
    *,
    left_out: Mapping[str, str],
    reading: Callable[[int], object],
) -> Images:
    """The files of a series through a reader that is not of images, for a worker: which were read, and which why not."""
    gave, skipped = [], []
    for k, source in enumerate(series.files):
        reading(k)
        try:
            if source in left_out:
                raise ValueError(left_out[source])
            read(series.cohort / source)
            gave.append(source)
        except (ValueError, OSError) as error:
            reason = str(error).replace(str(series.cohort), "")
            skipped.append(Skipped(series.patient, series.sequence, source, reason))
    reading(len(series.files))
    return Images(np.empty((0, 1, 1), np.uint8), {"source": np.array(gave, object)}, skipped)


def read_cache(path: Path) -> None:
    """All of a cache. Raises ValueError where verification finds damage, or what reading raises."""
    if problems := verify(path):
        raise ValueError(f"verify: {problems[0]}")
    with Cache(path) as cache:
        cache.features()
        for k in range(len(cache.series["patient"])):
            cache.series_rows(k)
        assert cache.skipped is not None


def fuzz(tries: int, seed: int = 0, workers: int = 2) -> dict[str, Outcome]:
    """`tries` mutants of every kind through decoding workers."""
    images = partial(prepare_series, size=32, normalize="series", resize="pad", plane="axial")
    outcomes = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (kind, whole) in enumerate(seeds(folder).items()):
            prepare: Callable[..., Images] = images
            if kind == "labels":
                prepare = partial(read_all, read_labels)
            elif kind == "cache":
                prepare = partial(read_all, read_cache)
            todo = []
            for first in range(0, tries, _PER_SERIES):
                files = []
                for k in range(first, min(tries, first + _PER_SERIES)):
                    rng = np.random.default_rng([seed, number, k])
                    suffix, content = whole[k % len(whole)]
                    other = whole[int(rng.integers(0, len(whole)))][1]
                    files.append(f"{kind}-{k}{suffix}")
                    (folder / files[-1]).write_bytes(mutant(content, other, rng))
                todo.append(Series(kind, "FLAIR", folder, tuple(files)))
            outcome = outcomes[kind] = Outcome(tried=tries)
            for series, found in decoded(todo, prepare, workers, LIMITS):
                _count(series, found, outcome)
    return outcomes


def _count(series: Series, found: Images, outcome: Outcome) -> None:
    gave = set(found.columns["source"].tolist())
    refused = {s.source for s in found.skipped}
    outcome.gave += len(gave)
    for s in found.skipped:
        outcome.crashed += "was killed" in s.reason or "exit status" in s.reason
        outcome.hung += "took longer" in s.reason
        outcome.reasons[s.reason] += 1
        if any(secret.decode() in s.reason for secret in SECRETS):
            outcome.wrong.append(f"{s.source}: its reason quotes the header")
    if gave | refused != set(series.files):
        outcome.wrong.append(f"{sorted(set(series.files) - gave - refused)[0]}: neither slices nor a reason")
    if "brain_fraction" in found.columns:
        n = {len(values) for values in found.columns.values()} | {len(found.pixels)}
        fraction = found.columns["brain_fraction"]
        windows = np.concatenate([found.columns["window_low"], found.columns["window_high"]])
        if len(n) > 1 or not ((fraction >= 0) & (fraction <= 1)).all() or not np.isfinite(windows).all():
            outcome.wrong.append(f"{series.files[0]} and the next: rows out of step, or values that are no numbers")


def main(tries: int = 2000) -> None:
    """Print what became of the mutants, and the memory of the largest worker."""
    print(
        "| kind | tried | gave slices or values | recorded reasons | different reasons | crashed | hung | broken promises |"
    )
    print("| --- " * 8 + "|")
    for kind, o in fuzz(tries).items():
        counts = (o.tried, o.gave, sum(o.reasons.values()), len(o.reasons), o.crashed, o.hung, len(o.wrong))
        print(f"| {kind} | {' | '.join(map(str, counts))} |", flush=True)
        for line in o.wrong[:5]:
            print(line, file=sys.stderr)
    print(f"\nlargest process: {children_mib():.0f} MiB")
