"""Open a cache and read it; whether it agrees with its digests is looked at in features.cache.checks."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from features.cache.safety import check_file
from features.cache.schema import (
    CODED,
    FORMAT,
    SKIPPED_COLUMNS,
    VERSION,
    SeriesRows,
    Settings,
    Vectors,
)
from features.scans.find import Skipped
from features.scans.slice import SLICE_COLUMNS, Columns


class Cache:
    """A cache opened for reading; use as a context manager. Nothing of /features is read before it is asked for.

    Attributes
    ----------
    settings : the root attributes
    content_digest : of all that the cache says
    series : {column of /series: an array}; patient and sequence as texts
    n, dim : shape of /features
    names : {coded column: its texts}
    file : the open h5py.File
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
            self.file = h5py.File(path, "r")
        except OSError as error:
            raise ValueError(
                f"{str(path)!r} is not a readable HDF5 file ({first_line(error)}); extract it again, or name another file"
            ) from None
        try:
            self._check_format()
            check_file(self.file, path)
            self.settings: Settings = {k: _plain(k, v) for k, v in self.file.attrs.items()}
            self.content_digest = str(self.settings.pop("content_digest"))
            self.n, self.dim = (int(x) for x in self.file["features"].shape)
            self.names = {c: _texts(self.file[f"names/{c}"]) for c in CODED}
            self.series: Columns = {
                k: _texts(v) if v.dtype.kind == "O" else v[()] for k, v in self.file["series"].items()
            }
            for name in ("patient", "sequence"):
                self.series[name] = self.names[name][self.series[name]]
        except ValueError:
            self.file.close()
            raise
        except Exception as error:  # HDF5 raises anything on a damaged file
            self.file.close()
            raise ValueError(f"{str(path)!r} is a damaged cache ({error}); extract it again") from None

    def _check_format(self) -> None:
        found, version = self.file.attrs.get("format"), self.file.attrs.get("format_version")
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
        self.file.close()

    def column(self, name: str, rows: NDArray[np.intp] | slice = slice(None)) -> NDArray[Any]:
        """One column of /rows, coded ones decoded to text."""
        values = self._dataset(f"rows/{name}")[()][rows]
        return np.asarray(self.names[name][values] if name in CODED else values)

    def _dataset(self, name: str) -> h5py.Dataset:
        """A table of the file. Raises ValueError where it lacks."""
        try:
            return self.file[name]
        except KeyError:
            raise ValueError(f"{str(self.path)!r} is a damaged cache (it has no /{name}); extract it again") from None

    def features(self, rows: slice = slice(None)) -> Vectors:
        """/features[rows], (m, d) of the stored dtype."""
        return np.asarray(self.file["features"][rows])

    @cached_property
    def skipped(self) -> list[Skipped]:
        """What the extraction left out."""
        fields = [_texts(self._dataset(f"skipped/{k}")) for k in SKIPPED_COLUMNS]
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
            patient=patient,
            sequence=sequence,
            fingerprint=str(self.series["fingerprint"][index]),
            precision=str(self.series["precision"][index]),
            features=self.features(rows),
            columns={c: self._decoded(c, rows) for c in SLICE_COLUMNS},
            skipped=self.skipped_of(patient, sequence),
        )

    def _decoded(self, name: str, rows: slice) -> NDArray[Any]:
        values = self._dataset(f"rows/{name}")[rows]
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


def first_line(error: Exception) -> str:
    """What an error says, without the rest."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _texts(dataset: h5py.Dataset) -> NDArray[np.object_]:
    return np.array([t.decode(errors="surrogateescape") for t in dataset[()]], object)


def _plain(name: str, value: object) -> str | int | float:
    value = value.item() if isinstance(value, np.generic) else value
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"the root attribute {name} is a {type(value).__name__}; expected a text or a number")
    return value
