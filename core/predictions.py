"""Predictions: one score per patient, from the fold to the CSV, the console and the report; fusion of sequences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from core.aggregate import aggregate
from core.metrics import Array, Labels

if TYPE_CHECKING:
    import pandas as pd

TABLE = "table"  # the sequence of heads that were trained on a table of features: there are no scans
CHOSEN = "chosen"  # the sequence of a tuned result, and the head of the best head of each fold


def head_on(head: str, sequence: str, between: str = " on ") -> str:
    """'boosted on T1wCE', and 'boosted' alone where the features were a table."""
    return head if sequence == TABLE else f"{head}{between}{sequence}"


def fused_name(sequences: Iterable[str]) -> str:
    """What the average over sequences is called where a sequence name stands."""
    return f"mean({'+'.join(sequences)})"


class ResultKey(NamedTuple):
    """Which result: the run, the head and the sequence that it was trained on."""

    run: str
    head: str
    sequence: str

    def label(self, between: str = " on ") -> str:
        """'boosted on T1wCE' without the run, and 'boosted' alone where the features were a table."""
        return head_on(self.head, self.sequence, between)


class Prediction(NamedTuple):
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

    @property
    def key(self) -> ResultKey:
        """The result that it belongs to."""
        return ResultKey(self.run, self.head, self.sequence)


class RowScores(Protocol):
    """Scores of the test rows of one fold: rows (m,) of a table, scores (m,)."""

    head: str
    sequence: str
    repeat: int
    fold: int
    rows: NDArray[np.intp]
    scores: Array


class OfPatients(Protocol):
    """A table whose rows belong to patients: patient (n,) str."""

    patient: NDArray[np.object_]


class Predictions(Sequence[Prediction]):
    """The scores of patients, of one run or several; a list of `Prediction`s that knows files, matrices and data frames.

    Parameters
    ----------
    rows : in the order in which they are written
    """

    def __init__(self, rows: Iterable[Prediction] = ()) -> None:  # noqa: D107
        self._rows = tuple(rows)

    @classmethod
    def from_folds(
        cls,
        run: str,
        results: Iterable[RowScores],
        tables: Mapping[str, OfPatients],
        labels: Mapping[str, int],
        how: str,
    ) -> Predictions:
        """Join the scores of slices to one per patient.

        Parameters
        ----------
        run : name of the run
        results : scores of the test rows of each fold
        tables : {sequence: the table that the rows point into}
        labels : {patient: 0 or 1}
        how : name of an aggregator

        Returns
        -------
        One row per head, sequence, repeat, fold and patient.
        """
        return cls(
            Prediction(run, r.head, r.sequence, r.repeat, r.fold, patient, labels[patient], score, n)
            for r in results
            for patient, score, n in aggregate(r.scores, tables[r.sequence].patient[r.rows], how)
        )

    @classmethod
    def from_records(cls, records: Iterable[Mapping[str, str]], run: str | None = None) -> Predictions:
        """The rows of a table of texts.

        Parameters
        ----------
        records : {column: cell} of each row
        run : a name that stands for the one in the table

        Raises
        ------
        KeyError, TypeError, ValueError : a column is missing, a cell is missing or no number
        """
        return cls(
            Prediction(
                run=r["run"] if run is None else run,
                head=r["head"],
                sequence=r["sequence"],
                repeat=int(r["repeat"]),
                fold=int(r["fold"]),
                patient_id=r["patient_id"],
                label=int(r["label"]),
                score=float(r["score"]),
                n_slices=int(r["n_slices"]),
            )
            for r in records
        )

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> Predictions: ...

    def __getitem__(self, index: int | slice) -> Prediction | Predictions:
        return Predictions(self._rows[index]) if isinstance(index, slice) else self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Prediction]:
        return iter(self._rows)

    def __add__(self, others: Iterable[Prediction]) -> Predictions:
        return Predictions((*self._rows, *others))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Predictions) and self._rows == other._rows

    def __hash__(self) -> int:
        return hash(self._rows)

    def __repr__(self) -> str:
        return f"Predictions({len(self)} rows of {', '.join(key.label() for key in self.result_keys())})"

    def result_keys(self) -> list[ResultKey]:
        """The results, in order of appearance."""
        return list(dict.fromkeys(p.key for p in self._rows))

    def fused(self, sequences: Sequence[str]) -> Predictions:
        """The averages over sequences alone; see `fuse_scores`."""
        return Predictions(fuse_scores(self, sequences))

    def renamed(self, run: str) -> Predictions:
        """The same rows under another run's name."""
        return Predictions(p._replace(run=run) for p in self._rows)

    def grouped(self) -> list[Scored]:
        """One matrix per result; see `group_results`."""
        return group_results(self)

    def to_frame(self) -> pd.DataFrame:
        """A pandas DataFrame with a row per prediction; ids, heads and sequences are text, the rest numbers."""
        import pandas as pd

        kinds = ("object", "object", "object", "int64", "int64", "object", "int64", "float64", "int64")
        columns = zip(*self._rows, strict=True) if self._rows else [()] * len(kinds)
        made = zip(
            Prediction._fields, columns, kinds, strict=True
        )  # texts stay objects: a name need not be valid UTF-8
        return pd.DataFrame({name: pd.Series(list(column), dtype=kind) for name, column, kind in made})

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(max_rows=20)


def fuse_scores(predictions: Iterable[Prediction], sequences: Sequence[str]) -> list[Prediction]:
    """Average the scores of the sequences that a patient has, within each head, repeat and fold.

    Parameters
    ----------
    predictions : of single sequences; others are passed over
    sequences : those that are averaged

    Returns
    -------
    A row per patient, head, repeat and fold, under the sequence `fused_name(sequences)`; its n_slices is the sum.
    """
    groups: dict[tuple[str, str, int, int, str], list[Prediction]] = {}
    for p in predictions:
        if p.sequence in sequences:
            groups.setdefault((p.run, p.head, p.repeat, p.fold, p.patient_id), []).append(p)
    return [
        members[0]._replace(
            sequence=fused_name(sequences),
            score=float(np.mean([p.score for p in members])),
            n_slices=sum(p.n_slices for p in members),
        )
        for members in groups.values()
    ]


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


class Score(NamedTuple):
    """The score of one unit, a patient or a slice of one, in one fold of one repeat."""

    unit: str
    patient: str
    label: int
    repeat: int
    fold: int
    score: float
    n_slices: int


def group_results(predictions: Iterable[Prediction]) -> list[Scored]:
    """Matrices of scores by repeat and patient.

    Parameters
    ----------
    predictions : of any number of results

    Returns
    -------
    One `Scored` per (run, head, sequence) in order of appearance, patients sorted.

    Raises
    ------
    ValueError : a patient has two scores in one repeat, or two labels, or a score is no probability
    """
    groups: dict[ResultKey, list[Score]] = {}
    for p in predictions:
        score = Score(p.patient_id, p.patient_id, p.label, p.repeat, p.fold, p.score, p.n_slices)
        groups.setdefault(p.key, []).append(score)
    return [matrix(key, scores) for key, scores in groups.items()]


def matrix(key: ResultKey, rows: Sequence[Score]) -> Scored:
    """The scores of one result by repeat and unit.

    Parameters
    ----------
    key : which result
    rows : at least one score; the order is of no account

    Returns
    -------
    Units and patients sorted, repeats in the order of their numbers.

    Raises
    ------
    ValueError : a unit has two scores in one repeat, a patient has two labels, or a score is no probability
    """
    units = sorted({r.unit for r in rows})
    at = {u: i for i, u in enumerate(units)}
    repeats = {r: i for i, r in enumerate(sorted({row.repeat for row in rows}))}
    shape = (len(repeats), len(units))
    scores, fold = np.full(shape, np.nan), np.full(shape, -1)
    y, n_slices = np.full(len(units), -1), np.zeros(len(units), int)
    labels: dict[str, int] = {}
    owner: list[str] = [""] * len(units)
    for r in rows:
        i, k = at[r.unit], repeats[r.repeat]
        if np.isfinite(scores[k, i]):
            raise ValueError(f"{r.unit!r} has two scores in repeat {r.repeat} of {key.head} on {key.sequence}")
        if labels.setdefault(r.patient, r.label) != r.label:
            raise ValueError(f"{r.patient!r} has two labels")
        if not 0 <= r.score <= 1:
            raise ValueError(f"{r.unit!r} has the score {r.score} in repeat {r.repeat}; expected 0 to 1")
        scores[k, i], fold[k, i], y[i], owner[i], n_slices[i] = r.score, r.fold, r.label, r.patient, r.n_slices
    patients = sorted(set(owner))
    index = {p: i for i, p in enumerate(patients)}
    return Scored(
        **key._asdict(),
        units=units,
        patients=patients,
        patient=np.array([index[p] for p in owner]),
        y=y,
        scores=scores,
        fold=fold,
        n_slices=n_slices,
    )
