"""Slice scores -> one score per patient; fusion of sequences by averaging what is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float64]
TOP = 5  # slices, for topk


def _clipped(s: Scores) -> Scores:
    return np.clip(s, 1e-7, 1 - 1e-7)


# Each turns the probabilities of one patient's slices, (m,) or a column per head (m, B), into one number in 0 ... 1 each.
AGGREGATORS: dict[str, Callable[[Scores], Any]] = {
    "mean": lambda s: s.mean(axis=0),
    "median": lambda s: np.median(s, axis=0),
    "max": lambda s: s.max(axis=0),
    "topk": lambda s: np.sort(s, axis=0)[-TOP:].mean(axis=0),
    "noisy-or": lambda s: -np.expm1(np.log1p(-_clipped(s)).sum(axis=0)),
    "logit-mean": lambda s: 1 / (1 + np.exp(-np.mean(np.log(_clipped(s)) - np.log1p(-_clipped(s)), axis=0))),
}


@dataclass(frozen=True)
class Prediction:
    """A row of predictions.csv: the score of one patient in one fold of one repeat. label: 0, 1, or -1 if unknown."""

    run: str
    head: str
    sequence: str
    repeat: int
    fold: int
    patient_id: str
    label: int
    score: float
    n_slices: int


def aggregate(scores: Scores, patient: NDArray[Any], how: str) -> list[tuple[str, float, int]]:
    """(patient, score, number of slices) for each patient in (n,) scores with (n,) ids, ids sorted.

    Raises ValueError for an unknown aggregator.
    """
    if how not in AGGREGATORS:
        raise ValueError(f"--aggregate {how!r}; expected one of {', '.join(AGGREGATORS)}")
    if len(patient) == 0:
        return []
    patients, index = np.unique(patient.astype(str), return_inverse=True)
    groups = np.split(scores[np.argsort(index, kind="stable")], np.cumsum(np.bincount(index))[:-1])
    return [(str(p), float(AGGREGATORS[how](g)), len(g)) for p, g in zip(patients, groups, strict=True)]


def patient_predictions(
    run: str, results: Iterable[Any], tables: Mapping[str, Any], labels: Mapping[str, int], how: str
) -> list[Prediction]:
    """One row per head, sequence, repeat, fold and patient.

    `results` : objects with head, sequence, repeat, fold, rows (m,) and scores (m,); `tables` : {sequence: object with
    patient (n,)}, which the rows point into.
    """
    return [
        Prediction(run, r.head, r.sequence, r.repeat, r.fold, patient, labels[patient], score, n)
        for r in results
        for patient, score, n in aggregate(r.scores, tables[r.sequence].patient[r.rows], how)
    ]


def fused_name(sequences: Iterable[str]) -> str:
    """What the average over sequences is called where a sequence name stands."""
    return f"mean({'+'.join(sequences)})"


def fuse_scores(predictions: Sequence[Prediction], sequences: Sequence[str]) -> list[Prediction]:
    """Average the scores of the sequences that a patient has, within each head, repeat and fold."""
    groups: dict[tuple[str, str, int, int, str], list[Prediction]] = {}
    for p in predictions:
        if p.sequence in sequences:
            groups.setdefault((p.run, p.head, p.repeat, p.fold, p.patient_id), []).append(p)
    return [
        replace(
            group[0],
            sequence=fused_name(sequences),
            score=float(np.mean([p.score for p in group])),
            n_slices=sum(p.n_slices for p in group),
        )
        for group in groups.values()
    ]
