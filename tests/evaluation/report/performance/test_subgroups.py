"""What the report says of strata, of few patients, of old runs and of leaks."""

from __future__ import annotations

import json

import numpy as np
from report_material import context
from subgroup_material import cohort, run_of, scored, series
from syrupy.assertion import SnapshotAssertion

from core.predictions import Scored
from evaluation.read_run import Run
from evaluation.report.performance.subgroups import strata_section
from evaluation.report.section import Section


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
