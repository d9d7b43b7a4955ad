"""The verdict as values: which result speaks, what the answer is, and what it was corrected for."""

from __future__ import annotations

from typing import Any

import pytest

from core.metrics import METRICS
from core.predictions import ResultKey
from evaluation.statistics.assess import Assessment
from evaluation.statistics.controls.permutation import PermutationTest
from evaluation.statistics.verdict import Outcome, Relation, judge, judge_by_question

NAN = float("nan")


def result(auc: float = 0.7, low: float = 0.6, high: float = 0.8, p: float = 0.004, **changes: Any) -> Assessment:
    values = {name: {"estimate": 0.55, "low": 0.4, "high": 0.7} for name in METRICS}
    fields: dict[str, Any] = {
        "run": "run", "head": "logistic", "sequence": "FLAIR", "level": "patient", "n_patients": 100, "n_units": 100,
        "n_positive": 40, "n_repeats": 1, "threshold": "0.5", "replicates": 10, "majority_accuracy": 0.6,
        "values": values, "fold_auc": [auc], "mean_fold_auc": auc, "n_folds": 5, "smaller_class": 40,
        "by_fold": {"estimate": auc, "low": low, "high": high, "p": p, "u": 1.0}, "power": {"detectable": 0.66}, **changes,
    }  # fmt: skip
    return Assessment(**fields)


@pytest.mark.parametrize(
    ("low", "high", "further", "outcome"),
    [
        (0.6, 0.8, 0, Outcome.BETTER), (0.6, 0.8, 1, Outcome.BETTER_CORRECTED), (0.6, 0.8, 12, Outcome.LOST_TO_LOOKS),
        (0.45, 0.8, 0, Outcome.CHANCE), (0.5, 0.8, 3, Outcome.CHANCE), (0.3, 0.5, 0, Outcome.CHANCE),
        (0.2, 0.4, 3, Outcome.BELOW_CHANCE), (NAN, NAN, 0, Outcome.NO_INTERVAL),
    ],
)  # fmt: skip
def test_the_outcome_is_told_by_the_interval_and_the_looks(
    low: float, high: float, further: int, outcome: Outcome
) -> None:
    v = judge([result(0.7, low, high)], further=further)
    assert v.outcome is outcome
    assert v.p_corrected == (None if not further else pytest.approx((1 + further) * 0.004))


def test_few_patients_have_no_outcome_whatever_their_figures() -> None:
    v = judge([result(0.99, 0.98, 1.0, smaller_class=9)])
    assert v.outcome is Outcome.TOO_FEW
    assert v.any_few
    assert judge([result(smaller_class=10)]).outcome is Outcome.BETTER


def test_the_highest_speaks_unless_inner_folds_chose() -> None:
    v = judge([result(0.6, 0.55, 0.65), result(0.8, 0.7, 0.9, head="dense"), result(0.7)])
    assert (v.best.head, v.results, v.nested) == ("dense", 3, False)
    assert v.p_corrected == pytest.approx(3 * 0.004)
    chosen = [result(0.8, 0.7, 0.9, sequence="chosen"), result(0.65, 0.55, 0.75, head="chosen", sequence="chosen")]
    v = judge(chosen)
    assert (v.best.head, v.results, v.nested, v.outcome) == ("chosen", 1, True, Outcome.BETTER)
    v = judge([chosen[0], result(0.7, head="boosted", sequence="chosen")])
    assert (v.best.head, v.results, v.nested) == ("logistic", 2, True), "nothing chose between two tuned heads"


def test_ties_are_told_and_what_the_data_exclude() -> None:
    v = judge([result(0.8, 0.7, 0.85), result(0.8, 0.7, 0.85, sequence="T2w"), result(0.7, 0.6, 0.8)])
    assert v.as_high == [ResultKey("run", "logistic", "T2w")]
    assert v.excluded_above == 0.85
    assert judge([result(0.8, 0.7, 0.95)]).excluded_above is None


@pytest.mark.parametrize(
    ("accuracy", "low", "relation"),
    [
        (0.65, 0.61, Relation.ABOVE), (0.61, 0.5, Relation.NOT_DETECTABLY), (0.6, 0.5, Relation.NOT_ABOVE),
        (0.2, 0.1, Relation.NOT_ABOVE), (NAN, NAN, Relation.NOT_ABOVE),
    ],
)  # fmt: skip
def test_accuracy_is_held_against_the_majority(accuracy: float, low: float, relation: Relation) -> None:
    a = result()
    a.values["accuracy"] |= {"estimate": accuracy, "low": low}
    assert judge([a]).accuracy is relation


def test_shuffles_belong_to_their_results() -> None:
    tests = [
        PermutationTest(ResultKey("run", "logistic", q), 0.7, {1: 0.5, 2: 0.6}) for q in ("FLAIR", "T2w", "elsewhere")
    ]
    v = judge([result(), result(sequence="T2w"), result(head="dense")], tests=tests)
    assert [t.key.sequence for _, t in v.shuffled] == ["FLAIR", "T2w"]
    assert v.not_shuffled == 1
    assert v.highest["run"].n == 3


def test_questions_are_judged_apart_over_honest_results_of_patients() -> None:
    results = [
        result(run="mgmt"), result(run="idh"), result(0.99, run="slices"), result(0.99, level="slice", run="mgmt"),
        result(NAN, NAN, NAN, run="mgmt"),
    ]  # fmt: skip
    found = judge_by_question(
        results, {"slices": "leaks"}, {"mgmt": "MGMT", "idh": "IDH1", "slices": "MGMT"}, further={"IDH1": 2}
    )
    assert [(v.question, v.results, v.further) for v in found] == [("MGMT", 1, 0), ("IDH1", 1, 2)]
    together = judge_by_question(results[:2], {}, {"mgmt": "MGMT", "idh": "MGMT"})
    assert [(v.results, v.several_runs) for v in together] == [(2, True)]
    assert judge_by_question([], {}, {}) == []
