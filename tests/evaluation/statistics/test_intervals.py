"""Patients are resampled within their class, and the intervals cover what they should."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import norm

from core.metrics import auc
from evaluation.statistics.delong import delong, delong_interval
from evaluation.statistics.intervals import (
    bootstrap_weights,
    cross_validated_auc,
    fold_auc,
    inflation,
    influence,
    percentile_interval,
    training_noise,
)
from evaluation.statistics.power import standard_error


def test_each_replicate_keeps_the_size_of_each_class() -> None:
    y = np.array([1, 0, 0, 1, 0, -1, 0])
    W = bootstrap_weights(y, 200, np.random.default_rng(0))
    assert W.shape == (200, 7)
    assert W.dtype == np.float64
    assert (W == W.astype(int)).all()
    assert (W[:, y == 1].sum(axis=1) == 2).all()
    assert (W[:, y == 0].sum(axis=1) == 4).all()
    assert (W[:, y == -1] == 0).all(), "a patient without a label is never drawn"
    assert W.mean(axis=0) == pytest.approx([1, 1, 1, 1, 1, 0, 1], abs=0.25)
    assert W[:, 1].var() == pytest.approx(4 * 0.25 * 0.75, abs=0.2), "with replacement"


@pytest.mark.parametrize("y", [[1, 1, 1], [0, 0], []])
def test_one_class_or_none_is_no_error(y: list[int]) -> None:
    W = bootstrap_weights(np.array(y, int), 5, np.random.default_rng(0))
    assert (W.sum(axis=1) == len(y)).all()


def test_the_generator_decides() -> None:
    one, same, other = (bootstrap_weights(np.array([0, 1] * 9), 3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_central_share_of_the_replicates() -> None:
    values = np.random.default_rng(0).permutation(np.arange(1001.0))
    assert percentile_interval(values) == pytest.approx((25, 975))
    assert percentile_interval(values, 0.5) == pytest.approx((250, 750))
    assert percentile_interval(np.r_[values, [np.nan, np.inf]]) == pytest.approx((25, 975))
    assert np.isnan(percentile_interval(np.full(3, np.nan))).all()
    assert np.isnan(percentile_interval(np.array([]))).all()


@pytest.mark.slow
def test_intervals_of_the_auc_cover_the_truth() -> None:
    """Normal scores, means 0 and 1: the AUC is Phi(1 / sqrt 2) = 0.760. 300 studies of 60 patients."""
    truth, rng = norm.cdf(1 / np.sqrt(2)), np.random.default_rng(1)
    y = np.repeat([0, 1], 30)
    intervals = []
    for _ in range(300):
        s = rng.normal(size=60) + y
        intervals.append(percentile_interval(auc(y, s, bootstrap_weights(y, 400, rng))))
    low, high = np.array(intervals).T
    assert 0.90 < ((low <= truth) & (truth <= high)).mean() < 0.98
    assert 0.18 < (high - low).mean() < 0.27  # Hanley and McNeil's standard error here is about 0.061


def test_with_one_fold_the_influence_curve_is_nearly_delongs() -> None:
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 400)
    s = rng.normal(size=400) + y
    estimate, low, high = cross_validated_auc(y, s[None], np.zeros((1, 400), int))
    auc, a, b = delong_interval(y, s)
    assert estimate == pytest.approx(auc, abs=1e-12)
    assert (low, high) == pytest.approx((a, b), abs=2e-4)


def test_the_cross_validated_auc_is_the_mean_over_folds_with_both_classes() -> None:
    y = np.array([0, 1, 0, 1, 1])
    scores = np.array([[0.1, 0.9, 0.8, 0.2, 0.5]])
    estimate, low, high = cross_validated_auc(y, scores, np.array([[0, 0, 1, 1, 2]]))
    assert estimate == 0.5  # one right, one wrong, one fold without a negative
    assert (low, high) == (0.5, 0.5)  # within each fold of two patients nothing varies
    assert all(np.isnan(cross_validated_auc(y, scores, np.array([[0, 1, 2, 3, 4]]))))


def test_the_influence_curve_by_hand() -> None:
    y = np.array([0, 0, 1, 1])
    scores = np.array([[0.1, 0.6, 0.5, 0.9]])  # positives beat 1 and 2 of 2 negatives; negatives lose to 2 and 1 of 2
    estimate, low, high = cross_validated_auc(y, scores, np.zeros((1, 4), int))
    half = 1.959963984540054 * np.sqrt(np.mean(np.square([0.25, -0.25, -0.25, 0.25])) / 0.5**2 / 4)
    assert estimate == 0.75
    assert (low, high) == pytest.approx((0.75 - half, 1.0), abs=1e-12)


def test_the_influence_curve_interval_covers_the_true_auc_under_chance() -> None:
    rng = np.random.default_rng(4)
    y = np.tile([0, 1], 60)
    fold = np.repeat(np.arange(5), 24)[None]
    covered = 0
    for _ in range(500):
        _, low, high = cross_validated_auc(y, rng.normal(size=(1, 120)), fold)
        covered += low <= 0.5 <= high
    assert 0.91 < covered / 500 < 0.98


@pytest.mark.parametrize("case", ["chance", "even", "imbalanced", "inverted", "ties"])
def test_the_bootstrap_interval_is_that_of_proc(case: str) -> None:
    proc = Path(__file__).parents[2] / "proc"  # pROC 1.18.0, 10,000 stratified replicates
    with (proc / "scores.csv").open() as f:
        rows = [r for r in csv.DictReader(f) if r["case"] == case]
    with (proc / "proc.csv").open() as f:
        expected = next(r for r in csv.DictReader(f) if r["case"] == case)
    y, score = (np.array([float(r[k]) for r in rows]) for k in ("label", "a"))
    drawn = auc(y.astype(int), score, bootstrap_weights(y.astype(int), 10_000, np.random.default_rng(0)))
    low, high = percentile_interval(drawn)
    assert (low, high) == pytest.approx((float(expected["boot_low_a"]), float(expected["boot_high_a"])), abs=0.012)


@pytest.mark.slow
def test_the_squared_influence_is_an_unbiased_variance_in_small_folds() -> None:
    rng = np.random.default_rng(5)
    y, fold = np.tile([0, 1], 4), np.zeros((1, 8), int)
    found = [np.square(influence(y, rng.normal(size=(1, 8)), fold)[1]).sum() for _ in range(4000)]
    # the variance of the Mann-Whitney statistic of 4 against 4 without an effect
    assert np.mean(found) == pytest.approx((4 + 4 + 1) / (12 * 4 * 4), rel=0.05)


def test_the_influence_of_one_fold_is_delongs_without_the_interaction() -> None:
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, 60)
    s = rng.normal(size=60) + y
    wins = (s[y == 1][:, None] > s[y == 0]).astype(float)
    m, n = wins.shape
    residual = wins - wins.mean(1, keepdims=True) - wins.mean(0) + wins.mean()
    expected = wins.mean(1).var(ddof=1) / m + wins.mean(0).var(ddof=1) / n
    expected -= np.square(residual).sum() / ((m - 1) * (n - 1) * m * n)
    aucs, psi = influence(y, s[None], np.zeros((1, 60), int))
    assert aucs == [wins.mean()]
    assert np.square(psi).sum() == pytest.approx(expected, rel=1e-12)


def linear(n: int, columns: int, effect: float, seed: int, repeats: int = 2, folds: int = 5):
    """y, scores, fold of the difference of class means as a model, and the mean true AUC of its fold models."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    X = rng.normal(size=(n, columns))
    X[:, 0] += effect * (y - 0.5)
    fold = np.empty((repeats, n), int)
    scores, truth = np.empty((repeats, n)), []
    for r in range(repeats):
        for label in (0, 1):
            fold[r, y == label] = rng.permutation(np.arange((y == label).sum()) % folds)
        for f in range(folds):
            train = fold[r] != f
            w = X[train & (y == 1)].mean(0) - X[train & (y == 0)].mean(0)
            scores[r, ~train] = 1 / (1 + np.exp(-X[~train] @ w / 10))
            truth.append(norm.cdf(effect * w[0] / np.linalg.norm(w) / np.sqrt(2)))
    return y, scores, fold, float(np.mean(truth))


@pytest.mark.slow
@pytest.mark.parametrize(("n", "columns", "effect"), [(40, 20, 0.0), (120, 20, 0.0), (120, 20, 0.8), (300, 10, 1.6)])
def test_the_interval_by_fold_contains_the_truth_as_often_as_it_says(n: int, columns: int, effect: float) -> None:
    covered, narrow = 0, 0
    for seed in range(300):
        y, scores, fold, truth = linear(n, columns, effect, seed)
        found = fold_auc(y, scores, fold)
        covered += found.low <= truth <= found.high
        _, low, high = cross_validated_auc(y, scores, fold)
        narrow += low <= truth <= high
    assert 0.92 <= covered / 300 <= 0.985  # 95 % within three standard errors of 300 cohorts
    assert narrow < covered


@pytest.mark.slow
def test_the_noise_of_training_is_estimated_without_bias() -> None:
    # effect 0.8 on one of 20 columns, 320 training patients: noise 20 * 4 / 320 beside a signal of 0.64
    expected = (20 * 4 / 320) / (0.64 + 20 * 4 / 320)
    found = [training_noise(*linear(400, 20, 0.8, seed, repeats=4)[:3]) for seed in range(60)]
    assert np.mean(found) == pytest.approx(expected, abs=0.05)
    nothing = [training_noise(*linear(40, 20, 0.0, seed, repeats=8)[:3]) for seed in range(60)]
    assert np.mean(nothing) > 0.75  # 1, cut at 1


def test_without_a_second_look_the_noise_is_taken_to_be_all() -> None:
    y, scores, fold, _ = linear(60, 5, 2.0, 0)
    assert training_noise(y, scores[:1], fold[:1]) == 1.0
    twice = np.repeat(scores[:1], 2, axis=0), np.repeat(fold[:1], 2, axis=0)  # the same folds again tell nothing
    assert training_noise(y, *twice) == 1.0
    assert training_noise(y, scores[:1], np.zeros((1, 60), int)) == 0.0  # scored by a head that knew none of them


def test_inflation_by_hand() -> None:
    assert inflation(0, 5, 2) == 1
    assert inflation(1, 5, 1) == 2
    assert inflation(1, 5, 2) == pytest.approx(1.8)
    assert inflation(0.5, 4, 10**9) == pytest.approx(1.25)


def test_new_patients_have_delongs_variance_and_the_ends_lie_196_of_their_own_errors_away() -> None:
    rng = np.random.default_rng(7)
    y = rng.integers(0, 2, 300)
    s = 1 / (1 + np.exp(-(rng.normal(size=300) + y)))
    found = fold_auc(y, s[None], np.zeros((1, 300), int))
    auc, covariance = delong(y, s)
    assert found.u == 0
    assert (found.auc, found.se) == pytest.approx((auc[0], np.sqrt(covariance[0, 0])), rel=5e-3)
    positives, negatives = int(y.sum()), int((1 - y).sum())
    ratio = found.se / standard_error(found.auc, positives, negatives)
    for end in (found.low, found.high):
        assert abs(end - found.auc) == pytest.approx(
            1.959963984540054 * ratio * standard_error(end, positives, negatives), rel=1e-6
        )


def test_ties_alone_have_no_interval_and_no_p() -> None:
    found = fold_auc(np.tile([0, 1], 10), np.full((1, 20), 0.5), np.zeros((1, 20), int))
    assert (found.auc, found.low, found.high, found.p) == (0.5, 0.5, 0.5, 1.0)


@pytest.mark.parametrize("n", [20, 40, 200])
def test_perfect_separation_is_no_chance(n: int) -> None:
    y = np.arange(n) % 2
    fold = np.stack([(np.arange(n) // 2) % 5, (np.arange(n) // 4) % 5])
    scores = np.tile(0.2 + 0.6 * y + 0.01 * np.random.default_rng(0).random(n), (2, 1))
    found = fold_auc(y, scores, fold)
    assert (found.auc, found.high) == (1.0, 1.0)
    assert 0.5 < found.low < 1
    assert found.p < 0.05
    worst = fold_auc(y, 1 - scores, fold)
    assert (worst.auc, worst.low, worst.high, worst.p) == pytest.approx((0.0, 0.0, 1 - found.low, found.p))


def test_a_fold_with_one_patient_of_a_class_has_no_interval() -> None:
    y = np.array([0, 0, 0, 1, 0, 0, 1, 1])
    found = fold_auc(y, np.random.default_rng(0).random((1, 8)), np.array([[0, 0, 0, 0, 1, 1, 1, 1]]))
    assert np.isfinite(found.auc)
    assert np.isnan([found.se, found.low, found.high, found.p]).all()
    nothing = fold_auc(y[:3], np.random.default_rng(0).random((1, 3)), np.zeros((1, 3), int))
    assert np.isnan([nothing.auc, nothing.low]).all()
