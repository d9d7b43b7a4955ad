"""The sentences a reader takes away: chance is called chance, leaks are called leaks, the best of many is doubted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from core.leak import Leak
from core.metrics import METRICS
from core.predictions import Prediction, ResultKey
from core.text import interval_text, number
from evaluation.report.console import comparison_lines, table_lines
from evaluation.report.verdict import verdict_words
from evaluation.statistics.assess import Assessment
from evaluation.statistics.controls.permutation import PermutationTest
from evaluation.statistics.verdict import judge_by_question

NAN = float("nan")


def result(auc: float = 0.7, low: float = 0.6, high: float = 0.8, **changes: Any) -> Assessment:
    values = {name: {"estimate": 0.55, "low": 0.4, "high": 0.7} for name in METRICS}
    values["auc"] = {"estimate": auc, "low": low, "high": high}
    fields: dict[str, Any] = {
        "run": "run", "head": "logistic", "sequence": "FLAIR", "level": "patient", "n_patients": 100, "n_units": 100,
        "n_positive": 40, "n_repeats": 1, "threshold": "0.5", "replicates": 10, "majority_accuracy": 0.6,
        "values": values, "fold_auc": [auc], "mean_fold_auc": auc, "n_folds": 5,
        "by_fold": {"estimate": auc, "low": low, "high": high, "p": 0.004, "u": 1.0}, "power": {"detectable": 0.66}, **changes,
    }  # fmt: skip
    fields.setdefault("smaller_class", min(fields["n_positive"], fields["n_patients"] - fields["n_positive"]))
    return Assessment(**fields)


def words(
    *assessments: Assessment,
    leaks: dict[str, Leak] | None = None,
    questions: dict[str, str] | None = None,
    looks: dict[str, int] | None = None,
    tests: Sequence[PermutationTest] = (),
    random_weights: bool = False,
    folds: bool = True,
) -> list[str]:
    verdicts = judge_by_question(assessments, leaks or {}, questions or {}, further=looks, tests=tests)
    return verdict_words(verdicts, leaks or {}, random_weights=random_weights, folds=folds)


def shuffled(
    auc: float, reaching: int, *, head: str = "logistic", sequence: str = "FLAIR", n: int = 9
) -> PermutationTest:
    """A test of n shuffles, of which `reaching` reach the AUC."""
    null = {k: auc + (0.01 if k <= reaching else -0.2) for k in range(1, n + 1)}
    return PermutationTest(ResultKey("run", head, sequence), auc, null)


CASES: dict[str, list[Assessment]] = {
    "above chance": [result()],
    "chance": [result(0.6, 0.45, 0.8)],
    "chance, and much excluded": [result(0.45, 0.36, 0.55)],
    "below chance": [result(0.3, 0.2, 0.4)],
    "no interval": [result(0.7, NAN, NAN)],
    "few patients": [result(0.99, 0.98, 1.0, n_positive=9)],
    "ten patients a class": [result(n_positive=10)],
    "a head on a table": [result(sequence="table")],
    "the best of three": [result(0.6, 0.55, 0.65), result(0.8, 0.7, 0.9, head="dense"), result(0.7)],
    "the choice explains it": [
        result(0.8, 0.7, 0.9, by_fold={"estimate": 0.8, "low": 0.7, "high": 0.9, "p": 0.02, "u": 1.0}),
        result(0.6),
        result(0.7),
    ],
    "a tie": [result(0.8, 0.7, 0.9), result(0.8, 0.7, 0.9, sequence="T2w")],
    "chosen on inner folds": [
        result(0.8, 0.7, 0.9, sequence="chosen"),
        result(0.7, 0.6, 0.8, head="boosted", sequence="chosen"),
        result(0.65, 0.55, 0.75, head="chosen", sequence="chosen"),
    ],
    "two tuned heads": [
        result(0.8, 0.7, 0.9, sequence="chosen"),
        result(0.7, 0.6, 0.8, head="boosted", sequence="chosen"),
    ],
    "slices and no number": [
        result(0.99, 0.98, 1.0, level="slice"),
        result(NAN, NAN, NAN),
        result(0.6, 0.52, 0.7),
    ],
    "nothing": [],
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_said(name: str, snapshot: SnapshotAssertion) -> None:
    assert words(*CASES[name]) == snapshot


@pytest.mark.parametrize(("accuracy", "low"), [(0.65, 0.61), (0.61, 0.5), (0.6, 0.5)])
def test_accuracy_is_held_against_the_majority(accuracy: float, low: float, snapshot: SnapshotAssertion) -> None:
    a = result()
    a.values["accuracy"] |= {"estimate": accuracy, "low": low}
    assert words(a)[3] == snapshot


def test_p_over_shuffled_labels_is_said_where_it_is_known(snapshot: SnapshotAssertion) -> None:
    one, other = shuffled(0.7, 0), shuffled(0.6, 4, head="dense")
    best = result(0.8, 0.7, 0.9, head="boosted")
    assert words(result(), tests=[one, other])[-1] == snapshot(name="one result")
    assert words(best, result(), tests=[one])[-1] == snapshot(name="the highest was not shuffled")
    assert words(result(n_positive=9), tests=[one])[-1] == snapshot(name="few patients")


def test_a_picked_result_is_held_against_the_highest_of_each_shuffle(snapshot: SnapshotAssertion) -> None:
    results = [result(0.8, 0.7, 0.9), result(0.8, 0.7, 0.9, sequence="T2w")]
    tests = [shuffled(0.8, 1), shuffled(0.8, 2, sequence="T2w")]
    assert words(*results, tests=tests)[-1] == snapshot


def test_the_answer_comes_first_question_by_question(snapshot: SnapshotAssertion) -> None:
    results = [result(0.45, 0.36, 0.55, run="mgmt"), result(0.8, 0.7, 0.9, run="idh")]
    assert words(*results, questions={"mgmt": "MGMT", "idh": "IDH1"}) == snapshot


def test_looks_of_runs_that_were_replaced_are_paid_for_too(snapshot: SnapshotAssertion) -> None:
    def of(*results: Assessment, further: int) -> list[str]:
        return words(*results, questions={"run": "MGMT"}, looks={"MGMT": further, "IDH1": 50})

    assert of(result(0.8, 0.7, 0.9), result(0.7), further=3)[2] == snapshot(name="two results and three more")
    assert of(result(0.8, 0.7, 0.9), further=14)[2] == snapshot(name="one result and many more")
    assert of(result(0.8, 0.7, 0.9), further=1)[2] == snapshot(name="one result and one more")


def test_new_patients_have_no_folds(snapshot: SnapshotAssertion) -> None:
    assert words(result(0.8, 0.7, 0.9), result(0.7), folds=False) == snapshot


def test_a_leaking_run_is_named_and_never_the_best(snapshot: SnapshotAssertion) -> None:
    results = [result(0.99, 0.98, 1.0, run="slices"), result(0.6, 0.52, 0.7)]
    assert words(*results, leaks={"slices": Leak(3, 3)}) == snapshot(name="beside an honest one")
    assert words(results[0], leaks={"slices": Leak(1, 1)}) == snapshot(name="alone")


def test_random_weights_come_first(snapshot: SnapshotAssertion) -> None:
    assert words(result(), random_weights=True)[0] == snapshot
    assert words(result(), random_weights=True)[1:] == words(result())


def test_numbers() -> None:
    assert [number(x) for x in (0.1234, 1.0, NAN, None)] == ["0.123", "1.000", "n/a", "n/a"]
    assert number(0.126, 2) == "0.13"
    assert interval_text({"estimate": 0.612, "low": 0.528, "high": 0.691}) == "0.612 (0.53-0.69)"
    assert interval_text({"estimate": NAN, "low": NAN, "high": NAN}) == "n/a (n/a)"
    assert interval_text({"estimate": 0.9985, "low": 0.9962, "high": 0.9991}) == "0.999 (0.996-0.999)"
    assert interval_text({"estimate": 0.7, "low": NAN, "high": NAN}) == "0.700 (n/a)"


def test_the_table_lines_up(snapshot: SnapshotAssertion) -> None:
    lines = table_lines([result(sequence="mean(FLAIR+T2w)"), result(NAN, NAN, NAN, n_patients=7)], "LEAKS: x")
    assert lines == snapshot
    assert {len(line) for line in lines[2:5]} == {len(lines[3])}
    of_table = table_lines([result(sequence="table")])
    assert of_table[1].index("patients") + 8 == of_table[2].index("100") + 3, "a table has no column of sequences"
    assert len(table_lines([])) == 2


def test_the_comparison_is_made_of_patients() -> None:
    scores = [0.1, 0.9, 0.2, 0.3, 0.35, 0.8]
    predictions = [Prediction("r", "h", "q", 0, i // 3, f"p{i}", i % 2, s, 5) for i, s in enumerate(scores)]
    line = comparison_lines(predictions)[-2].split()
    # positives 0.9, 0.3, 0.8 beat negatives 0.1, 0.2, 0.35 in 8 of 9 pairs; by fold: 2 of 2 and 1 of 2 pairs
    assert line[:4] == ["h", "q", "6", "0.750"]
    assert line[-3:] == ["0.889", "0.833", "0.500"]
