"""The best of many: the highest of several AUCs beside what the highest would be if no score knew anything of the label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics import Array, Labels
from evaluation.audit.results.scores import Scores

PERMUTATIONS = 1000


@dataclass(kw_only=True)
class Best:
    """The highest of several patient-level AUCs, and the highest under shuffled labels.

    Parameters
    ----------
    model : the result
    auc : its AUC
    results : how many there are
    by_fold : whether the AUCs are those by fold, where every result has them
    expected, upper : mean and 95th percentile of the highest AUC under shuffled labels
    permutations : shuffles
    reached : how many of them are as high
    p : (reached + 1) / (permutations + 1)
    """

    model: str
    auc: float
    results: int
    by_fold: bool
    expected: float
    upper: float
    permutations: int
    reached: int
    p: float


def best_of(models: Sequence[Scores], *, permutations: int = PERMUTATIONS, seed: int = 0) -> Best:
    """The highest patient-level AUC of several models, and the highest under shuffled labels (Westfall and Young 1993).

    All models get the same shuffled labels of the patients, so that models that resemble each other count as few. The scores
    stay as they are: what a training that sees the labels does to them is not part of it.

    Parameters
    ----------
    models : at least one
    permutations : shuffles of the labels
    seed : of the shuffles
    """
    labels = {p: int(y) for s in models for p, y in zip(s.patients, s.y, strict=True)}
    at = {p: i for i, p in enumerate(labels)}
    y = np.array(list(labels.values()))
    Y = np.vstack([y, np.random.default_rng(seed).permuted(np.tile(y, (permutations, 1)), axis=1)]).astype(float)
    by_fold = not any(s.no_folds for s in models)
    aucs = [_aucs(s, Y[:, [at[p] for p in s.patients]], by_fold=by_fold) for s in models]
    highest = np.max(aucs, axis=0)
    null, observed = highest[1:], float(highest[0])
    reached = int((null >= observed - 1e-9).sum())  # sums of the same ranks in another order differ in the last digits
    return Best(
        model=models[int(np.argmax([a[0] for a in aucs]))].model,
        auc=observed,
        results=len(models),
        by_fold=by_fold,
        expected=float(null.mean()),
        upper=float(np.quantile(null, 0.95)),
        permutations=permutations,
        reached=reached,
        p=(1 + reached) / (1 + permutations),
    )


def _aucs(s: Scores, Y: Array, *, by_fold: bool) -> Array:
    """(B,) the AUC of a model under each of B labellings Y : (B, P), averaged over its rankings: folds, or whole repeats."""
    from scipy.stats import rankdata

    total, rankings = np.zeros(len(Y)), np.zeros(len(Y))
    folds: Labels = s.fold if by_fold else np.where(np.isfinite(s.scores), 0, -1)
    for score, fold in zip(s.scores, folds, strict=True):
        for k in np.unique(fold[fold >= 0]):
            drawn, ranks = Y[:, fold == k], rankdata(score[fold == k])
            m = drawn.sum(axis=1)
            pairs = m * (len(ranks) - m)
            wins = drawn @ ranks - m * (m + 1) / 2
            # a ranking of a single class has no AUC; where none has one, 0.5 stands
            total += np.divide(wins, pairs, out=np.zeros(len(Y)), where=pairs > 0)
            rankings += pairs > 0
    return np.asarray(np.divide(total, rankings, out=np.full(len(Y), 0.5), where=rankings > 0))
