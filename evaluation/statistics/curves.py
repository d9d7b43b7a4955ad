"""ROC and precision-recall curves of one repeat, with pointwise bands from a bootstrap over patients."""

from __future__ import annotations

import numpy as np

from core.metrics import Array, Labels
from core.predictions import Scored
from evaluation.statistics.intervals import bootstrap_weights

GRID = np.linspace(0, 1, 101)  # false positive rate, or recall, where curves are averaged
Curve = dict[str, list[float]]


def roc_and_pr(scored: Scored, patient_y: Labels, rng: np.random.Generator, replicates: int) -> tuple[Curve, Curve]:
    """ROC and precision-recall curve of repeat 0, with pointwise 95 % bands on GRID.

    Parameters
    ----------
    scored : scores of n units; patient_y : (patients,) 0/1
    rng, replicates : of the bootstrap over patients, within their class; with 0 replicates the bands are NaN

    Returns
    -------
    Two curves {x, y, grid, low, high}; empty where repeat 0 lacks a class.
    """
    known = np.isfinite(scored.scores[0])
    y, s, owner = scored.y[known], scored.scores[0][known], scored.patient[known]
    if len(np.unique(y)) < 2:
        return {}, {}
    drawn = [_on_grid(*_vertices(y, s, w[owner])) for w in bootstrap_weights(patient_y, replicates, rng)]
    nothing = np.full((2, len(GRID)), np.nan)
    bands = [np.quantile([row[k] for row in drawn], [0.025, 0.975], axis=0) if drawn else nothing for k in (0, 1)]
    fpr, tpr, precision = _vertices(y, s, np.ones(len(y)))
    roc, pr = (
        {"x": x.tolist(), "y": line.tolist(), "grid": GRID.tolist(), "low": low.tolist(), "high": high.tolist()}
        for x, line, (low, high) in zip((fpr, tpr), (tpr, precision), bands, strict=True)
    )
    return roc, pr


def _vertices(y: Labels, s: Array, w: Array) -> tuple[Array, Array, Array]:
    """False positive rate, true positive rate and precision as the threshold falls past each distinct score."""
    drawn = w > 0
    y, s, w = y[drawn], s[drawn], w[drawn]
    order = np.argsort(-s, kind="stable")
    last = np.r_[s[order][1:] != s[order][:-1], True]
    tp, fp = (np.cumsum(w[order] * (y[order] == label))[last] for label in (1, 0))
    precision = tp / np.maximum(tp + fp, 1e-12)
    return np.r_[0, fp / fp[-1]], np.r_[0, tp / tp[-1]], np.r_[precision[0], precision]


def _on_grid(fpr: Array, tpr: Array, precision: Array) -> tuple[Array, Array]:
    """True positive rate at each false positive rate of GRID, and precision at each recall."""
    rising = fpr + 1e-9 * np.arange(len(fpr)) / len(fpr)  # so that a vertical step keeps both its ends
    at_recall = np.minimum(np.searchsorted(tpr, GRID - 1e-12), len(precision) - 1)
    return np.interp(GRID + 1e-9, rising, tpr), precision[at_recall]
