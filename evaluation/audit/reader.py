"""Somebody else's predictions: a CSV with a row per patient, slide or slice, read by the usual names of its columns.

Known forms: one score column; CLAM's `slide_id, Y, Y_hat, p_0, p_1`; STAMP's `PATIENT, <label>, pred, <label>_<class> ...`;
predictions.csv and slices.csv of this project.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.ids import LABEL_COLUMNS, PATIENT_COLUMNS, column_key, usual_column
from core.metrics import Array, Labels
from core.tables import originals
from core.text import some
from evaluation.audit.ids import barcode, without_suffix

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
PARTS = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test", "holdout": "test",
}  # fmt: skip
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none"})
MOST_ROWS = 10  # of one slide in one fold; a name that has more on average is a number of a slice
Row = tuple[int, list[str]]
Parse = Callable[[str, list[tuple[int, str]]], tuple[list[int | None], object]]


@dataclass
class Foreign:
    """Rows of a predictions file, n of each; a text is '' where the file does not tell.

    patient, slide, model, repeat, fold : texts; part : 'train', 'val', 'test' or ''; y : (n,) 0/1, -1 unknown; score : (n,)
    float64, NaN where missing; columns : {what: the column that it was read from}; question : what 1 and 0 stand for
    own_slides : rows whose slide stands for the patient, since nothing says whose it is; copies : rows that repeat another;
    shortened : ids cut to a TCGA barcode; warnings : what a column `warning` says, as files of this project have it
    unused : columns that nothing was read from
    """

    name: str
    columns: dict[str, str]
    question: str
    patient: list[str]
    slide: list[str]
    model: list[str]
    repeat: list[str]
    fold: list[str]
    part: list[str]
    y: Labels
    score: Array
    own_slides: int = 0
    copies: int = 0
    shortened: int = 0
    warnings: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def units(self) -> str:
        """What the file calls what it has rows of: 'slides', 'slices'."""
        return f"{column_key(self.columns.get('slides', 'slide')).removesuffix('_id').removesuffix('name')}s"

    @property
    def contradictory(self) -> list[str]:
        """Patients with both labels."""
        positive, negative = ({p for p, y in zip(self.patient, self.y, strict=True) if y == label} for label in (1, 0))
        return sorted(positive & negative)

    @property
    def whose_slides(self) -> dict[str, str]:
        """{slide without suffix: its patient}, of those that belong to one patient; a slice number belongs to many."""
        owners: dict[str, set[str]] = {}
        for slide, patient in zip(self.slide, self.patient, strict=True):
            owners.setdefault(without_suffix(slide), set()).add(patient)
        return {slide: min(own) for slide, own in owners.items() if slide and len(own) == 1}

    @property
    def reported(self) -> str:
        """The part that figures are about: 'test' (or rows that say nothing), else 'val', else 'train'."""
        scored = {p or "test" for p, s in zip(self.part, self.score, strict=True) if math.isfinite(s)}
        return next((part for part in ("test", "val", "train") if part in scored), "test")


def read_predictions(
    name: str,
    header: Sequence[str],
    rows: Sequence[Row],
    parse: Parse,
    *,
    patient_column: str | None = None,
    label_column: str | None = None,
    score_column: str | None = None,
    fold_column: str | None = None,
    slides: Mapping[str, str] | None = None,
) -> Foreign:
    """Read the cells of a CSV file; `rows` : (line number, cells); `slides` : {slide id without suffix: patient}.

    `parse` : (column, [(line number, cell)]) -> labels 0, 1 or None, and what they stand for. Raises ValueError for columns
    that are not there, blank ids, names of slides that cannot be patients, and scores that are no numbers.
    """
    rows = _as_meant(rows)
    reader = _Table(name, header, rows)
    patient_at = reader.find(PATIENT_COLUMNS, patient_column, "--patient-column")
    slide_at = reader.find(SLIDE_COLUMNS)
    if patient_at is None and slide_at is None:
        raise reader.lacks("patient ids", PATIENT_COLUMNS, "--patient-column")
    label_at = reader.named(label_column, "--label-column")
    label_at = next(
        (at for at in (label_at, _stamp_label(header, rows), reader.find(LABEL_COLUMNS)) if at is not None), None
    )
    if label_at is None:
        raise reader.lacks("labels", LABEL_COLUMNS, "--label-column")
    labels, question = parse(header[label_at], [(number, row[label_at]) for number, row in rows])
    of_class = tuple(
        dict.fromkeys(
            column_key(f"{header[label_at]}_{c}") for c, y in zip(reader.cells(label_at), labels, strict=True) if y == 1
        )
    )
    score_at = reader.find((*of_class, *SCORE_COLUMNS), score_column, "--score-column")
    if score_at is None:
        raise reader.lacks("scores", SCORE_COLUMNS, "--score-column")
    part_at, fold_at = _split_columns(reader, fold_column)
    repeat_at = reader.find(REPEAT_COLUMNS)
    models = [at for name in MODEL_COLUMNS if (at := reader.find((name,))) not in (None, label_at, score_at)]
    slide = reader.cells(slide_at)
    repeat, fold = reader.cells(repeat_at), reader.cells(fold_at)
    model = [", ".join(row[at] for at in models if at is not None) for _, row in rows]
    patient, own, shortened = _patients(reader, patient_at, slide, slides or {})
    if own and patient_at is None and slide_at is not None:
        stand = [slide[i] == p for i, p in enumerate(patient)]
        _check_slides(name, header[slide_at], rows, stand, slide, labels, list(zip(model, repeat, fold, strict=True)))
    warning_at = reader.find(("warning",))
    found = {
        "patient ids": patient_at, "slides": slide_at, "labels": label_at, "scores": score_at, "part": part_at, "fold": fold_at,
        "repeat": repeat_at,
    }  # fmt: skip
    columns = {what: header[at] for what, at in found.items() if at is not None}
    if models:
        columns["models"] = " and ".join(header[at] for at in models if at is not None)
    read = {*found.values(), *models, warning_at}
    return Foreign(
        name, columns, _asked(str(question), header[label_at], reader.cells(label_at), labels), patient, slide, model, repeat, fold,
        [PARTS.get(c.lower(), "") for c in reader.cells(part_at)],
        np.array([-1 if y is None else y for y in labels], int),
        np.array([_score(name, header[score_at], number, row[score_at]) for number, row in rows]),
        own, sum(n - 1 for n in Counter(tuple(row) for _, row in rows).values()), shortened,
        tuple(dict.fromkeys(filter(None, reader.cells(warning_at)))),
        tuple(column for at, column in enumerate(header) if at not in read),
    )  # fmt: skip


def _as_meant(rows: Sequence[Row]) -> Sequence[Row]:
    """Rows without the apostrophes that this project puts before texts such as -7 (`cells.neutral`)."""
    if not any(cell.startswith("'") for _, row in rows for cell in row):
        return rows
    columns = [originals(column) for column in zip(*(row for _, row in rows), strict=True)]
    return [(number, list(row)) for (number, _), row in zip(rows, zip(*columns, strict=True), strict=True)]


@dataclass
class _Table:
    name: str
    header: Sequence[str]
    rows: Sequence[Row]

    def named(self, column: str | None, flag: str) -> int | None:
        if column is not None and column not in self.header:
            raise ValueError(f"{self.name!r} has no column {column!r} ({flag}); it has {', '.join(self.header[:12])}")
        return None if column is None else self.header.index(column)

    def find(self, usual: Sequence[str], column: str | None = None, flag: str = "") -> int | None:
        if column is not None:
            return self.named(column, flag)
        return usual_column(self.header, usual)

    def cells(self, at: int | None) -> list[str]:
        return ["" if at is None else row[at] for _, row in self.rows]

    def lacks(self, what: str, usual: Sequence[str], flag: str) -> ValueError:
        return ValueError(
            f"{self.name!r} has no column of {what} that is recognised ({', '.join(usual)}); name it with {flag} (it has "
            f"{', '.join(self.header[:12])})"
        )


def _patients(
    reader: _Table, patient_at: int | None, slide: Sequence[str], slides: Mapping[str, str]
) -> tuple[list[str], int, int]:
    """The patient of each row, how many slides stand for themselves, and how many ids were cut to a TCGA barcode."""
    out, own, shortened = [], 0, 0
    for i, (number, row) in enumerate(reader.rows):
        written = slide[i] if patient_at is None else row[patient_at]
        if not written:
            what = "slide id" if patient_at is None else "patient id"
            raise ValueError(f"{reader.name!r}, row {number}: the {what} is blank; fill it in, or delete the row")
        patient = slides.get(without_suffix(slide[i]), "") if patient_at is None else written
        own += not patient and barcode(written) is None
        patient = patient or written
        short = barcode(patient)
        shortened += short is not None and short != patient
        out.append(short or patient)
    return out, own, shortened


def _stamp_label(header: Sequence[str], rows: Sequence[Row]) -> int | None:
    """The column whose every value has a column of scores `<column>_<value>` (STAMP's form), if there is one."""
    for at, name in enumerate(header):
        values = {row[at] for _, row in rows if row[at].lower() not in MISSING}
        if name and values and all(f"{name}_{v}" in header for v in values):
            return at
    return None


def _check_slides(
    name: str,
    column: str,
    rows: Sequence[Row],
    stand: Sequence[bool],
    slide: Sequence[str],
    labels: Sequence[int | None],
    result: Sequence[tuple[str, ...]],
) -> None:
    """Refuse names of slides that stand for patients (`stand`) and cannot: one has both labels, or they have many rows each.

    `result` : what the rows of a slide may differ in: model, repeat and fold. Rows that are written twice count once.
    """
    mine = [i for i, own in enumerate(stand) if own]
    told = {(slide[i], labels[i]) for i in mine if labels[i] is not None}
    both = len(told) - len({s for s, _ in told})
    different = {tuple(rows[i][1]): (slide[i], result[i]) for i in mine}
    many = len(different) > MOST_ROWS * len(set(different.values()))
    if both or many:
        raise ValueError(
            f"{name!r} has no column of patients; {column!r} has {len({slide[i] for i in mine})} values in {len(mine)} rows"
            f"{f', {both} of them with both labels,' * bool(both)} and cannot name patients; give --patient-column, or --slides TABLE.csv"
        )


def _asked(question: str, column: str, cells: Sequence[str], labels: Sequence[int | None]) -> str:
    """The question, with the words of the file where it says 1 and 0 and the file does not."""
    words = [dict.fromkeys(c for c, y in zip(cells, labels, strict=True) if y == label) for label in (1, 0)]
    if question != f"{column} 1 against 0" or all(re.fullmatch(r"[01](\.0)?", c) for c in (*words[0], *words[1])):
        return question
    one, zero = (some(map(repr, own), 3, " or ") or "nothing" for own in words)
    return f"{column} {one} against {zero} ({one} was taken for positive)"


def _split_columns(reader: _Table, fold_column: str | None) -> tuple[int | None, int | None]:
    """The column that says train, val or test, and the one that numbers folds."""
    part = fold = None
    for name in SPLIT_COLUMNS if fold_column is None else (fold_column, *SPLIT_COLUMNS):
        at = reader.named(name, "--fold-column") if name == fold_column else reader.find((name,))
        values = {c.lower() for c in reader.cells(at)} - {""}
        if at is not None and values and values <= set(PARTS):
            part = at if part is None else part
        elif at is not None and values:
            fold = at if fold is None else fold
    return part, fold


def _score(name: str, column: str, number: int, cell: str) -> float:
    if cell.lower() in MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        hint = (
            "; write decimals with a point"
            if re.fullmatch(r"-?\d*,\d+", cell)
            else "; name the scores with --score-column"
        )
        raise ValueError(f"{name!r}, row {number}: the score {cell!r} in column {column!r} is no finite number{hint}")
    return value
