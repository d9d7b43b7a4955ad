"""Labels and the join of patient ids: `2`, `00002` and `BraTS2021_00002` are one patient if that is unambiguous."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.ids import LABEL_COLUMNS, PATIENT_COLUMNS, match_ids, usual_column
from core.question import LabelQuestion
from core.tables import read_csv
from core.text import some

MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "not available", "unknown", "missing"})
_WORDS = {"1": 1, "1.0": 1, "methylated": 1, "0": 0, "0.0": 0, "unmethylated": 0}
Parse = Callable[[str, int], int | None]


@dataclass
class Labels:
    """The labels of a CSV file by the ids written there: 0, 1, or None where the value is missing."""

    path: Path
    column: str
    values: dict[str, int | None]
    question: LabelQuestion
    other: dict[str, int] = field(default_factory=dict)  # values that are neither, and how often


@dataclass
class Join:
    """Labels joined to the patients of a table.

    Attributes
    ----------
    question : what 1 and 0 stand for
    labels : {patient of the table: 0 or 1}
    as_written, by_number : (patient, id in the labels) of those whose ids are the same, and of those who share a number
    unlabelled : patients of the table whose label is missing
    without_row : patients of the table who are not in the file
    without_scans : ids that are labelled in the file, and not in the table
    n_without_value : ids of the file whose label is missing
    other : {value of the file that is neither class: how often}
    """

    question: LabelQuestion
    labels: dict[str, int] = field(default_factory=dict)
    as_written: list[tuple[str, str]] = field(default_factory=list)
    by_number: list[tuple[str, str]] = field(default_factory=list)
    unlabelled: list[str] = field(default_factory=list)
    without_row: list[str] = field(default_factory=list)
    without_scans: list[str] = field(default_factory=list)
    n_without_value: int = 0
    other: dict[str, int] = field(default_factory=dict)


def read_labels(
    path: Path,
    *,
    patient_column: str | None = None,
    label_column: str | None = None,
    positive: str | None = None,
    negative: str | None = None,
) -> Labels:
    """Read labels from a CSV file. Blank cells and words such as NA are missing labels.

    Parameters
    ----------
    path : a CSV file with a header, .gz too
    patient_column, label_column : their names; by default the first of the usual ones that is there
    positive : the value that counts as 1, or a comparison such as '>63'; without it the values are 0/1 or methylated/unmethylated
    negative : the value that counts as 0, needed where several others occur

    Returns
    -------
    Labels, by the ids as they are written in the file

    Raises
    ------
    ValueError : for unknown columns or values, for a patient with two different labels, and for blank ids
    """
    header, rows = read_csv(path)
    id_at = header.index(_column(path, header, patient_column, PATIENT_COLUMNS, "--patient-column"))
    column = _column(path, header, label_column, LABEL_COLUMNS, "--label-column")
    label_at = header.index(column)
    values, question = parse_labels(path, column, [(n, row[label_at]) for n, row in rows], positive, negative)
    labels = Labels(path, column, {}, question)
    for (number, row), value in zip(rows, values, strict=True):
        patient, cell = row[id_at], row[label_at]
        if not patient:
            raise ValueError(f"{str(path)!r}, row {number}: the patient id is blank")
        if value is None and cell.lower() not in MISSING_WORDS:
            labels.other[cell] = labels.other.get(cell, 0) + 1
        if patient in labels.values and labels.values[patient] != value:
            raise ValueError(f"{str(path)!r}, row {number}: patient {patient!r} has two different labels; keep one")
        labels.values[patient] = value
    return labels


def parse_labels(
    path: Path, column: str, cells: Sequence[tuple[int, str]], positive: str | None = None, negative: str | None = None
) -> tuple[list[int | None], LabelQuestion]:
    """The values of a label column.

    Parameters
    ----------
    path, column : where the cells are from, for errors
    cells : (line number, cell)
    positive, negative : as for `read_labels`

    Returns
    -------
    0, 1 or None for each cell, and what 1 and 0 stand for

    Raises
    ------
    ValueError : a value that `positive` and `negative` do not cover
    """
    parse, question = _parser(path, column, [cell for _, cell in cells], positive, negative)
    return [None if cell.lower() in MISSING_WORDS else parse(cell, number) for number, cell in cells], question


def join(patients: Iterable[str], labels: Labels) -> Join:
    """Join labels to patients, by the id as written, else by number.

    Raises
    ------
    ValueError : the number of a patient stands for several ids, or not one patient is in the labels
    """
    patients = list(patients)
    matched = match_ids(patients, labels.values, repr(str(labels.path)))
    if not matched:
        raise ValueError(
            f"no patient of the features is in {str(labels.path)!r} (features: {some(patients)}; labels: "
            f"{some(list(labels.values))}); expected the same ids, check --patient-column"
        )
    out = Join(labels.question, without_row=[p for p in patients if p not in matched], other=dict(labels.other))
    for patient, name in matched.items():
        value = labels.values[name]
        if value is None:
            out.unlabelled.append(patient)
        else:
            out.labels[patient] = value
        (out.as_written if patient == name else out.by_number).append((patient, name))
    used = set(matched.values())
    out.without_scans = [p for p, v in labels.values.items() if v is not None and p not in used]
    out.n_without_value = sum(v is None for v in labels.values.values()) - sum(labels.other.values())
    return out


def _parser(
    path: Path, column: str, cells: Sequence[str], positive: str | None, negative: str | None
) -> tuple[Parse, LabelQuestion]:
    """The function (cell, row number) -> 0, 1 or None, and what 1 and 0 stand for."""
    where = f"{str(path)!r}, column {column!r}"
    if positive is None:
        if negative is not None:
            raise ValueError("--negative needs --positive")

        def plain(cell: str, number: int) -> int:
            if cell.lower() not in _WORDS:
                raise ValueError(
                    f"{where}, row {number}: label {cell!r}; expected 0, 1 or nothing, or say --positive VALUE"
                )
            return _WORDS[cell.lower()]

        return plain, LabelQuestion(column)
    comparison = re.fullmatch(r"(>=|<=|>|<)\s*(-?[\d.]+)", positive)
    if comparison:
        if negative is not None:
            raise ValueError(f"--positive {positive!r} compares numbers, the rest is negative; leave --negative out")
        sign, bound = comparison[1], float(comparison[2])

        def compare(cell: str, number: int) -> int:
            try:
                value = float(cell)
            except ValueError:
                raise ValueError(f"{where}, row {number}: {cell!r} is no number to compare with {positive}") from None
            return int({">": value > bound, "<": value < bound, ">=": value >= bound, "<=": value <= bound}[sign])

        return compare, LabelQuestion(column, positive, "the rest")
    others = sorted({c for c in cells if c != positive and c.lower() not in MISSING_WORDS})
    if positive not in cells:
        raise ValueError(f"{where}: --positive {positive!r} does not occur; found {some(list(map(repr, others)))}")
    if negative is None:
        if len(others) != 1:
            raise ValueError(
                f"{where}: besides {positive!r} there are {some(list(map(repr, others))) or 'no values'}; say which is the other class with --negative"
            )
        negative = others[0]
    elif negative not in others:
        raise ValueError(f"{where}: --negative {negative!r} does not occur; found {some(list(map(repr, others)))}")

    def match(cell: str, _: int) -> int | None:
        return 1 if cell == positive else 0 if cell == negative else None

    return match, LabelQuestion(column, repr(positive), repr(negative))


def _column(path: Path, header: Sequence[str], name: str | None, usual: Sequence[str], flag: str) -> str:
    if name is not None:
        if name not in header:
            raise ValueError(f"{str(path)!r} has no column {name!r} ({flag}); it has {', '.join(header[:12])}")
        return name
    found = usual_column(header, usual)
    if found is None:
        raise ValueError(
            f"{str(path)!r} has none of the columns {', '.join(usual)}; name one with {flag} (it has {', '.join(header[:12])})"
        )
    return header[found]
