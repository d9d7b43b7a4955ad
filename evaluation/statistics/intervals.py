"""Uncertainty: resampled patients, and the cross-validated AUC with an interval that allows for other training patients.

The plain interval of a cross-validated AUC treats the fold models as given. But every patient is tested once and trains
the other models, so that the errors of the folds go together and the interval is too narrow (Bates, Hastie and Tibshirani,
JASA 2023; Nadeau and Bengio, Machine Learning 2003). For a score that is a sum over training patients this can be worked
out. Let u be the share of a model's squared length that is noise of its training sample. Then, with K folds and R repeats,

    variance = plain variance of one repeat * (1 + u (1 - 2/K (1 - 1/R))),
    correlation between the scores of two models that share a part s of their training patients = 1 - u (1 - s),

and two repeats, in which a patient is scored by two such models, are enough to estimate u. With nothing to find u is 1 and
the variance about twice the plain one; where the signal outweighs the noise u goes to 0. The simulation in `benchmarks/`
shows how often these intervals contain the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.metrics import Array, Labels
from evaluation.statistics.power import PowerLine, power_line, standard_error

LEVEL = 0.95
_BLOCK = 1000  # replicates counted at once


def bootstrap_weights(y: Labels, replicates: int, rng: np.random.Generator) -> Array:
    """(replicates, n) float64: how often each of n patients is drawn, with replacement, within its class.

    Stratified by label, so that no replicate lacks a class (Efron and Tibshirani 1993, section 6).
    """
    W = np.zeros((replicates, len(y)))
    for label in (0, 1):
        members = np.flatnonzero(y == label)
        if len(members):
            drawn = rng.integers(0, len(members), (replicates, len(members)), np.int32)
            for start in range(0, replicates, _BLOCK):
                block = drawn[start : start + _BLOCK]
                place = block + np.arange(len(block))[:, None] * len(members)  # counted for all replicates at once
                W[start : start + _BLOCK, members] = np.bincount(place.ravel(), minlength=block.size).reshape(
                    block.shape
                )
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


@dataclass
class FoldAuc:
    """The mean AUC of the test folds, averaged over repeats: an estimate of the mean true AUC of the fold models.

    se : standard error, low, high : 95 % interval, p : two-sided, of AUC 0.5; all four allow for other training patients.
    The interval holds the AUCs that are no further away than 1.96 of their own standard errors, which go with Hanley and
    McNeil's (Newcombe, Statistics in Medicine 2006). u : share of a model that is noise of its training sample, assumed 1
    where `repeats` is 1. NaN where a fold holds fewer than two patients of a class.
    """

    auc: float
    se: float
    low: float
    high: float
    p: float
    u: float
    repeats: int


def fold_auc(y: Labels, scores: Array, fold: NDArray[np.int_], level: float = LEVEL) -> FoldAuc:
    """The mean AUC by fold with its interval; y : (n,) 0/1; scores, fold : (R, n), NaN and -1 where not tested.

    Scores of a single fold (new patients, one fitted head) have no training patients among them: u is 0.
    """
    from scipy.stats import norm

    n_folds = [len(np.unique(row[row >= 0])) for row in fold]
    aucs, psi = influence(y, scores, fold)
    if not aucs:
        nan = float("nan")
        return FoldAuc(auc=nan, se=nan, low=nan, high=nan, p=nan, u=nan, repeats=len(scores))
    auc, R, K = float(np.mean(aucs)), len(scores), float(np.mean(n_folds))
    u = training_noise(y, scores, fold)
    plain = float(np.square(psi).sum() / R)
    if np.isnan(plain):
        return FoldAuc(auc=auc, se=plain, low=plain, high=plain, p=plain, u=u, repeats=R)
    positives, negatives = int((y == 1).sum()), int((y == 0).sum())
    here = standard_error(auc, positives, negatives)
    # An AUC of 0 or 1 shows no variance; Hanley and McNeil's stands in for it, and for the training noise that it hides.
    se = float(np.sqrt(plain * inflation(u, K, R)))
    ratio = se / here if here > 0 else float(np.sqrt(inflation(u, K, R)))

    def spread(a: float) -> float:
        return ratio * standard_error(a, positives, negatives)

    low, high = _score_interval(auc, spread, float(norm.ppf((1 + level) / 2)))
    p = 2 * norm.sf(abs(auc - 0.5) / spread(0.5)) if ratio > 0 else 1.0  # no ratio: every pair is a tie
    return FoldAuc(auc=auc, se=se, low=low, high=high, p=float(p), u=u, repeats=R)


def _score_interval(auc: float, spread: Callable[[float], float], z: float) -> tuple[float, float]:
    """The AUCs no further from `auc` than z of their own standard errors, `spread`."""
    from scipy.optimize import brentq

    def beyond(a: float) -> float:
        return abs(a - auc) - z * spread(a)

    if spread(0.5) == 0:
        return auc, auc
    inside = float(np.clip(auc, 1e-9, 1 - 1e-9))  # at 0 and 1 nothing is spread
    low = 0.0 if auc == 0 else float(brentq(beyond, 0, inside))
    high = 1.0 if auc == 1 else float(brentq(beyond, inside, 1))
    return low, high


def inflation(u: float, folds: float, repeats: int) -> float:
    """Variance of the mean over repeats relative to the plain variance of one repeat."""
    return 1 + u * (1 - 2 / folds * (1 - 1 / repeats))


def fold_power(lead: FoldAuc, folds: float, positives: int, negatives: int) -> PowerLine:
    """The power line of an AUC by fold, widened as its interval is, whose half-width it gives; `folds` : of one repeat, on average."""
    u = 1.0 if np.isnan(lead.u) else lead.u
    wider = {"at_chance": inflation(1.0, folds, lead.repeats), "at_auc": inflation(u, folds, lead.repeats)}
    wider = {k: float(np.sqrt(v)) if folds > 1 else 1.0 for k, v in wider.items()}
    return replace(power_line(lead.auc, positives, negatives, **wider), half_width=(lead.high - lead.low) / 2)


def influence(y: Labels, scores: Array, fold: NDArray[np.int_]) -> tuple[list[float], Array]:
    """AUCs of the test folds, and (R, n) each patient's part in the error of a repeat's mean, 0 where not tested.

    The squares of a row sum to an unbiased estimate of the plain variance: DeLong's, less the interaction that it counts
    twice (the two-way analysis of variance of wins). A fold with one class has no AUC; a class of one patient in a
    fold leaves the variance unknown (NaN).
    """
    aucs: list[float] = []
    psi = np.zeros(scores.shape)
    for r, (score, folds) in enumerate(zip(scores, fold, strict=True)):
        used = 0
        for f in np.unique(folds[folds >= 0]):
            inside = np.flatnonzero(folds == f)
            positive, negative = inside[y[inside] == 1], inside[y[inside] == 0]
            m, n = len(positive), len(negative)
            if min(m, n) == 0:
                continue
            used += 1
            wins = np.sign(score[positive, None] - score[None, negative]) / 2 + 0.5
            aucs.append(float(wins.mean()))
            if min(m, n) < 2:
                psi[r, inside] = np.nan
                continue
            rows, columns = wins.mean(axis=1) - aucs[-1], wins.mean(axis=0) - aucs[-1]
            residual = wins - aucs[-1] - rows[:, None] - columns
            between = n * np.square(rows).sum() / (m - 1) + m * np.square(columns).sum() / (n - 1)
            left = np.square(residual).sum() / ((m - 1) * (n - 1))
            share = np.sqrt(max(0.5, 1 - left / between)) if between > 0 else 0.0
            psi[r, positive] = share * rows / np.sqrt(m * (m - 1))
            psi[r, negative] = share * columns / np.sqrt(n * (n - 1))
        psi[r] /= max(1, used)
    return aucs, psi


def training_noise(y: Labels, scores: Array, fold: NDArray[np.int_]) -> float:
    """u, from the correlation of each patient's logits between repeats, 0 ... 1; 1 where it cannot be told.

    Logits are centred within fold and class, so that neither the label nor an offset between models counts as agreement;
    what centring on few patients takes away is given back.
    """
    R, n = scores.shape
    if all(len(np.unique(row[row >= 0])) < 2 for row in fold):
        return 0.0
    clipped = np.clip(scores, 1e-6, 1 - 1e-6)
    logits = np.log(clipped) - np.log1p(-clipped)
    group = np.where(fold >= 0, 2 * fold + y, -1)
    centred, size = np.zeros((R, n)), np.ones((R, n))
    for r in range(R):
        for g in np.unique(group[r][group[r] >= 0]):
            members = group[r] == g
            size[r, members] = members.sum()
            centred[r, members] = logits[r, members] - logits[r, members].mean()
        for f in np.unique(fold[r][fold[r] >= 0]):
            members = fold[r] == f
            freedom = (1 - 1 / size[r, members]).sum()
            spread = np.sqrt(np.square(centred[r, members]).sum() / freedom) if freedom > 0 else 0.0
            centred[r, members] /= spread if spread > 0 else 1.0
    estimates = []
    for r in range(R):
        for q in range(r):
            both = (fold[r] >= 0) & (fold[q] >= 0)
            common = np.zeros((group.max() + 1, group.max() + 1))
            np.add.at(common, (group[r][both], group[q][both]), 1)
            shared = common[group[r], group[q]] / (size[r] * size[q])
            kept = (1 - 1 / size[r] - 1 / size[q] + shared)[both].sum()
            unshared = 1 - _shared_training(fold[r][both], fold[q][both])
            if kept > 0 and unshared > 1e-6:
                estimates.append((1 - (centred[r] * centred[q])[both].sum() / kept) / unshared)
    return float(np.clip(np.mean(estimates), 0, 1)) if estimates else 1.0


def _shared_training(a: NDArray[np.int_], b: NDArray[np.int_]) -> float:
    """The part of training patients that the two models of a patient share, averaged over patients; a, b : (n,) folds."""
    n = len(a)
    together = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(together, (a, b), 1)
    size_a, size_b, both = np.bincount(a)[a], np.bincount(b)[b], together[a, b]
    return float(np.mean((n - size_a - size_b + both) / np.sqrt((n - size_a) * (n - size_b))))
