"""Rank correlations agree with closed cases and with scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from stability_material import patients, slices

from evaluation.statistics.stability import by_steadiness, rank_correlations, stability


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    return rank_correlations(np.stack([a, b]), np.zeros(len(a), int))[0]


@pytest.mark.parametrize(
    ("a", "b", "rho"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 1000], 1),  # ranks, not values
        ([1, 2, 3, 4], [4, 3, 2, 1], -1),
        ([1, 2, 3], [1, 3, 2], 0.5),
        ([86, 97, 99, 100, 101, 103, 106, 110, 112, 113], [2, 20, 28, 27, 50, 29, 7, 17, 6, 12], -29 / 165),
    ],
)
def test_closed_cases(a: list[float], b: list[float], rho: float) -> None:
    assert spearman(np.array(a, float), np.array(b, float)) == pytest.approx(rho, abs=1e-12)


def test_ties_are_ranked_as_scipy_ranks_them() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, (2, 40)).astype(float)
    assert spearman(a, b) == pytest.approx(spearmanr(a, b).statistic, abs=1e-12)
    assert np.isnan(spearman(a, np.full(40, 0.5)))


def test_every_pair_of_repeats_is_compared_and_who_was_not_tested_in_all_is_left_out() -> None:
    found = stability(patients([[1, 2, 3, 0], [2, 3, 4, np.nan], [4, 3, 2, 5]]), None)
    assert found.patients == pytest.approx([1, -1, -1])
    assert (found.n_repeats, found.n_patients, found.slices, found.within) == (3, 4, [], [])


def test_groups_are_ranked_apart_as_scipy_ranks_them_one_by_one() -> None:
    rng = np.random.default_rng(0)
    scores, group = rng.integers(0, 9, (3, 60)).astype(float), rng.integers(0, 4, 60)
    scores[:, group == 3] = scores[:, group == 3][:, :1]  # one score only: no order, left out
    for found, (r, s) in zip(rank_correlations(scores, group), [(0, 1), (0, 2), (1, 2)], strict=True):
        each = [spearmanr(scores[r, group == g], scores[s, group == g]).statistic for g in range(3)]
        assert found == pytest.approx(np.mean(each), abs=1e-12)


def test_slices_that_agree_only_in_whose_they_are_agree_over_all_and_not_within() -> None:
    first, second = [0.1, 0.2, 0.3, 0.7, 0.8, 0.9], [0.3, 0.2, 0.1, 0.9, 0.8, 0.7]
    found = stability(patients([[0.2, 0.8]] * 2), slices([first, second], [0, 0, 0, 1, 1, 1]))
    assert found.within == [-1]
    assert found.slices == pytest.approx([1 - 6 * 16 / (6 * 35)])  # 1 - 6 sum d^2 / (n (n^2 - 1)) by hand
    assert found.slices[0] > 0.5


def test_patients_of_one_or_two_slices_have_no_order_within() -> None:
    found = stability(patients([[0.2, 0.8]] * 2), slices([[1, 2, 3, 4, 5]] * 2, [0, 0, 1, 1, 1]))
    assert found.within == [1]
    few = stability(patients([[0.2, 0.8]] * 2), slices([[1, 2, 3, 4]] * 2, [0, 0, 1, 1]))
    assert np.isnan(few.within[0])


def test_results_are_ranked_by_how_well_repeats_agree() -> None:
    rng = np.random.default_rng(1)
    steady = stability(patients([rng.random(24)] * 3), None)
    loose = stability(patients(rng.random((3, 24)), head="boosted"), None)
    constant = stability(patients(np.full((2, 24), 0.5)), None)
    assert by_steadiness([steady, constant, loose]) == [loose, steady]
