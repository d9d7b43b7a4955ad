"""Results against shuffled labels: p, the band, and the highest of several, shuffle by shuffle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.metrics import mean_fold_auc
from core.predictions import ResultKey
from evaluation.read_run import Run
from evaluation.statistics.controls.permutation import (
    PermutationTest,
    highest_by_draw,
    highest_test,
    permutation_tests,
)
from heads.run_files import PERMUTATIONS

KEY = ResultKey("run", "logistic", "FLAIR")
NAN = float("nan")


def run(rows: list[tuple[str, str, int, float]], name: str = "run") -> Run:
    table = [
        {"run": name, "head": head, "sequence": sequence, "permutation": str(k), "auc": str(auc)}
        for head, sequence, k, auc in rows
    ]
    return Run(Path(name), name, {}, [], [], [], {PERMUTATIONS: table} if rows else {})


def held_against(auc: float, null: np.ndarray, key: ResultKey = KEY) -> PermutationTest:
    return PermutationTest(key, auc, {k: float(v) for k, v in enumerate(null, 1)})


def test_p_counts_the_result_itself_and_the_band_is_central() -> None:
    null = np.linspace(0.3, 0.7, 99)
    t = held_against(0.7, null)
    assert t.p == pytest.approx(2 / 100)  # the highest shuffle ties with the result
    assert not t.least
    assert held_against(0.9, null).p == pytest.approx(0.01)
    assert held_against(0.9, null).least
    assert held_against(0.1, null).p == 1
    assert t.band == pytest.approx((0.31, 0.69))
    assert t.shuffled.tolist() == null.tolist()


def test_the_highest_is_held_against_the_highest_of_the_same_shuffle() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(0.5, 0.05, (10, 500))
    tests = [held_against(0.5 + 0.01 * i, row, KEY._replace(sequence=str(i))) for i, row in enumerate(null)]
    found = highest_test(tests)
    assert found.p == pytest.approx((1 + (null.max(axis=0) >= 0.59).sum()) / 501)
    assert (found.n, found.best.key.sequence) == (10, "9")
    assert tests[-1].p < 0.1 < found.p


def test_shuffles_are_held_against_each_other_by_their_number_and_not_by_their_place() -> None:
    """A shuffle without an AUC in one result (no fold with both classes) must not shift those behind it."""
    null = {"A": [NAN, 0.55, 0.5], "B": [0.9, 0.5, 0.4]}
    rows = [("logistic", q, k, v) for q, aucs in null.items() for k, v in enumerate([0.6, *aucs])]
    a, b = permutation_tests([run(rows)])
    assert dict(a.null) == {2: 0.55, 3: 0.5}
    assert highest_by_draw([a, b]) == highest_by_draw([b, a]) == {1: 0.9, 2: 0.55, 3: 0.5}
    assert highest_test([a, b]).p == pytest.approx(2 / 4)


def test_the_mean_fold_auc_is_that_of_the_folds_with_both_classes() -> None:
    rng = np.random.default_rng(1)
    y, fold = rng.integers(0, 2, 40), np.arange(40)[None] % 4
    scores = rng.random((1, 40))
    scores[0, :2] = np.nan
    known = np.isfinite(scores[0])
    expected = [roc_auc_score(y[i], scores[0, i]) for f in range(4) for i in [known & (fold[0] == f)]]
    assert mean_fold_auc(y, scores, fold) == pytest.approx(np.mean(expected), abs=1e-12)
    assert np.isnan(mean_fold_auc(np.zeros(40, int), scores, fold))


def test_rows_are_read_back_as_tests() -> None:
    (t,) = permutation_tests([run([(KEY.head, KEY.sequence, k, auc) for k, auc in enumerate((0.6, 1.0, 0.0, NAN))])])
    assert t.key == KEY
    assert t.auc == 0.6
    assert t.shuffled.tolist() == [1.0, 0.0]
    assert permutation_tests([run([])]) == []
    assert permutation_tests([run([("logistic", "FLAIR", 0, NAN), ("logistic", "FLAIR", 1, 0.5)])]) == []
