"""Scores of patients and of slices by repeat, for the tests of stability."""

from __future__ import annotations

import numpy as np

from core.predictions import Scored


def patients(scores: list[list[float]] | np.ndarray, y: list[int] | None = None, head: str = "logistic") -> Scored:
    scores = np.array(scores, float)
    n = scores.shape[1]
    names = [f"p{i:02d}" for i in range(n)]
    labels = np.array(y or [i % 2 for i in range(n)])
    return Scored(
        "run", head, "FLAIR", names, names, np.arange(n), labels, scores, np.zeros(scores.shape, int), np.ones(n, int)
    )


def slices(scores: list[list[float]] | np.ndarray, owner: list[int]) -> Scored:
    scores, index = np.array(scores, float), np.array(owner)
    names = [f"p{i:02d}" for i in range(max(owner) + 1)]
    units = [f"{names[p]}/a#{k}" for k, p in enumerate(owner)]
    return Scored(
        "run", "logistic", "FLAIR", units, names, index, index % 2, scores, np.zeros(scores.shape, int), np.ones(len(units), int)
    )  # fmt: skip
