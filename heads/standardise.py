"""Mean imputation and scaling to zero mean and unit variance, fitted on training rows only, block by block of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.floating]
Ids = NDArray[np.object_]  # (n,) str: whose a row is
ROWS_AT_ONCE = 512  # which stay in the processor's own memory while they are worked on


@dataclass(frozen=True)
class Part:
    """Some rows of a table, copied only where they are asked for: folds share one table in memory.

    X : (n, d) floats or a part of a table; rows : (m,) which of them, in this order
    """

    X: Floats | Part
    rows: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """(m, d)."""
        return len(self.rows), self.X.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, some: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Floats:
        """A copy of some of the rows."""
        return self.X[self.rows[some]]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> Floats:
        """A copy of all of them, for whoever needs one."""
        return self[:].astype(dtype or np.float32, copy=False)


Matrix = Floats | Part


@dataclass
class Standardiser:
    """mean, scale : (d,) float32. A missing value (NaN) becomes the training mean, that is 0 after scaling."""

    mean: NDArray[np.float32]
    scale: NDArray[np.float32]

    @classmethod
    def fit(cls, X: Matrix, weight: Floats) -> Standardiser:
        """Weighted moments of (n, d) rows with (n,) weights; NaN is left out column by column."""
        w = weight.astype(np.float64)
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
        return np.asarray(Z if np.isfinite(Z).all() else np.nan_to_num(Z, copy=False, nan=0.0))

    def blocks(self, X: Matrix) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Which rows, and those rows standardised, until all have come."""
        for rows in _slices(len(X)):
            yield rows, self(X[rows])


def _blocks(
    X: Matrix, w: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]]:
    """(rows in float64 with 0 where a value is missing, which are known, their weights)."""
    for rows in _slices(len(X)):
        block = X[rows].astype(np.float64)
        known = ~np.isnan(block)
        if not known.all():
            block[~known] = 0
        yield block, known, w[rows]


def _slices(n: int) -> Iterator[slice]:
    return (slice(start, min(n, start + ROWS_AT_ONCE)) for start in range(0, n, ROWS_AT_ONCE))
