"""Ids of patients: their order, the number that `2`, `00002` and `BraTS2021_00002` share, and how two lists of ids are joined."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Columns that usually hold the patient's id, and the label, the most telling first; `usual_column` finds them.
PATIENT_COLUMNS = (
    "BraTS21ID", "patient_id", "patient", "case_id", "case", "subject_id", "subject", "participant_id", "patientid", "id",
)  # fmt: skip
LABEL_COLUMNS = (
    "MGMT_value", "MGMT", "label", "MGMT_status", "y_true", "ground_truth", "true_label", "gt", "target", "y",
)  # fmt: skip

_NUMBERED = re.compile(r"(?:brats\d*[_-])?(\d+)(?:\.0+)?", re.IGNORECASE)


def column_key(name: str) -> str:
    """What names of columns are compared by: lower case, everything but letters and digits as `_`; 'Patient ID' is patient_id."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def usual_column(header: Sequence[str], usual: Sequence[str]) -> int | None:
    """Where the first of the usual names stands in a header; None where none does."""
    keys = [column_key(name) for name in header]
    return next((keys.index(k) for k in map(column_key, usual) if k in keys), None)


def patient_number(patient: str) -> int | None:
    """The number that `2`, `00002` and `BraTS2021_00002` share; None for ids of another form."""
    found = _NUMBERED.fullmatch(patient)
    return int(found[1]) if found else None


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Sort key under which Image-2 comes before Image-10; different names never tie (2 and 02)."""
    parts = [(0, int(t), "") if t.isdecimal() else (1, 0, t) for t in re.split(r"(\d+)", name) if t]
    return [*parts, (-1, 0, name)]


def match_ids(patients: Iterable[str], names: Iterable[str], where: str) -> dict[str, str]:
    """{patient: the name that stands for it in `where`}, as written or else by number; patients without one are absent.

    Raises ValueError where a number stands for several ids, or two patients match one name.
    """
    patients, names = list(patients), list(names)
    written, theirs, mine = set(names), by_number(names), by_number(patients)
    matched: dict[str, str] = {}
    for patient in patients:
        number = patient_number(patient)
        if patient in written:
            matched[patient] = patient
        elif number is not None and number in theirs:
            if len(theirs[number]) > 1 or len(mine[number]) > 1:
                raise ValueError(
                    f"the patient number {number} is ambiguous: {mine[number]} among the features, {theirs[number]} in "
                    f"{where}; write the ids alike"
                )
            matched[patient] = theirs[number][0]
    owners: dict[str, str] = {}
    for patient, name in matched.items():
        if owners.setdefault(name, patient) != patient:
            raise ValueError(
                f"the patients {owners[name]!r} and {patient!r} both match {name!r} in {where}; write the ids alike"
            )
    return matched


def by_number(patients: Iterable[str]) -> dict[int, list[str]]:
    """The ids that share a number; ids of another form are left out."""
    out: dict[int, list[str]] = {}
    for p in patients:
        if (number := patient_number(p)) is not None:
            out.setdefault(number, []).append(p)
    return out
