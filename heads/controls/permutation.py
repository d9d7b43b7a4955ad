"""Shuffled patient labels: what a result looks like where there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.aggregate import AGGREGATORS, Aggregator
from core.metrics import mean_fold_auc
from core.predictions import Predictions, fused_name
from heads.base import BatchedHead, Head
from heads.controls.batched import HEADS_AT_ONCE, NoConvergenceError
from heads.crossfit import Rows, patient_weights
from heads.folds import Fold, fold_matrix

_SMALL = 100_000  # values of a table, below which products are slower on several threads


class PermutationRow(NamedTuple):
    """A row of permutations.csv: the AUC by fold of one result under one draw of the labels; draw 0 is the true one."""

    run: str
    head: str
    sequence: str
    permutation: int
    auc: float


@dataclass(frozen=True)
class Draw:
    """Labels of patients, true or shuffled, and the folds that are made of them."""

    labels: Mapping[str, int]
    folds: Sequence[Fold]


def batched_rows(
    run: str,
    heads: Sequence[BatchedHead],
    tables: Sequence[Rows],
    draws: Sequence[Draw],
    *,
    aggregator: str,
    fused: Sequence[str] = (),
) -> list[PermutationRow]:
    """What heads reach under every draw of the labels, many draws at a time.

    Parameters
    ----------
    run : name of the run
    heads : with a `batched` solver
    tables : one result each
    draws : the true labels first
    aggregator : slice scores to patient score
    fused : sequences whose scores are averaged to one more result; none if empty

    Returns
    -------
    A row per head, result and draw.
    """
    patients = sorted(draws[0].labels)
    rows = []
    for head in heads:
        found = {t.sequence: batched_scores(head, t, draws, patients, AGGREGATORS[aggregator]) for t in tables}
        if fused:
            found[fused_name(fused)] = average([found[q] for q in fused])
        for sequence, scores in found.items():
            for k, (draw, own) in enumerate(zip(draws, scores, strict=True)):
                y = np.array([draw.labels[p] for p in patients])
                auc = mean_fold_auc(y, own, fold_matrix(draw.folds, patients))
                rows.append(PermutationRow(run, head.name, sequence, k, auc))
    return rows


def predicted_rows(draws: Sequence[Draw], predict: Callable[[Draw], Predictions]) -> list[PermutationRow]:
    """The same for heads that are fitted one by one.

    Parameters
    ----------
    draws : the true labels first
    predict : what the heads say of the patients, out of fold, everything chosen and fitted again for a draw
    """
    return [
        PermutationRow(*s.key, permutation=k, auc=mean_fold_auc(s.y, s.scores, s.fold))
        for k, draw in enumerate(draws)
        for s in predict(draw).grouped()
    ]


def shuffled_labels(labels: Mapping[str, int], permutations: int, seed: int) -> Iterator[dict[str, int]]:
    """`permutations` times the labels dealt out anew among the patients, seeded; not the labels as they are."""
    rng, themselves = np.random.default_rng([seed, 0x5EED]), {p: p for p in labels}
    for _ in range(permutations):
        yield shuffled(labels, themselves, rng)


def shuffled(labels: Mapping[str, int], who: Mapping[str, str], rng: np.random.Generator) -> dict[str, int]:
    """The labels in random order over persons; all ids of a person get one label."""
    first = {who[p]: labels[p] for p in sorted(labels, reverse=True)}
    people = sorted(first)
    drawn = dict(zip(people, rng.permutation([first[w] for w in people]).tolist(), strict=True))
    return {p: drawn[who[p]] for p in labels}


def batched_scores(
    head: BatchedHead, table: Rows, draws: Sequence[Draw], patients: Sequence[str], pool: Aggregator
) -> NDArray[np.float64]:
    """Out-of-fold scores of a head for every draw of labels and their folds.

    All columns are standardised, and all heads fitted, inside the fold.

    Parameters
    ----------
    head : with a `batched` solver
    table : rows of patients
    draws : labels and folds, as many repeats in each
    patients : the columns of what is returned
    pool : slice scores of a patient to one score

    Returns
    -------
    (draws, repeats, patients) float64, NaN for a patient without rows. The scores agree with `heads.crossfit` to about 1e-3.
    """
    from threadpoolctl import threadpool_limits

    at = {p: i for i, p in enumerate(patients)}
    owner = np.array([at[p] for p in table.patient])
    images = np.flatnonzero(table.view == 0)
    order = images[np.argsort(owner[images], kind="stable")]
    rows_of = np.split(order, np.searchsorted(owner[order], np.arange(1, len(patients))))
    repeats = 1 + max(f.repeat for f in draws[0].folds)
    out = np.full((len(draws), repeats, len(patients)), np.nan)
    heads = [(d, f) for d, draw in enumerate(draws) for f in draw.folds]
    values = [np.array([draw.labels[p] for p in patients]) for draw in draws]
    with threadpool_limits(1 if table.X.size < _SMALL else None):
        solver = head.batched(table.X, patient_weights(table.patient))
        for start in range(0, len(heads), HEADS_AT_ONCE):
            part = heads[start : start + HEADS_AT_ONCE]
            y = np.stack([values[d] for d, _ in part], axis=1)
            test = np.zeros((len(patients), len(part)), bool)
            for k, (_, f) in enumerate(part):
                test[[at[p] for p in f.test], k] = True
            try:
                scores = solver.scores(y[owner], ~test[owner])
            except NoConvergenceError:
                scores = _one_by_one(head, table, y[owner], ~test[owner])
            of_draw, repeat = np.array([(d, f.repeat) for d, f in part]).T
            for i, rows in enumerate(rows_of):
                if len(rows) and test[i].any():
                    tested = test[i]
                    pooled = np.asarray(pool(scores[rows].astype(np.float64)))
                    out[of_draw[tested], repeat[tested], i] = pooled[tested]
    return out


def _one_by_one(head: Head, table: Rows, y: NDArray[np.integer], train: NDArray[np.bool_]) -> NDArray[np.float32]:
    out = np.empty(y.shape, np.float32)
    for k in range(y.shape[1]):
        rows = np.flatnonzero(train[:, k])
        own = table.patient[rows]
        fitted, _ = head.fit(table.X[rows], y[rows, k], patient_weights(own), patient=own, seed=0)
        out[:, k] = fitted.scores(table.X)
    return out


def average(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Score fusion: the mean of the arrays where they are known, NaN where none is."""
    stack = np.stack(scores)
    known = np.isfinite(stack)
    total, count = np.where(known, stack, 0).sum(axis=0), known.sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
