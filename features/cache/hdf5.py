"""The cache format, version 1: write, read, verify. FORMATS.md states it in full.

`/features` (n, d), one column per fact under `/rows`, one row per series under `/series`, what was left out under
`/skipped`, names under `/names`; settings are root attributes. Series lie in one piece each, sorted by patient and
sequence, so that the file is a function of its content alone.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from core.files import atomic_file
from core.ids import natural_key
from features.cache.safety import check_file
from features.scans.find import Skipped

FORMAT = "mgmt-radiogenomics/features"
VERSION = 1
CHUNK_ROWS = 256
_SERIES_AT_ONCE = 256  # while a whole cache is checked

# The columns of /rows: name -> dtype. Coded columns hold an index into /names/<column>.
CODED = ("patient", "sequence", "plane", "source")
COLUMNS: dict[str, str] = {
    "patient": "<i4",
    "sequence": "<i4",
    "plane": "<i4",
    "source": "<i4",
    "instance": "<i4",
    "position": "<f4",
    "brain_fraction": "<f4",
    "view": "<i2",
    "height": "<i4",
    "width": "<i4",
    "spacing_row": "<f4",
    "spacing_column": "<f4",
    "window_low": "<f4",
    "window_high": "<f4",
    "pixel_digest": "S32",
}
_OWN_COLUMNS = [c for c in COLUMNS if c not in ("patient", "sequence")]  # the rest a series knows once
_SERIES_COLUMNS = ("patient", "sequence", "first_row", "n_rows", "fingerprint", "precision", "digest")
_TEXT = h5py.string_dtype("utf-8")


@dataclass
class SeriesRows:
    """One series as it stands in a cache: features (m, d) and columns of length m (texts decoded)."""

    patient: str
    sequence: str
    fingerprint: str
    precision: str
    features: NDArray[Any]
    columns: dict[str, NDArray[Any]]
    skipped: list[Skipped] = field(default_factory=list)

    @property
    def n_rows(self) -> int:
        """m."""
        return len(self.features)

    @property
    def planes(self) -> set[str]:
        """The planes of its rows."""
        return set(map(str, self.columns["plane"]))

    def load(self) -> SeriesRows:
        """Itself: it is in memory."""
        return self

    def digest(self) -> str:
        """BLAKE2b of every value of the series: features, columns and names."""
        head = "\0".join((self.patient, self.sequence, self.fingerprint, self.precision, ""))
        digest = hashlib.blake2b(head.encode(errors="surrogateescape"), digest_size=16)
        digest.update(np.ascontiguousarray(self.features).view(np.uint8).data)
        for name in _OWN_COLUMNS:
            values = self.columns[name]
            if name in CODED:
                digest.update("\0".join(values).encode(errors="surrogateescape"))
            else:
                digest.update(np.ascontiguousarray(values, COLUMNS[name]).tobytes())
        return digest.hexdigest()


class Cache:
    """A cache opened for reading; use as a context manager. Nothing of /features is read before it is asked for.

    settings : dict of the root attributes; content_digest : of all that the cache says; series : dict of equally long arrays (patient, sequence, first_row,
    n_rows, fingerprint, precision, digest); n, dim : shape of /features.
    """

    def __init__(self, path: Path) -> None:
        """Open and check the format. Raises ValueError where the file is no cache of a version known here."""
        self.path = path
        if not path.exists():
            unfinished = path.with_name(path.name + ".parts").exists()
            move = (
                "its extraction is unfinished, run the same command again"
                if unfinished
                else f"make it with extract_features.py --out {path}"
            )
            raise ValueError(f"the cache {str(path)!r} does not exist; {move}")
        if path.is_dir():
            raise ValueError(f"{str(path)!r} is a folder; expected a cache, an .h5 file that extract_features.py wrote")
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(
                f"{str(path)!r} is not a readable HDF5 file ({_first_line(error)}); extract it again, or name another file"
            ) from None
        try:
            self._check_format()
            check_file(self._file, path)
            self.settings: dict[str, Any] = {k: _plain(k, v) for k, v in self._file.attrs.items()}
            self.content_digest = str(self.settings.pop("content_digest"))
            self.n, self.dim = (int(x) for x in self._file["features"].shape)
            self.names = {c: _texts(self._file[f"names/{c}"]) for c in CODED}
            self.series: dict[str, NDArray[Any]] = {
                k: _texts(v) if v.dtype.kind == "O" else v[()] for k, v in self._file["series"].items()
            }
            for name in ("patient", "sequence"):
                self.series[name] = self.names[name][self.series[name]]
        except ValueError:
            self._file.close()
            raise
        except Exception as error:  # HDF5 raises anything on a damaged file
            self._file.close()
            raise ValueError(f"{str(path)!r} is a damaged cache ({error}); extract it again") from None

    def _check_format(self) -> None:
        found, version = self._file.attrs.get("format"), self._file.attrs.get("format_version")
        if found != FORMAT:
            raise ValueError(
                f"{str(self.path)!r} is not a feature cache (its format attribute is {found!r}; expected {FORMAT!r})"
            )
        if version != VERSION:
            raise ValueError(f"{str(self.path)!r} has format version {version}; this code reads version {VERSION}")

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was read of it stays."""
        self._file.close()

    def column(self, name: str, rows: NDArray[np.intp] | slice = slice(None)) -> NDArray[Any]:
        """One column of /rows, coded ones decoded to text."""
        values = self._file[f"rows/{name}"][()][rows]
        return np.asarray(self.names[name][values] if name in CODED else values)

    def features(self, rows: slice = slice(None)) -> NDArray[Any]:
        """/features[rows], (m, d) of the stored dtype."""
        return np.asarray(self._file["features"][rows])

    @cached_property
    def skipped(self) -> list[Skipped]:
        """What the extraction left out."""
        group = self._file["skipped"]
        fields = [_texts(group[k]) for k in ("patient", "sequence", "source", "reason")]
        return [Skipped(*(str(x) for x in row)) for row in zip(*fields, strict=True)]

    def skipped_of(self, patient: str, sequence: str) -> list[Skipped]:
        """What the extraction left out of one series."""
        return self._skipped_by_series.get((patient, sequence), [])

    @cached_property
    def _skipped_by_series(self) -> dict[tuple[str, str], list[Skipped]]:
        found: dict[tuple[str, str], list[Skipped]] = {}
        for s in self.skipped:
            found.setdefault((s.patient, s.sequence), []).append(s)
        return found

    def series_rows(self, index: int) -> SeriesRows:
        """One whole series, by its row in /series."""
        first = int(self.series["first_row"][index])
        rows = slice(first, first + int(self.series["n_rows"][index]))
        patient, sequence = str(self.series["patient"][index]), str(self.series["sequence"][index])
        return SeriesRows(
            patient,
            sequence,
            str(self.series["fingerprint"][index]),
            str(self.series["precision"][index]),
            self.features(rows),
            {c: self._decoded(c, rows) for c in _OWN_COLUMNS},
            self.skipped_of(patient, sequence),
        )

    def layout(self) -> list[str]:
        """What is wrong with the types and lengths of the tables, in words; nothing of their rows is read."""
        problems = []
        f = self._file
        expected: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "features": (self.settings.get("dtype"), (self.n, self.settings.get("dim")))
        }
        expected |= {f"rows/{name}": (dtype, (self.n,)) for name, dtype in COLUMNS.items()}
        for name, (dtype, shape) in expected.items():
            found = f[name].shape if name in f else None
            if found != shape:
                problems.append(f"/{name} has shape {found}; expected {shape}")
            elif f[name].dtype != dtype:
                problems.append(f"/{name} has type {f[name].dtype}; expected {np.dtype(dtype)}")
        lacking = sorted(set(_SERIES_COLUMNS) - set(self.series))
        if lacking or len({len(self.series[c]) for c in _SERIES_COLUMNS}) > 1:
            return [*problems, f"the columns of /series are not equally long, or lack {lacking}"]
        first, lengths = self.series["first_row"], self.series["n_rows"]
        if first.dtype != "<i8" or lengths.dtype != "<i8":
            problems.append(
                f"/series/first_row, /series/n_rows have types {first.dtype} and {lengths.dtype}; expected int64"
            )
        elif (lengths < 0).any() or (first != np.cumsum(lengths) - lengths).any() or int(lengths.sum()) != self.n:
            problems.append(
                f"the series cover {int(lengths.sum())} rows in pieces that do not tile the {self.n} rows of /features"
            )
        return problems

    def checked(self, indices: Sequence[int] | NDArray[np.intp]) -> tuple[NDArray[Any], list[str]]:
        """/features of some series, by their rows in /series, one after another: (vectors of the stored dtype, problems).

        Every vector is read once; what was read is what is compared with the digests. Series that lie side by side are read
        in one go, and nothing else is. Problems are in words, one or more for each series that differs.
        """
        if wrong := self.layout():
            return np.empty((0, self.dim)), wrong
        first, lengths = (self.series[c][indices].astype(np.int64) for c in ("first_row", "n_rows"))
        ends = np.cumsum(lengths)
        places = [slice(int(e - n), int(e)) for e, n in zip(ends, lengths, strict=True)]
        out = np.empty((int(lengths.sum()), self.dim), self._file["features"].dtype)
        unread: dict[int, str] = {}
        apart = np.flatnonzero(first[1:] != first[:-1] + lengths[:-1]) + 1
        for run in np.split(np.arange(len(first)), apart):
            try:
                self._read(out, run, first, places)
            except Exception:  # HDF5 raises anything on a damaged file; which series it is in is seen one by one
                for i in run:
                    try:
                        self._read(out, run[run == i], first, places)
                    except Exception as error:
                        unread[int(i)] = _first_line(error)
        start, stop = (int(first.min()), int((first + lengths).max())) if len(first) else (0, 0)
        columns = {c: self._file[f"rows/{c}"][start:stop] for c in COLUMNS}
        codes = {c: self._file[f"series/{c}"][()] for c in ("patient", "sequence")}

        def problems(i: int) -> list[str]:
            k, rows = indices[i], slice(int(first[i]) - start, int(first[i] + lengths[i]) - start)
            patient, sequence = str(self.series["patient"][k]), str(self.series["sequence"][k])
            name = f"patient {patient!r} {sequence}"
            if i in unread:
                return [f"{name}: cannot be read ({unread[i]})"]
            found = []
            if any((columns[c][rows] != codes[c][k]).any() for c in codes):
                found.append(f"{name}: its rows carry another patient or sequence")
            if not np.isfinite(out[places[i]]).all():
                found.append(f"{name}: a feature is not a finite number")
            try:
                own = {c: self.names[c][columns[c][rows]] if c in CODED else columns[c][rows] for c in _OWN_COLUMNS}
            except IndexError as error:
                return [*found, f"{name}: cannot be read ({_first_line(error)})"]
            fingerprint, precision = (str(self.series[c][k]) for c in ("fingerprint", "precision"))
            if (
                SeriesRows(patient, sequence, fingerprint, precision, out[places[i]], own).digest()
                != self.series["digest"][k]
            ):
                found.append(f"{name}: its values differ from the digest stored with them")
            return found

        with ThreadPoolExecutor(os.cpu_count()) as threads:  # hashing and numpy leave the interpreter to the others
            return out, [p for found in threads.map(problems, range(len(first))) for p in found]

    def damage(self, indices: Iterable[int]) -> list[str]:
        """Read some series, by their rows in /series, and say in words which differ from their digests."""
        if wrong := self.layout():
            return wrong
        every = np.fromiter(indices, int)
        parts = np.split(every, np.arange(_SERIES_AT_ONCE, len(every), _SERIES_AT_ONCE))
        return [p for part in parts for p in self.checked(part)[1]]

    def _read(
        self, out: NDArray[Any], run: NDArray[np.intp], first: NDArray[np.int64], places: Sequence[slice]
    ) -> None:
        rows = slice(places[run[0]].start, places[run[-1]].stop) if len(run) else slice(0, 0)
        if rows.stop > rows.start:
            start = int(first[run[0]])
            self._file["features"].read_direct(out, np.s_[start : start + rows.stop - rows.start], np.s_[rows])

    def _decoded(self, name: str, rows: slice) -> NDArray[Any]:
        values = self._file[f"rows/{name}"][rows]
        return np.asarray(self.names[name][values] if name in CODED else values)


class Stored:
    """One series of a cache, read when it is asked for. With `reopen` its file is closed between, since many parts are too
    many open files.
    """

    def __init__(self, cache: Cache, index: int, *, reopen: bool = False) -> None:
        """`index` : its row in /series."""
        self._cache, self._index, self._reopen = cache, index, reopen
        first, self.n_rows = int(cache.series["first_row"][index]), int(cache.series["n_rows"][index])
        self.patient, self.sequence = str(cache.series["patient"][index]), str(cache.series["sequence"][index])
        self.skipped = cache.skipped_of(self.patient, self.sequence)
        self.planes = set(map(str, cache._decoded("plane", slice(first, first + self.n_rows))))

    def digest(self) -> str:
        """The digest that its cache has for it."""
        return str(self._cache.series["digest"][self._index])

    def load(self) -> SeriesRows:
        """The series. Raises ValueError where it differs from its digest: what is damaged is not copied as if it were sound."""
        if self._reopen:
            with Cache(self._cache.path) as cache:
                rows = cache.series_rows(self._index)
        else:
            rows = self._cache.series_rows(self._index)
        if rows.digest() != self.digest():
            raise ValueError(
                f"{str(self._cache.path)!r} is damaged: patient {self.patient!r} {self.sequence} differs from the digest stored "
                "with it; python -m features repair keeps what is intact"
            )
        return rows


def write(
    path: Path, settings: dict[str, Any], series: Iterable[SeriesRows | Stored], skipped: Sequence[Skipped] = ()
) -> None:
    """Write a whole cache to a temporary name, fsync, and rename it to `path`.

    `skipped` are things that belong to no series of this cache; each series brings its own. Series are sorted by
    patient (natural order) and sequence, and loaded one at a time. Raises ValueError where two series have the same
    patient and sequence, OSError where the disk is too full.
    """
    blocks = sorted(series, key=lambda s: (natural_key(s.patient), s.patient, s.sequence))
    counts = Counter((s.patient, s.sequence) for s in blocks)
    if counts and max(counts.values()) > 1:
        patient, sequence = counts.most_common(1)[0][0]
        raise ValueError(f"patient {patient!r} has two series of {sequence}; one cache holds one of each")
    names: dict[str, Sequence[str]] = {
        "patient": sorted({s.patient for s in blocks}, key=natural_key),
        "sequence": sorted({s.sequence for s in blocks}),
        "plane": sorted({p for s in blocks for p in s.planes}),
    }
    codes: dict[str, dict[str, int]] = {c: {name: i for i, name in enumerate(n)} for c, n in names.items()}
    sources = codes["source"] = {}  # in order of appearance
    lengths = np.array([s.n_rows for s in blocks], np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)])
    n = int(first[-1])
    dim = int(settings["dim"])
    left_out = sorted(
        {*skipped, *(x for s in blocks for x in s.skipped)},
        key=lambda s: (natural_key(s.patient), s.sequence, natural_key(s.source), s.reason),
    )
    attributes = dict(sorted({"format": FORMAT, "format_version": VERSION, **settings}.items()))
    digests = [s.digest() for s in blocks]
    fingerprints, precisions = [], []
    with atomic_file(path) as temporary:
        row_bytes = dim * np.dtype(settings["dtype"]).itemsize + _ROW_BYTES
        _reserve(temporary, n * row_bytes + len(left_out) * _SKIPPED_BYTES)
        with h5py.File(temporary, "r+") as f:
            f.attrs.update({**attributes, "content_digest": content_digest(attributes, digests, left_out)})
            chunks = (CHUNK_ROWS, dim) if n >= CHUNK_ROWS else None
            features = f.create_dataset("features", (n, dim), settings["dtype"], chunks=chunks)
            columns = {c: f.create_dataset(f"rows/{c}", (n,), dtype) for c, dtype in COLUMNS.items()}
            for block, a, b in zip(blocks, first, first[1:], strict=False):
                s = block.load()
                fingerprints.append(s.fingerprint)
                precisions.append(s.precision)
                if b > a:
                    features[a:b] = s.features
                    columns["patient"][a:b] = codes["patient"][s.patient]
                    columns["sequence"][a:b] = codes["sequence"][s.sequence]
                    for name in map(str, s.columns["source"]):
                        sources.setdefault(name, len(sources))
                    for c in _OWN_COLUMNS:
                        columns[c][a:b] = [codes[c][str(v)] for v in s.columns[c]] if c in CODED else s.columns[c]
            names["source"] = list(sources)
            for c in CODED:
                f.create_dataset(f"names/{c}", data=_encoded(names[c]), dtype=_TEXT)
            f["series/patient"] = np.array([codes["patient"][s.patient] for s in blocks], "<i4")
            f["series/sequence"] = np.array([codes["sequence"][s.sequence] for s in blocks], "<i4")
            f["series/first_row"], f["series/n_rows"] = first[:-1].astype("<i8"), lengths.astype("<i8")
            for name, texts in (("fingerprint", fingerprints), ("precision", precisions), ("digest", digests)):
                f.create_dataset(f"series/{name}", data=_encoded(texts), dtype=_TEXT)
            for name in ("patient", "sequence", "source", "reason"):
                f.create_dataset(f"skipped/{name}", data=_encoded([getattr(s, name) for s in left_out]), dtype=_TEXT)


# Room for the columns of a row, its source's name and the HDF5 structures around them; for one line of what was skipped;
# and for the structures around nothing at all.
_ROW_BYTES = 2 * sum(np.dtype(t).itemsize for t in COLUMNS.values()) + 256
_SKIPPED_BYTES = 1024
_SPARE = 2**18


def _reserve(path: Path, size: int) -> None:
    """An empty HDF5 file with room for `size` more bytes, as far as the file system can promise it; HDF5 gives back the rest.

    HDF5 1.14 crashes where a disk fills up under it, so that what is too much must be known before it writes.
    """
    with path.open("wb") as handle:
        _allocate(handle.fileno(), size)
    h5py.File(path, "w").close()
    with path.open("rb+") as handle:
        _allocate(handle.fileno(), size)


def _allocate(handle: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # not on macOS
        os.posix_fallocate(handle, 0, size + _SPARE)


def content_digest(attributes: dict[str, Any], series_digests: Sequence[str], skipped: Sequence[Skipped]) -> str:
    """BLAKE2b of all that a cache says, by way of the digests of its series: equal for equal content."""
    content = [sorted(attributes.items()), list(series_digests), [list(vars(s).values()) for s in skipped]]
    return hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()


def verify(path: Path) -> list[str]:
    """Check a cache against itself; the problems found in words, none if it is sound."""
    with Cache(path) as cache:
        try:
            return _problems(cache)
        except Exception as error:  # HDF5 raises anything on a damaged file
            return [f"cannot be read ({_first_line(error)})"]


def _problems(cache: Cache) -> list[str]:
    problems = cache.layout()
    if problems:
        return problems
    series = cache.series
    keys = [(natural_key(str(p)), str(p), str(q)) for p, q in zip(series["patient"], series["sequence"], strict=True)]
    problems += [f"patient {b[1]!r} {b[2]} stands twice, or out of order" for a, b in pairwise(keys) if a >= b]
    problems += cache.damage(range(len(keys)))
    if content_digest(cache.settings, [str(d) for d in cache.series["digest"]], cache.skipped) != cache.content_digest:
        problems.append("the root attributes or the table of skipped files differ from the digest stored with them")
    return problems


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _encoded(texts: Sequence[str]) -> list[bytes]:
    return [t.encode(errors="surrogateescape") for t in texts]


def _texts(dataset: h5py.Dataset) -> NDArray[Any]:
    return np.array([t.decode(errors="surrogateescape") for t in dataset[()]], object)


def _plain(name: str, value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"the root attribute {name} is a {type(value).__name__}; expected a text or a number")
    return value
