"""Every metric, in one place, from labels and scores that carry their ids; weighted, so that the bootstrap is a matrix.

Weights W : (B, n) say how often each row counts in each of B replicates; the plain estimate is one row of ones.
All functions return (B,) float64, NaN where a replicate lacks the class that a metric is about.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.registry import Registry

Array = NDArray[np.float64]
Labels = NDArray[np.int_]

THRESHOLD = 0.5
BLOCK = 128  # replicates at once, so that what is summed stays in the processor's own memory


@dataclass(frozen=True)
class Metric:
    """One figure of a result.

    Parameters
    ----------
    title : as tables head its column
    function : (y (n,) 0/1, score (n,), W (B, n)) -> (B,); with a threshold (n,) or a number as fourth where it needs one
    needs_threshold : whether it judges calls and not scores
    """

    title: str
    function: Callable[..., Array]
    needs_threshold: bool = False


METRICS: Registry[Metric] = Registry("metric")  # by their names in report.json, in the order of the tables
Function = Callable[..., Array]


def metric(name: str, title: str, *, needs_threshold: bool = False) -> Callable[[Function], Function]:
    """Decorator that registers a function as a metric; tables, report.json and the bootstrap take it up.

    Parameters
    ----------
    name, title, needs_threshold : its name in report.json, and see `Metric`

    Returns
    -------
    A decorator that gives the function back as it was.

    Raises
    ------
    ValueError : where another metric has that name
    """

    def add(function: Function) -> Function:
        METRICS.register(name)(Metric(title, function, needs_threshold))
        return function

    return add


def _ratio(a: Array, b: Array) -> Array:
    return np.asarray(np.divide(a, b, out=np.full(np.broadcast(a, b).shape, np.nan), where=b > 0))


def _tied_sums(y: Labels, score: Array, W: Array, *, descending: bool) -> tuple[Array, Array]:
    """Weights of positives and negatives, (B, groups) each, summed over equal scores in order of score."""
    order = np.argsort(-score if descending else score, kind="stable")
    sorted_scores = score[order]
    starts = np.flatnonzero(np.r_[True, sorted_scores[1:] != sorted_scores[:-1]])
    w, positive = W[:, order], y[order] == 1
    return (
        np.add.reduceat(np.where(positive, w, 0), starts, axis=1),
        np.add.reduceat(np.where(positive, 0, w), starts, axis=1),
    )


@metric("auc", "AUC")
def auc(y: Labels, score: Array, W: Array) -> Array:
    """Area under the ROC curve: P(positive above negative) + P(tie) / 2 (Hanley and McNeil 1982)."""
    out = np.empty(len(W))
    for start in range(0, len(W), BLOCK):
        p, q = _tied_sums(y, score, W[start : start + BLOCK], descending=False)
        below = np.cumsum(q, axis=1) - q
        out[start : start + BLOCK] = _ratio((p * (below + q / 2)).sum(axis=1), p.sum(axis=1) * q.sum(axis=1))
    return out


def fold_aucs(y: Labels, scores: Array, fold: Labels, W: Array) -> Array:
    """(folds, B) the AUC of each test fold of each repeat; y (n,), scores and fold (R, n), W (B, n) as above.

    Rows without a score (NaN) are passed over, and folds that then lack a class are left out.
    """
    out = []
    for score, row in zip(scores, fold, strict=True):
        known = np.isfinite(score)
        for f in np.unique(row[row >= 0]):
            inside = np.flatnonzero((row == f) & known)
            if len(np.unique(y[inside])) == 2:
                out.append(auc(y[inside], score[inside], W[:, inside]))
    return np.array(out).reshape(-1, len(W))


def mean_fold_auc(y: Labels, scores: Array, fold: Labels) -> float:
    """The AUC by fold.

    Parameters
    ----------
    y : (n,) 0 or 1
    scores, fold : (R, n) by repeat; NaN and -1 where there is no score

    Returns
    -------
    The mean over repeats and folds with both classes, NaN where there are none.
    """
    aucs = fold_aucs(y, scores, fold, ones(len(y)))
    return float(aucs.mean()) if len(aucs) else float("nan")


@metric("average_precision", "Average precision")
def average_precision(y: Labels, score: Array, W: Array) -> Array:
    """Sum of precision times the step in recall, from the highest score down."""
    p, q = _tied_sums(y, score, W, descending=True)
    tp, total = np.cumsum(p, axis=1), np.cumsum(p + q, axis=1)
    precision = np.divide(tp, total, out=np.zeros_like(tp), where=total > 0)
    return _ratio((p * precision).sum(axis=1), p.sum(axis=1))


def confusion(
    y: Labels, score: Array, W: Array, threshold: Array | float = THRESHOLD
) -> tuple[Array, Array, Array, Array]:
    """(true positives, false positives, true negatives, false negatives); positive is score >= threshold."""
    called, positive = score >= threshold, y == 1
    tp, fp, tn, fn = (
        W @ part.astype(float)
        for part in (called & positive, called & ~positive, ~called & ~positive, ~called & positive)
    )
    return tp, fp, tn, fn


@metric("accuracy", "Accuracy", needs_threshold=True)
def accuracy(y: Labels, score: Array, W: Array, threshold: Array | float = THRESHOLD) -> Array:
    """Share of right calls."""
    tp, fp, tn, fn = confusion(y, score, W, threshold)
    return _ratio(tp + tn, tp + fp + tn + fn)


@metric("balanced_accuracy", "Balanced accuracy", needs_threshold=True)
def balanced_accuracy(y: Labels, score: Array, W: Array, threshold: Array | float = THRESHOLD) -> Array:
    """Mean of sensitivity and specificity."""
    return (sensitivity(y, score, W, threshold) + specificity(y, score, W, threshold)) / 2


@metric("sensitivity", "Sensitivity", needs_threshold=True)
def sensitivity(y: Labels, score: Array, W: Array, threshold: Array | float = THRESHOLD) -> Array:
    """Share of positives that are called positive."""
    tp, _, _, fn = confusion(y, score, W, threshold)
    return _ratio(tp, tp + fn)


@metric("specificity", "Specificity", needs_threshold=True)
def specificity(y: Labels, score: Array, W: Array, threshold: Array | float = THRESHOLD) -> Array:
    """Share of negatives that are called negative."""
    _, fp, tn, _ = confusion(y, score, W, threshold)
    return _ratio(tn, tn + fp)


@metric("f1", "F1", needs_threshold=True)
def f1(y: Labels, score: Array, W: Array, threshold: Array | float = THRESHOLD) -> Array:
    """Harmonic mean of precision and sensitivity; 0 where nothing is called positive."""
    tp, fp, _, fn = confusion(y, score, W, threshold)
    return _ratio(2 * tp, 2 * tp + fp + fn)


@metric("brier", "Brier score")
def brier(y: Labels, score: Array, W: Array) -> Array:
    """Mean squared distance of the score from the label (Brier 1950)."""
    return _ratio(W @ np.square(score - y), W.sum(axis=1))


@metric("log_loss", "Log loss")
def log_loss(y: Labels, score: Array, W: Array) -> Array:
    """Mean negative log likelihood, scores clipped to 1e-7 ... 1 - 1e-7."""
    s = np.clip(score, 1e-7, 1 - 1e-7)
    return _ratio(W @ -(y * np.log(s) + (1 - y) * np.log1p(-s)), W.sum(axis=1))


def ones(n: int) -> Array:
    """The weights of the plain estimate: (1, n)."""
    return np.ones((1, n))


def youden_threshold(y: Labels, score: Array) -> float:
    """The score that maximises sensitivity + specificity - 1 (Youden 1950), midway to the next lower score."""
    cuts = np.unique(score)
    p, q = (part[0] for part in _tied_sums(y, score, ones(len(y)), descending=False))
    tp, fp = (part.sum() - np.cumsum(part) + part for part in (p, q))  # called positive at each cut
    best = int(np.argmax(tp * q.sum() - fp * p.sum()))  # whole numbers: equal gains tie exactly
    return float(cuts[best] if best == 0 else (cuts[best] + cuts[best - 1]) / 2)
