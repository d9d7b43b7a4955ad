"""Strata by hand, their AUC against scikit-learn, and what is said of few patients, old runs and leaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.predictions import Prediction, Scored, group_results
from evaluation.read_run import Run
from evaluation.report.performance.subgroups import strata, strata_section
from evaluation.report.section import Section

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


def section(results: list[Scored], *runs: Run) -> Section:
    return strata_section(results, runs, replicates=200)


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
    entries = section([scored(both, y)], run_of(there, labels)).data["runs"]["run"]
    sagittal = np.arange(len(y)) % 4 < 2
    expected = np.mean([roc_auc_score(y[sagittal], row[sagittal]) for row in both])
    entry = next(e for e in entries if e["stratum"] == "sagittal")
    assert (entry["patients"], entry["positive"]) == (40, 20)
    assert entry["auc"]["estimate"] == pytest.approx(expected, abs=1e-12)
    assert entry["auc"]["low"] < expected < entry["auc"]["high"]


def test_strata_that_differ_are_named_and_others_are_not() -> None:
    y, scores, there, labels = cohort()
    said = section([scored(scores, y)], run_of(there, labels))
    assert said.words[1].startswith("In 1 of 5 pairs of groups the intervals of a result do not overlap: ")
    assert "logistic on FLAIR, axial and sagittal." in said.words[1]
    flat = section([scored(np.random.default_rng(3).uniform(size=len(y)), y)], run_of(there, labels))
    assert flat.words[1].startswith("Between groups of patients the intervals of a result overlap in all 5 pairs")
    json.dumps(said.data, allow_nan=False)


def test_availability_by_hand() -> None:
    y, scores, there, labels = cohort(8)
    there["unlabelled"] = {"FLAIR": series(999, "coronal")}
    said = section([scored(scores, y)], run_of(there, labels))
    assert said.words[0].startswith("4 of 8 patients have all of FLAIR, T1w, T2w; 4 lack T2w. ")
    sets, planes, counts = said.sheets[:3]
    assert list(sets.rows) == [("all", 4, 2), ("without T2w", 4, 2)]
    assert list(planes.columns) == ["Sequence", "axial", "sagittal", "missing"]
    assert list(planes.rows) == [("FLAIR", 4, 4, 0), ("T1w", 8, 0, 0), ("T2w", 4, 0, 4)]
    assert counts.rows[0] == ("FLAIR", 10, 11, 13, 15, 17)


def test_few_patients_are_counted_and_get_no_figure() -> None:
    y, scores, there, labels = cohort(32)  # 16 in a plane, 8 of each class
    said = section([scored(scores, y)], run_of(there, labels))
    assert [e["auc"] for e in said.data["runs"]["run"]] == [None] * 7
    rows = [row for sheet in said.sheets[3:] for row in sheet.rows]
    assert {row[-1] for row in rows} == {"too few"}
    assert ["FLAIR: axial", 16, 8, "too few"] in rows
    assert said.words[1].startswith("No two groups of patients have 10 of each class")


def test_heads_stand_side_by_side_and_one_stratum_is_no_sheet() -> None:
    y, scores, there, labels = cohort()
    results = [scored(scores, y), scored(scores, y, head="boosted"), scored(scores, y, "T1w", "boosted")]
    said = section(results, run_of(there, labels))
    by_plane = next(s for s in said.sheets if s.caption == "AUC pooled (95 % CI) by plane")
    assert list(by_plane.columns)[3:] == ["AUC logistic", "AUC boosted"]
    assert [row[0] for row in by_plane.rows] == ["FLAIR: axial", "FLAIR: sagittal"]  # T1w is axial in everybody
    by_set = next(s for s in said.sheets if s.caption == "AUC pooled (95 % CI) by sequences present")
    assert [row[0] for row in by_set.rows][2:] == ["T1w: all", "T1w: without T2w"]
    assert by_set.rows[2][3] is None  # logistic was not trained on T1w


def test_runs_that_cannot_be_stratified_say_so_in_one_sentence() -> None:
    y, scores, there, labels = cohort()
    runs = [run_of(there, labels, "leaky", leak="LEAKS"), run_of(there, labels, "csv", availability=None)]
    old = run_of(there, labels, "old")
    del old.about["availability"]
    said = section([scored(scores, y)], *runs, old)
    assert len(said.words) == 1
    assert said.words[0].startswith("Not stratified: leaky, csv, old (")
    assert (said.sheets, said.data["runs"]) == ([], {})
