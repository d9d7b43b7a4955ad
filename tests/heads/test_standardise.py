"""Moments are weighted, NaN is left out and becomes the mean, and constant columns carry nothing."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from heads.standardise import Part, Standardiser


def test_moments_are_those_of_scikit_learn_with_sample_weights() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(50, 4)) * [1, 10, 0.1, 1000] + [0, 5, -3, 1e4]).astype(np.float32)
    w = rng.random(50)
    ours, theirs = Standardiser.fit(X, w), StandardScaler().fit(X.astype(float), sample_weight=w)
    assert np.allclose(ours.mean, theirs.mean_, rtol=1e-6)
    assert np.allclose(ours.scale, theirs.scale_, rtol=1e-6)
    assert np.allclose(ours(X), theirs.transform(X.astype(float)), atol=1e-3)
    assert (ours.mean.dtype, ours.scale.dtype, ours(X).dtype) == (np.float32,) * 3


def test_missing_values_are_left_out_of_the_moments_column_by_column() -> None:
    X = np.array([[1, 4], [np.nan, 6], [3, np.nan], [5, 8]], np.float32)
    w = np.array([1.0, 9.0, 1.0, 2.0])
    s = Standardiser.fit(X, w)
    # column 0: (1 + 3 + 2 * 5) / 4 = 3.5; column 1: (4 + 9 * 6 + 2 * 8) / 12 = 37 / 6
    assert s.mean == pytest.approx([3.5, 37 / 6])
    second = np.array([4, 6, 8]) - 37 / 6
    assert s.scale == pytest.approx([np.sqrt((6.25 + 0.25 + 2 * 2.25) / 4), np.sqrt(second**2 @ [1, 9, 2] / 12)])


def test_a_missing_value_becomes_the_training_mean() -> None:
    X = np.array([[1.0], [np.nan], [3.0]], np.float32)
    s = Standardiser.fit(X, np.ones(3))
    assert s(X).ravel().tolist() == [-1, 0, 1]
    assert s(np.full((2, 1), np.nan, np.float32)).ravel().tolist() == [0, 0]


def test_the_two_ways_of_computing_agree_where_nothing_is_missing() -> None:
    rng = np.random.default_rng(1)
    X, w = rng.normal(size=(20, 3)), rng.random(20)
    with_gap = np.c_[X, np.r_[np.nan, np.zeros(19)]]
    assert np.array_equal(Standardiser.fit(X, w).mean, Standardiser.fit(with_gap, w).mean[:3])
    assert np.allclose(Standardiser.fit(X, w).scale, Standardiser.fit(with_gap, w).scale[:3], rtol=1e-7)


@pytest.mark.parametrize("value", [0.0, 0.1, -7.3, 1e6, np.nan])
@pytest.mark.parametrize("gap", [False, True])
def test_a_column_without_spread_in_training_is_zero_whatever_comes_later(value: float, gap: bool) -> None:
    X = np.c_[np.full(9, value), np.arange(9)].astype(np.float32)
    if gap:
        X[3, 1] = np.nan
    s = Standardiser.fit(X, np.random.default_rng(0).random(9))
    assert (s(X)[:, 0] == 0).all()
    assert np.ptp(s(X)[:, 1]) > 1
    assert s(np.array([[value + 50, 4.0], [-1e9, 4.0]], np.float32))[:, 0].tolist() == [0, 0]


def test_a_small_but_real_spread_is_no_constant() -> None:
    X = np.array([[1e-4], [2e-4], [3e-4]], np.float32)
    assert Standardiser.fit(X, np.ones(3))(X).ravel() == pytest.approx([-(1.5**0.5), 0, 1.5**0.5], abs=1e-5)


def test_the_rows_given_are_not_changed() -> None:
    X = np.array([[1, np.nan], [3, 4]], np.float32)
    before = X.copy()
    Standardiser.fit(X, np.ones(2))(X)
    assert np.array_equal(X, before, equal_nan=True)


def test_a_part_of_a_table_is_its_rows() -> None:
    X = np.arange(60, dtype=np.float32).reshape(20, 3)
    rows = np.array([3, 4, 9, 17])
    part = Part(X, rows)
    assert (part.shape, len(part)) == ((4, 3), 4)
    assert np.array_equal(part[1:3], X[[4, 9]])
    assert np.array_equal(np.asarray(part), X[rows])
    assert np.array_equal(Part(part, np.array([0, 3]))[:], X[[3, 17]])


@pytest.mark.parametrize("n", [1, 511, 512, 513, 1500])
def test_blocks_are_the_whole_table_in_order(n: int) -> None:
    X = np.random.default_rng(2).normal(size=(2 * n, 3)).astype(np.float32)
    X[::7, 1] = np.nan
    part = Part(X, np.arange(0, 2 * n, 2))
    w = np.random.default_rng(3).random(n)
    s, whole = Standardiser.fit(part, w), Standardiser.fit(X[::2], w)
    assert np.array_equal(s.mean, whole.mean, equal_nan=True)
    assert np.array_equal(s.scale, whole.scale)
    blocks = list(s.blocks(part))
    assert max(len(Z) for _, Z in blocks) <= 512
    assert np.array_equal(np.concatenate([Z for _, Z in blocks]), s(X[::2]))
    assert np.array_equal(np.concatenate([np.arange(n)[rows] for rows, _ in blocks]), np.arange(n))
