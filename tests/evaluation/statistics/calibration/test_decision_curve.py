"""Net benefit by hand and in closed form; noise does not clear the baselines, a real signal does."""

from __future__ import annotations

import numpy as np
import pytest

from core.metrics import ones
from core.predictions import Scored
from evaluation.statistics.calibration.decision_curve import THRESHOLDS, decision_curve, net_benefit, thresholds_for


def scored(y: np.ndarray, scores: np.ndarray) -> Scored:
    """Patient-level scores (R, n) in two folds."""
    scores, n = np.atleast_2d(scores), len(y)
    ids = [f"{i:04d}" for i in range(n)]
    fold = np.tile(np.arange(n) % 2, (len(scores), 1))
    return Scored("run", "logistic", "FLAIR", ids, ids, np.arange(n), y, scores, fold, np.ones(n, int))


def planted(n: int, *, scale: float = 1.0) -> Scored:
    """Labels drawn from true log odds x; the scores' log odds are scale * x."""
    rng = np.random.default_rng(0)
    x = rng.normal(0.2, 1.2, n)
    return scored((rng.random(n) < 1 / (1 + np.exp(-x))).astype(int), 1 / (1 + np.exp(-scale * x)))


def test_net_benefit_by_hand() -> None:
    y, f = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0]), np.array([0.9, 0.6, 0.1, 0.8, 0.6, 0.2, 0.2, 0.1, 0.1, 0.1])
    worth, _ = net_benefit(scored(y, f), ones(10), np.array([0.2, 0.5, 0.6, 0.75]))
    expected = [0.2 - 0.4 * 0.25, 0.2 - 0.2 * 1, 0.2 - 0.2 * 1.5, 0.1 - 0.1 * 3]
    assert worth[0] == pytest.approx(expected, abs=1e-12)


def test_treating_everybody_in_closed_form() -> None:
    s = planted(300)
    share = s.y.mean()
    curve = decision_curve(s, replicates=10)
    assert curve.treat_all == pytest.approx(share - (1 - share) * THRESHOLDS / (1 - THRESHOLDS), abs=1e-12)
    assert (THRESHOLDS[0], THRESHOLDS[-1]) == pytest.approx((0.05, 0.95))


@pytest.mark.parametrize(
    ("share", "ends"), [(0.5, (0.05, 0.95)), (0.2, (0.05, 0.95)), (0.03, (0.0075, 0.15)), (0.97, (0.85, 0.9925))]
)
def test_thresholds_lie_around_the_share_of_a_rare_class(share: float, ends: tuple[float, float]) -> None:
    thresholds = thresholds_for(share)
    assert (thresholds[0], thresholds[-1]) == pytest.approx(ends)
    assert len(thresholds) == 91
    y = np.repeat([1, 0], [round(100 * share), 100 - round(100 * share)])
    curve = decision_curve(scored(y, np.linspace(1, 0, 100)), replicates=5)
    assert curve.thresholds == pytest.approx(thresholds)
    assert curve.treat_all[0] > 0 > curve.treat_all[-1], "treating everybody is worth nothing in between"


def test_a_draw_is_its_patients_repeated() -> None:
    s = planted(60)
    w = np.random.default_rng(0).multinomial(60, np.full(60, 1 / 60), 1).astype(float)
    rows = np.repeat(np.arange(60), w[0].astype(int))
    drawn = net_benefit(s, w)
    repeated = net_benefit(scored(s.y[rows], s.scores[0, rows]), ones(60))
    assert np.allclose(drawn, repeated, atol=1e-12)


def test_repeats_are_averaged_and_missing_scores_left_out() -> None:
    a, b = planted(100), planted(100, scale=0.3)
    both = net_benefit(scored(a.y, np.concatenate([a.scores, b.scores])), ones(100))[0]
    assert both == pytest.approx((net_benefit(a, ones(100))[0] + net_benefit(b, ones(100))[0]) / 2, abs=1e-12)
    f = np.r_[a.scores[0], np.full(5, np.nan)]
    lacking = net_benefit(scored(np.r_[a.y, np.ones(5, int)], f), ones(105))
    assert np.allclose(lacking, net_benefit(a, ones(100)), atol=1e-12)


def test_ranges_of_thresholds() -> None:
    curve = decision_curve(planted(60), replicates=5)
    curve.clear[:] = False
    assert curve.ranges == []
    curve.clear[[0, 1, 2, 10, 40, 41]] = True
    assert np.round(curve.ranges, 6).tolist() == [[0.05, 0.07], [0.15, 0.15], [0.45, 0.46]]


def test_perfect_scores_are_worth_the_share_of_positives() -> None:
    y = np.arange(100) % 2
    curve = decision_curve(scored(y, y.astype(float)), replicates=200)
    assert curve.net_benefit == pytest.approx(np.full(91, 0.5), abs=1e-12)
    assert curve.clear.all()
    assert (curve.low < 0.5).all()
    assert (curve.high > 0.5).all()


def test_one_score_for_all_is_everybody_or_nobody() -> None:
    curve = decision_curve(scored(np.arange(100) % 2, np.full(100, 0.4)), replicates=50)
    below = THRESHOLDS <= 0.4
    assert curve.net_benefit[below] == pytest.approx(curve.treat_all[below], abs=1e-12)
    assert (curve.net_benefit[~below] == 0).all()
    assert not curve.clear.any()


@pytest.mark.slow
def test_noise_rarely_clears_the_baselines_anywhere() -> None:
    rng = np.random.default_rng(5)
    clear = [
        decision_curve(scored(rng.integers(0, 2, 120), rng.random(120)), replicates=150, seed=k).clear.any()
        for k in range(60)
    ]
    assert np.mean(clear) <= 0.05


def test_a_signal_clears_them_in_the_middle_and_the_band_holds_the_curve() -> None:
    curve = decision_curve(planted(400), replicates=300)
    assert curve.clear[np.argmin(abs(THRESHOLDS - 0.5))]
    assert not curve.clear[0]
    assert (curve.low <= curve.net_benefit).all()
    assert (curve.net_benefit <= curve.high).all()
