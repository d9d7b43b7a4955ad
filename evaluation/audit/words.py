"""What an audit found, in English."""

from __future__ import annotations

from collections.abc import Iterable
from functools import singledispatch

from core.text import some
from evaluation.audit.figure_words import (
    clean_sentence,
    few_sentence,
    luck_sentence,
    no_figures_sentence,
    result_sentence,
)
from evaluation.audit.findings import (
    Clean,
    Few,
    FileWarning,
    Finding,
    FindingKind,
    Luck,
    NoFigures,
    NoOverlap,
    OfResult,
    OtherPart,
    Overlap,
    Repeated,
    SameFolds,
    Unknown,
)

UNSEEN = "Ids alone were compared: one patient under two ids would not be noticed."
KNOWN = "The figures measure how well known patients are recognised, and do not hold for a new patient."
MOST_NAMES = 6


def names(patients: Iterable[str]) -> str:
    """The first of several patients, sorted, and how many more there are."""
    return some(sorted(patients), MOST_NAMES)


@singledispatch
def sentence(finding: Finding) -> str:
    """A finding in words: one function for each of its classes."""
    raise AssertionError(finding)


@sentence.register
def _(finding: FileWarning) -> str:
    return f"The file itself says: {finding.text}."


@sentence.register
def _(finding: Overlap) -> str:
    n, who = len(finding.patients), names(finding.patients)
    match finding.kind:
        case FindingKind.LEAK_UNCLEAR:
            return (
                f"NOT CLEAR: {n} of {finding.of} test patients are in more than one fold ({who}). If these are the folds of one "
                "cross-validation, they were also in training; if they are repeats, they may not have been. A column repeat would tell."
            )
        case FindingKind.LEAK:
            basis = ", since their rows lie in several folds and the other folds train" if finding.assumed else ""
            return f"LEAKS: {n} of {finding.of} test patients are also in training{basis} ({who}). {KNOWN}"
        case FindingKind.LEAK_UNTESTED:
            return (
                f"LEAKS: {n} of {finding.of} patients with scores are in training and in no test set ({who}). {KNOWN}"
            )
        case FindingKind.VALIDATION_IN_TEST:
            return (
                f"{n} test patients are also in validation ({who}): whatever was chosen there, such as the epoch, was partly "
                "chosen on the test."
            )
        case _:
            assert finding.kind is FindingKind.VALIDATION_IN_TRAINING
            return f"{n} validation patients are also in training ({who})."


@sentence.register
def _(finding: NoOverlap) -> str:
    folds = f"{finding.folds} folds" if finding.folds > 1 else "one fold"
    basis = ", if the other folds trained each" if finding.assumed else ""
    text = f"No leak found: none of {finding.tested} test patients is in training in {folds}{basis}."
    if finding.others:
        text += f" Of {finding.others} more patients with scores nothing says who trained: for them a leak cannot be ruled out."
    return f"{text} {UNSEEN}{_whose(finding.units)}"


@sentence.register
def _(finding: Unknown) -> str:
    why = "A leak cannot be ruled out: nothing says who trained"
    rows = ""
    if finding.most_rows > 1:
        rows = f" With up to {finding.most_rows} rows per patient, rows may have been split instead of patients."
    whose = _whose(finding.units)
    if not finding.columns and not finding.split_files:
        return (
            f"{why}.{rows} A column fold or split beside each row would tell (--fold-column, where it is called otherwise), or "
            f"the split files (--splits).{whose}"
        )
    sources = [f"column {name!r}" for name in finding.columns] or ["the split files"]
    lacks = "no test patient of this file" if finding.trained else "no training patient"
    return f"{why} ({' and '.join(sources)}: {lacks}).{rows} Split files with both (--splits) would tell.{whose}"


def _whose(units: str) -> str:
    """That slides stand for patients; nothing where they do not."""
    if not units:
        return ""
    return (
        f" The file names {units}, not patients, and each counts as a patient: two of one patient would not be noticed."
    )


@sentence.register
def _(finding: SameFolds) -> str:
    return (
        f"VALIDATION AS TEST: in {finding.folds} of {finding.of} folds validation and test are the same patients. Whatever was "
        "chosen on them, such as the epoch, was chosen on the test; the figures are optimistic."
    )


@sentence.register
def _(finding: OtherPart) -> str:
    what = {"val": "validation", "train": "training"}[finding.part]
    return f"No test row has a score: the figures are those of {what} rows, and are optimistic."


@sentence.register
def _(finding: Repeated) -> str:
    return (
        f"{finding.patients} patients are tested in more than one fold, up to {finding.most} times: folds that share patients are "
        "not independent, and their spread is no standard error."
    )


@sentence.register
def _(finding: Few) -> str:
    return few_sentence(finding)


@sentence.register
def _(finding: NoFigures) -> str:
    return no_figures_sentence(finding)


@sentence.register
def _(finding: Clean) -> str:
    return clean_sentence(finding)


@sentence.register
def _(finding: OfResult) -> str:
    return result_sentence(finding)


@sentence.register
def _(finding: Luck) -> str:
    return luck_sentence(finding)
