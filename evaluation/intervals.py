"""Uncertainty by resampling patients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.metrics import Array, Labels

LEVEL = 0.95


def bootstrap_weights(y: Labels, replicates: int, rng: np.random.Generator) -> Array:
    """(replicates, n) float64: how often each of n patients is drawn, with replacement, within its class.

    Stratified by label, so that no replicate lacks a class (Efron and Tibshirani 1993, section 6).
    """
    W = np.zeros((replicates, len(y)))
    for label in (0, 1):
        members = np.flatnonzero(y == label)
        if len(members):
            W[:, members] = rng.multinomial(len(members), np.full(len(members), 1 / len(members)), replicates)
    return W


def percentile_interval(values: Array, level: float = LEVEL) -> tuple[float, float]:
    """The central share `level` of the replicates; (NaN, NaN) where there is none."""
    known: NDArray[np.float64] = values[np.isfinite(values)]
    if known.size == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(known, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
