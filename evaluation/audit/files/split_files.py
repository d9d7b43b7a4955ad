"""Split files of CLAM and STAMP, lists of ids, and tables that tell whose a slide is.

CLAM writes `splits_k.csv`, columns train, val and test of slide ids, and the same as `splits_k_bool.csv`, a row per slide with
True or False (github.com/mahmoodlab/CLAM, save_splits). STAMP writes `splits.json`, {"splits": [{"train_patients": [...],
"test_patients": [...]}]} (github.com/KatherLab/STAMP, modeling/crossval.py). A list has an id and a part (train, val, test), a
fold, or both, and optionally a repeat; where there is only a fold, the other folds are taken to have trained. Where no fold has
both training and test, the folds are parts of one split, and all are compared.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from core.ids import PATIENT_COLUMNS, column_key, usual_column
from core.tables import read_csv
from evaluation.audit.files.columns import (
    PARTS,
    REPEAT_COLUMNS,
    SLIDE_COLUMNS,
    SPLIT_COLUMNS,
    Row,
)
from evaluation.audit.files.ids import slides_to_patients
from evaluation.audit.files.splits import Member, Split, gather


def read_splits(path: Path) -> list[Split]:
    """Read the splits of one file.

    Parameters
    ----------
    path : `splits_k.csv`, `splits_k_bool.csv`, `splits.json`, or a list

    Returns
    -------
    Its splits, ids as written.

    Raises
    ------
    ValueError : a file of none of these forms
    """
    if path.suffix.lower() == ".json":
        return _from_json(path)
    if path.stem.endswith("_descriptor"):
        raise ValueError(f"{str(path)!r} counts slides and names none; leave it out, the files beside it name them")
    header, rows = read_csv(path)
    names = [column_key(h) for h in header]
    if {"train", "test"} <= set(names):
        return [_from_clam(path, names, [cells for _, cells in rows])]
    ids = usual_column(header, (*PATIENT_COLUMNS, *SLIDE_COLUMNS))
    told = [names.index(c) for c in SPLIT_COLUMNS if c in names]
    if ids is None or not told:
        raise ValueError(
            f"{str(path)!r} is no split file: expected the columns train, val and test (CLAM), an id with fold or split, or a "
            f"JSON file of splits (STAMP); it has {', '.join(header[:12])}"
        )
    repeat = next((names.index(c) for c in REPEAT_COLUMNS if c in names), None)
    return gather(path.name, _members(path, rows, ids, told, repeat))


def _members(path: Path, rows: Sequence[Row], ids: int, told: Sequence[int], repeat: int | None) -> list[Member]:
    """The ids of a list, each with its repeat, fold and part. `told` : the columns that say fold or part."""
    members = []
    for number, row in rows:
        parts = [PARTS[row[at].lower()] for at in told if row[at].lower() in PARTS]
        folds = [row[at] for at in told if row[at] and row[at].lower() not in PARTS]
        if not row[ids] or not (parts or folds):
            raise ValueError(f"{str(path)!r}, row {number}: the id or its fold is blank")
        given = "" if repeat is None else row[repeat]
        members.append(Member(given, "".join(folds[:1]), "".join(parts[:1]), row[ids]))
    return members


def read_slides(path: Path) -> dict[str, str]:
    """{slide id without suffix: patient} from a table such as CLAM's (case_id, slide_id) or STAMP's (PATIENT, FILENAME).

    Raises
    ------
    ValueError : a column is missing, or a slide has two patients
    """
    header, rows = read_csv(path)
    patient, slide = usual_column(header, PATIENT_COLUMNS), usual_column(header, SLIDE_COLUMNS)
    if patient is None or slide is None:
        raise ValueError(
            f"{str(path)!r} needs a column of slides and one of patients, such as slide_id and case_id; it has {', '.join(header[:12])}"
        )
    return slides_to_patients(((row[slide], row[patient]) for _, row in rows), repr(str(path)))


def _from_clam(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Split:
    at = {part: names.index(part) for part in ("train", "val", "test") if part in names}
    rest = [i for i in range(len(names)) if i not in at.values()]
    parts: dict[str, frozenset[str]] = {"val": frozenset()}
    boolean = {row[i].lower() for row in rows for i in at.values()} <= {"true", "false"}
    if boolean and not rest:
        raise ValueError(f"{str(path)!r} says True and False, but has no column of ids beside train, val and test")
    for part, i in at.items():
        chosen = (row[rest[0]] for row in rows if row[i].lower() == "true") if boolean else (row[i] for row in rows)
        parts[part] = frozenset(filter(None, chosen))
    return Split(
        scheme=path.parent.as_posix(), name=path.name, train=parts["train"], val=parts["val"], test=parts["test"]
    )


def _from_json(path: Path) -> list[Split]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        listed = content["splits"]
        out = []
        for k, s in enumerate(listed):
            train, test = (frozenset(map(str, s[f"{part}_patients"])) for part in ("train", "test"))
            val = frozenset(str(p) for key in ("val_patients", "valid_patients") for p in s.get(key, ()))
            name = f"{path.name}, split {k}"
            out.append(Split(scheme=path.as_posix(), name=name, train=train, val=val, test=test))
    except FileNotFoundError:
        raise ValueError(f"{str(path)!r} does not exist; expected a split file") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is no split file of STAMP ({type(error).__name__}: {error}); expected "
            '{"splits": [{"train_patients": [...], "test_patients": [...]}, ...]}'
        ) from None
    return out
