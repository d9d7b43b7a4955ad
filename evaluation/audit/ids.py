"""Whose row is it: ids of slides and patients, as other projects write them, tied to patients. Never by a guess."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

Number = Callable[[str], int | None]
BARCODE = 12  # characters of a TCGA barcode that name the patient: project, site, participant
_TCGA = re.compile(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}(?![A-Z0-9])", re.IGNORECASE)
_SUFFIX = re.compile(r"\.(h5|pt|svs|tiff?|ndpi|mrxs|dcm|png|jpe?g|nii|nii\.gz)$", re.IGNORECASE)
# how an id was tied to a patient, in the order in which it is tried
WAYS = {
    "written": "as written",
    "slide": "by the patient of their slide",
    "barcode": f"by the first {BARCODE} characters of their TCGA barcode",
    "number": "by number",
    "elsewhere": "name patients that are not among the predictions",
    "apart": "are not among the predictions and count as patients of their own",
}


def barcode(name: str) -> str | None:
    """The patient in a TCGA barcode, upper case; None for ids of another form."""
    return name[:BARCODE].upper() if _TCGA.match(name) else None


def without_suffix(name: str) -> str:
    """A slide id without the suffix of its file."""
    return _SUFFIX.sub("", name)


def natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts 'fold 10' behind 'fold 2': numbers count as numbers."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def slides_to_patients(pairs: Iterable[tuple[str, str]], where: str) -> dict[str, str]:
    """{slide id without suffix: patient}. Raises ValueError where a slide has two patients."""
    out: dict[str, str] = {}
    for slide, patient in pairs:
        if slide and patient and out.setdefault(without_suffix(slide), patient) != patient:
            raise ValueError(
                f"{where}: the slide {slide!r} has two patients, {out[without_suffix(slide)]!r} and {patient!r}"
            )
    return out


def tie(
    ids: Iterable[str], known: Collection[str], slides: Mapping[str, str], number: Number
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """{id: its patient}, and {way of `WAYS`: the ids that were tied so}.

    `known` : patients of the predictions; `slides` : {slide id without suffix: patient}; `number` : the number of an id such
    as 00042, or None. A number that several known patients share ties nothing. Ids that are not known are tied to each
    other by barcode and number all the same.
    """
    groups = _by_number(known, number)
    numbered = {n: same[0] for n, same in groups.items() if len(same) == 1}
    patients: dict[str, str] = {}
    ways: dict[str, list[str]] = {way: [] for way in WAYS}
    for name in ids:
        n = number(name)
        if name in known:
            way, patient = "written", name
        elif without_suffix(name) in slides:
            patient = slides[without_suffix(name)]
            patient = barcode(patient) or patient
            way = "slide" if patient in known else "elsewhere"
        elif short := barcode(name):
            way, patient = "barcode" if short in known else "elsewhere", short
        elif n is not None and (n in numbered or n not in groups):
            patient = numbered.setdefault(n, name)
            way = "number" if patient in known else "apart"
        else:
            way, patient = "apart", name
        patients[name] = patient
        ways[way].append(name)
    return patients, ways


def tied_sentence(patients: Mapping[str, str], ways: Mapping[str, Sequence[str]]) -> str:
    """How the ids of split files were tied to the patients of the predictions."""
    joined = [
        f"{len(ways[w])} {WAYS[w]}{_example(ways[w], patients)}"
        for w in WAYS
        if w not in ("elsewhere", "apart") and ways[w]
    ]
    text = f"Ids of the split files: {len(patients)}. "
    text += (
        f"Tied to patients of the predictions: {'; '.join(joined)}. " if joined else "None is among the predictions. "
    )
    if ways["elsewhere"]:
        text += f"{len(ways['elsewhere'])} {WAYS['elsewhere']}. "
    if apart := ways["apart"]:
        text += f"{len(apart)} {WAYS['apart']} (first {apart[0]!r})"
        text += (
            ": if they are slides, two of one patient would not be noticed; --slides TABLE.csv tells whose they are."
        )
    return text.strip()


def alike(patients: Collection[str], number: Number) -> list[list[str]]:
    """Groups of ids that differ only in leading zeros or a prefix, so that they may be one patient."""
    return [sorted(same) for same in _by_number(patients, number).values() if len(same) > 1]


def _example(ids: Sequence[str], patients: Mapping[str, str]) -> str:
    changed = next((i for i in ids if patients[i] != i), None)
    return f" ({changed!r} is {patients[changed]!r})" if changed is not None else ""


def _by_number(patients: Iterable[str], number: Number) -> dict[int, list[str]]:
    out: dict[int, list[str]] = {}
    for patient in patients:
        if (n := number(patient)) is not None:
            out.setdefault(n, []).append(patient)
    return out
