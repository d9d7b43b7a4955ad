"""Patients are resampled within their class, and the intervals cover what they should."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from evaluation.intervals import bootstrap_weights, percentile_interval
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
