"""DeLong's variance and test against R's pROC 1.18.0 (tests/proc/make_fixtures.R) and against closed cases."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evaluation.statistics.delong import delong, delong_interval, delong_test

PROC = Path(__file__).parents[2] / "proc"
CASES = ("chance", "even", "imbalanced", "inverted", "ties")


def scores(case: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with (PROC / "scores.csv").open() as f:
        rows = [r for r in csv.DictReader(f) if r["case"] == case]
    return tuple(np.array([float(r[k]) for r in rows]) for k in ("label", "a", "b"))  # type: ignore[return-value]


def expected(case: str) -> dict[str, float]:
    with (PROC / "proc.csv").open() as f:
        row = next(r for r in csv.DictReader(f) if r["case"] == case)
    return {k: float(v) for k, v in row.items() if k != "case"}


@pytest.mark.parametrize("case", CASES)
def test_variances_intervals_and_tests_are_those_of_proc(case: str) -> None:
    y, a, b = scores(case)
    e = expected(case)
    auc, covariance = delong(y, np.stack([a, b]))
    assert auc == pytest.approx([e["auc_a"], e["auc_b"]], abs=1e-11)
    assert covariance[0, 0] == pytest.approx(e["var_a"], rel=1e-9)
    assert covariance[1, 1] == pytest.approx(e["var_b"], rel=1e-9)
    assert covariance[0, 1] == covariance[1, 0] == pytest.approx(e["cov"], abs=1e-12)
    assert delong_interval(y, a) == pytest.approx((e["auc_a"], e["low_a"], e["high_a"]), abs=1e-10)
    assert delong_interval(y, b) == pytest.approx((e["auc_b"], e["low_b"], e["high_b"]), abs=1e-10)
    test = delong_test(y, a, b)
    assert (test.z, test.p) == pytest.approx((e["z"], e["p"]), rel=1e-9)
    assert test.difference == pytest.approx(e["auc_a"] - e["auc_b"], abs=1e-11)


def test_the_auc_is_scikit_learns_with_ties() -> None:
    rng = np.random.default_rng(0)
    y, s = rng.integers(0, 2, 300), np.round(rng.normal(size=300), 1)
    assert delong(y, s)[0][0] == pytest.approx(roc_auc_score(y, s), abs=1e-12)


def test_a_perfect_score_has_no_variance() -> None:
    y = np.array([0, 0, 0, 1, 1])
    assert delong_interval(y, y.astype(float)) == (1.0, 1.0, 1.0)


def test_a_score_compared_with_a_monotone_copy_shows_no_difference() -> None:
    y, a, _ = scores("even")
    same = delong_test(y, a, np.exp(a))
    assert (same.difference, same.p) == (0.0, 1.0)
    certain = delong_test(np.array([0, 0, 1, 1]), np.array([0.0, 0, 1, 1]), np.array([1.0, 1, 0, 0]))
    assert (certain.difference, certain.p) == (1.0, 0.0)


@pytest.mark.parametrize("y", [[0, 1, 1], [0, 0, 1]])
def test_one_patient_in_a_class_has_no_variance_to_estimate(y: list[int]) -> None:
    with pytest.raises(ValueError, match="needs two of each"):
        delong(np.array(y), np.arange(3.0))
