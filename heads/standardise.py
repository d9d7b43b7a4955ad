"""Mean imputation and scaling to zero mean and unit variance, fitted on training rows only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
_BLOCK = 512  # rows, which stay in the processor's own memory while they are summed


@dataclass
class Standardiser:
    """mean, scale : (d,) float32. A missing value (NaN) becomes the training mean, that is 0 after scaling."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, X: Floats, weight: Floats) -> Standardiser:
        """Weighted moments of (n, d) rows with (n,) weights; NaN is left out column by column."""
        w = weight.astype(np.float64)
        # Block by block, so that no second table in float64 is made.
        total, first, second = (np.zeros(X.shape[1]) for _ in range(3))
        for block, known, part in _blocks(X, w):
            total += part @ known
            first += part @ block
        total = np.maximum(total, np.finfo(float).tiny)
        mean = first / total
        for block, known, part in _blocks(X, w):
            second += part @ np.square((block - mean) * known)
        variance = second / total
        scale = np.sqrt(variance)
        scale[scale <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = np.inf  # a constant column is 0, whatever comes later
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def __call__(self, X: Floats) -> NDArray[np.float32]:
        """(n, d) -> (n, d) float32 without NaN."""
        Z = X.astype(np.float32, copy=False) - self.mean
        Z /= self.scale
        return np.asarray(np.nan_to_num(Z, copy=False, nan=0.0))


def _blocks(X: Floats, w: NDArray[np.float64]) -> Iterator[tuple[NDArray[np.float64], Any, NDArray[np.float64]]]:
    """(rows in float64 with 0 where a value is missing, which are known, their weights)."""
    for start in range(0, len(X), _BLOCK):
        block = X[start : start + _BLOCK].astype(np.float64)
        known = ~np.isnan(block)
        if not known.all():
            block[~known] = 0
        yield block, known, w[start : start + _BLOCK]
