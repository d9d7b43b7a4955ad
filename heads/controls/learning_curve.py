"""Learning curves: the same test folds, scored by heads that were trained on a part of the training patients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from heads.crossfit import FoldScores, Head, Rows, cross_fit
from heads.folds import Fold, RowSplit, row_splits

LEARNING_COLUMNS = ("run", "head", "sequence", "share", "patients", "tested", "repeat", "fold", "auc")
SHARES = (0.25, 0.5, 0.75, 1.0)
_LEAST = 2  # patients of a class to train on


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
    score: Callable[[FoldScores], float],
) -> list[tuple[Any, ...]]:
    """Rows in the order of LEARNING_COLUMNS: the AUC of every head on every table, fold by fold, for each share in `sizes`.

    score : the AUC over the patients of a fold, NaN (a blank in the rows) where it lacks a class. `patients` and `tested`
    count those of the table that were trained and tested on. With all training patients the scores are those of `cross_fit`
    with the same seed. Raises ValueError where a share is not above 0 and at most 1.
    """
    if not all(0 < share <= 1 for share in sizes):
        raise ValueError(
            f"shares of training patients {', '.join(map(str, sizes))}; expected numbers above 0, at most 1"
        )
    rows = []
    for share in sizes:
        chosen = {(f.repeat, f.fold): set(training_patients(f, labels, share, seed)) for f in folds}
        splits = {t.sequence: [_part(s, t, chosen) for s in row_splits(folds, t.patient, t.view)] for t in tables}
        counts = {(t.sequence, s.repeat, s.fold): _counts(s, t) for t in tables for s in splits[t.sequence]}
        for r in cross_fit(heads, tables, labels, splits, seed=seed, jobs=jobs):
            auc = score(r)
            patients = counts[r.sequence, r.repeat, r.fold]
            rows.append((run, r.head, r.sequence, share, *patients, r.repeat, r.fold, "" if math.isnan(auc) else auc))
    return rows


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
