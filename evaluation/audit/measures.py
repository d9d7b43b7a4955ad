"""The figures of an audit: AUCs of rows and of patients, what counting rows does to an interval, and the best of many."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics import Array, Labels, auc, ones
from evaluation.audit.ids import natural
from evaluation.audit.reader import Foreign
from evaluation.statistics.delong import delong_interval
from evaluation.statistics.intervals import bootstrap_weights, fold_auc, fold_power, percentile_interval
from evaluation.statistics.power import FEW_PATIENTS, power_line

PERMUTATIONS = 1000
BASELINE = "shortcuts"  # the sequence of this project's baseline in its predictions.csv, which is no candidate
_BLOCK = 4_000_000  # weights held at once
NAN = float("nan")


@dataclass
class Figures:
    """What one model of a predictions file reaches; NaN where there are fewer than FEW_PATIENTS in a class.

    baseline : whether this is the baseline of this project, no candidate; most_rows : of a patient in one repeat
    row_auc : all rows of a repeat in one ranking, averaged over repeats, as is its interval if rows were independent, naive_low,
    naive_high (DeLong); row_low, row_high : the same from patients, their rows together (bootstrap)
    too_narrow : width of the second over the first
    auc, low, high : of patients, the mean of a patient's rows in each repeat, averaged over repeats; patient bootstrap
    fold_auc, fold_low, fold_high, fold_p : mean AUC of the test folds, patients, as `intervals.fold_auc` has it; NaN without
    folds, or where patients are in several, for which no_folds gives the reason
    half_width, detectable : the power line of fold_auc, and without folds of auc
    """

    model: str
    rows: int
    patients: int
    positives: int
    repeats: int
    baseline: bool
    most_rows: int
    no_folds: str
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


@dataclass
class Best:
    """The highest of several patient-level AUCs beside what the highest would be if no score knew anything of the label.

    by_fold : whether the AUCs are those by fold, where every result has them; expected, upper : mean and 95th percentile of the
    highest AUC under shuffled labels; reached : how many of `permutations` shuffles are as high; p : (reached + 1) / (permutations + 1)
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


@dataclass
class Scores:
    """Patient scores of one model. patients : P names; y : (P,) 0/1; scores : (R, P) by repeat, NaN where not tested;
    fold : (R, P), -1 where not tested or in several folds; rows, row_repeat, row_scores : (n,) of each row."""

    model: str
    patients: list[str]
    y: Labels
    scores: Array
    fold: Labels
    rows: NDArray[np.intp]
    row_repeat: NDArray[np.intp]
    row_scores: Array

    @property
    def baseline(self) -> bool:
        """Whether this is the baseline of this project."""
        return BASELINE in self.model.split(", ")

    @property
    def no_folds(self) -> str:
        """Why there is no AUC by fold; '' where there is."""
        if ((self.fold < 0) & np.isfinite(self.scores)).any():
            return "patients lie in several folds of one repeat"
        if all(len(np.unique(row[row >= 0])) < 2 for row in self.fold):
            return "the rows that count name no folds, or one"
        pairs = {(r, k, y) for r, row in enumerate(self.fold) for k, y in zip(row, self.y, strict=True) if k >= 0}
        return "" if any((r, k, 1 - y) in pairs for r, k, y in pairs) else "no fold has both classes"


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
        repeat, fold = (_numbered(cells[i] for i in at) for cells in (f.repeat, f.fold))
        shape = (int(repeat.max(initial=0)) + 1, len(patients))
        total, count = np.zeros(shape), np.zeros(shape)
        np.add.at(total, (repeat, index), f.score[at])
        np.add.at(count, (repeat, index), 1)
        mean = np.divide(total, count, out=np.full(shape, NAN), where=count > 0)
        lowest, highest = np.full(shape, len(at)), np.full(shape, -1)
        np.minimum.at(lowest, (repeat, index), fold)
        np.maximum.at(highest, (repeat, index), fold)
        y = np.zeros(len(patients), int)
        y[index] = f.y[at]
        one_fold = np.where(lowest == highest, lowest, -1)
        out.append(Scores(model, [str(p) for p in patients], y, mean, one_fold, index, repeat, f.score[at]))
    return out


def figures(s: Scores, *, replicates: int = 2000, seed: int = 0) -> Figures:
    """The figures of one model; a replicate draws patients within their class, with all their rows and repeats."""
    most = int(np.bincount(s.rows * len(s.scores) + s.row_repeat).max(initial=0))
    out = Figures(
        s.model, len(s.rows), len(s.patients), int(s.y.sum()), len(s.scores), s.baseline, most, s.no_folds
    )  # fmt: skip
    if out.smaller_class < FEW_PATIENTS:
        return out
    row_y = s.y[s.rows]
    repeats = [np.flatnonzero(s.row_repeat == r) for r in range(len(s.scores))]
    rng, draws, done = np.random.default_rng(seed), [], 0
    while done < replicates:
        n = min(replicates - done, max(1, _BLOCK // len(s.rows)))
        W = bootstrap_weights(s.y, n, rng)
        of_repeats = [auc(row_y[at], s.row_scores[at], W[:, s.rows[at]]) for at in repeats]
        draws.append((np.mean(of_repeats, axis=0), _mean_auc(s, W)))
        done += n
    of_rows, of_patients = (np.concatenate(part) for part in zip(*draws, strict=True))
    naive = [
        delong_interval(row_y[at], s.row_scores[at]) for at in repeats if min(np.bincount(row_y[at], minlength=2)) > 1
    ]
    if len(naive) == len(repeats):
        out.row_auc, out.naive_low, out.naive_high = (float(x) for x in np.mean(naive, axis=0))
    out.row_low, out.row_high = percentile_interval(of_rows)
    if out.naive_high > out.naive_low and out.row_high > out.row_low:
        out.too_narrow = (out.row_high - out.row_low) / (out.naive_high - out.naive_low)
    out.auc = float(_mean_auc(s, ones(len(s.y)))[0])
    out.low, out.high = percentile_interval(of_patients)
    positives, negatives = out.positives, out.patients - out.positives
    if s.no_folds:
        power = power_line(out.auc, positives, negatives)
    else:
        by = fold_auc(s.y, _as_probabilities(s.scores), s.fold)
        out.fold_auc, out.fold_low, out.fold_high, out.fold_p = by.auc, by.low, by.high, by.p
        power = fold_power(by, float(np.mean([len(np.unique(row[row >= 0])) for row in s.fold])), positives, negatives)
    out.half_width, out.detectable = power.half_width, power.detectable
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
    by_fold = not any(s.no_folds for s in models)
    for s in models:
        mine = Y[:, [at[p] for p in s.patients]]
        total, rankings = (
            np.zeros(len(Y)),
            np.zeros(len(Y)),
        )  # one of a single class has no AUC; none at all counts as 0.5
        for score, fold in zip(s.scores, s.fold if by_fold else np.where(np.isfinite(s.scores), 0, -1), strict=True):
            for k in np.unique(fold[fold >= 0]):
                drawn, ranks = mine[:, fold == k], rankdata(score[fold == k])
                m = drawn.sum(axis=1)
                pairs = m * (len(ranks) - m)
                wins = drawn @ ranks - m * (m + 1) / 2
                total += np.divide(wins, pairs, out=np.zeros(len(Y)), where=pairs > 0)
                rankings += pairs > 0
        aucs.append(np.divide(total, rankings, out=np.full(len(Y), 0.5), where=rankings > 0))
    highest = np.max(aucs, axis=0)
    null, observed = highest[1:], float(highest[0])
    first = int(np.argmax([a[0] for a in aucs]))
    reached = int((null >= observed - 1e-9).sum())  # sums of the same ranks in another order differ in the last digits
    return Best(
        models[first].model, observed, len(models), by_fold, float(null.mean()), float(np.quantile(null, 0.95)), permutations,
        reached, (1 + reached) / (1 + permutations),
    )  # fmt: skip


def _numbered(cells: Iterable[str]) -> NDArray[np.intp]:
    """(n,) the place of each cell among the different ones, in natural order."""
    cells = list(cells)
    at = {cell: i for i, cell in enumerate(sorted(set(cells), key=lambda c: (natural(c), c)))}
    return np.array([at[cell] for cell in cells], np.intp)


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
