"""Labels and the join of patient ids: `2`, `00002` and `BraTS2021_00002` are one patient if that is unambiguous."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.ids import match_ids
from core.tables import read_csv
from core.text import some

PATIENT_COLUMNS = ("BraTS21ID", "patient_id", "patient", "id", "case_id", "subject")
LABEL_COLUMNS = ("MGMT_value", "MGMT", "label")
MISSING_WORDS = frozenset({"", "na", "n/a", "nan", "null", "none", "not available", "unknown", "missing"})
_WORDS = {"1": 1, "1.0": 1, "methylated": 1, "0": 0, "0.0": 0, "unmethylated": 0}
Parse = Callable[[str, int], int | None]


@dataclass
class Labels:
    """The labels of a CSV file by the ids written there: 0, 1, or None where the value is missing."""

    path: Path
    column: str
    values: dict[str, int | None]
    meaning: str  # what 1 and 0 stand for, in words
    other: dict[str, int] = field(default_factory=dict)  # values that are neither, and how often


@dataclass
class Join:
    """Labels joined to the patients of a table.

    labels : {patient of the table: 0 or 1}; unlabelled : in the table, label missing; without_row : in the table,
    not in the file; without_scans : labelled in the file, not in the table; lines : how the join was made, in words
    """

    labels: dict[str, int]
    unlabelled: list[str]
    without_row: list[str]
    without_scans: list[str]
    lines: list[str]
    question: str  # what 1 and 0 stand for


def read_labels(
    path: Path,
    *,
    patient_column: str | None = None,
    label_column: str | None = None,
    positive: str | None = None,
    negative: str | None = None,
) -> Labels:
    """Read labels from a CSV file.

    Without `positive` the values are 0/1 or methylated/unmethylated. `positive` is the value that counts as 1, or a
    comparison such as '>63'; `negative` the value that counts as 0 (needed where several others occur). Blank cells
    and words such as NA are missing labels. Raises ValueError for unknown columns or values, for a patient with
    two different labels, and for blank ids.
    """
    header, rows = read_csv(path)
    id_at = header.index(_column(path, header, patient_column, PATIENT_COLUMNS, "--patient-column"))
    column = _column(path, header, label_column, LABEL_COLUMNS, "--label-column")
    label_at = header.index(column)
    values, meaning = parse_labels(path, column, [(n, row[label_at]) for n, row in rows], positive, negative)
    labels = Labels(path, column, {}, meaning)
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
) -> tuple[list[int | None], str]:
    """(line number, cell) of a label column -> 0, 1 or None for each, and what 1 and 0 stand for.

    `positive` and `negative` as for `read_labels`; raises ValueError for a value that they do not cover.
    """
    parse, meaning = _parser(path, column, [cell for _, cell in cells], positive, negative)
    return [None if cell.lower() in MISSING_WORDS else parse(cell, number) for number, cell in cells], meaning


def join(patients: Iterable[str], labels: Labels) -> Join:
    """Join labels to patients, by the id as written, else by number. Raises ValueError where that is ambiguous,
    or where not one patient is found."""
    patients = list(patients)
    matched = match_ids(patients, labels.values, repr(str(labels.path)))
    if not matched:
        raise ValueError(
            f"no patient of the features is in {str(labels.path)!r} (features: {some(patients)}; labels: "
            f"{some(list(labels.values))}); expected the same ids, check --patient-column"
        )
    out = Join({}, [], [p for p in patients if p not in matched], [], [], labels.meaning)
    for patient, name in matched.items():
        value = labels.values[name]
        if value is None:
            out.unlabelled.append(patient)
        else:
            out.labels[patient] = value
    used = set(matched.values())
    numbered = [(patient, name) for patient, name in matched.items() if patient != name]
    exact = len(matched) - len(numbered)
    out.without_scans = [p for p, v in labels.values.items() if v is not None and p not in used]
    out.lines.append(f"{len(out.labels)} patients with label: {labels.meaning}")
    if exact:
        out.lines.append(f"  {exact} ids joined as written")
    if numbered:
        a, b = numbered[0]
        out.lines.append(f"  {len(numbered)} ids joined by number ({a!r} is {b!r} in the labels)")
    for names, what in (
        (out.unlabelled, "in the features have no known label, left out"),
        (out.without_row, "in the features have no row in the labels, left out"),
        (out.without_scans, "in the labels have no features"),
    ):
        if names:
            out.lines.append(f"  {len(names)} patients {what}: {some(names)}")
    unknown = sum(v is None for v in labels.values.values()) - sum(labels.other.values())
    if unknown:
        out.lines.append(f"  {unknown} patients of the labels have no value there")
    if labels.other:
        out.lines.append(
            "  values that are neither class: " + ", ".join(f"{v!r} {n} x" for v, n in labels.other.items())
        )
    return out


def _parser(
    path: Path, column: str, cells: Sequence[str], positive: str | None, negative: str | None
) -> tuple[Parse, str]:
    """The function (cell, row number) -> 0, 1 or None, and its meaning in words."""
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

        return plain, f"{column} 1 against 0"
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

        return compare, f"{column} {positive} against the rest"
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

    return match, f"{column} {positive!r} against {negative!r}"


def _column(path: Path, header: Sequence[str], name: str | None, usual: Sequence[str], flag: str) -> str:
    if name is not None:
        if name not in header:
            raise ValueError(f"{str(path)!r} has no column {name!r} ({flag}); it has {', '.join(header[:12])}")
        return name
    lower = {h.lower(): h for h in header}
    found = [lower[u.lower()] for u in usual if u.lower() in lower]
    if not found:
        raise ValueError(
            f"{str(path)!r} has none of the columns {', '.join(usual)}; name one with {flag} (it has {', '.join(header[:12])})"
        )
    return found[0]
