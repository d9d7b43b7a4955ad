"""Somebody else's predictions: a CSV with a row per patient, slide or slice, read by the usual names of its columns.

Known forms: one score column; CLAM's `slide_id, Y, Y_hat, p_0, p_1`; STAMP's `PATIENT, <label>, pred, <label>_<class> ...`;
predictions.csv and slices.csv of this project.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from core.question import LabelQuestion
from core.tables import originals, read_csv
from evaluation.audit.files.columns import (
    MISSING,
    PARTS,
    REPEAT_COLUMNS,
    WARNING_COLUMNS,
    Columns,
    Named,
    Row,
    Table,
    id_columns,
    label_column,
    model_columns,
    quoted,
    score_column,
    split_columns,
)
from evaluation.audit.files.foreign import Foreign, Warned
from evaluation.audit.files.ids import barcode, without_suffix
from features.labels import parse_labels

MOST_ROWS = 10  # of one slide in one fold; a name that has more on average is a number of a slice
LEAK_MARK = "LEAKS: "  # with which the column `warning` of this project's files tells of a leak (FORMATS.md)


class Patients(NamedTuple):
    """The patient of each row, how many slides stand for themselves, and how many ids were cut to a TCGA barcode."""

    names: list[str]
    own_slides: int
    shortened: int


def read_predictions(path: Path, named: Named | None = None, slides: Mapping[str, str] | None = None) -> Foreign:
    """Read a file of predictions.

    Parameters
    ----------
    path : a CSV file
    named : columns and labels that are not to be recognised
    slides : {slide id without suffix: patient}

    Returns
    -------
    Its rows, each of a patient, slide or slice.

    Raises
    ------
    ValueError : columns that are not there, labels that are not understood, blank ids, names of slides that cannot be patients,
        and scores that are no numbers
    """
    named = named or Named()
    header, rows = read_csv(path)
    table = Table(path.name, header, _as_meant(rows))
    patient, slide = id_columns(table, named.patient)
    label = label_column(table, named.label)
    cells = table.cells(label)
    numbered = [(number, row[label]) for number, row in table.rows]
    labels, question = parse_labels(path, header[label], numbered, named.positive, named.negative)
    score = score_column(table, label, [c for c, y in zip(cells, labels, strict=True) if y == 1], named.score)
    part, fold = split_columns(table, named.fold)
    columns = Columns(
        patient=patient,
        slide=slide,
        label=label,
        score=score,
        part=part,
        fold=fold,
        repeat=table.find(REPEAT_COLUMNS),
        models=model_columns(table, (label, score)),
        warning=table.find(WARNING_COLUMNS),
    )
    words = None if named.positive is not None else _words_for_numbers(header[label], cells, labels)
    foreign = _foreign(table, columns, labels, words or question, slides or {})
    scores = [_score(table, score, number, row) for number, row in table.rows]
    return replace(foreign, score=np.array(scores), positive_assumed=words is not None)


def _foreign(
    table: Table,
    columns: Columns,
    labels: Sequence[int | None],
    question: LabelQuestion,
    slides: Mapping[str, str],
) -> Foreign:
    """The rows, read from the columns that were found; but for their scores, whose errors come last."""
    slide = table.cells(columns.slide)
    patients = _patients(table, columns.patient, slide, slides)
    foreign = Foreign(
        name=table.name,
        columns=columns.named(table.header),
        question=question,
        patient=patients.names,
        slide=slide,
        model=[", ".join(row[at] for at in columns.models) for _, row in table.rows],
        repeat=table.cells(columns.repeat),
        fold=table.cells(columns.fold),
        part=[PARTS.get(cell.lower(), "") for cell in table.cells(columns.part)],
        y=np.array([-1 if y is None else y for y in labels], int),
        score=np.full(len(labels), np.nan),
        own_slides=patients.own_slides,
        copies=sum(n - 1 for n in Counter(tuple(row) for _, row in table.rows).values()),
        shortened=patients.shortened,
        warnings=tuple(Warned(w, LEAK_MARK in w) for w in dict.fromkeys(table.cells(columns.warning)) if w),
        unused=columns.unused(table.header),
    )
    if patients.own_slides and columns.patient is None:
        _check_slides(table, foreign, labels)
    return foreign


def _as_meant(rows: Sequence[Row]) -> Sequence[Row]:
    """Rows without the apostrophes that this project puts before texts such as -7 (`core.tables.neutral`)."""
    if not any(cell.startswith("'") for _, row in rows for cell in row):
        return rows
    columns = [originals(column) for column in zip(*(row for _, row in rows), strict=True)]
    return [(number, list(row)) for (number, _), row in zip(rows, zip(*columns, strict=True), strict=True)]


def _patients(table: Table, patient_at: int | None, slide: Sequence[str], slides: Mapping[str, str]) -> Patients:
    """Whose each row is: by the column of patients, by a table of slides, else the slide stands for the patient."""
    out, own, shortened = [], 0, 0
    for i, (number, row) in enumerate(table.rows):
        written = slide[i] if patient_at is None else row[patient_at]
        if not written:
            what = "slide id" if patient_at is None else "patient id"
            raise ValueError(f"{table.name!r}, row {number}: the {what} is blank; fill it in, or delete the row")
        patient = slides.get(without_suffix(slide[i]), "") if patient_at is None else written
        own += not patient and barcode(written) is None
        patient = patient or written
        short = barcode(patient)
        shortened += short is not None and short != patient
        out.append(short or patient)
    return Patients(out, own, shortened)


def _check_slides(table: Table, f: Foreign, labels: Sequence[int | None]) -> None:
    """Refuse names of slides that stand for patients and cannot: one has both labels, or they have many rows each.

    The rows of a slide may differ in model, repeat and fold. Rows that are written twice count once.
    """
    mine = [i for i, patient in enumerate(f.patient) if f.slide[i] == patient]
    told = {(f.slide[i], labels[i]) for i in mine if labels[i] is not None}
    both = len(told) - len({s for s, _ in told})
    results = {tuple(table.rows[i][1]): (f.slide[i], f.model[i], f.repeat[i], f.fold[i]) for i in mine}
    many = len(results) > MOST_ROWS * len(set(results.values()))
    if both or many:
        which = f", {both} of them with both labels," if both else ""
        raise ValueError(
            f"{f.name!r} has no column of patients; {f.columns['slides']!r} has {len({f.slide[i] for i in mine})} values in "
            f"{len(mine)} rows{which} and cannot name patients; give --patient-column, or --slides TABLE.csv"
        )


def _words_for_numbers(column: str, cells: Sequence[str], labels: Sequence[int | None]) -> LabelQuestion | None:
    """The question in the words of the file, where those were taken for 1 and 0; None where it says 1 and 0 itself."""
    one, zero = (list(dict.fromkeys(c for c, y in zip(cells, labels, strict=True) if y == label)) for label in (1, 0))
    if all(re.fullmatch(r"[01](\.0)?", c) for c in (*one, *zero)):
        return None
    return LabelQuestion(column, quoted(one), quoted(zero))


def _score(table: Table, at: int, number: int, row: Sequence[str]) -> float:
    cell = row[at]
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
        raise ValueError(
            f"{table.name!r}, row {number}: the score {cell!r} in column {table.header[at]!r} is no finite number{hint}"
        )
    return value
