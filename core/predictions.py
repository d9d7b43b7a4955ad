"""Slice scores -> one score per patient; fusion of sequences by averaging what is there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from core.aggregate import aggregate
from core.metrics import Array, Labels


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
            group_results[0],
            sequence=fused_name(sequences),
            score=float(np.mean([p.score for p in group_results])),
            n_slices=sum(p.n_slices for p in group_results),
        )
        for group_results in groups.values()
    ]


TABLE = "table"  # the sequence of heads that were trained on a table of features: there are no scans


def head_on(head: str, sequence: str, between: str = " on ") -> str:
    """'boosted on T1wCE', and 'boosted' alone where the features were a table."""
    return head if sequence == TABLE else f"{head}{between}{sequence}"


class ResultKey(NamedTuple):
    """Which result: the run, the head and the sequence that it was trained on."""

    run: str
    head: str
    sequence: str

    def label(self, between: str = " on ") -> str:
        """'boosted on T1wCE' without the run, and 'boosted' alone where the features were a table."""
        return head_on(self.head, self.sequence, between)


@dataclass
class Scored:
    """The out-of-fold scores of one head on one sequence.

    units : n patients (or slices); patient : (n,) index of each unit's patient in `patients`
    y : (n,) 0/1; scores, fold : (R, n) by repeat, NaN and -1 where a unit was not tested
    """

    run: str
    head: str
    sequence: str
    units: list[str]
    patients: list[str]
    patient: Labels
    y: Labels
    scores: Array
    fold: Labels
    n_slices: Labels

    @property
    def key(self) -> ResultKey:
        """(run, head, sequence)."""
        return ResultKey(self.run, self.head, self.sequence)


def _matrix(run: str, head: str, sequence: str, rows: Sequence[tuple[str, str, int, int, int, float, int]]) -> Scored:
    units = sorted({r[0] for r in rows})
    at = {u: i for i, u in enumerate(units)}
    repeats = {r: i for i, r in enumerate(sorted({row[3] for row in rows}))}
    shape = (len(repeats), len(units))
    scores, fold = np.full(shape, np.nan), np.full(shape, -1)
    y, n_slices = np.full(len(units), -1), np.zeros(len(units), int)
    labels: dict[str, int] = {}
    owner: list[str] = [""] * len(units)
    for unit, patient, label, repeat, fold_number, score, n in rows:
        i, k = at[unit], repeats[repeat]
        if np.isfinite(scores[k, i]):
            raise ValueError(f"{unit!r} has two scores in repeat {repeat} of {head} on {sequence}")
        if labels.setdefault(patient, label) != label:
            raise ValueError(f"{patient!r} has two labels")
        if not 0 <= score <= 1:
            raise ValueError(f"{unit!r} has the score {score} in repeat {repeat}; expected 0 to 1")
        scores[k, i], fold[k, i], y[i], owner[i], n_slices[i] = score, fold_number, label, patient, n
    patients = sorted(set(owner))
    index = {p: i for i, p in enumerate(patients)}
    return Scored(run, head, sequence, units, patients, np.array([index[p] for p in owner]), y, scores, fold, n_slices)


def group_results(predictions: Any) -> list[Scored]:
    """Predictions -> one `Scored` per (run, head, sequence), patients sorted, in order of appearance.

    Raises ValueError where a patient has two scores in one repeat, or two labels, or a score is no probability.
    """
    groups: dict[tuple[str, str, str], list[tuple[str, str, int, int, int, float, int]]] = defaultdict(list)
    for p in predictions:
        groups[p.run, p.head, p.sequence].append(
            (p.patient_id, p.patient_id, p.label, p.repeat, p.fold, p.score, p.n_slices)
        )
    return [_matrix(*key, rows) for key, rows in groups.items()]


CHOSEN = "chosen"  # the sequence of a tuned result, and the head of the best head of each fold
