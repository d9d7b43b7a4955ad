"""Strata by hand, and their AUC against scikit-learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.predictions import Prediction, Scored, group_results
from evaluation.read_run import Run
from evaluation.statistics.subgroups import overlap, strata, subgroup_aucs

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


def test_strata_of_a_single_sequence_by_hand() -> None:
    there = {
        "a": {"FLAIR": series(1), "T1w": series(), "T2w": series()}, "b": {"FLAIR": series(2, "coronal"), "T1w": series()},
        "c": {"FLAIR": series(3), "T1w": series(plane="sagittal"), "T2w": series()}, "d": {"FLAIR": series(3, "coronal")},
        "e": {"T1w": series(9)}, "f": {},
    }  # fmt: skip
    about = run_of(there, {}).about
    found = {
        factor: {name: "".join(p for p, inside in zip("abcdef", mask, strict=True) if inside) for name, mask in groups.items()}
        for factor, groups in strata("FLAIR", list("abcdef"), about).items()
    }  # fmt: skip
    assert found == {
        "sequences": {"all": "ac", "none": "f", "without T2w": "b", "without 2 of 3": "de"},
        "plane": {"axial": "ac", "coronal": "bd", "none": "ef"},
        "slices": {"0 to 0": "ef", "1 to 2": "ab", "3 to 3": "cd"},
    }


def test_a_fusion_has_the_planes_and_slices_of_all_its_sequences() -> None:
    there = {
        "a": {"FLAIR": series(5), "T2w": series(5)}, "b": {"FLAIR": series(6), "T2w": series(7, "coronal")},
        "c": {"T1w": series(100, "coronal")},
    }  # fmt: skip
    found = strata("mean(FLAIR+T1w+T2w)", ["a", "b", "c"], run_of(there, {}).about)
    assert {name: mask.tolist() for name, mask in found["plane"].items()} == {
        "axial": [True, False, False], "coronal": [False, False, True], "several planes": [False, True, False]
    }  # fmt: skip
    assert list(found["slices"]) == ["10 to 10", "13 to 13", "100 to 100"]


def test_each_patient_is_in_one_stratum_of_a_factor() -> None:
    y, _, there, labels = cohort()
    for groups in strata("FLAIR", sorted(labels), run_of(there, labels).about).values():
        assert np.array_equal(np.sum(list(groups.values()), axis=0), np.ones(len(y)))
    thirds = strata("FLAIR", sorted(labels), run_of(there, labels).about)["slices"]
    assert [int(mask.sum()) for mask in thirds.values()] == [27, 26, 27]


def test_the_auc_of_a_stratum_is_that_of_its_patients() -> None:
    y, scores, there, labels = cohort()
    both = np.stack([scores, np.random.default_rng(5).uniform(size=len(y))])
    found = subgroup_aucs(scored(both, y), run_of(there, labels).about, replicates=200, seed=0)
    sagittal = np.arange(len(y)) % 4 < 2
    expected = np.mean([roc_auc_score(y[sagittal], row[sagittal]) for row in both])
    one = next(f for f in found if f.stratum == "sagittal")
    assert (one.patients, one.positive) == (40, 20)
    assert one.auc is not None
    assert one.auc["estimate"] == pytest.approx(expected, abs=1e-12)
    assert one.auc["low"] < expected < one.auc["high"]


def test_strata_that_differ_lie_apart_and_others_do_not() -> None:
    y, scores, there, labels = cohort()
    about = run_of(there, labels).about
    found = overlap(subgroup_aucs(scored(scores, y), about, replicates=200, seed=0))
    assert [(a.stratum, b.stratum) for a, b in found.apart] == [("axial", "sagittal")]
    assert found.pairs == 5
    flat = scored(np.random.default_rng(3).uniform(size=len(y)), y)
    assert overlap(subgroup_aucs(flat, about, replicates=200, seed=0)).apart == []
