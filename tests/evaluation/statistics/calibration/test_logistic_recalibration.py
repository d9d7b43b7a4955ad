"""The line of log odds agrees with closed cases and with scikit-learn, and says where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from core.metrics import ones
from evaluation.statistics.calibration.logistic_recalibration import cox_line, fit_line, log_odds


def sample(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(0.3, 1.5, n)
    return x, (rng.random(n) < 1 / (1 + np.exp(0.4 - 0.7 * x))).astype(int)


def test_every_row_of_weights_is_a_weighted_regression() -> None:
    x, y = sample()
    W = np.random.default_rng(1).multinomial(200, np.full(200, 1 / 200), 5).astype(float)
    a, b = cox_line(x, y, W)
    for row, intercept, slope in zip(W, a, b, strict=True):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x[:, None], y, sample_weight=row)
        assert (intercept, slope) == pytest.approx((model.intercept_[0], model.coef_[0, 0]), abs=1e-5)


def test_two_groups_give_the_log_odds_ratio() -> None:
    x = np.repeat([0.0, 1.0], 10)
    y = np.r_[np.ones(3, int), np.zeros(7, int), np.ones(6, int), np.zeros(4, int)]
    (a,), (b,) = cox_line(x, y, ones(20))
    assert a == pytest.approx(np.log(3 / 7), abs=1e-12)
    assert b == pytest.approx(np.log(6 / 4) - np.log(3 / 7), abs=1e-12)


def test_scale_and_shift_of_x_go_into_the_line() -> None:
    x, y = sample()
    (a,), (b,) = cox_line(x, y, ones(200))
    (a2,), (b2,) = cox_line(2 * x, y, ones(200))
    (a3,), (b3,) = cox_line(x + 5, y, ones(200))
    assert (a2, b2) == pytest.approx((a, b / 2), abs=1e-12)
    assert (a3, b3) == pytest.approx((a - 5 * b, b), abs=1e-11)


def test_a_given_slope_is_kept_and_the_mean_is_met() -> None:
    x, y = sample()
    w = np.random.default_rng(2).random((1, 200))
    (a,), (b,) = cox_line(x, y, w, slope=1.0)
    assert b == pytest.approx(1.0, abs=1e-12)
    assert w[0] @ (y - 1 / (1 + np.exp(-a - x))) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        ([1, 2, 3, 4], [0, 0, 1, 1]),
        ([1, 2, 3, 4], [1, 1, 0, 0]),
        ([1, 2, 2, 3], [0, 0, 1, 1]),  # apart but for a tie: still no finite slope
        ([2, 2, 2, 2], [0, 1, 0, 1]),
    ],
)
def test_classes_that_do_not_overlap_have_no_slope(x: list[float], y: list[int]) -> None:
    values = np.array(x, float), np.array(y)
    assert np.isnan(cox_line(*values, ones(4))).all()
    assert np.isfinite(cox_line(*values, ones(4), slope=1.0)).all()


def test_a_class_that_was_not_drawn_leaves_no_number_and_the_others_alone() -> None:
    x, y = sample()
    W = np.stack([np.where(y == 1, 1.0, 0.0), np.ones(200)])
    for slope in (None, 1.0):
        a, _ = cox_line(x, y, W, slope=slope)
        assert np.isnan(a[0])
        assert a[1] == cox_line(x, y, ones(200), slope=slope)[0][0]


def test_far_scores_do_not_throw_the_steps_off() -> None:
    x = np.r_[np.full(30, -16.0), np.linspace(-0.01, 0.01, 40), np.full(30, 16.0)]
    y = (np.arange(100) % 3 == 0).astype(int)
    (a,), (b,) = cox_line(x, y, ones(100))

    def loss(line: np.ndarray) -> float:
        eta = line[0] + line[1] * x
        return float((np.logaddexp(0, eta) - y * eta).sum())

    best = minimize(loss, [0.0, 0.0], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12, "maxiter": 4000})
    assert (a, b) == pytest.approx(best.x, abs=1e-5)


def test_targets_between_0_and_1_need_no_overlap() -> None:
    x = np.array([-1.0, -1.0, 1.0, 1.0])
    (a,), (b,) = fit_line(x, np.array([0.2, 0.2, 0.8, 0.8]), ones(4))
    assert (a, b) == pytest.approx((0, np.log(4)), abs=1e-12)


def test_log_odds_of_certain_scores_are_finite() -> None:
    assert log_odds(np.array([0.0, 0.5, 0.8, 1.0])) == pytest.approx([-16.118, 0, np.log(4), 16.118], abs=1e-3)


@pytest.mark.slow
def test_nearly_separated_classes_with_far_scores_still_meet_the_score_equations() -> None:
    found = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        x = np.clip(rng.standard_cauchy(30), -16, 16)
        y = (rng.random(30) < 1 / (1 + np.exp(-3 * x))).astype(int)
        if len(set(y)) == 2 and x[y == 0].max() > x[y == 1].min() and x[y == 1].max() > x[y == 0].min():
            (a,), (b,) = cox_line(x, y, ones(30))
            residual = y - expit(a + b * x)
            assert (residual.sum(), residual @ x) == pytest.approx((0, 0), abs=1e-8)
            found += 1
    assert found > 200
