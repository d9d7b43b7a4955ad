"""The figures of an audit: AUCs of rows and of patients, what counting rows does to an interval, and the best of many."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.delong import delong_interval
from evaluation.foreign import Foreign
from evaluation.intervals import bootstrap_weights, cross_validated_auc, percentile_interval
from evaluation.metrics import Array, Labels, auc, ones
from evaluation.power import FEW_PATIENTS

PERMUTATIONS = 1000
_BLOCK = 4_000_000  # weights held at once
NAN = float("nan")


@dataclass
class Figures:
    """What one model of a predictions file reaches; NaN where there are fewer than FEW_PATIENTS in a class.

    row_auc : all rows in one ranking; naive_low, naive_high : its 95 % interval if rows were independent (DeLong);
    row_low, row_high : the same from patients, their rows together (bootstrap); too_narrow : width of the second over the first
    auc, low, high : of patients, the mean of a patient's rows in each repeat, averaged over repeats; patient bootstrap
    fold_auc : mean AUC of the test folds, patients; NaN without folds, or where patients are in several
    """

    model: str
    rows: int
    patients: int
    positives: int
    repeats: int
    row_auc: float = NAN
    naive_low: float = NAN
    naive_high: float = NAN
    row_low: float = NAN
    row_high: float = NAN
    too_narrow: float = NAN
    auc: float = NAN
    low: float = NAN
    high: float = NAN
    fold_auc: float = NAN

    @property
    def smaller_class(self) -> int:
        """Patients in it."""
        return min(self.positives, self.patients - self.positives)


@dataclass
class Best:
    """The highest of several patient-level AUCs beside what the highest would be if no score knew anything of the label.

    expected, upper : mean and 95th percentile of the highest AUC under shuffled labels; p : how often it is as high
    """

    model: str
    auc: float
    results: int
    expected: float
    upper: float
    p: float


@dataclass
class Scores:
    """Patient scores of one model. patients : P names; y : (P,) 0/1; scores : (R, P) by repeat, NaN where not tested;
    fold : (R, P), -1 where not tested or in several folds; rows, row_scores : (n,) patient index and score of each row."""

    model: str
    patients: list[str]
    y: Labels
    scores: Array
    fold: Labels
    rows: NDArray[np.intp]
    row_scores: Array


def scores_of(f: Foreign, untested: Set[str] = frozenset()) -> list[Scores]:
    """One `Scores` per model, from the rows of the reported part with a label and a score.

    Patients with both labels are left out, and those of `untested`, whom split files name and never test.
    """
    bad, part = {*f.contradictory, *untested}, f.reported
    usable = [
        np.isfinite(s) and y >= 0 and (q or "test") == part and p not in bad
        for s, y, q, p in zip(f.score, f.y, f.part, f.patient, strict=True)
    ]
    out = []
    for model in dict.fromkeys(f.model):
        at = np.array([i for i, use in enumerate(usable) if use and f.model[i] == model], int)
        patients, index = np.unique(np.array(f.patient, object)[at].astype(str), return_inverse=True)
        _, repeat = np.unique(np.array(f.repeat, object)[at].astype(str), return_inverse=True)
        names, fold = np.unique(np.array(f.fold, object)[at].astype(str), return_inverse=True)
        shape = (int(repeat.max(initial=0)) + 1, len(patients))
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, (repeat, index), f.score[at])
        np.add.at(count, (repeat, index), 1)
        mean = np.divide(total, count, out=np.full(shape, NAN), where=count > 0)
        lowest, highest = np.full(shape, len(names)), np.full(shape, -1)
        np.minimum.at(lowest, (repeat, index), fold)
        np.maximum.at(highest, (repeat, index), fold)
        y = np.zeros(len(patients), int)
        y[index] = f.y[at]
        one_fold = np.where(lowest == highest, lowest, -1)
        out.append(Scores(model, [str(p) for p in patients], y, mean, one_fold, index, f.score[at]))
    return out


def figures(s: Scores, *, replicates: int = 2000, seed: int = 0) -> Figures:
    """The figures of one model; a replicate draws patients within their class, with all their rows and repeats."""
    out = Figures(s.model, len(s.rows), len(s.patients), int(s.y.sum()), len(s.scores))
    if out.smaller_class < FEW_PATIENTS:
        return out
    row_y = s.y[s.rows]
    rng, draws, done = np.random.default_rng(seed), [], 0
    while done < replicates:
        n = min(replicates - done, max(1, _BLOCK // len(s.rows)))
        W = bootstrap_weights(s.y, n, rng)
        draws.append((auc(row_y, s.row_scores, W[:, s.rows]), _mean_auc(s, W)))
        done += n
    of_rows, of_patients = (np.concatenate(part) for part in zip(*draws, strict=True))
    out.row_auc, out.naive_low, out.naive_high = delong_interval(row_y, s.row_scores)
    out.row_low, out.row_high = percentile_interval(of_rows)
    if out.naive_high > out.naive_low and out.row_high > out.row_low:
        out.too_narrow = (out.row_high - out.row_low) / (out.naive_high - out.naive_low)
    out.auc = float(_mean_auc(s, ones(len(s.y)))[0])
    out.low, out.high = percentile_interval(of_patients)
    if s.fold.max() > 0 and ((s.fold >= 0) == np.isfinite(s.scores)).all():
        out.fold_auc = cross_validated_auc(s.y, s.scores, s.fold)[0]
    return out


def best_of(models: Sequence[Scores], *, permutations: int = PERMUTATIONS, seed: int = 0) -> Best:
    """The highest patient-level AUC of several models, and the highest under shuffled labels (Westfall and Young 1993).

    All models get the same shuffled labels of the patients, so that models that resemble each other count as few. The scores
    stay as they are: what a training that sees the labels does to them is not part of it.
    """
    from scipy.stats import rankdata

    labels = {p: int(y) for s in models for p, y in zip(s.patients, s.y, strict=True)}
    at = {p: i for i, p in enumerate(labels)}
    y = np.array(list(labels.values()))
    Y = np.vstack([y, np.random.default_rng(seed).permuted(np.tile(y, (permutations, 1)), axis=1)]).astype(float)
    aucs = []  # (1 + permutations,) for each model, the first with the true labels
    for s in models:
        mine = Y[:, [at[p] for p in s.patients]]
        repeats = []
        for score in s.scores:
            known = np.isfinite(score)
            drawn, ranks = mine[:, known], rankdata(score[known])
            m = drawn.sum(axis=1)
            pairs = m * (known.sum() - m)
            wins = drawn @ ranks - m * (m + 1) / 2
            repeats.append(np.divide(wins, pairs, out=np.full(len(Y), NAN), where=pairs > 0))
        aucs.append(np.mean(repeats, axis=0))
    highest = np.nanmax(np.array(aucs), axis=0)
    null, observed = highest[1:], float(highest[0])
    first = int(np.nanargmax([a[0] for a in aucs]))
    p = (1 + int((null >= observed - 1e-12).sum())) / (1 + permutations)
    return Best(models[first].model, observed, len(models), float(null.mean()), float(np.quantile(null, 0.95)), p)


def _mean_auc(s: Scores, W: Array) -> Array:
    """(B,) AUC of patients, averaged over repeats."""
    known = np.isfinite(s.scores)
    return np.asarray(
        np.mean([auc(s.y[k], score[k], W[:, k]) for score, k in zip(s.scores, known, strict=True)], axis=0)
    )
