"""Learning curves: does the AUC still rise with the number of training patients?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from core.metrics import Array
from evaluation.statistics.intervals import LEVEL


class Trend(Enum):
    """Whether a curve still rises at its end, by the interval of its last gain."""

    RISING = "rising"
    FALLING = "falling"
    UNCLEAR = "unclear"


@dataclass(frozen=True)
class Point:
    """The mean AUC by fold at one size, with its 95 % interval; patients : mean number that trained."""

    share: float
    patients: float
    auc: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One head on one sequence; gain, low, high : AUC at the last size minus that at the one before, paired by fold."""

    head: str
    sequence: str
    points: list[Point]
    gain: float
    low: float
    high: float

    @property
    def trend(self) -> Trend:
        """What the interval of the gain says."""
        if self.low > 0:
            return Trend.RISING
        return Trend.FALLING if self.high < 0 else Trend.UNCLEAR


def corrected_interval(values: Array, test_share: float) -> tuple[float, float]:
    """95 % interval of a mean over folds: the corrected t-test of Nadeau and Bengio (Machine Learning 2003), inverted.

    Parameters
    ----------
    values : (n,) one per fold and repeat
    test_share : test patients per training patient

    Returns
    -------
    (low, high), NaN with fewer than two values.
    """
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    error = np.sqrt(np.var(values, ddof=1) * (1 / n + test_share))
    half = t.ppf((1 + LEVEL) / 2, n - 1) * error
    return float(np.mean(values) - half), float(np.mean(values) + half)


def read_lines(rows: Sequence[Mapping[str, str]]) -> list[Line]:
    """The curves in the rows of learning.csv, in order of appearance; folds without an AUC at any size are left out."""
    found: dict[tuple[str, str], dict[float, dict[tuple[str, str], tuple[float, float, float]]]] = {}
    for r in rows:
        if r["auc"]:
            sizes = found.setdefault((r["head"], r["sequence"]), {})
            figures = (float(r["auc"]), float(r["patients"]), float(r["tested"]))
            sizes.setdefault(float(r["share"]), {})[r["repeat"], r["fold"]] = figures
    return [_line(head, sequence, sizes) for (head, sequence), sizes in found.items()]


def _line(
    head: str, sequence: str, sizes: Mapping[float, Mapping[tuple[str, str], tuple[float, float, float]]]
) -> Line:
    """One curve from {share: {fold: (AUC, patients that trained, patients tested)}}."""
    shares = sorted(sizes)
    folds = sorted(set.intersection(*(set(sizes[s]) for s in shares)))
    table = np.array([[sizes[s][f] for f in folds] for s in shares])  # (sizes, folds, 3)
    aucs, trained = table[:, :, 0], table[:, :, 1]
    # the ratio of the whole folds: their overlap is what is corrected for
    ratio = float((table[-1, :, 2] / table[-1, :, 1]).mean())
    points = []
    for share, n, a in zip(shares, trained, aucs, strict=True):
        low, high = corrected_interval(a, ratio)
        points.append(Point(share=share, patients=float(n.mean()), auc=float(a.mean()), low=low, high=high))
    gains = aucs[-1] - aucs[-2] if len(shares) > 1 else np.array([np.nan])
    low, high = corrected_interval(gains, ratio)
    return Line(head=head, sequence=sequence, points=points, gain=float(gains.mean()), low=low, high=high)
