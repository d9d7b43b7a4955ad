"""Whose row is it: ids of slides and patients, as other projects write them, tied to patients. Never by a guess."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from core.ids import by_number, patient_number

BARCODE = 12  # characters of a TCGA barcode that name the patient: project, site, participant
_TCGA = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(?![A-Z0-9])", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(h5|pt|svs|tiff?|ndpi|mrxs|dcm|png|jpe?g|nii|nii\.gz)$", re.IGNORECASE)


class Way(Enum):
    """How an id was tied to a patient, in the order in which it is tried."""

    WRITTEN = "as written"
    SLIDE = "by the patient of its slide"
    BARCODE = "by its TCGA barcode"
    NUMBER = "by number"
    ELSEWHERE = "names a patient that is not among the predictions"
    APART = "a patient of its own"


@dataclass(frozen=True)
class Tied:
    """patients : {id: its patient}; ways : {way: the ids that were tied so}, each way a key."""

    patients: dict[str, str]
    ways: dict[Way, list[str]]


def barcode(name: str) -> str | None:
    """The patient in a TCGA barcode, upper case; None for ids of another form."""
    return name[:BARCODE].upper() if _TCGA.match(name) else None


def without_suffix(name: str) -> str:
    """A slide id without the suffix of its file."""
    return _SUFFIX.sub("", name)


def slides_to_patients(pairs: Iterable[tuple[str, str]], where: str) -> dict[str, str]:
    """{slide id without suffix: patient}. Raises ValueError where a slide has two patients."""
    out: dict[str, str] = {}
    for slide, patient in pairs:
        if slide and patient and out.setdefault(without_suffix(slide), patient) != patient:
            raise ValueError(
                f"{where}: the slide {slide!r} has two patients, {out[without_suffix(slide)]!r} and {patient!r}"
            )
    return out


def tie(ids: Iterable[str], known: Collection[str], slides: Mapping[str, str]) -> Tied:
    """Tie the ids of split files to patients.

    Ids that are not known are tied to each other by barcode and number all the same. A number that several known patients share
    ties nothing.

    Parameters
    ----------
    ids : as written in the split files
    known : patients of the predictions
    slides : {slide id without suffix: patient}
    """
    groups = by_number(known)
    numbered = {n: same[0] for n, same in groups.items() if len(same) == 1}
    tied = Tied({}, {way: [] for way in Way})
    for name in ids:
        n = patient_number(name)
        if name in known:
            way, patient = Way.WRITTEN, name
        elif without_suffix(name) in slides:
            patient = slides[without_suffix(name)]
            patient = barcode(patient) or patient
            way = Way.SLIDE if patient in known else Way.ELSEWHERE
        elif short := barcode(name):
            way, patient = Way.BARCODE if short in known else Way.ELSEWHERE, short
        elif n is not None and (n in numbered or n not in groups):
            patient = numbered.setdefault(n, name)
            way = Way.NUMBER if patient in known else Way.APART
        else:
            way, patient = Way.APART, name
        tied.patients[name] = patient
        tied.ways[way].append(name)
    return tied


def alike(patients: Iterable[str]) -> list[list[str]]:
    """Groups of ids that differ only in leading zeros or a prefix, so that they may be one patient."""
    return [sorted(same) for same in by_number(patients).values() if len(same) > 1]
