"""Does a head say the same again? Rank correlation of out-of-fold scores between repeats, of patients and of slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from core.metrics import Array, Labels
from core.predictions import ResultKey, Scored

SLICES = 3  # of one patient, below which their ranks are not compared


@dataclass(frozen=True)
class Spread:
    """Mean, lowest and highest of a figure over pairs of repeats; NaN where there is none. n : number of pairs."""

    mean: float
    lowest: float
    highest: float
    n: int


@dataclass
class Stability:
    """Spearman's correlation of one result for each pair of repeats; NaN where all scores of a repeat are one.

    patients : over patients; slices : over all slices; within : over the slices of one patient, mean of the patients. The last
    two are empty where there are no slices.
    """

    key: ResultKey
    n_repeats: int
    n_patients: int
    patients: list[float] = field(default_factory=list)
    slices: list[float] = field(default_factory=list)
    within: list[float] = field(default_factory=list)


def spread(values: Sequence[float]) -> Spread:
    """The spread of correlations, one per pair of repeats."""
    nan = float("nan")
    if not values:
        return Spread(nan, nan, nan, 0)
    return Spread(float(np.mean(values)), min(values), max(values), len(values))


def rank_correlations(scores: Array, group: Labels, at_least: int = 2) -> list[float]:
    """For each pair of repeats the mean over groups of Spearman's correlation.

    Ranks are taken inside each group, ties at their mean rank (Spearman, American Journal of Psychology 1904). Columns that
    lack a score in some repeat are left out, and groups of fewer than `at_least` columns or of one score only.

    Parameters
    ----------
    scores : (R, n); group : (n,) group of each column; at_least : columns that a group must have

    Returns
    -------
    A figure for each of the R (R - 1) / 2 pairs; NaN where that leaves nothing.
    """
    from scipy.stats import rankdata

    known = np.isfinite(scores).all(axis=0)
    scores, group = scores[:, known], group[known]
    order = np.argsort(group, kind="stable")
    pairs = np.triu_indices(len(scores), 1)
    each = []
    for own in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(own) >= at_least:
            ranks = rankdata(scores[:, own], axis=1) - (len(own) + 1) / 2
            products = ranks @ ranks.T
            size = np.sqrt(np.outer(products.diagonal(), products.diagonal()))
            each.append(np.divide(products, size, out=np.full_like(size, np.nan), where=size > 0)[pairs])
    table = np.array(each).reshape(-1, len(pairs[0]))
    return [float(column[known].mean()) if (known := np.isfinite(column)).any() else float("nan") for column in table.T]


def stability(patients: Scored, slices: Scored | None) -> Stability:
    """The correlations of one result, over all pairs of repeats; `slices` : its slice scores, where it has any."""
    out = Stability(patients.key, len(patients.scores), len(patients.units))
    out.patients = rank_correlations(patients.scores, np.zeros(len(patients.units), int))
    if slices is not None:
        out.slices = rank_correlations(slices.scores, np.zeros(len(slices.units), int))
        out.within = rank_correlations(slices.scores, slices.patient, at_least=SLICES)
    return out


def by_steadiness(found: Sequence[Stability]) -> list[Stability]:
    """The results that have a figure, from the one whose order of patients varies most to the steadiest."""
    known = [f for f in found if not np.isnan(_steadiness(f))]
    return sorted(known, key=_steadiness)


def _steadiness(found: Stability) -> float:
    return spread(found.patients).mean
