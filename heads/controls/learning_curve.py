"""Learning curves: the same test folds, scored by heads that were trained on a part of the training patients."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from core.aggregate import aggregate
from core.metrics import auc, ones
from heads.base import Head
from heads.crossfit import FoldScores, Rows, cross_fit
from heads.folds import Fold, RowSplit, row_splits

SHARES = (0.25, 0.5, 0.75, 1.0)
_LEAST = 2  # patients of a class to train on


class LearningRow(NamedTuple):
    """A row of learning.csv: the AUC of one fold by a head that was trained on a share of its training patients.

    patients, tested : how many of the table trained and were tested; auc : "" where the fold lacks a class
    """

    run: str
    head: str
    sequence: str
    share: float
    patients: int
    tested: int
    repeat: int
    fold: int
    auc: float | str


def learning_curve(
    run: str,
    heads: Sequence[Head],
    tables: Sequence[Rows],
    labels: Mapping[str, int],
    folds: Sequence[Fold],
    sizes: Sequence[float] = SHARES,
    *,
    seed: int,
    jobs: int = 1,
    aggregator: str = "mean",
) -> list[LearningRow]:
    """The AUC of every head on every table, fold by fold, for each size of the training set.

    With all training patients the scores are those of `cross_fit` with the same seed.

    Parameters
    ----------
    run : name of the run
    heads, tables, labels, folds, seed, jobs : as in `cross_fit`
    sizes : shares of the training patients, above 0 and at most 1
    aggregator : slice scores to patient score

    Returns
    -------
    A row per share, head, table and fold.

    Raises
    ------
    ValueError : a share is not above 0 and at most 1
    """
    if not all(0 < share <= 1 for share in sizes):
        raise ValueError(
            f"shares of training patients {', '.join(map(str, sizes))}; expected numbers above 0, at most 1"
        )
    by_name = {t.sequence: t for t in tables}
    rows = []
    for share in sizes:
        chosen = {(f.repeat, f.fold): set(training_patients(f, labels, share, seed)) for f in folds}
        splits = {t.sequence: [_part(s, t, chosen) for s in row_splits(folds, t.patient, t.view)] for t in tables}
        counts = {(t.sequence, s.repeat, s.fold): _counts(s, t) for t in tables for s in splits[t.sequence]}
        for r in cross_fit(heads, tables, labels, splits, seed=seed, jobs=jobs):
            trained, tested = counts[r.sequence, r.repeat, r.fold]
            found = patient_auc(r, by_name[r.sequence], labels, aggregator)
            rows.append(
                LearningRow(
                    run=run,
                    head=r.head,
                    sequence=r.sequence,
                    share=share,
                    patients=trained,
                    tested=tested,
                    repeat=r.repeat,
                    fold=r.fold,
                    auc="" if math.isnan(found) else found,
                )
            )
    return rows


def patient_auc(result: FoldScores, table: Rows, labels: Mapping[str, int], aggregator: str) -> float:
    """The AUC over the test patients of one fold, NaN where it lacks a class.

    Parameters
    ----------
    result : scores of rows of the table
    table : whose rows they are
    labels : {patient: 0 or 1}
    aggregator : slice scores to patient score
    """
    joined = aggregate(result.scores, table.patient[result.rows], aggregator)
    y = np.array([labels[patient] for patient, _, _ in joined], int)
    return float(auc(y, np.array([score for _, score, _ in joined]), ones(len(y)))[0])


def training_patients(fold: Fold, labels: Mapping[str, int], share: float, seed: int) -> list[str]:
    """A share of the patients that train in this fold, of each class alike (at least two of each, if there are).

    A smaller share is part of every larger one, so that sizes differ by the patients that are added and by nothing else.
    """
    rng = np.random.default_rng((seed, fold.repeat, fold.fold))
    out: list[str] = []
    for label in (0, 1):
        mine = rng.permutation(sorted(p for p in labels if labels[p] == label and p not in fold.test))
        out += mine[: max(_LEAST, round(share * len(mine)))].tolist()
    return sorted(out)


def _part(split: RowSplit, table: Rows, chosen: Mapping[tuple[int, int], set[str]]) -> RowSplit:
    mine = chosen[split.repeat, split.fold]
    inside = np.array([p in mine for p in table.patient[split.train]], bool)
    return RowSplit(split.repeat, split.fold, split.train[inside], split.test)


def _counts(split: RowSplit, table: Rows) -> tuple[int, int]:
    return len(set(table.patient[split.train])), len(set(table.patient[split.test]))
