"""Made-up runs whose patients differ in sequences, planes and slices, for the tests of subgroups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.predictions import Prediction, Scored, group_results
from evaluation.read_run import Run

SEQUENCES = ["FLAIR", "T1w", "T2w"]


def series(slices: int = 20, plane: str = "axial") -> dict[str, Any]:
    return {"slices": slices, "plane": plane}


def run_of(there: dict[str, dict[str, Any]], labels: dict[str, int], name: str = "run", **about: Any) -> Run:
    about = {"availability": there, "patients": {"labels": labels}, "sequences": SEQUENCES, "leak": None} | about
    return Run(Path(), name, about, [], [], [])


def scored(scores: np.ndarray, y: np.ndarray, sequence: str = "FLAIR", head: str = "logistic") -> Scored:
    """Scores (R, n) of patients 0000, 0001 ..."""
    rows = [
        Prediction("run", head, sequence, r, i % 5, f"{i:04d}", int(y[i]), float(s), 1)
        for r, row in enumerate(np.atleast_2d(scores))
        for i, s in enumerate(row)
    ]
    return group_results(rows)[0]


def cohort(n: int = 80, seed: int = 0) -> tuple[np.ndarray, np.ndarray, dict[str, dict[str, Any]], dict[str, int]]:
    """Labels and scores that rank sagittal patients perfectly and axial ones not at all; T2w is there in half of both."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    sagittal = np.arange(n) % 4 < 2
    scores = np.where(sagittal, 0.2 + 0.6 * y, 0.5) + rng.uniform(-0.1, 0.1, n)
    there = {}
    for i in range(n):
        own = {"FLAIR": series(10 + i, "sagittal" if sagittal[i] else "axial"), "T1w": series()}
        there[f"{i:04d}"] = own | ({"T2w": series()} if i % 8 < 4 else {})
    return y, scores, there, {f"{i:04d}": int(y[i]) for i in range(n)}
