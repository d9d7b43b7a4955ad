"""Patients are resampled within their class, and the intervals cover what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from evaluation.delong import delong_interval
from evaluation.intervals import bootstrap_weights, cross_validated_auc, percentile_interval
from evaluation.metrics import auc


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
