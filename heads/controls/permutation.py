"""Shuffled patient labels: what a result looks like where there is nothing to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from heads.controls.batched import HEADS_AT_ONCE, BatchedLogistic, NoConvergenceError
from heads.crossfit import Rows, patient_weights
from heads.folds import Fold
from heads.logistic import Logistic

Pool = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # (m, B) slice scores of a patient -> (B,)
_SMALL = 100_000  # values of a table, below which products are slower on several threads


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


def logistic_scores(
    head: Logistic,
    table: Rows,
    draws: Sequence[tuple[Mapping[str, int], Sequence[Fold]]],
    patients: Sequence[str],
    pool: Pool,
) -> NDArray[np.float64]:
    """Out-of-fold scores of the logistic head for every draw of labels and their folds: (draws, repeats, patients).

    All columns are standardised, and all heads fitted, inside the fold; a patient without rows has NaN. The scores agree
    with `heads.crossfit` to about 1e-3.
    """
    from threadpoolctl import threadpool_limits

    at = {p: i for i, p in enumerate(patients)}
    owner = np.array([at[p] for p in table.patient])
    images = np.flatnonzero(table.view == 0)
    order = images[np.argsort(owner[images], kind="stable")]
    rows_of = np.split(order, np.searchsorted(owner[order], np.arange(1, len(patients))))
    repeats = 1 + max(f.repeat for f in draws[0][1])
    out = np.full((len(draws), repeats, len(patients)), np.nan)
    heads = [(d, f) for d, (_, folds) in enumerate(draws) for f in folds]
    values = [np.array([labels[p] for p in patients]) for labels, _ in draws]
    with threadpool_limits(1 if table.X.size < _SMALL else None):
        solver = BatchedLogistic(table.X, patient_weights(table.patient), head.C)
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
            draw, repeat = np.array([(d, f.repeat) for d, f in part]).T
            for i, rows in enumerate(rows_of):
                if len(rows) and test[i].any():
                    tested = test[i]
                    pooled = pool(scores[rows].astype(np.float64))
                    out[draw[tested], repeat[tested], i] = pooled[tested]
    return out


def _one_by_one(head: Logistic, table: Rows, y: NDArray[np.integer], train: NDArray[np.bool_]) -> NDArray[np.float32]:
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
