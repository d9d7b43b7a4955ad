"""Write a cache: a whole file or none, with room for all of it reserved before HDF5 writes."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py
import numpy as np

from core.ids import natural_key
from core.system.files import atomic_file
from features.cache.reader import Stored
from features.cache.schema import (
    CHUNK_ROWS,
    CODED,
    COLUMNS,
    FORMAT,
    SKIPPED_COLUMNS,
    VERSION,
    SeriesRows,
    Settings,
    content_digest,
    encoded,
)
from features.scans.find import Skipped
from features.scans.slice import SLICE_COLUMNS

_TEXT = h5py.string_dtype("utf-8")


def write(
    path: Path, settings: Settings, series: Iterable[SeriesRows | Stored], skipped: Sequence[Skipped] = ()
) -> None:
    """Write a whole cache, atomically.

    Parameters
    ----------
    path : the file to make or to replace
    settings : root attributes, with `dim` and `dtype` of the vectors
    series : in any order; sorted by patient (natural order) and sequence, and loaded one at a time
    skipped : things that belong to no series of this cache; each series brings its own

    Raises
    ------
    ValueError : two series have the same patient and sequence
    OSError : the disk is too full
    """
    blocks = sorted(series, key=lambda s: (natural_key(s.patient), s.patient, s.sequence))
    _check_once(blocks)
    left_out = sorted(
        {*skipped, *(x for s in blocks for x in s.skipped)},
        key=lambda s: (natural_key(s.patient), s.sequence, natural_key(s.source), s.reason),
    )
    attributes = dict(sorted({"format": FORMAT, "format_version": VERSION, **settings}.items()))
    digest = content_digest(attributes, [s.digest() for s in blocks], left_out)
    n = sum(s.n_rows for s in blocks)
    row_bytes = int(settings["dim"]) * np.dtype(settings["dtype"]).itemsize + _ROW_BYTES
    with atomic_file(path) as temporary:
        _reserve(temporary, n * row_bytes + len(left_out) * _SKIPPED_BYTES)
        with h5py.File(temporary, "r+") as f:
            f.attrs.update({**attributes, "content_digest": digest})
            chunks = (CHUNK_ROWS, int(settings["dim"])) if n >= CHUNK_ROWS else None
            features = f.create_dataset("features", (n, int(settings["dim"])), settings["dtype"], chunks=chunks)
            columns = {c: f.create_dataset(f"rows/{c}", (n,), kind) for c, kind in COLUMNS.items()}
            _write_series(f, features, columns, blocks)  # all stay open: HDF5 lays a file out by what is
            for name in SKIPPED_COLUMNS:
                _write_texts(f, f"skipped/{name}", [getattr(s, name) for s in left_out])


def _check_once(blocks: Sequence[SeriesRows | Stored]) -> None:
    for (patient, sequence), times in Counter((s.patient, s.sequence) for s in blocks).items():
        if times > 1:
            raise ValueError(f"patient {patient!r} has two series of {sequence}; one cache holds one of each")


def _write_series(
    f: h5py.File, features: h5py.Dataset, columns: dict[str, h5py.Dataset], blocks: Sequence[SeriesRows | Stored]
) -> None:
    """Fill /features and /rows with blocks in their order, and make /names and /series."""
    names: dict[str, Sequence[str]] = {
        "patient": sorted({s.patient for s in blocks}, key=natural_key),
        "sequence": sorted({s.sequence for s in blocks}),
        "plane": sorted({p for s in blocks for p in s.planes}),
    }
    codes: dict[str, dict[str, int]] = {c: {name: i for i, name in enumerate(n)} for c, n in names.items()}
    sources = codes["source"] = {}  # in order of appearance
    lengths = np.array([s.n_rows for s in blocks], np.int64)
    first = np.concatenate([[0], np.cumsum(lengths)])
    texts: dict[str, list[str]] = {"fingerprint": [], "precision": [], "digest": [s.digest() for s in blocks]}
    for block, a, b in zip(blocks, first, first[1:], strict=False):
        s = block.load()
        texts["fingerprint"].append(s.fingerprint)
        texts["precision"].append(s.precision)
        if b > a:
            features[a:b] = s.features
            columns["patient"][a:b] = codes["patient"][s.patient]
            columns["sequence"][a:b] = codes["sequence"][s.sequence]
            for name in map(str, s.columns["source"]):
                sources.setdefault(name, len(sources))
            for c in SLICE_COLUMNS:
                columns[c][a:b] = [codes[c][str(v)] for v in s.columns[c]] if c in CODED else s.columns[c]
    names["source"] = list(sources)
    for c in CODED:
        _write_texts(f, f"names/{c}", names[c])
    for c in ("patient", "sequence"):
        f[f"series/{c}"] = np.array([codes[c][getattr(s, c)] for s in blocks], "<i4")
    f["series/first_row"], f["series/n_rows"] = first[:-1].astype("<i8"), lengths.astype("<i8")
    for name, values in texts.items():
        _write_texts(f, f"series/{name}", values)


def _write_texts(f: h5py.File, name: str, texts: Sequence[str]) -> None:
    f.create_dataset(name, data=encoded(texts), dtype=_TEXT)


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
