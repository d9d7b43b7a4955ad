"""Every patient has a row, and every score stands in it."""

from __future__ import annotations

from typing import Any

from report_material import LEAK, a_run, context

from core.predictions import Prediction, Scored, group_results
from evaluation.read_run import Run
from evaluation.report.section import Sheet
from evaluation.report.trust.patients import patients_section


def scored(run: str, sequence: str, rows: list[tuple[Any, ...]]) -> Scored:
    """rows : (patient, label, repeat, fold, score, slices)."""
    (s,) = group_results(
        Prediction(run, "dense", sequence, repeat, fold, patient, label, score, n)
        for patient, label, repeat, fold, score, n in rows
    )
    return s


def table(results: list[Scored], runs: list[Run]) -> tuple[Sheet, dict[str, dict[str, Any]]]:
    (sheet,) = patients_section(context(*runs, scored=results)).sheets
    return sheet, {str(row[0]): dict(zip(sheet.columns, row, strict=True)) for row in sheet.rows}


def test_scores_are_averaged_over_repeats_and_say_how_they_vary() -> None:
    flair = scored(
        "runA",
        "FLAIR",
        [("b", 1, 0, 2, 0.4, 7), ("b", 1, 1, 0, 0.8, 7), ("a", 0, 0, 1, 0.25, 9), ("a", 0, 1, 1, 0.25, 9)],
    )
    t2w = scored("runA", "T2w", [("b", 1, 0, 2, 0.9, 30), ("b", 1, 1, 0, 0.7, 30)])
    sheet, rows = table([flair, t2w], [a_run()])
    assert list(rows) == ["a", "b"]
    assert rows["b"] == {
        "Patient": "b", "Label": "1", "Spread": "0.20", "dense, FLAIR": "0.60 \u00b1 0.28", "dense, T2w": "0.80 \u00b1 0.14",
        "Slices": 30, "Test fold": "2 0",
    }  # fmt: skip
    assert rows["a"]["dense, T2w"] is None
    assert rows["a"]["Spread"] is None, "with one score there is nothing to disagree"
    assert rows["a"]["dense, FLAIR"] == "0.25 \u00b1 0.00"
    assert rows["a"]["Test fold"] == "1 1"
    assert (sheet.browse, sheet.choice) == ("patients", "Label")


def test_one_result_of_one_repeat_needs_no_more_columns() -> None:
    _, rows = table([scored("runA", "table", [("a", 1, 0, 0, 0.5, 1)])], [a_run()])
    assert rows["a"] == {"Patient": "a", "Label": "1", "dense": "0.50", "Test fold": "0"}


def test_a_patient_tested_in_some_repeats_only() -> None:
    s = scored("runA", "FLAIR", [("a", 1, 0, 0, 0.5, 1), ("b", 0, 0, 1, 0.2, 1), ("b", 0, 1, 1, 0.4, 1)])
    _, rows = table([s], [a_run()])
    assert rows["a"]["dense, FLAIR"] == "0.50"
    assert rows["a"]["Test fold"] == "0"
    assert rows["b"]["dense, FLAIR"] == "0.30 \u00b1 0.14"


def test_sequences_are_shown_where_the_run_knows_them() -> None:
    run = a_run()
    run.about["availability"] = {
        "a": {
            "FLAIR": {"slices": 5, "plane": "axial"},
            "T2w": {"slices": 0, "plane": "axial"},
            "T1w": {"slices": 1, "plane": "axial"},
        }
    }
    _, rows = table([scored("runA", "FLAIR", [("a", 1, 0, 0, 0.5, 5), ("b", 1, 0, 0, 0.5, 5)])], [run])
    assert rows["a"]["Sequences"] == "FLAIR T1w"
    assert rows["b"]["Sequences"] == ""


def test_runs_that_leak_say_so_and_do_not_count_as_disagreement() -> None:
    honest = [scored("fair", q, [("a", 1, 0, 0, x, 1)]) for q, x in (("FLAIR", 0.4), ("T2w", 0.5))]
    leaky = scored("leaky", "FLAIR", [("a", 1, 0, 0, 1.0, 1)])
    runs = [a_run("fair"), a_run("leaky", leak=LEAK)]
    sheet, rows = table([*honest, leaky], runs)
    assert rows["a"]["Spread"] == "0.10"
    assert rows["a"]["dense, FLAIR (leaky) LEAKS"] == "1.00"
    assert "dense, T2w (fair)" in sheet.columns
    assert (rows["a"]["Test fold (fair)"], rows["a"]["Test fold (leaky)"]) == ("0", "0")


def test_two_questions_have_two_tables() -> None:
    one, other = a_run("one"), a_run("two", patient="x")
    results = [scored("one", "FLAIR", [("a", 1, 0, 0, 0.5, 1)]), scored("two", "FLAIR", [("a", 0, 0, 0, 0.5, 1)])]
    sheets = patients_section(context(one, other, scored=results)).sheets
    assert [s.caption for s in sheets] == ["MGMT of 00002", "MGMT of x"]
    assert [s.rows[0][1] for s in sheets] == ["1", "0"]


def test_labels_that_differ_between_runs_are_both_shown() -> None:
    results = [scored(run, "FLAIR", [("a", y, 0, 0, 0.5, 1)]) for run, y in (("one", 1), ("two", 0))]
    _, rows = table(results, [a_run("one"), a_run("two")])
    assert rows["a"]["Label"] == "0/1"
