"""Mean imputation and scaling to zero mean and unit variance, fitted on training rows only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]


@dataclass
class Standardiser:
    """mean, scale : (d,) float32. A missing value (NaN) becomes the training mean, that is 0 after scaling."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, X: Floats, weight: Floats) -> Standardiser:
        """Weighted moments of (n, d) rows with (n,) weights; NaN is left out column by column."""
        w = weight.astype(np.float64)
        if np.isnan(X).any():
            known = ~np.isnan(X)
            total = np.maximum(w @ known, np.finfo(float).tiny)
            mean = (w @ np.where(known, X, 0)) / total
            centred = np.where(known, X - mean, 0)
        else:
            total = w.sum()
            mean = (w @ X) / total
            centred = X - mean
        variance = (w @ np.square(centred)) / total
        scale = np.sqrt(variance)
        scale[scale <= 1e-6 * np.maximum(np.abs(mean), 1e-6)] = np.inf  # a constant column is 0, whatever comes later
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def __call__(self, X: Floats) -> NDArray[np.float32]:
        """(n, d) -> (n, d) float32 without NaN."""
        Z = (X.astype(np.float32, copy=False) - self.mean) / self.scale
        return np.asarray(np.nan_to_num(Z, copy=False, nan=0.0))
