"""What several parts of the report say alike: names, and why there is no interval."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from core.predictions import CHOSEN, ResultKey
from evaluation.report.section import result_name
from evaluation.statistics.assess import Assessment
from evaluation.statistics.power import FEW_PATIENTS

NO_INTERVALS = f"no intervals with fewer than {FEW_PATIENTS} patients in a class"
RARE = 0.2  # share of a class below which a threshold of 0.5 is seldom crossed


def unsaid(few: int, results: int) -> str:
    """That nothing can be said of those results of `results` that have few patients."""
    everyone = "any result" if results > 1 else "this result"
    of = f"{few} of {results} results" if few < results else everyone
    return f"Nothing can be said of {of} here: fewer than {FEW_PATIENTS} patients in a class."


def withheld(results: Sequence[Assessment]) -> list[str]:
    """Why there is no interval, where that is so."""
    if not any(a.few for a in results):
        return []
    return [
        f"n/a: {NO_INTERVALS}, nor p or power; with so few almost any AUC comes about by chance, and the formulas do not hold."
    ]


def calls(patients: Sequence[Assessment]) -> str:
    """By which threshold patients are called positive, and what that is worth where a class is rare."""
    if patients and patients[0].threshold != "0.5":
        return "Calls at the threshold that is best on the other folds, in a tuned run on the inner folds (Youden)."
    rare = [a for a in patients if min(a.n_positive, a.n_patients - a.n_positive) < RARE * a.n_patients]
    if not rare:
        return "Calls at threshold 0.5."
    return (
        f"Calls at threshold 0.5. With {rare[0].n_positive} positive of {rare[0].n_patients} patients hardly a score crosses 0.5, so "
        "accuracy, sensitivity and specificity say little at it; evaluate.py --threshold youden chooses the threshold on the other folds."
    )


def names_of(results: Sequence[Assessment], leaks: Collection[str]) -> list[str]:
    """The name of each result as tables give it."""
    return [result_name(a.key, [b.run for b in results], leaks) for a in results]


def named(key: ResultKey) -> str:
    """A result by its name; what was chosen on inner folds is said so."""
    if key.sequence != CHOSEN:
        return key.label()
    return "the head chosen on inner folds" if key.head == CHOSEN else f"{key.head} as tuned on inner folds"
