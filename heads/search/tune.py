"""Nested tuning: hyper-parameters, sequence, slices, aggregator, head and threshold are chosen on inner folds of the
training patients; the fold that is reported is scored once, by what was chosen (Varma and Simon, BMC Bioinformatics
2006).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from core.aggregate import aggregate
from core.metrics import auc, log_loss, ones, youden_threshold
from heads.base import Fitted, Head
from heads.crossfit import FoldScores, SliceRows, cross_fit, refit
from heads.folds import Fold, RowSplit, patient_folds, row_splits
from heads.search.space import Configuration, Key, draw

INNER_FOLDS = 3
EVERYBODY = Fold(-1, -1, ())  # nobody is held back: the choice for the heads that meet new patients


class PatientScore(NamedTuple):
    """The score of a test patient, of how many rows, and from which sequence."""

    patient: str
    score: float
    rows: int
    sequence: str


@dataclass(frozen=True)
class Trial:
    """A configuration on the inner folds, at patient level: mean AUC of the folds, log loss and threshold of all their
    scores together. NaN, and the `problem` in words, where it could not be fitted or judged."""

    configuration: Configuration
    auc: float = math.nan
    log_loss: float = math.nan
    threshold: float = math.nan
    problem: str = ""

    @property
    def rank(self) -> tuple[float, float]:
        """The lower the better: AUC, then log loss; what could not be judged comes last."""
        # Rounded, since means of the same pairs in another order may differ in the last digit.
        return (math.inf, math.inf) if math.isnan(self.auc) else (-round(self.auc, 9), self.log_loss)


@dataclass
class Choice:
    """What one head tried in one outer fold, and the scores of the outer test patients.

    best : index of the chosen trial; scores : of the chosen configuration, then of those that stand in for patients
    who lack its sequence; patients : the test patients; fitted : for `EVERYBODY` alone
    """

    head: str
    repeat: int
    fold: int
    trials: list[Trial]
    best: int
    scores: list[tuple[Configuration, FoldScores]] = field(default_factory=list)
    patients: list[PatientScore] = field(default_factory=list)
    fitted: Fitted | None = None

    @property
    def chosen(self) -> Trial:
        """The best trial: highest AUC, then lowest log loss, then first drawn."""
        return self.trials[self.best]


def tune(
    heads: Sequence[Head],
    tables: Mapping[Key, SliceRows],
    labels: Mapping[str, int],
    folds: Sequence[Fold],
    aggregators: Sequence[str],
    *,
    draws: int,
    seed: int,
    jobs: int = 1,
    groups: Mapping[str, str] | None = None,
) -> list[Choice]:
    """For each head: a choice per outer fold, and one for `EVERYBODY` with the head refitted on all patients.

    The configurations drawn depend on seed, head, repeat and fold alone, the result not on `jobs`.

    Parameters
    ----------
    heads : with the hyper-parameters of the default configurations
    tables : one per sequence and slice selection, the default one first
    labels : {patient: 0 or 1}
    folds : the outer ones, whose test patients no choice sees
    aggregators : the default one first
    draws : configurations of each head in each fold
    groups : patients that inner folds must keep together, as for `patient_folds`

    Returns
    -------
    A choice per head and outer fold, and one more per head.

    Raises
    ------
    ValueError : a fold has too few training patients for inner folds, or no configuration can be fitted
    """
    from joblib import Parallel, delayed

    tasks = [(head, fold) for head in heads for fold in (*folds, EVERYBODY)]
    return list(
        Parallel(n_jobs=jobs)(
            delayed(_choose)(head, fold, tables, labels, aggregators, draws, seed, groups) for head, fold in tasks
        )
    )


def best_heads(choices: Sequence[Choice]) -> list[Choice]:
    """In each outer fold the choice of the head whose chosen trial ranks best; the first of the heads where they tie."""
    best: dict[tuple[int, int], Choice] = {}
    for c in choices:
        if (c.repeat, c.fold) not in best or c.chosen.rank < best[c.repeat, c.fold].chosen.rank:
            best[c.repeat, c.fold] = c
    return list(best.values())


def _rng(*parts: object) -> np.random.Generator:
    return np.random.default_rng(list("/".join(map(str, parts)).encode()))


def _choose(
    head: Head,
    fold: Fold,
    tables: Mapping[Key, SliceRows],
    labels: Mapping[str, int],
    aggregators: Sequence[str],
    draws: int,
    seed: int,
    groups: Mapping[str, str] | None,
) -> Choice:
    held = set(fold.test)
    training = {p: y for p, y in labels.items() if p not in held}
    inner_seed = int(_rng(seed, "inner", fold.repeat, fold.fold).integers(2**31))  # the same folds for every head
    where = f"repeat {fold.repeat}, fold {fold.fold}" if fold.test else "all patients"
    try:
        inner, _ = patient_folds(training, folds=INNER_FOLDS, repeats=1, seed=inner_seed, groups=groups)
    except ValueError as error:
        raise ValueError(f"--tune needs inner folds of the training patients ({where}): {error}") from None
    configurations = draw(head, list(tables), aggregators, draws, _rng(seed, head.name, fold.repeat, fold.fold))
    trials = [_try(c, tables[c.key], labels, fold, inner, inner_seed) for c in configurations]
    order = sorted(range(draws), key=lambda i: (trials[i].rank, i))
    choice = Choice(head=head.name, repeat=fold.repeat, fold=fold.fold, trials=trials, best=order[0])
    if math.isnan(choice.chosen.auc):
        raise ValueError(
            f"--tune: no configuration of {head.name} could be judged on inner folds ({where}); the first: {trials[0].problem}"
        )
    if not fold.test:
        best = choice.chosen.configuration
        table = tables[best.key]
        choice.fitted = refit([best.head], [table], labels, seed=seed)[head.name, best.sequence]
    else:
        _score(choice, [trials[i] for i in order], fold, tables, labels, seed)
    return choice


def _try(
    c: Configuration,
    table: SliceRows,
    labels: Mapping[str, int],
    outer: Fold,
    inner: Sequence[Fold],
    seed: int,
) -> Trial:
    train = row_splits([outer], table.patient, table.view)[0].train
    splits = [replace(s, train=np.intersect1d(s.train, train)) for s in row_splits(inner, table.patient, table.view)]
    try:
        results = cross_fit([c.head], [table], labels, {table.sequence: splits}, seed=seed)
    except ValueError as error:  # one class in training, or no convergence: such a draw is not chosen
        warned = isinstance(error.__cause__, Warning)
        return Trial(c, problem=str(error.__cause__ if warned else error))
    aucs: list[float] = []
    ys: list[int] = []
    scores: list[float] = []
    for r in results:
        joined = aggregate(r.scores, table.patient[r.rows], c.aggregate)
        y, s = [labels[p] for p, _, _ in joined], [score for _, score, _ in joined]
        ys, scores = ys + y, scores + s
        if len(set(y)) == 2:
            aucs.append(float(auc(np.array(y), np.array(s), ones(len(y)))[0]))
    if not aucs:
        return Trial(c, problem=f"no inner fold has patients of both classes with {c.sequence}")
    y_all, s_all = np.array(ys), np.array(scores)
    loss = float(log_loss(y_all, s_all, ones(len(ys)))[0])
    return Trial(c, float(np.mean(aucs)), loss, youden_threshold(y_all, s_all))


def _score(
    choice: Choice,
    ranked: Sequence[Trial],
    fold: Fold,
    tables: Mapping[Key, SliceRows],
    labels: Mapping[str, int],
    seed: int,
) -> None:
    """Fit the chosen configuration on all training patients and score the test patients.

    Where patients lack its sequence, the best of the other configurations whose sequence they have stands in; the
    chosen one on their sequence, where that was never drawn.
    """
    best = ranked[0].configuration
    candidates = [t.configuration for t in ranked if not math.isnan(t.auc)]
    candidates += [replace(best, sequence=q) for q, slices in tables if slices == best.slices]
    lacking = set(fold.test)
    for c in candidates:
        table = tables[c.key]
        (split,) = row_splits([fold], table.patient, table.view)
        test = split.test[[p in lacking for p in table.patient[split.test]]]
        if not len(test):
            continue
        own = RowSplit(fold.repeat, fold.fold, split.train, test)
        (result,) = cross_fit([c.head], [table], labels, {table.sequence: [own]}, seed=seed)
        choice.scores.append((c, result))
        joined = aggregate(result.scores, table.patient[test], c.aggregate)
        choice.patients += [PatientScore(p, score, n, c.sequence) for p, score, n in joined]
        lacking -= {p for p, _, _ in joined}
