"""Which column of a table says what, by the names that such columns usually have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from core.ids import LABEL_COLUMNS, PATIENT_COLUMNS, column_key, usual_column
from core.text import some

# Names are compared by `column_key`; the first that is there is taken.
SLIDE_COLUMNS = (
    "slide_id", "slide", "slice_id", "slice", "tile_id", "tile", "image_id", "image", "filename", "file",
)  # fmt: skip
SCORE_COLUMNS = (
    "score", "probability", "p_1", "prob_1", "y_prob", "y_score", "pred_proba", "prediction_score", "prob",
)  # fmt: skip
SPLIT_COLUMNS = ("fold", "split", "set", "subset")
REPEAT_COLUMNS = ("repeat", "repetition")
MODEL_COLUMNS = ("run", "model", "head", "method", "classifier", "sequence")
WARNING_COLUMNS = ("warning",)
PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
_NAMED = 12  # columns that a message names

Row = tuple[int, list[str]]  # line number, cells


@dataclass(frozen=True)
class Table:
    """A table of texts.

    Parameters
    ----------
    name : of its file, for messages
    header : names of the columns
    rows : (line number, cells) of each row, as many cells as the header has
    """

    name: str
    header: Sequence[str]
    rows: Sequence[Row]

    def named(self, column: str | None, flag: str) -> int | None:
        """The place of a column that the user named with `flag`; None where none was. Raises ValueError where it is not there."""
        if column is not None and column not in self.header:
            raise ValueError(f"{self.name!r} has no column {column!r} ({flag}); it has {self._columns}")
        return None if column is None else self.header.index(column)

    def find(self, usual: Sequence[str], column: str | None = None, flag: str = "") -> int | None:
        """The place of `column` where the user named one, else of the first of the usual names that is there."""
        if column is not None:
            return self.named(column, flag)
        return usual_column(self.header, usual)

    def need(self, what: str, usual: Sequence[str], column: str | None, flag: str) -> int:
        """As `find`. Raises ValueError where there is none, with the names that would have been taken."""
        at = self.find(usual, column, flag)
        if at is None:
            raise self.lacks(what, usual, flag)
        return at

    def cells(self, at: int | None) -> list[str]:
        """The cells of a column, blank where there is none."""
        return ["" if at is None else row[at] for _, row in self.rows]

    def lacks(self, what: str, usual: Sequence[str], flag: str) -> ValueError:
        """The error of a table without a column that is needed."""
        return ValueError(
            f"{self.name!r} has no column of {what} that is recognised ({', '.join(usual)}); name it with {flag} (it has "
            f"{self._columns})"
        )

    @property
    def _columns(self) -> str:
        return ", ".join(self.header[:_NAMED])


@dataclass(frozen=True)
class Named:
    """What the user named: columns, and the labels that count as 1 and 0; None where they are to be recognised."""

    patient: str | None = None
    label: str | None = None
    score: str | None = None
    fold: str | None = None
    positive: str | None = None
    negative: str | None = None


@dataclass(frozen=True)
class Columns:
    """The place of each column that a predictions file was read from, None where it has none; `models` name the result."""

    patient: int | None
    slide: int | None
    label: int
    score: int
    part: int | None
    fold: int | None
    repeat: int | None
    models: tuple[int, ...]
    warning: int | None

    def named(self, header: Sequence[str]) -> dict[str, str]:
        """{what: the name of the column that says it}, as audit.json has it."""
        found = {
            "patient ids": self.patient, "slides": self.slide, "labels": self.label, "scores": self.score, "part": self.part,
            "fold": self.fold, "repeat": self.repeat,
        }  # fmt: skip
        columns = {what: header[at] for what, at in found.items() if at is not None}
        if self.models:
            columns["models"] = " and ".join(header[at] for at in self.models)
        return columns

    def unused(self, header: Sequence[str]) -> tuple[str, ...]:
        """The names of the columns that nothing is read from."""
        read = {self.patient, self.slide, self.label, self.score, self.part, self.fold, self.repeat, self.warning}
        return tuple(name for at, name in enumerate(header) if at not in {*read, *self.models})


def id_columns(table: Table, patient_column: str | None = None) -> tuple[int | None, int | None]:
    """The columns of patients and of slides, at least one of which is there. Raises ValueError where neither is."""
    patient = table.find(PATIENT_COLUMNS, patient_column, "--patient-column")
    slide = table.find(SLIDE_COLUMNS)
    if patient is None and slide is None:
        raise table.lacks("patient ids", PATIENT_COLUMNS, "--patient-column")
    return patient, slide


def label_column(table: Table, column: str | None = None) -> int:
    """The column of labels: the one named, else the one of STAMP's form, else a usual name. Raises ValueError without one."""
    at = table.named(column, "--label-column")
    if at is None:
        at = _stamp_label(table)
    return table.need("labels", LABEL_COLUMNS, None, "--label-column") if at is None else at


def score_column(table: Table, label: int, positive: Sequence[str], column: str | None = None) -> int:
    """The column of scores of the positive class.

    `positive` : the values of the column `label` that count as 1; `<label>_<value>` of one of them goes first, as in STAMP's
    files. Raises ValueError without one.
    """
    of_class = dict.fromkeys(column_key(f"{table.header[label]}_{value}") for value in positive)
    return table.need("scores", (*of_class, *SCORE_COLUMNS), column, "--score-column")


def split_columns(table: Table, fold_column: str | None = None) -> tuple[int | None, int | None]:
    """The column that says train, val or test, and the one that numbers folds, told apart by what stands in them."""
    part = fold = None
    for name in SPLIT_COLUMNS if fold_column is None else (fold_column, *SPLIT_COLUMNS):
        at = table.named(name, "--fold-column") if name == fold_column else table.find((name,))
        values = {c.lower() for c in table.cells(at)} - {""}
        if at is not None and values and values <= set(PARTS):
            part = at if part is None else part
        elif at is not None and values:
            fold = at if fold is None else fold
    return part, fold


def model_columns(table: Table, taken: Sequence[int]) -> tuple[int, ...]:
    """The columns that together name a result, but for those that are something else (`taken`)."""
    found = (table.find((name,)) for name in MODEL_COLUMNS)
    return tuple(at for at in found if at is not None and at not in taken)


def quoted(cells: Sequence[str]) -> str:
    """Up to three values of a column, as they are written there."""
    return some(map(repr, cells), 3, " or ") or "nothing"


def _stamp_label(table: Table) -> int | None:
    """The column whose every value has a column of scores `<column>_<value>` (STAMP's form), if there is one."""
    for at, name in enumerate(table.header):
        values = {cell for cell in table.cells(at) if cell.lower() not in MISSING}
        if name and values and all(f"{name}_{v}" in table.header for v in values):
            return at
    return None
