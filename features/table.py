"""Cache (or a plain CSV of per-patient features) -> X, y, patient: what the heads are trained on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.documents import Document, Known
from core.ids import match_ids, natural_key
from core.predictions import TABLE
from core.system.files import file_sha256
from core.tables import read_csv
from features.cache.checks import checked
from features.cache.isolated import try_to_open
from features.cache.reader import Cache
from features.cache.schema import COLUMNS, Settings
from features.scans.find import SEQUENCES, match_sequence

if TYPE_CHECKING:
    from pandas import DataFrame

MISSING_CELLS = ("", "na", "nan", "n/a")
DIGEST = COLUMNS["pixel_digest"]
_SHOWN = 5  # rows, in a notebook


@dataclass
class Table:
    """Rows for one sequence (or a fusion), a slice or a patient each.

    X : (n, d) float32, NaN where a value is missing
    patient : (n,) str
    view : (n,) int16, 0 = the image itself, else an augmented view: to train on, never to score
    slice_id : (n,) str, `source#instance`; the patient id for pooled rows
    digest : (n,) 32 bytes of the pixels, b"" for a blank slice; (0,) where rows are no slices
    missing : patients of the source that have no usable row here
    """

    sequence: str
    X: NDArray[np.float32]
    patient: NDArray[np.object_]
    view: NDArray[np.int16]
    slice_id: NDArray[np.object_]
    missing: list[str] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)  # of a CSV table
    digest: NDArray[np.bytes_] = field(default_factory=lambda: np.empty(0, DIGEST))

    def __len__(self) -> int:
        """n."""
        return len(self.X)

    def to_frame(self) -> DataFrame:
        """The rows as a pandas DataFrame: patient, sequence, slice, view, then the features (f0 ..., or the columns of a CSV table)."""
        from pandas import DataFrame, concat

        ids = {"patient": self.patient, "sequence": self.sequence, "slice": self.slice_id, "view": self.view}
        names = self.columns or [f"f{k}" for k in range(self.X.shape[1])]
        return concat([DataFrame(ids, index=range(len(self))), DataFrame(self.X, columns=names)], axis=1)

    def _repr_html_(self) -> str:
        """The first rows, for a notebook."""
        head = self.take(np.arange(min(len(self), _SHOWN))).to_frame()
        return f"{head.to_html()}<p>{len(self)} rows of {len(set(self.patient))} patients</p>"

    def take(self, keep: NDArray[np.bool_ | np.intp]) -> Table:
        """The rows of a mask or index."""
        return replace(
            self,
            X=self.X[keep],
            patient=self.patient[keep],
            view=self.view[keep],
            slice_id=self.slice_id[keep],
            digest=self.digest[keep] if len(self.digest) else self.digest,
        )

    def of_patients(self, patients: Sequence[str]) -> Table:
        """The rows of some patients; `missing` shrinks accordingly."""
        wanted = set(patients)
        keep = np.array([p in wanted for p in self.patient], bool)
        return replace(
            self if keep.all() else self.take(keep),
            missing=[p for p in self.missing if p in wanted],
        )


@dataclass
class Source:
    """Where tables come from: a cache or a CSV file."""

    path: Path
    is_csv: bool
    patients: list[str]
    sequences: list[str]
    settings: Settings
    digest: str  # of its content
    skipped: list[dict[str, str]] = field(default_factory=list)
    in_memory: bool = False  # nobody read it: `path` is a name and no file


def open_source(path: Path) -> Source:
    """Look at a cache or a CSV file. Raises ValueError where it is neither."""
    if re.search(r"\.csv(\.gz)?$", path.name.lower()):
        table = read_table(path)
        return Source(
            path=path,
            is_csv=True,
            patients=[str(p) for p in table.patient],
            sequences=[TABLE],
            settings={"table_columns": len(table.columns)},
            digest=file_sha256(path),
        )
    try_to_open(path)
    with Cache(path) as cache:
        present = set(cache.series["sequence"])
        patients = sorted(set(map(str, cache.series["patient"])), key=natural_key)
        skipped = [vars(s) for s in cache.skipped]
        return Source(
            path=path,
            is_csv=False,
            patients=patients,
            sequences=[q for q in SEQUENCES if q in present],
            settings=cache.settings,
            digest=cache.content_digest,
            skipped=skipped,
        )


def read_table(path: Path) -> Table:
    """A CSV of per-patient features: first column the id, the others numbers; blank or NA is missing (NaN).

    Raises ValueError naming row and column of a cell that is no finite number, and for a patient id that is blank or
    comes twice.
    """
    header, rows = read_csv(path)
    ids = [row[0] for _, row in rows]
    X = np.empty((len(rows), len(header) - 1), np.float32)
    seen: set[str] = set()
    for i, (number, row) in enumerate(rows):
        where = f"{str(path)!r}, row {number}"
        if not row[0]:
            raise ValueError(f"{where}: the patient id is blank; the first column must hold it")
        if row[0] in seen:
            raise ValueError(f"{where}: patient {row[0]!r} has more than one row; expected one row per patient")
        seen.add(row[0])
        try:
            with np.errstate(over="ignore"):
                X[i] = [np.nan if c.lower() in MISSING_CELLS else float(c) for c in row[1:]]
        except ValueError:
            bad = next(j for j, c in enumerate(row[1:], 1) if not _is_number(c))
            raise ValueError(f"{where}, column {header[bad]!r}: {row[bad]!r} is not a number") from None
        if np.isinf(X[i]).any():
            bad = 1 + int(np.argmax(np.isinf(X[i])))
            raise ValueError(f"{where}, column {header[bad]!r}: {row[bad]!r} is infinite or too large for float32")
    patient = np.array(ids, object)
    return Table(TABLE, X, patient, np.zeros(len(ids), np.int16), patient.copy(), columns=header[1:])


def load_table(
    source: Source,
    sequence: str,
    *,
    slices: str = "all",
    keep_blank: bool = False,
    planes: Sequence[str] | None = None,
    patients: Sequence[str] | None = None,
) -> Table:
    """The rows of one sequence, patients in natural order, slices in geometric order, views after the images.

    Series of other sequences, and of patients or planes other than `patients` and `planes` where they are given, are not read.

    Parameters
    ----------
    source : of `open_source`
    sequence : one of its sequences
    slices : all, central, first, largest (most brain) or middle:N, among the slices that are not blank
    keep_blank : among all slices
    planes : slices in one of these only
    patients : of these only

    Returns
    -------
    Table; a patient without a usable slice is listed in its `missing`

    Raises
    ------
    ValueError : there is no such sequence, or a series differs from its digest
    """
    if source.is_csv:
        table = read_table(source.path)
        return table if patients is None else table.of_patients(patients)
    if sequence not in source.sequences:
        raise ValueError(f"{str(source.path)!r} has no {sequence}; it has {', '.join(source.sequences)}")
    check_slices(slices)
    wanted = set(source.patients if patients is None else patients)
    with Cache(source.path) as cache:
        there = np.isin(cache.column("plane"), list(planes)) if planes else np.ones(cache.n, bool)
        series = _series_of(cache, sequence, wanted, there if planes else None)
        X, problems = checked(cache, series)
        if problems:
            raise ValueError(
                f"{str(source.path)!r} is damaged ({len(problems)} problems): {problems[0]}; python -m features verify lists them all"
            )
        brain, view = cache.column("brain_fraction"), cache.column("view")
        read = [np.arange(a, b) for a, b in _spans(cache, series)]
        keep = np.zeros(cache.n, bool)
        with_rows = set()
        for k, rows in zip(series, read, strict=True):
            images = rows[view[rows] == 0]
            kept = choose(images[there[images]], brain, slices, keep_blank)
            if len(kept):
                # Views come in blocks as long as the images, in the same order.
                for block in range(len(rows) // len(images)):
                    keep[kept + block * len(images)] = True
                with_rows.add(str(cache.series["patient"][k]))
        rows = np.concatenate([*read, np.empty(0, int)]).astype(int)
        if not keep[rows].all():
            X, rows = X[keep[rows]], rows[keep[rows]]
        ids = [f"{s}#{i}" for s, i in zip(cache.column("source", rows), cache.column("instance", rows), strict=True)]
        return Table(
            sequence,
            X.astype(np.float32, copy=False),
            cache.column("patient", rows),
            view[rows],
            slice_id=np.array(ids, object),
            missing=sorted(wanted.intersection(source.patients) - with_rows, key=natural_key),
            digest=np.where(brain[rows] > 0, cache.column("pixel_digest", rows), b""),  # blank slices are all alike
        )


def _series_of(cache: Cache, sequence: str, patients: set[str], there: NDArray[np.bool_] | None) -> NDArray[np.intp]:
    """The series of a sequence and of patients, in the order of their rows; of those with a row `there`, where it is given."""
    series = np.flatnonzero(cache.series["sequence"] == sequence)
    series = series[[p in patients for p in cache.series["patient"][series]]]
    series = series[np.argsort(cache.series["first_row"][series], kind="stable")]
    if there is not None:
        series = series[np.array([there[a:b].any() for a, b in _spans(cache, series)], bool)]
    return np.asarray(series, np.intp)


def _spans(cache: Cache, series: NDArray[np.intp]) -> list[tuple[int, int]]:
    """First row and end of each series."""
    first, lengths = (cache.series[c][series].tolist() for c in ("first_row", "n_rows"))
    return [(a, a + n) for a, n in zip(first, lengths, strict=True)]


def pool(table: Table) -> Table:
    """One row per patient: the mean of the patient's image vectors (views left out)."""
    if table.view.any():
        table = table.take(table.view == 0)
    patients, index = np.unique(table.patient.astype(str), return_inverse=True)
    X = np.empty((len(patients), table.X.shape[1]), np.float32)
    groups = np.split(np.argsort(index, kind="stable"), np.cumsum(np.bincount(index))[:-1])
    for i, rows in enumerate(groups[: len(patients)]):  # patient by patient, so that no second table is made
        X[i] = table.X[rows].mean(axis=0, dtype=np.float64)
    names = patients.astype(object)
    return replace(
        table,
        X=X,
        patient=names,
        view=np.zeros(len(patients), np.int16),
        slice_id=names.copy(),
        digest=np.empty(0, DIGEST),
    )


def concatenate(tables: Sequence[Table]) -> Table:
    """Pooled tables of several sequences side by side, with one 0/1 column per sequence that says it is missing.

    A missing sequence's vector is NaN, to be imputed inside the fold.
    """
    patients = np.array(sorted({str(p) for t in tables for p in t.patient}, key=natural_key), object)
    at = {p: i for i, p in enumerate(patients)}
    blocks = []
    for t in tables:
        block = np.full((len(patients), t.X.shape[1] + 1), np.nan, np.float32)
        block[:, -1] = 1
        rows = [at[p] for p in t.patient]
        block[rows, :-1] = t.X
        block[rows, -1] = 0
        blocks.append(block)
    missing = sorted(set.intersection(*(set(t.missing) for t in tables)), key=natural_key)
    name = "+".join(t.sequence for t in tables)
    return Table(
        name,
        np.concatenate(blocks, axis=1),
        patients,
        view=np.zeros(len(patients), np.int16),
        slice_id=patients.copy(),
        missing=missing,
    )


def selection(about: Known) -> Document:
    """What a fitted head was trained on of a sequence, as options of `load`; `about` : of its bundle."""
    return {"slices": about["slices"], "keep_blank": about["keep_blank"], "planes": about.get("planes")}


def named_sequences(names: Sequence[str]) -> list[str]:
    """Sequence names as users write them -> as the cache has them. Raises ValueError for an unknown one."""
    out: list[str] = []
    for name in names:
        sequence = match_sequence(name) or (name if name == TABLE else None)
        if sequence is None:
            raise ValueError(f"--sequence {name!r}; expected some of {', '.join(SEQUENCES)}")
        out.append(sequence)
    return list(dict.fromkeys(out))


def check_slices(mode: str) -> None:
    """Raise ValueError unless `mode` is a slice selection."""
    if mode not in ("all", "central", "first", "largest") and not re.fullmatch(r"middle:[1-9]\d*", mode):
        raise ValueError(f"--slices {mode!r}; expected all, central, first, largest or middle:N")


def choose(rows: NDArray[np.intp], brain: NDArray[np.float32], mode: str, keep_blank: bool = False) -> NDArray[np.intp]:
    """The rows that a slice selection keeps of the images of one series, in order. brain : brain fraction of every row."""
    rows = rows if keep_blank else rows[brain[rows] > 0]
    if mode == "all" or len(rows) == 0:
        return rows
    if mode == "largest":
        return rows[[int(np.argmax(brain[rows]))]]
    n = int(mode.split(":")[1]) if mode.startswith("middle:") else 1
    first = 0 if mode == "first" else max(0, (len(rows) - n) // 2)
    return rows[first : first + n]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell.lower() in MISSING_CELLS
    return True


def ids_of(patients: Sequence[str], sample: Path | None) -> tuple[list[tuple[str, str | None]], list[str] | None]:
    """(id as it must be written, its patient or None) in the order of a sample submission, and the sample's header.

    Without a sample: every patient under its own id.
    """
    if sample is None:
        return [(p, p) for p in patients], None
    header, rows = read_csv(sample)
    if len(header) != 2:
        raise ValueError(f"{str(sample)!r} has {len(header)} columns; expected an id and a value")
    names = [row[0] for _, row in rows]
    owner = {name: patient for patient, name in match_ids(patients, names, repr(str(sample))).items()}
    return [(name, owner.get(name)) for name in names], header
