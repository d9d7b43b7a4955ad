"""Calibration finds what was planted, its parts add up, and recalibration never sees its own fold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression

from core.metrics import auc, ones
from core.predictions import Scored
from evaluation.statistics.calibration.logistic_recalibration import log_odds
from evaluation.statistics.calibration.reliability import calibrate, patient_draws, recalibrate, wilson


def expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def scored(y: np.ndarray, scores: np.ndarray, folds: int = 5) -> Scored:
    """Patient-level scores (R, n); patient i is in fold (i + r) % folds of repeat r."""
    scores = np.atleast_2d(scores)
    n = len(y)
    ids = [f"{i:04d}" for i in range(n)]
    fold = (np.arange(n) + np.arange(len(scores))[:, None]) % folds
    return Scored("run", "logistic", "FLAIR", ids, ids, np.arange(n), y, scores, fold, np.ones(n, int))


def planted(n: int = 400, *, scale: float = 1.0, shift: float = 0.0, seed: int = 0) -> Scored:
    """Labels drawn from true log odds x; the scores' log odds are scale * x + shift."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.2, 1.2, n)
    return scored((rng.random(n) < expit(x)).astype(int), expit(scale * x + shift))


def estimates(s: Scored) -> dict[str, float]:
    return {k: v["estimate"] for k, v in calibrate(s, replicates=1).values.items()}


def test_true_probabilities_are_calibrated_within_the_interval() -> None:
    v = calibrate(planted(1000), replicates=500).values
    assert v["slope"]["low"] < 1 < v["slope"]["high"]
    assert v["intercept"]["low"] < 0 < v["intercept"]["high"]
    assert v["in_the_large"]["low"] < 0 < v["in_the_large"]["high"]
    assert v["slope"]["high"] - v["slope"]["low"] < 0.5


def test_doubled_log_odds_halve_the_slope_and_a_shift_is_the_intercept() -> None:
    true, twice, shifted = (estimates(planted(**k)) for k in ({}, {"scale": 2.0}, {"shift": 0.7}))
    assert twice["slope"] == pytest.approx(true["slope"] / 2, abs=1e-9)
    assert twice["intercept"] == pytest.approx(true["intercept"], abs=1e-9)
    assert shifted["in_the_large"] == pytest.approx(true["in_the_large"] - 0.7, abs=1e-9)
    assert shifted["intercept"] == pytest.approx(true["intercept"] - 0.7 * true["slope"], abs=1e-9)


@pytest.mark.slow
def test_the_interval_knows_that_the_share_of_positives_varies() -> None:
    """A bootstrap within classes would hold the share still, and be far too sure of the intercept."""
    s = planted(500)
    v = calibrate(s, replicates=1000).values["in_the_large"]
    p = expit(v["estimate"] + log_odds(s.scores[0]))
    wald = 1.96 / np.sqrt((p * (1 - p)).sum())
    assert (v["high"] - v["low"]) / 2 == pytest.approx(wald, rel=0.12)


@pytest.mark.slow
def test_intervals_contain_the_truth_nearly_as_often_as_they_say() -> None:
    hits = np.zeros(2)
    for seed in range(80):
        v = calibrate(planted(120, seed=seed), replicates=150, seed=seed).values
        hits += [v[k]["low"] <= truth <= v[k]["high"] for k, truth in (("slope", 1), ("in_the_large", 0))]
    assert (hits / 80 > 0.87).all()


def test_the_parts_of_the_brier_score_add_up_and_are_murphys() -> None:
    s = planted(203, scale=2.0)
    v = estimates(s)
    y, f = s.y, s.scores[0]
    assert v["brier"] == pytest.approx(np.mean((f - y) ** 2), abs=1e-12)
    total = v["reliability"] - v["resolution"] + v["uncertainty"] + v["within"]
    assert total == pytest.approx(v["brier"], abs=1e-12)
    order = np.argsort(f)
    at = np.searchsorted(np.quantile(f, np.arange(1, 10) / 10), f[order], side="right")
    groups = [order[at == k] for k in range(10)]
    share = [len(g) / 203 for g in groups]
    reliability = sum(q * (f[g].mean() - y[g].mean()) ** 2 for q, g in zip(share, groups, strict=True))
    resolution = sum(q * (y[g].mean() - y.mean()) ** 2 for q, g in zip(share, groups, strict=True))
    assert (v["reliability"], v["resolution"]) == pytest.approx((reliability, resolution), abs=1e-12)
    assert v["uncertainty"] == pytest.approx(y.mean() * (1 - y.mean()), abs=1e-12)


def test_scores_of_few_values_have_nothing_within_bins() -> None:
    y = np.r_[np.ones(6, int), np.zeros(14, int), np.ones(12, int), np.zeros(8, int)]
    c = calibrate(scored(y, np.repeat([0.25, 0.75], 20)), replicates=5)
    v = {k: d["estimate"] for k, d in c.values.items()}
    assert v["within"] == pytest.approx(0, abs=1e-12)
    assert v["reliability"] == pytest.approx((0.05**2 + 0.15**2) / 2, abs=1e-12)
    assert v["resolution"] == pytest.approx(0.15**2, abs=1e-12)
    assert [(b["score"], b["share"], b["patients"]) for b in c.bins] == [(0.25, 0.3, 20), (0.75, 0.6, 20)]
    assert (c.bins[0]["low"], c.bins[0]["high"]) == pytest.approx(
        binomtest(6, 20).proportion_ci(method="wilson"), abs=1e-12
    )


@pytest.mark.slow
def test_reliability_of_true_probabilities_is_not_shown_to_differ_from_0() -> None:
    """Noise in the bins makes it positive; an interval of percentiles would exclude 0 every time."""
    lows = [calibrate(planted(200, seed=s), replicates=200).values["reliability"]["low"] for s in range(20)]
    assert np.mean(np.array(lows) == 0) > 0.8


def test_the_same_scores_in_two_repeats_are_no_new_evidence() -> None:
    s = planted(200)
    once, twice = (calibrate(t, replicates=100) for t in (s, scored(s.y, np.tile(s.scores, (2, 1)))))
    for name, value in once.values.items():
        assert twice.values[name] == pytest.approx(value, abs=1e-9)
    assert twice.bins == [pytest.approx(b) for b in once.bins]


def test_repeats_are_averaged() -> None:
    s = planted(200)
    other = planted(200, scale=0.5)
    both = estimates(scored(s.y, np.concatenate([s.scores, other.scores])))
    for name in ("slope", "intercept", "in_the_large", "brier"):
        assert both[name] == pytest.approx((estimates(s)[name] + estimates(other)[name]) / 2, abs=1e-9)


def test_bins_hold_alike_many_and_equal_scores_stay_together() -> None:
    bins = calibrate(planted(400), replicates=1).bins
    assert [b["patients"] for b in bins] == [40] * 10
    f = np.r_[np.full(90, 0.3), np.linspace(0.4, 0.9, 10)]
    bins = calibrate(scored(np.arange(100) % 2, f), replicates=1).bins
    assert bins[0] == pytest.approx(
        {"score": 0.3, "share": 0.5, "patients": 90, **dict(zip(("low", "high"), wilson(45, 90), strict=True))}
    )
    assert sum(b["patients"] for b in bins) == 100


def test_patients_without_a_score_are_left_out() -> None:
    s = planted(200)
    f = s.scores.copy()
    f[0, 150:] = np.nan
    part = replace(s, scores=f)
    assert estimates(part) == pytest.approx(estimates(scored(s.y[:150], s.scores[0, :150])), abs=1e-9)


def test_separated_classes_have_no_slope_but_a_brier_score() -> None:
    y = np.arange(40) % 2
    v = calibrate(scored(y, 0.2 + 0.6 * y + 0.001 * np.arange(40)), replicates=50).values
    assert np.isnan(list(v["slope"].values())).all()
    assert v["brier"]["low"] <= v["brier"]["estimate"] <= v["brier"]["high"]


def test_a_slope_that_many_draws_lack_has_no_interval() -> None:
    y = np.arange(40) % 2
    f = 0.2 + 0.6 * y + 0.001 * np.arange(40)
    f[0] = 0.9  # all that keeps the classes from being apart, and a third of the draws lack it
    v = calibrate(scored(y, f), replicates=200).values["slope"]
    assert np.isfinite(v["estimate"])
    assert np.isnan([v["low"], v["high"]]).all()


def test_the_seed_fixes_the_intervals() -> None:
    a, b, c = (calibrate(planted(), replicates=50, seed=seed).values for seed in (3, 3, 4))
    assert a == b
    assert a["slope"]["low"] != c["slope"]["low"]
    assert np.concatenate(patient_draws(1000, 450, 0)).shape == (450, 1000)


@pytest.mark.parametrize("how", ["platt", "isotonic"])
def test_a_fold_is_never_recalibrated_with_its_own_labels(how: str) -> None:
    s = scored(planted().y, np.tile(planted().scores, (2, 1)))
    own = s.fold[0] == 2
    flipped = replace(s, y=np.where(own, 1 - s.y, s.y))
    a, b = (recalibrate(t, how).scores[0] for t in (s, flipped))
    assert np.array_equal(a[own], b[own])
    assert not np.allclose(a[~own], b[~own])


def test_platt_is_a_regression_on_the_other_folds() -> None:
    s = planted(scale=3.0)
    inside = s.fold[0] == 1
    x, y = log_odds(s.scores[0]), s.y
    positives, negatives = (y[~inside] == 1).sum(), (y[~inside] == 0).sum()
    target = np.where(y == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))[~inside]
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000)
    X = np.tile(x[~inside], 2)[:, None]
    model.fit(X, np.repeat([1, 0], (~inside).sum()), sample_weight=np.r_[target, 1 - target])
    expected = model.predict_proba(x[inside][:, None])[:, 1]
    assert recalibrate(s, "platt").scores[0][inside] == pytest.approx(expected, abs=1e-5)


def test_recalibration_mends_extreme_scores() -> None:
    s = planted(scale=3.0)
    for how in ("platt", "isotonic"):
        before, after = estimates(s), estimates(recalibrate(s, how))
        assert before["slope"] < 0.45
        assert abs(after["slope"] - 1) < 0.35
        assert after["brier"] < before["brier"]


def test_the_order_within_a_fold_stays() -> None:
    s = planted(scale=3.0)
    for how in ("platt", "isotonic"):
        after = recalibrate(s, how)
        for f in range(5):
            inside = s.fold[0] == f
            old, new = s.scores[0][inside], after.scores[0][inside]
            assert (np.diff(new[np.argsort(old)]) >= 0).all()
            if how == "platt":
                y, w = s.y[inside], ones(int(inside.sum()))
                assert auc(y, old, w) == auc(y, new, w)
        assert after.scores.min() > 0
        assert after.scores.max() < 1


@pytest.mark.parametrize("how", ["platt", "isotonic"])
def test_scores_that_point_the_wrong_way_become_the_share_of_positives(how: str) -> None:
    s = planted(2000, scale=-1.0)
    after = recalibrate(s, how).scores[0]
    for f in range(5):
        assert np.ptp(after[s.fold[0] == f]) < (1e-12 if how == "platt" else 0.2)
    assert after.mean() == pytest.approx(s.y.mean(), abs=0.01)


def test_scores_without_spread_become_the_share_of_positives() -> None:
    y = (np.arange(100) // 5) % 2
    after = recalibrate(scored(y, np.full(100, 0.9)), "platt").scores
    assert after == pytest.approx(np.full((1, 100), 0.5), abs=1e-9)


def test_what_cannot_be_recalibrated_is_refused() -> None:
    s = planted()
    assert recalibrate(s, "none") is s
    with pytest.raises(ValueError, match="expected one of none, platt, isotonic"):
        recalibrate(s, "beta")
    with pytest.raises(ValueError, match="has none with both classes beside fold 0"):
        recalibrate(scored(s.y, s.scores, folds=1), "platt")


def test_wilson_holds_its_share_and_agrees_with_scipy() -> None:
    for n in (1, 7, 40):
        k = np.arange(n + 1.0)
        low, high = wilson(k, np.full(n + 1, float(n)))
        exact = [binomtest(i, n).proportion_ci(method="wilson") for i in range(n + 1)]
        assert low == pytest.approx([e.low for e in exact], abs=1e-12)
        assert high == pytest.approx([e.high for e in exact], abs=1e-12)
        assert (low <= k / n).all()
        assert (k / n <= high).all()
