"""A small version of `benchmarks/evidence/simulation.py`: the report's intervals and p-values hold on cohorts with a known truth."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import simulated
from benchmarks.simulated import Cell


@pytest.mark.slow
def test_intervals_contain_the_truth_and_p_is_uniform() -> None:
    r = simulated.coverage(Cell(60, 0.0), 60, jobs=1)
    assert r["truth"] == 0.5
    assert r["by_fold"] == pytest.approx(0.5, abs=0.04)
    assert 0.86 <= r["interval"] <= 1  # three standard errors of 60 cohorts
    assert r["influence_curve"] < r["interval"]
    assert r["ks_p"] > 0.001
    assert r["rejected"] < 0.14


@pytest.mark.slow
def test_p_over_shuffled_labels_is_uniform_without_an_effect_and_small_with_one() -> None:
    r = simulated.permutations(Cell(40, 0.0), 30, shuffles=39, jobs=1)
    assert r["ks_p"] > 0.001
    assert r["rejected"] < 0.18
    assert simulated.permutations(Cell(60, 2.5), 4, shuffles=39, jobs=1)["rejected"] == 1


@pytest.mark.slow
def test_heads_of_equal_merit_are_rarely_called_different() -> None:
    r = simulated.comparisons(Cell(60, 0.8), 25, jobs=1)
    assert r["interval"] > 0.8
    assert r["rejected"] < 0.2


@pytest.mark.slow
def test_the_demonstrator_flags_the_slice_split_alone() -> None:
    r = simulated.demonstrations(4, jobs=1)
    assert r["slice"] == 1
    assert r["patient"] <= 1 / 4


def test_the_simulated_heads_are_those_of_the_cross_validation() -> None:
    cell = Cell(40, 0.8)
    scored, truth = simulated.cross_validate(cell, simulated.draw(cell, np.random.default_rng(0)), 0, None)
    assert scored.scores.shape == (2, 40)
    assert np.isfinite(scored.scores).all()
    new = simulated.draw(cell, np.random.default_rng(1), 4000)
    again = simulated.cross_validate(cell, simulated.draw(cell, np.random.default_rng(0)), 0, new)[1]
    assert truth == pytest.approx(again, abs=0.02)  # in closed form and on new patients
