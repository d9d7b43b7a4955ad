"""A cache against itself: types and lengths of its tables, and each series against its digest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.ids import natural_key
from features.cache.reader import Cache, first_line
from features.cache.schema import CODED, COLUMNS, SERIES_COLUMNS, SeriesRows, content_digest
from features.scans.slice import SLICE_COLUMNS

Indices = Sequence[int] | NDArray[np.intp]  # of series, by their rows in /series

_SERIES_AT_ONCE = 256  # while a whole cache is checked


def verify(path: Path) -> list[str]:
    """Check a cache against itself; the problems found in words, none if it is sound.

    Raises
    ------
    ValueError : the file is no cache of a version known here
    """
    with Cache(path) as cache:
        try:
            return _problems(cache)
        except Exception as error:  # HDF5 raises anything on a damaged file
            return [f"cannot be read ({first_line(error)})"]


def _problems(cache: Cache) -> list[str]:
    if wrong := layout(cache):
        return wrong
    series = cache.series
    keys = [(natural_key(str(p)), str(p), str(q)) for p, q in zip(series["patient"], series["sequence"], strict=True)]
    problems = [f"patient {b[1]!r} {b[2]} stands twice, or out of order" for a, b in pairwise(keys) if a >= b]
    problems += damage(cache, range(len(keys)))
    if content_digest(cache.settings, [str(d) for d in series["digest"]], cache.skipped) != cache.content_digest:
        problems.append("the root attributes or the table of skipped files differ from the digest stored with them")
    return problems


def layout(cache: Cache) -> list[str]:
    """What is wrong with the types and lengths of the tables, in words; nothing of their rows is read."""
    problems = []
    expected: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "features": (cache.settings.get("dtype"), (cache.n, cache.settings.get("dim")))
    }
    expected |= {f"rows/{name}": (dtype, (cache.n,)) for name, dtype in COLUMNS.items()}
    for name, (dtype, shape) in expected.items():
        found = cache.file.get(name)
        if found is None or found.shape != shape:
            problems.append(f"/{name} has shape {None if found is None else found.shape}; expected {shape}")
        elif found.dtype != dtype:
            problems.append(f"/{name} has type {found.dtype}; expected {np.dtype(dtype)}")
    series = cache.series
    lacking = sorted(set(SERIES_COLUMNS) - set(series))
    if lacking or len({len(series[c]) for c in SERIES_COLUMNS}) > 1:
        return [*problems, f"the columns of /series are not equally long, or lack {lacking}"]
    first, lengths = series["first_row"], series["n_rows"]
    if first.dtype != "<i8" or lengths.dtype != "<i8":
        types = f"{first.dtype} and {lengths.dtype}"
        problems.append(f"/series/first_row, /series/n_rows have types {types}; expected int64")
    elif (lengths < 0).any() or (first != np.cumsum(lengths) - lengths).any() or int(lengths.sum()) != cache.n:
        covered = int(lengths.sum())
        problems.append(f"the series cover {covered} rows in pieces that do not tile the {cache.n} rows of /features")
    return problems


def checked(cache: Cache, indices: Indices) -> tuple[NDArray[Any], list[str]]:
    """/features of some series, one after another, and what of it differs from the digests.

    Every vector is read once; what was read is what is compared. Series that lie side by side are read in one go, and nothing
    else is.

    Returns
    -------
    (rows of the series, dim) of the stored dtype; and problems in words, one or more for each series that differs
    """
    if wrong := layout(cache):
        return np.empty((0, cache.dim)), wrong
    part = _Part(cache, indices)
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # hashing and numpy leave the interpreter to the others
        found = threads.map(part.problems, range(len(part.first)))
        return part.features, [p for problems in found for p in problems]


def damage(cache: Cache, indices: Iterable[int]) -> list[str]:
    """Read some series, and say in words which differ from their digests."""
    if wrong := layout(cache):
        return wrong
    every = np.fromiter(indices, int)
    parts = np.split(every, np.arange(_SERIES_AT_ONCE, len(every), _SERIES_AT_ONCE))
    return [p for part in parts for p in checked(cache, part)[1]]


class _Part:
    """Some series of a cache, read to be compared with their digests."""

    def __init__(self, cache: Cache, indices: Indices) -> None:
        self.cache, self.indices = cache, indices
        self.first, lengths = (cache.series[c][indices].astype(np.int64) for c in ("first_row", "n_rows"))
        ends = np.cumsum(lengths)
        self.places = [slice(int(e - n), int(e)) for e, n in zip(ends, lengths, strict=True)]  # in `features`
        self.features = np.empty((int(lengths.sum()), cache.dim), cache.file["features"].dtype)
        self.unread: dict[int, str] = {}
        self._read_features(lengths)
        some = len(self.first) > 0
        self.start = int(self.first.min()) if some else 0
        stop = int((self.first + lengths).max()) if some else 0
        self.columns = {c: cache.file[f"rows/{c}"][self.start : stop] for c in COLUMNS}
        self.codes = {c: cache.file[f"series/{c}"][()] for c in ("patient", "sequence")}

    def _read_features(self, lengths: NDArray[np.int64]) -> None:
        apart = np.flatnonzero(self.first[1:] != self.first[:-1] + lengths[:-1]) + 1
        for run in np.split(np.arange(len(self.first)), apart):
            try:
                self._read_run(run)
            except Exception:  # HDF5 raises anything on a damaged file; which series it is in is seen one by one
                for i in run:
                    try:
                        self._read_run(run[run == i])
                    except Exception as error:
                        self.unread[int(i)] = first_line(error)

    def _read_run(self, run: NDArray[np.intp]) -> None:
        rows = slice(self.places[run[0]].start, self.places[run[-1]].stop) if len(run) else slice(0, 0)
        if rows.stop > rows.start:
            start = int(self.first[run[0]])
            source = np.s_[start : start + rows.stop - rows.start]
            self.cache.file["features"].read_direct(self.features, source, np.s_[rows])

    def problems(self, i: int) -> list[str]:
        """What is wrong with the series `i` of these."""
        cache, k, place = self.cache, self.indices[i], self.places[i]
        start = int(self.first[i]) - self.start
        rows = slice(start, start + place.stop - place.start)
        patient, sequence = str(cache.series["patient"][k]), str(cache.series["sequence"][k])
        name = f"patient {patient!r} {sequence}"
        if i in self.unread:
            return [f"{name}: cannot be read ({self.unread[i]})"]
        columns, found = self.columns, []
        if any((columns[c][rows] != self.codes[c][k]).any() for c in self.codes):
            found.append(f"{name}: its rows carry another patient or sequence")
        if not np.isfinite(self.features[place]).all():
            found.append(f"{name}: a feature is not a finite number")
        try:
            own = {c: cache.names[c][columns[c][rows]] if c in CODED else columns[c][rows] for c in SLICE_COLUMNS}
        except IndexError as error:
            return [*found, f"{name}: cannot be read ({first_line(error)})"]
        read = SeriesRows(
            patient=patient,
            sequence=sequence,
            fingerprint=str(cache.series["fingerprint"][k]),
            precision=str(cache.series["precision"][k]),
            features=self.features[place],
            columns=own,
        )
        if read.digest() != cache.series["digest"][k]:
            found.append(f"{name}: its values differ from the digest stored with them")
        return found
