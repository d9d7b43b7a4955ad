"""Uncertainty: resampled patients, and the influence curve of the cross-validated AUC."""

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


def cross_validated_auc(
    y: Labels, scores: Array, fold: NDArray[np.int_], level: float = LEVEL
) -> tuple[float, float, float]:
    """The mean AUC of the test folds and its influence-curve interval (LeDell, Petersen and van der Laan 2015).

    y : (n,) 0/1; scores, fold : (R, n) by repeat, NaN and -1 where a patient was not tested. What is estimated is the
    mean true AUC of the fold models. A fold with one class has no AUC and is left out; repeats share their patients, so
    influences are averaged over repeats first. (NaN, NaN, NaN) where no fold has both classes.
    """
    from scipy.stats import norm

    aucs: list[float] = []
    influence = np.zeros((len(scores), len(y)))
    used = np.zeros((len(scores), len(y)), bool)
    for r, (score, folds) in enumerate(zip(scores, fold, strict=True)):
        for f in np.unique(folds[folds >= 0]):
            inside = np.flatnonzero(folds == f)
            positive, negative = inside[y[inside] == 1], inside[y[inside] == 0]
            if len(positive) == 0 or len(negative) == 0:
                continue
            wins = np.sign(score[positive, None] - score[None, negative]) / 2 + 0.5
            auc = float(wins.mean())
            aucs.append(auc)
            influence[r, positive] = wins.mean(axis=1) - auc
            influence[r, negative] = wins.mean(axis=0) - auc
            used[r, inside] = True
        share = y[used[r]].mean() if used[r].any() else np.nan
        influence[r] /= np.where(y == 1, share, 1 - share) if used[r].any() else 1
    if not aucs:
        return float("nan"), float("nan"), float("nan")
    tested = used.any(axis=0)
    psi = influence[:, tested].sum(axis=0) / used[:, tested].sum(axis=0)
    estimate = float(np.mean(aucs))
    half = float(norm.ppf((1 + level) / 2) * np.sqrt(np.mean(np.square(psi)) / len(psi)))
    return estimate, max(0.0, estimate - half), min(1.0, estimate + half)
