"""The figures of the report stand in the row and column that they belong to."""

from __future__ import annotations

import re

import pytest
from report_material import LEAK, PNG, a_run, assessments

from core.metrics import METRICS
from evaluation.report.figures import Drawing
from evaluation.report.performance.results import (
    certainty_section,
    heads_section,
    metrics_section,
    pairs_section,
    results_section,
    slices_section,
)
from evaluation.report.section import Section, result_name
from evaluation.statistics.assess import Assessment
from evaluation.statistics.compare import compare_all

OVERVIEW = Drawing("auc", "t", "alt", PNG)


def cell(section: Section, row: str, column: str) -> object:
    (sheet,) = section.sheets
    (found,) = [r for r in sheet.rows if r[0] == row]
    return found[list(sheet.columns).index(column)]


def interval(value: dict[str, float]) -> str:
    return f"{value['estimate']:.3f} ({value['low']:.2f}-{value['high']:.2f})"


@pytest.fixture(scope="module")
def two() -> list[Assessment]:
    return assessments(a_run("honest", n=40, repeats=2), a_run("leaky", leak=LEAK, n=40))


def test_names_tell_results_apart_and_no_more() -> None:
    assert result_name(("r", "dense", "T2w")) == "dense, T2w"
    assert result_name(("r", "dense", "T2w"), ["r", "r"]) == "dense, T2w"
    assert result_name(("r", "dense", "T2w"), ["r", "s"], ["r"]) == "dense, T2w (r) LEAKS"


def test_the_main_table(two: list[Assessment]) -> None:
    section = results_section(two, OVERVIEW, ["leaky"])
    a = two[1]
    row = "logistic, T2w (honest)"
    assert (a.run, a.sequence) == ("honest", "T2w")
    assert cell(section, row, "Patients (positive)") == "40 (20)"
    assert cell(section, row, "AUC by fold") == interval(a.by_fold)
    assert cell(section, row, "AUC pooled") == f"{a.values['auc']['estimate']:.3f}"
    assert cell(section, row, "Accuracy") == interval(a.values["accuracy"])
    assert cell(section, row, "Majority") == "0.500"
    assert [r[0] for r in section.sheets[0].rows][2:] == [
        "logistic, FLAIR (leaky) LEAKS",
        "logistic, T2w (leaky) LEAKS",
    ]
    assert section.drawings == [OVERVIEW]
    assert "20 replicates" in section.words[1]
    assert "threshold 0.5" in section.words[1]


def test_the_threshold_is_said(two: list[Assessment]) -> None:
    import copy

    other = copy.copy(two[0])
    other.threshold = "youden"
    assert "best on the other folds" in results_section([other], OVERVIEW).words[1]


def test_the_further_metrics_are_all_the_others(two: list[Assessment]) -> None:
    section = metrics_section(two)
    shown = {"AUC", "Accuracy", "Brier score", *section.sheets[0].columns} - {"Result"}
    assert shown == {title for title, _, _ in METRICS.values()}
    assert cell(section, "logistic, FLAIR (honest)", "F1") == interval(two[0].values["f1"])
    assert cell(section, "logistic, FLAIR (honest)", "Log loss") == interval(two[0].values["log_loss"])


def test_the_intervals_stand_beside_each_other(two: list[Assessment]) -> None:
    section, a, row = certainty_section(two), two[0], "logistic, FLAIR (honest)"
    assert cell(section, row, "AUC by fold") == interval(a.by_fold)
    assert cell(section, row, "Training noise") in (f"{a.by_fold['u']:.2f}", f"{a.by_fold['u']:.0f} (bound)")
    assert cell(section, "logistic, FLAIR (leaky)", "Training noise") == "1 (assumed)"
    assert cell(section, row, "AUC pooled, bootstrap") == interval(a.values["auc"])
    assert cell(section, row, "DeLong") == f"{a.delong['low']:.2f}-{a.delong['high']:.2f}"
    assert (
        cell(section, row, "Influence curve") == f"{a.fold_auc_interval['low']:.2f}-{a.fold_auc_interval['high']:.2f}"
    )
    assert cell(section, row, "Smallest AUC detectable") == f"{a.power['detectable']:.2f}"


def test_every_pair_has_a_row() -> None:
    pairs = compare_all(a_run("one", n=40).scored, replicates=20)
    section, row = pairs_section(pairs), "logistic, FLAIR against logistic, T2w"
    assert len(pairs) == 1
    assert "Holm" not in section.words[0] and section.sheets[0].caption == "1 pair"
    c = pairs[0]
    assert cell(section, row, "Patients") == 40
    assert cell(section, row, "AUC A - AUC B (95 % CI)") == f"{c.difference:.3f} ({c.low:.2f} to {c.high:.2f})"
    assert cell(section, row, "p, DeLong") == f"{c.p_delong:.3f}"
    c.p, c.p_folds = 1e-5, None
    assert cell(pairs_section(pairs), row, "p") == "< 0.001"
    assert cell(pairs_section(pairs), row, "p by fold") is None
    assert cell(section, row, "In words") == c.verdict


def test_slices_have_a_table_of_their_own(two: list[Assessment]) -> None:
    section = slices_section(two)
    slices = [a for a in two if a.level == "slice"]
    assert [r[0] for r in section.sheets[0].rows] == ["logistic, FLAIR (honest)", "logistic, FLAIR (leaky)"]
    assert cell(section, "logistic, FLAIR (honest)", "AUC pooled") == interval(slices[0].values["auc"])
    assert cell(section, "logistic, FLAIR (honest)", "AUC by fold") == f"{slices[0].mean_fold_auc:.3f}"
    assert section.folded


def test_each_figure_says_its_folds(two: list[Assessment]) -> None:
    panels = {(a.run, a.head, a.sequence): Drawing(a.sequence, f"{a.run}: {a.sequence}", "alt", PNG) for a in two}
    training = Drawing("t", "Training", "alt", PNG)
    section = heads_section(two, panels, [training])
    by_fold = ", ".join(f"{x:.2f}" for x in two[0].fold_auc)
    assert section.drawings[0].title == f"honest: FLAIR. AUC by fold: {by_fold}."
    assert len(section.drawings) == 4 + 1
    assert section.drawings[-1] is training
    assert panels["honest", "logistic", "FLAIR"].title == "honest: FLAIR", "the drawing itself is left as it was"


def test_with_few_patients_a_sentence_says_why_there_is_no_interval() -> None:
    few = assessments(a_run("few", n=16))
    for section in (results_section(few, OVERVIEW), metrics_section(few), slices_section(few)):
        assert section.words[-1].startswith("n/a: no intervals with fewer than 10 patients in a class")
        assert not any(re.search(r"\d-\d", str(c)) for row in section.sheets[0].rows for c in row)
    assert certainty_section(few).sheets == []
    assert len(certainty_section(few).words) == 1


def test_beside_others_the_few_stand_without_an_interval() -> None:
    both = [*assessments(a_run("few", n=16)), *assessments(a_run("more", n=40))]
    row = next(r for r in certainty_section(both).sheets[0].rows if r[0] == "logistic, FLAIR (few)")
    assert row[2] == "n/a" and list(row[4:]) == ["n/a", f"{both[0].values['auc']['estimate']:.3f} (n/a)", *["n/a"] * 4]
    more = next(a for a in both if a.run == "more" and a.level == "patient")
    assert cell(results_section(both, OVERVIEW), "logistic, FLAIR (more)", "AUC by fold") == interval(more.by_fold)
