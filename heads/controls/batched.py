"""Many logistic heads on one table at once, for label permutations: all folds of all shuffles share matrix products.

The heads are those of `heads.logistic` (standardised columns, L2 penalty, patients weighted alike), solved by nonlinear
conjugate gradients (Polak and Ribiere 1969, with restarts) and one preconditioner for all, the inverse curvature of the
whole table at even odds, which bounds the curvature at any odds (Boehning and Lindsay 1988).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from heads.standardise import Floats

HEADS_AT_ONCE = 128
TOLERANCE = 1e-4  # of a score
_ROUNDS = 300
_ROWS_AT_ONCE = 4096  # so that no second table is made


class NoConvergenceError(ValueError):
    """Heads that are not done after all rounds; `heads.logistic` fits them one by one."""


class BatchedLogistic:
    """One table. X : (n, d) with NaN where a value is missing; weight : (n,), of every row while it trains; C as in `Logistic`."""

    def __init__(self, X: Floats, weight: Floats, C: float) -> None:  # noqa: D107
        X = np.array(X, np.float32)  # the one copy, changed in place
        known = ~np.isnan(X)
        self._known = None if known.all() else known.astype(np.float32)  # elsewhere a value is the training mean
        counts = np.maximum(known.sum(axis=0), 1)
        if self._known is not None:
            X[~known] = 0
        shift = (
            X.sum(axis=0, dtype=np.float64) / counts
        )  # so that a fold's moments are small corrections, exact in float32
        X -= shift.astype(np.float32)
        if self._known is not None:
            X[~known] = 0
        del known
        spread = np.sqrt(np.einsum("ij,ij->j", X, X, dtype=np.float64) / counts)
        spread[spread <= 1e-6 * np.maximum(np.abs(shift), 1e-6)] = np.inf
        X /= spread.astype(np.float32)
        self.X = X
        self.weight = weight.astype(np.float32)[:, None]
        self.C = np.float32(C)
        curvature = np.zeros((X.shape[1], X.shape[1]), np.float32)
        for start in range(0, len(X), _ROWS_AT_ONCE):
            rows = slice(start, start + _ROWS_AT_ONCE)
            curvature += (self.C / 4 * X[rows].T * self.weight[rows, 0]) @ X[rows]
        self._inverse = np.linalg.inv(np.eye(X.shape[1], dtype=np.float32) + curvature).astype(np.float32)

    def scores(self, y: NDArray[np.integer], train: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Probabilities (n, B) of all rows under B heads, each fitted on its own labels y (n, B) and rows train (n, B).

        A head is done when a step changes no score by more than `TOLERANCE`. Raises ValueError where a head trains on
        one class only, and NoConvergenceError.
        """
        X, C, w = self.X, self.C, self.weight * train
        y = y.astype(np.float32)
        total, positive = w.sum(axis=0), (w * y).sum(axis=0)
        if ((positive <= 0) | (positive >= total)).any():
            raise ValueError(
                "the training rows of a head hold one class only; fewer --folds or more patients are needed"
            )
        mean, scale = self._moments(w, total)
        z = np.broadcast_to(np.log(positive / (total - positive)), y.shape)
        v, step, direction = (np.zeros((X.shape[1], y.shape[1]), np.float32) for _ in range(3))
        b_step = b_direction = np.zeros(y.shape[1], np.float32)
        before = np.ones(y.shape[1], np.float32)
        p = 0.5 + 0.5 * np.tanh(0.5 * z)
        for _ in range(_ROUNDS):
            residual = w * (p - y)
            b_gradient = C * residual.sum(axis=0)
            gradient = v + C * (X.T @ residual - mean * self._sums(residual)) / scale
            curvature = C * w * p * (1 - p)
            step_before, b_step_before = step, b_step
            step = self._inverse @ gradient
            b_step = b_gradient / np.maximum(curvature.sum(axis=0), 1e-6)
            now = (gradient * step).sum(axis=0) + b_gradient * b_step
            turned = now - (gradient * step_before).sum(axis=0) - b_gradient * b_step_before
            beta = np.maximum(0, turned / before)
            direction, b_direction = beta * direction - step, beta * b_direction - b_step
            slope = (gradient * direction).sum(axis=0) + b_gradient * b_direction
            uphill = slope >= 0
            direction, b_direction = np.where(uphill, -step, direction), np.where(uphill, -b_step, b_direction)
            slope = np.where(uphill, -now, slope)
            along = direction / scale
            dz = X @ along + b_direction - self._offsets(mean * along)
            bend = np.square(direction).sum(axis=0) + (curvature * np.square(dz)).sum(axis=0)
            length = (-slope / np.maximum(bend, np.finfo(np.float32).tiny)).astype(np.float32)
            v += length * direction
            z = z + length * dz
            before = np.maximum(now, np.finfo(np.float32).tiny)
            p_before, p = p, 0.5 + 0.5 * np.tanh(0.5 * z)
            if float(np.abs(p - p_before).max()) < TOLERANCE:
                return np.asarray(p, np.float32)
        raise NoConvergenceError(
            f"{y.shape[1]} logistic heads did not converge in {_ROUNDS} rounds; a smaller --C is needed"
        )

    def _moments(
        self, w: NDArray[np.float32], total: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Weighted mean and standard deviation of the columns over each head's training rows, (d, B).

        Summed in float64: a column that is constant in training must not get its scale from rounding.
        """
        first, second = np.zeros((2, self.X.shape[1], w.shape[1]))
        for start in range(0, len(w), _ROWS_AT_ONCE):
            X, part = (a[start : start + _ROWS_AT_ONCE].astype(np.float64) for a in (self.X, w))
            first += X.T @ part
            second += np.square(X).T @ part
        known = total if self._known is None else np.maximum(self._known.T @ w, np.float32(1e-9))
        mean = first / known
        scale = np.sqrt(np.maximum(second / known - np.square(mean), 0))
        scale[scale <= 1e-6 * np.maximum(1, np.abs(mean))] = np.inf
        return mean.astype(np.float32), scale.astype(np.float32)

    def _sums(self, r: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sums of r (n, B) over the rows in which a column is known: (d, B), or (B,) where all are."""
        return np.asarray(r.sum(axis=0) if self._known is None else self._known.T @ r)

    def _offsets(self, centre: NDArray[np.float32]) -> NDArray[np.float32]:
        """The part of each row's score that centring takes away; centre : (d, B)."""
        return np.asarray(centre.sum(axis=0) if self._known is None else self._known @ centre)
