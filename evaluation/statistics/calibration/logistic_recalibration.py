"""The logistic regression of labels on one column, many times at once: the line of log odds."""

from __future__ import annotations

import numpy as np

from core.metrics import Array, Labels

_CLIP = 1e-7  # of scores before the logit, as for the log loss
_ROUNDS = 500  # far more than any but nearly separated classes take


def log_odds(score: Array) -> Array:
    """Logit of scores, clipped to 1e-7 ... 1 - 1e-7."""
    s = np.clip(score, _CLIP, 1 - _CLIP)
    return np.asarray(np.log(s) - np.log1p(-s))


def cox_line(x: Array, y: Labels, W: Array, *, slope: float | None = None) -> tuple[Array, Array]:
    """(intercept, slope), (B,) each, of the log odds of y on x, unpenalised, for each row of (B, n) weights.

    A given `slope` is kept, and the intercept alone is fitted. NaN where the classes do not overlap on x, so that there is
    no finite slope (Albert and Anderson 1984), or a class was not drawn.
    """
    drawn = W > 0
    lowest, highest = (
        [side(np.where(drawn & (y == label), x, empty), axis=1) for label in (0, 1)]
        for side, empty in ((np.min, np.inf), (np.max, -np.inf))
    )
    solvable = np.isfinite(lowest[0]) & np.isfinite(lowest[1])
    if slope is None:
        solvable &= (highest[0] > lowest[1]) & (highest[1] > lowest[0])
    a, b = np.full(len(W), np.nan), np.full(len(W), np.nan)
    a[solvable], b[solvable] = fit_line(x, y.astype(float), W[solvable], slope)
    return a, b


def fit_line(x: Array, target: Array, W: Array, slope: float | None = None) -> tuple[Array, Array]:
    """(intercept, slope), (B,) each, for targets (n,) in 0 ... 1 by damped Newton steps; NaN where they do not converge.

    The step log(1 + d) / d, with d the largest change of any log odds, always lowers the loss, since its third derivative
    is at most d times the second (Sun and Tran-Dinh 2019).
    """
    centre, spread = float(x.mean()), float(x.std()) or 1.0
    z = (x - centre) / spread
    Z = np.stack([np.ones_like(z), z, z * z], axis=1)
    ends = np.array([z.min(), z.max()])
    theta = np.zeros((len(W), 2))
    theta[:, 1] = 0.0 if slope is None else slope * spread
    todo = np.arange(len(W))
    for _ in range(_ROUNDS):
        if not len(todo):
            break
        w = W[todo]
        p = 0.5 * (1 + np.tanh(0.5 * (theta[todo] @ Z[:, :2].T)))
        g = (w * (target - p)) @ Z[:, :2]
        h = (w * p * (1 - p)) @ Z
        step = np.zeros_like(g)
        if slope is None:
            determinant = h[:, 0] * h[:, 2] - h[:, 1] ** 2
            step[:, 0] = (h[:, 2] * g[:, 0] - h[:, 1] * g[:, 1]) / determinant
            step[:, 1] = (h[:, 0] * g[:, 1] - h[:, 1] * g[:, 0]) / determinant
        else:
            step[:, 0] = g[:, 0] / h[:, 0]
        change = np.abs(step[:, :1] + step[:, 1:] * ends).max(axis=1)
        theta[todo] += step * (np.log1p(change) / np.maximum(change, 1e-300))[:, None]
        todo = todo[~(change < 1e-7)]
    theta[todo] = np.nan
    b = theta[:, 1] / spread
    return theta[:, 0] - b * centre, b
