"""What the leak demonstrator found: AUCs by split and labels, and a verdict on each split.

The measure is the AUC at patient level, fold by fold: with shuffled labels it is 0.5 on average for every head and
aggregator, if nothing of a test patient was trained on. The AUC of pooled scores is not: a fold that happens to hold back
more positives trains on fewer of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.aggregate import aggregate
from core.documents import Known
from core.metrics import Array, Labels, auc, ones

TAIL = 0.025  # of clean demonstrations are called inflated, see flag
SPLITS = ("slice", "id", "patient")  # in the order in which they are shown


@dataclass(frozen=True)
class Row:
    """A row of leak.csv: one head on one sequence under one split with one set of labels, at one level.

    labels : 'true' or 'shuffled'; draw : 0 for the true ones; level : 'patient' or 'slice'
    auc : mean over the folds that test both classes; auc_pooled : of all scores together, a patient's slices aggregated
    shared_patients, tested_patients : patients in training and test of one fold at once, and patients tested
    warning : the leak in words, or ""
    """

    head: str
    sequence: str
    split: str
    labels: str
    draw: int
    level: str
    auc: float
    auc_pooled: float
    shared_patients: int
    tested_patients: int
    warning: str


LEAK_COLUMNS = tuple(f.name for f in fields(Row))


@dataclass(frozen=True)
class SplitVerdict:
    """One split of one head on one sequence.

    true : AUC with the true labels; mean, sd, pooled : of the AUC with shuffled labels over `draws` draws, by fold, and the
    mean of the pooled AUC; low : lower confidence bound of `mean`
    """

    head: str
    sequence: str
    split: str
    draws: int
    true: float
    mean: float
    sd: float
    low: float
    pooled: float
    shared: int
    tested: int

    @property
    def optimism(self) -> float:
        """What the split reports above the 0.5 that is there."""
        return self.mean - 0.5

    @property
    def inflated(self) -> bool:
        """Whether the split reports more than there is, beyond what the spread over draws allows."""
        return self.low > 0.5

    @property
    def leaks(self) -> bool:
        """Whether test patients were in training, or the split is inflated all the same."""
        return self.shared > 0 or self.inflated


def measure(trials: Iterable[Any], tables: Known, how: str) -> list[Row]:
    """Two rows per trial, patients and slices.

    `trials` : objects with head, sequence, split, draw, labels {patient id: 0/1}, persons {patient id: who it is}, shared,
    tested, warning and scores, one per fold with rows (m,) and scores (m,); `tables` : {sequence: object with patient (n,)};
    `how` : an aggregator. The ids of one person are one patient here.
    """
    out = []
    for t in trials:
        person = np.array([t.persons[p] for p in tables[t.sequence].patient])
        labels = {t.persons[p]: y for p, y in t.labels.items()}
        folds = [(person[f.rows], f.scores) for f in t.scores]
        folds.append((np.concatenate([p for p, _ in folds]), np.concatenate([s for _, s in folds])))
        by_level = {
            "patient": [_auc(labels, *_per_patient(p, s, how)) for p, s in folds],
            "slice": [_auc(labels, p, s) for p, s in folds],
        }
        kind = "shuffled" if t.draw else "true"
        for level, (*each, pooled) in by_level.items():
            known = [a for a in each if np.isfinite(a)]
            mean = float(np.mean(known)) if known else float("nan")
            out.append(
                Row(
                    head=t.head,
                    sequence=t.sequence,
                    split=t.split,
                    labels=kind,
                    draw=t.draw,
                    level=level,
                    auc=mean,
                    auc_pooled=pooled,
                    shared_patients=t.shared,
                    tested_patients=t.tested,
                    warning=t.warning,
                )
            )
    return out


def flag(rows: Sequence[Row], level: str = "patient") -> list[SplitVerdict]:
    """The verdict on each split of each head and sequence, in the order of SPLITS.

    A split leaks where test patients are in training, whatever its AUC. It is inflated where the 95 % t interval of the mean
    AUC over shuffled labels lies above 0.5: mean - t sd / sqrt(draws) > 0.5, with t the quantile of Student's distribution
    at 1 - 0.025 / (heads times sequences) (Bonferroni). Draws are independent given the data, and under a split that keeps
    patients whole their expectation is 0.5, so that 2.5 % of clean demonstrations are called inflated, however many heads
    and sequences they have; few draws of a coarse AUC take some more, for which the other 2.5 % leave room. At slice
    level this holds only where patients have equally many slices, so that verdicts are given at patient level.
    """
    from scipy.stats import t as student

    mine = [r for r in rows if r.level == level]
    results = list(dict.fromkeys((r.head, r.sequence) for r in mine))
    out = []
    for head, sequence in results:
        for split in SPLITS:
            group = [r for r in mine if (r.head, r.sequence, r.split) == (head, sequence, split)]
            null = [r for r in group if r.labels == "shuffled" and np.isfinite(r.auc)]
            if not group:
                continue
            n, mean, sd, low = len(null), float("nan"), float("nan"), float("nan")
            if n > 1:
                values = np.array([r.auc for r in null])
                mean, sd = float(values.mean()), float(values.std(ddof=1))
                low = mean - float(student.ppf(1 - TAIL / len(results), n - 1)) * sd / n**0.5
            worst = max(group, key=_shared)
            out.append(
                SplitVerdict(
                    head=head,
                    sequence=sequence,
                    split=split,
                    draws=n,
                    true=next((r.auc for r in group if r.labels == "true"), float("nan")),
                    mean=mean,
                    sd=sd,
                    low=low,
                    pooled=float(np.mean([r.auc_pooled for r in null])) if null else float("nan"),
                    shared=worst.shared_patients,
                    tested=worst.tested_patients,
                )
            )
    return out


def csv_rows(rows: Iterable[Row]) -> list[Sequence[object]]:
    """Header and rows of leak.csv; an AUC that does not exist is blank."""
    return [LEAK_COLUMNS, *([_blank(v) for v in astuple(r)] for r in rows)]


def _blank(value: object) -> object:
    return "" if isinstance(value, float) and np.isnan(value) else value


def _shared(row: Row) -> int:
    return row.shared_patients


def _per_patient(patient: NDArray[Any], scores: Array, how: str) -> tuple[NDArray[Any], Array]:
    rows = aggregate(scores, patient, how)
    return np.array([p for p, _, _ in rows]), np.array([s for _, s, _ in rows])


def _auc(labels: Mapping[str, int], patient: NDArray[Any], scores: Array) -> float:
    y: Labels = np.array([labels[p] for p in patient], int)
    return float(auc(y, scores, ones(len(y)))[0])
