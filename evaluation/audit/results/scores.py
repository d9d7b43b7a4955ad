"""A score per patient, result and repeat, from the rows of somebody else's predictions."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from core.ids import natural_key
from core.metrics import Array, Labels
from evaluation.audit.files.foreign import Foreign

BASELINE = "shortcuts"  # the sequence of this project's baseline in its predictions.csv, which is no candidate


class NoFolds(Enum):
    """Why there is no AUC by fold."""

    SEVERAL_EACH = "several folds each"
    NOT_TWO = "fewer than two folds"
    ONE_CLASS = "one class in each fold"


@dataclass(kw_only=True)
class Scores:
    """Patient scores of one model.

    Parameters
    ----------
    model : its name
    patients : P names
    y : (P,) int, 0 or 1
    scores : (R, P) float64 by repeat, the mean of a patient's rows; NaN where not tested
    fold : (R, P) int, -1 where not tested or in several folds
    rows : (n,) intp, the patient of each row
    row_repeat : (n,) intp, its repeat
    row_scores : (n,) float64
    """

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
    def no_folds(self) -> NoFolds | None:
        """Why there is no AUC by fold; None where there is."""
        if ((self.fold < 0) & np.isfinite(self.scores)).any():
            return NoFolds.SEVERAL_EACH
        if all(len(np.unique(row[row >= 0])) < 2 for row in self.fold):
            return NoFolds.NOT_TWO
        pairs = {(r, k, y) for r, row in enumerate(self.fold) for k, y in zip(row, self.y, strict=True) if k >= 0}
        return None if any((r, k, 1 - y) in pairs for r, k, y in pairs) else NoFolds.ONE_CLASS


def scores_of(f: Foreign, untested: Set[str] = frozenset()) -> list[Scores]:
    """The scores of each model, from the rows of the reported part with a label and a score.

    Patients with both labels are left out.

    Parameters
    ----------
    f : the predictions
    untested : patients to leave out, such as those whom split files name and never test
    """
    bad, part = {*f.contradictory, *untested}, f.reported
    usable = [
        np.isfinite(s) and y >= 0 and (q or "test") == part and p not in bad
        for s, y, q, p in zip(f.score, f.y, f.part, f.patient, strict=True)
    ]
    rows_of = {m: [i for i, use in enumerate(usable) if use and f.model[i] == m] for m in dict.fromkeys(f.model)}
    return [_scores(model, f, np.array(at, int)) for model, at in rows_of.items()]


def _scores(model: str, f: Foreign, at: NDArray[np.int_]) -> Scores:
    """The scores of one model, whose rows are `at`."""
    patients, index = np.unique(np.array(f.patient, object)[at].astype(str), return_inverse=True)
    repeat, fold = (_numbered(cells[i] for i in at) for cells in (f.repeat, f.fold))
    shape = (int(repeat.max(initial=0)) + 1, len(patients))
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, (repeat, index), f.score[at])
    np.add.at(count, (repeat, index), 1)
    lowest, highest = np.full(shape, len(at)), np.full(shape, -1)
    np.minimum.at(lowest, (repeat, index), fold)
    np.maximum.at(highest, (repeat, index), fold)
    y = np.zeros(len(patients), int)
    y[index] = f.y[at]
    return Scores(
        model=model,
        patients=[str(p) for p in patients],
        y=y,
        scores=np.divide(total, count, out=np.full(shape, np.nan), where=count > 0),
        fold=np.where(lowest == highest, lowest, -1),
        rows=index,
        row_repeat=repeat,
        row_scores=f.score[at],
    )


def _numbered(cells: Iterable[str]) -> NDArray[np.intp]:
    """(n,) the place of each cell among the different ones, in natural order."""
    cells = list(cells)
    at = {cell: i for i, cell in enumerate(sorted(set(cells), key=natural_key))}
    return np.array([at[cell] for cell in cells], np.intp)
