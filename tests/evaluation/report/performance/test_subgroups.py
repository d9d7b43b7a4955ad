"""What the report says of strata, of few patients, of old runs and of leaks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from report_material import context
from syrupy.assertion import SnapshotAssertion

from core.predictions import Prediction, Scored, group_results
from evaluation.read_run import Run
from evaluation.report.performance.subgroups import strata_section
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
    made = strata_section(context(*runs, scored=results, replicates=200))
    assert made is not None
    return made


def test_strata_that_differ_are_named_and_others_are_not(snapshot: SnapshotAssertion) -> None:
    y, scores, there, labels = cohort()
    said = section([scored(scores, y)], run_of(there, labels))
    assert said.words == snapshot(name="apart")
    flat = section([scored(np.random.default_rng(3).uniform(size=len(y)), y)], run_of(there, labels))
    assert flat.words == snapshot(name="overlapping")
    json.dumps(said.data, allow_nan=False)


def test_availability_by_hand(snapshot: SnapshotAssertion) -> None:
    y, scores, there, labels = cohort(8)
    there["unlabelled"] = {"FLAIR": series(999, "coronal")}
    said = section([scored(scores, y)], run_of(there, labels))
    assert said.words[0] == snapshot
    sets, planes, counts = said.sheets[:3]
    assert list(sets.rows) == [("all", 4, 2), ("without T2w", 4, 2)]
    assert list(planes.columns) == ["Sequence", "axial", "sagittal", "missing"]
    assert list(planes.rows) == [("FLAIR", 4, 4, 0), ("T1w", 8, 0, 0), ("T2w", 4, 0, 4)]
    assert counts.rows[0] == ("FLAIR", 10, 11, 13, 15, 17)


def test_few_patients_are_counted_and_get_no_figure(snapshot: SnapshotAssertion) -> None:
    y, scores, there, labels = cohort(32)  # 16 in a plane, 8 of each class
    said = section([scored(scores, y)], run_of(there, labels))
    assert [e["auc"] for e in said.data["runs"]["run"]] == [None] * 7
    rows = [row for sheet in said.sheets[3:] for row in sheet.rows]
    assert {row[-1] for row in rows} == {"too few"}
    assert ["FLAIR: axial", 16, 8, "too few"] in rows
    assert said.words[1] == snapshot


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


def test_runs_that_cannot_be_stratified_say_so_in_one_sentence(snapshot: SnapshotAssertion) -> None:
    y, scores, there, labels = cohort()
    runs = [run_of(there, labels, "leaky", leak="LEAKS"), run_of(there, labels, "csv", availability=None)]
    old = run_of(there, labels, "old")
    del old.about["availability"]
    said = section([scored(scores, y)], *runs, old)
    assert said.words == snapshot
    assert (said.sheets, said.data["runs"]) == ([], {})
