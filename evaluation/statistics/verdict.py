"""What the results of one question mean for a new patient, as values; `evaluation.report.verdict` gives it words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from core.predictions import CHOSEN, ResultKey
from evaluation.statistics.assess import Assessment
from evaluation.statistics.compare import ALPHA
from evaluation.statistics.controls.permutation import HighestTest, PermutationTest, highest_tests

TIE = 1e-9  # AUCs that only rounding tells apart are as high
SEEN_IN_USE = 0.9  # an upper bound at or above it rules nothing out that heads on MRI reach


class Outcome(Enum):
    """Whether the result that speaks ranks new patients better than chance."""

    TOO_FEW = "too few patients"
    NO_INTERVAL = "no interval"
    BELOW_CHANCE = "interval below 0.5"
    CHANCE = "interval contains 0.5"
    BETTER = "interval above 0.5"
    BETTER_CORRECTED = "interval above 0.5, also corrected for all looks"
    LOST_TO_LOOKS = "interval above 0.5, not so when corrected for all looks"


class Relation(Enum):
    """How an accuracy stands to that of always guessing the larger class."""

    ABOVE = "above"
    NOT_DETECTABLY = "above, its interval is not"
    NOT_ABOVE = "not above"


@dataclass(frozen=True)
class Verdict:
    """What is to be said of the results of one question.

    Parameters
    ----------
    question : what the labels stand for; outcome : the answer
    best : the result that speaks; as_high : others with the same AUC
    results : how many were looked at to find it, 1 where inner folds chose it; further : looks of runs that were replaced
    nested : whether inner folds chose; p_corrected : Bonferroni's p over all looks, None with a single one
    excluded_above : AUCs above it are not compatible with these data, None where that excludes nothing of interest
    accuracy : how its accuracy stands to the larger class
    shuffled : results that were trained on shuffled labels too, with their AUC; highest : {run: its highest against the
        highest of each shuffle}, of runs with several; not_shuffled : number of the other results
    """

    question: str
    outcome: Outcome
    best: Assessment
    as_high: list[ResultKey]
    results: int
    further: int
    nested: bool
    p_corrected: float | None
    excluded_above: float | None
    accuracy: Relation
    shuffled: list[tuple[Assessment, PermutationTest]]
    highest: dict[str, HighestTest]
    not_shuffled: int
    several_runs: bool
    any_few: bool


def judge(
    results: Sequence[Assessment],
    question: str = "",
    *,
    further: int = 0,
    tests: Sequence[PermutationTest] = (),
) -> Verdict:
    """The verdict on the results of one question.

    The best result speaks; where one was chosen on inner folds, that one.

    Parameters
    ----------
    results : at least one, of patients, without a leak, with an AUC by fold
    question : what their labels stand for
    further : looks at the same folds beyond these results
    tests : of results that were trained on shuffled labels too, also of other questions
    """
    nested = [a for a in results if a.sequence == CHOSEN]
    nested = [a for a in nested if a.head == CHOSEN] or nested
    chosen = len(nested) == 1
    best = nested[0] if chosen else max(results, key=_auc)
    k = 1 if chosen else len(results)
    top = best.by_fold["estimate"]
    p = min(1.0, (k + further) * best.by_fold["p"]) if k + further > 1 else None
    bound = max((a.by_fold["high"] for a in results if not a.few), default=math.nan)
    by_key = {t.key: t for t in tests}
    shuffled = [(a, by_key[a.key]) for a in results if a.key in by_key]
    tested = highest_tests(tests)
    highest = {run: tested[run] for run in dict.fromkeys(a.run for a in results) if run in tested and tested[run].n > 1}
    return Verdict(
        question=question,
        outcome=_outcome(best, p),
        best=best,
        as_high=[a.key for a in results if a is not best and top - a.by_fold["estimate"] < TIE] if k > 1 else [],
        results=k,
        further=further,
        nested=bool(nested),
        p_corrected=p,
        excluded_above=bound if bound < SEEN_IN_USE else None,
        accuracy=_relation(best),
        shuffled=shuffled,
        highest=highest,
        not_shuffled=len(results) - len({a.key for a, _ in shuffled}),
        several_runs=len({a.run for a in results}) > 1,
        any_few=any(a.few for a in results),
    )


def judge_by_question(
    assessments: Sequence[Assessment],
    leaks: Mapping[str, object],
    questions: Mapping[str, str],
    *,
    further: Mapping[str, int] | None = None,
    tests: Sequence[PermutationTest] = (),
) -> list[Verdict]:
    """A verdict per question, in order of appearance, over the results of patients that have an AUC and do not leak.

    Parameters
    ----------
    assessments : also at slice level, and of runs that leak, which are passed over
    leaks : {run: its leak}; questions : {run: what its label stands for}; a run that is not named asks ""
    further : {question: looks beyond these results}; tests : see `judge`
    """
    honest: dict[str, list[Assessment]] = {}
    for a in assessments:
        if a.level == "patient" and a.run not in leaks and not math.isnan(a.by_fold["estimate"]):
            honest.setdefault(questions.get(a.run, ""), []).append(a)
    looks = further or {}
    return [judge(results, q, further=looks.get(q, 0), tests=tests) for q, results in honest.items()]


def _outcome(best: Assessment, p_corrected: float | None) -> Outcome:
    low, high = best.by_fold["low"], best.by_fold["high"]
    if best.few:
        return Outcome.TOO_FEW
    if math.isnan(low):
        return Outcome.NO_INTERVAL
    if high < 0.5:
        return Outcome.BELOW_CHANCE
    if low <= 0.5:
        return Outcome.CHANCE
    if p_corrected is None:
        return Outcome.BETTER
    return Outcome.BETTER_CORRECTED if p_corrected < ALPHA else Outcome.LOST_TO_LOOKS


def _relation(best: Assessment) -> Relation:
    accuracy = best.values["accuracy"]
    if not accuracy["estimate"] > best.majority_accuracy:
        return Relation.NOT_ABOVE
    return Relation.ABOVE if accuracy["low"] > best.majority_accuracy else Relation.NOT_DETECTABLY


def _auc(a: Assessment) -> float:
    return a.by_fold["estimate"]
