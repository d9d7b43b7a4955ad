"""Slice scores -> one score per patient. Another aggregator is one function: `@AGGREGATORS.register("p90")`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.registry import Registry

Scores = NDArray[np.float64]
Aggregator = Callable[[Scores], Scores | np.float64]  # of one column, a number will do

TOP = 5  # slices, for topk

# Each turns the probabilities of one patient's slices, (m,) or a column per head (m, B), into one number in 0 ... 1 each.
AGGREGATORS: Registry[Aggregator] = Registry("aggregator")


@AGGREGATORS.register("mean")
def mean(s: Scores) -> Scores:
    """The mean."""
    return np.asarray(s.mean(axis=0))


@AGGREGATORS.register("median")
def median(s: Scores) -> Scores:
    """The median."""
    return np.asarray(np.median(s, axis=0))


@AGGREGATORS.register("max")
def highest(s: Scores) -> Scores:
    """The highest."""
    return np.asarray(s.max(axis=0))


@AGGREGATORS.register("topk")
def top_mean(s: Scores) -> Scores:
    """The mean of the `TOP` highest."""
    return np.asarray(np.sort(s, axis=0)[-TOP:].mean(axis=0))


@AGGREGATORS.register("noisy-or")
def noisy_or(s: Scores) -> Scores:
    """The probability that at least one slice is positive, were they independent."""
    return np.asarray(-np.expm1(np.log1p(-_clipped(s)).sum(axis=0)))


@AGGREGATORS.register("logit-mean")
def logit_mean(s: Scores) -> Scores:
    """The probability of the mean log odds."""
    return np.asarray(1 / (1 + np.exp(-np.mean(np.log(_clipped(s)) - np.log1p(-_clipped(s)), axis=0))))


def aggregate(scores: Scores, patient: NDArray[Any], how: str) -> list[tuple[str, float, int]]:
    """(patient, score, number of slices) for each patient in (n,) scores with (n,) ids, ids sorted.

    Raises ValueError for an unknown aggregator.
    """
    function = AGGREGATORS[how]
    if len(patient) == 0:
        return []
    patients, index = np.unique(patient.astype(str), return_inverse=True)
    groups = np.split(scores[np.argsort(index, kind="stable")], np.cumsum(np.bincount(index))[:-1])
    return [(str(p), float(function(g)), len(g)) for p, g in zip(patients, groups, strict=True)]


def _clipped(s: Scores) -> Scores:
    return np.clip(s, 1e-7, 1 - 1e-7)
