"""The figures of an audit: AUCs of rows and of patients, and what counting rows as patients does to an interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics import Array, auc, ones
from evaluation.audit.results.scores import NoFolds, Scores
from evaluation.statistics.delong import delong_interval
from evaluation.statistics.intervals import bootstrap_weights, fold_auc, fold_power, percentile_interval
from evaluation.statistics.power import FEW_PATIENTS, PowerLine, power_line

_BLOCK = 4_000_000  # weights held at once
NAN = float("nan")


@dataclass(kw_only=True)
class Figures:
    """What one model of a predictions file reaches; NaN where there are fewer than FEW_PATIENTS in a class.

    Parameters
    ----------
    model : its name
    rows, patients, positives, repeats : how many
    baseline : whether this is the baseline of this project, no candidate for the highest
    most_rows : of a patient in one repeat
    no_folds : why there is no AUC by fold, None where there is
    row_auc : all rows of a repeat in one ranking, averaged over repeats
    naive_low, naive_high : its interval if rows were independent (DeLong), averaged alike
    row_low, row_high : its interval from patients, drawn with their rows (bootstrap)
    too_narrow : width of the second over the first
    auc, low, high : of patients, the mean of a patient's rows in each repeat, averaged over repeats; patient bootstrap
    fold_auc, fold_low, fold_high, fold_p : mean AUC of the test folds, patients, as `intervals.fold_auc` has it
    half_width, detectable : the power line of fold_auc, and without folds of auc
    """

    model: str
    rows: int
    patients: int
    positives: int
    repeats: int
    baseline: bool
    most_rows: int
    no_folds: NoFolds | None
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
    fold_low: float = NAN
    fold_high: float = NAN
    fold_p: float = NAN
    half_width: float = NAN
    detectable: float = NAN

    @property
    def lead(self) -> tuple[float, float, float]:
        """The AUC that speaks for the model, with its interval: by fold, or of patients where there are no folds."""
        if np.isnan(self.fold_auc):
            return self.auc, self.low, self.high
        return self.fold_auc, self.fold_low, self.fold_high

    @property
    def smaller_class(self) -> int:
        """Patients in it."""
        return min(self.positives, self.patients - self.positives)


def figures(s: Scores, *, replicates: int = 2000, seed: int = 0) -> Figures:
    """The figures of one model.

    Parameters
    ----------
    s : its scores
    replicates : of the bootstrap, each of which draws patients within their class, with all their rows and repeats
    seed : of the bootstrap
    """
    out = Figures(
        model=s.model,
        rows=len(s.rows),
        patients=len(s.patients),
        positives=int(s.y.sum()),
        repeats=len(s.scores),
        baseline=s.baseline,
        most_rows=int(np.bincount(s.rows * len(s.scores) + s.row_repeat).max(initial=0)),
        no_folds=s.no_folds,
    )
    if out.smaller_class < FEW_PATIENTS:
        return out
    of_rows, of_patients = _bootstrap(s, replicates, seed)
    _naive(out, s)
    out.row_low, out.row_high = percentile_interval(of_rows)
    if out.naive_high > out.naive_low and out.row_high > out.row_low:
        out.too_narrow = (out.row_high - out.row_low) / (out.naive_high - out.naive_low)
    out.auc = float(_mean_auc(s, ones(len(s.y)))[0])
    out.low, out.high = percentile_interval(of_patients)
    power = _by_fold(out, s)
    out.half_width, out.detectable = power.half_width, power.detectable
    return out


def _repeats(s: Scores) -> list[NDArray[np.intp]]:
    """The rows of each repeat."""
    return [np.flatnonzero(s.row_repeat == r) for r in range(len(s.scores))]


def _bootstrap(s: Scores, replicates: int, seed: int) -> tuple[Array, Array]:
    """(replicates,) AUCs of rows and of patients, patients drawn."""
    row_y = s.y[s.rows]
    rng, draws, done = np.random.default_rng(seed), [], 0
    while done < replicates:
        n = min(replicates - done, max(1, _BLOCK // len(s.rows)))
        W = bootstrap_weights(s.y, n, rng)
        of_repeats = [auc(row_y[at], s.row_scores[at], W[:, s.rows[at]]) for at in _repeats(s)]
        draws.append((np.mean(of_repeats, axis=0), _mean_auc(s, W)))
        done += n
    of_rows, of_patients = (np.concatenate(part) for part in zip(*draws, strict=True))
    return of_rows, of_patients


def _naive(out: Figures, s: Scores) -> None:
    """The AUC of rows and its interval if rows were independent, where every repeat has two rows of each class."""
    row_y, repeats = s.y[s.rows], _repeats(s)
    naive = [
        delong_interval(row_y[at], s.row_scores[at]) for at in repeats if min(np.bincount(row_y[at], minlength=2)) > 1
    ]
    if len(naive) == len(repeats):
        out.row_auc, out.naive_low, out.naive_high = (float(x) for x in np.mean(naive, axis=0))


def _by_fold(out: Figures, s: Scores) -> PowerLine:
    """The AUC by fold, where there are folds; and the power line, of it or of patients."""
    positives, negatives = out.positives, out.patients - out.positives
    if s.no_folds:
        return power_line(out.auc, positives, negatives)
    by = fold_auc(s.y, _as_probabilities(s.scores), s.fold)
    out.fold_auc, out.fold_low, out.fold_high, out.fold_p = by.auc, by.low, by.high, by.p
    return fold_power(by, float(np.mean([len(np.unique(row[row >= 0])) for row in s.fold])), positives, negatives)


def _as_probabilities(scores: Array) -> Array:
    """Scores in 0 ... 1, which logits are taken of: as they are, or where some lie outside, their ranks."""
    from scipy.stats import rankdata

    known = np.isfinite(scores)
    if scores[known].min() >= 0 and scores[known].max() <= 1:
        return scores
    out = np.full(scores.shape, NAN)
    out[known] = rankdata(scores[known]) / (known.sum() + 1)
    return out


def _mean_auc(s: Scores, W: Array) -> Array:
    """(B,) AUC of patients, averaged over repeats."""
    known = np.isfinite(s.scores)
    return np.asarray(
        np.mean([auc(s.y[k], score[k], W[:, k]) for score, k in zip(s.scores, known, strict=True)], axis=0)
    )
