"""The figures of the report stand in the row and column that they belong to."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from report_material import LEAK, PNG, a_run, context, fake_panels
from syrupy.assertion import SnapshotAssertion

from core.metrics import METRICS
from core.predictions import ResultKey
from evaluation.report.context import ReportContext
from evaluation.report.figures import Drawing
from evaluation.report.performance.certainty import SIMULATED, certainty_section, narrow_intervals
from evaluation.report.performance.head_by_head import heads_section
from evaluation.report.performance.metrics import metrics_section
from evaluation.report.performance.pairs import pairs_section, pairs_sentence
from evaluation.report.performance.results import results_section
from evaluation.report.performance.slices import slices_section
from evaluation.report.section import Section, result_name
from evaluation.statistics.compare import compare_all

ROOT = Path(__file__).resolve().parents[4]


def cell(section: Section, row: str, column: str) -> object:
    (sheet,) = section.sheets
    (found,) = [r for r in sheet.rows if r[0] == row]
    return found[list(sheet.columns).index(column)]


def interval(value: dict[str, float]) -> str:
    return f"{value['estimate']:.3f} ({value['low']:.2f}-{value['high']:.2f})"


@pytest.fixture(scope="module")
def two() -> ReportContext:
    return context(a_run("honest", n=40, repeats=2), a_run("leaky", leak=LEAK, n=40))


def test_names_tell_results_apart_and_no_more() -> None:
    assert result_name(ResultKey("r", "dense", "T2w")) == "dense, T2w"
    assert result_name(ResultKey("r", "dense", "T2w"), ["r", "r"]) == "dense, T2w"
    assert result_name(ResultKey("r", "dense", "T2w"), ["r", "s"], ["r"]) == "dense, T2w (r) LEAKS"


def test_the_main_table(two: ReportContext, snapshot: SnapshotAssertion) -> None:
    section = results_section(two)
    a = two.patients[1]
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
    assert [d.name for d in section.drawings] == ["auc"]
    assert section.words == snapshot


def test_the_threshold_is_said(snapshot: SnapshotAssertion) -> None:
    run = a_run("honest", n=40, repeats=2)
    assert results_section(context(run, threshold="youden")).words[1] == snapshot


def test_the_further_metrics_are_all_the_others(two: ReportContext) -> None:
    section = metrics_section(two)
    shown = {"AUC", "Accuracy", "Brier score", *section.sheets[0].columns} - {"Result"}
    assert shown == {m.title for m in METRICS.values()}
    assert cell(section, "logistic, FLAIR (honest)", "F1") == interval(two.patients[0].values["f1"])
    assert cell(section, "logistic, FLAIR (honest)", "Log loss") == interval(two.patients[0].values["log_loss"])


def test_the_intervals_stand_beside_each_other(two: ReportContext) -> None:
    section, a, row = certainty_section(two), two.patients[0], "logistic, FLAIR (honest)"
    assert cell(section, row, "AUC by fold") == interval(a.by_fold)
    assert cell(section, row, "Training noise") in (f"{a.by_fold['u']:.2f}", f"{a.by_fold['u']:.0f} (bound)")
    assert cell(section, "logistic, FLAIR (leaky) LEAKS", "Training noise") == "1 (assumed)"
    assert cell(section, row, "AUC pooled, bootstrap") == interval(a.values["auc"])
    assert cell(section, row, "DeLong") == f"{a.delong['low']:.2f}-{a.delong['high']:.2f}"
    assert (
        cell(section, row, "Influence curve") == f"{a.fold_auc_interval['low']:.2f}-{a.fold_auc_interval['high']:.2f}"
    )
    assert cell(section, row, "Smallest AUC detectable") == f"{a.power['detectable']:.2f}"


def test_every_pair_has_a_row(snapshot: SnapshotAssertion) -> None:
    pairs = compare_all(a_run("one", n=40).scored, replicates=20)
    made = context(pairs=pairs)
    section, row = pairs_section(made), "logistic, FLAIR against logistic, T2w"
    assert section is not None
    assert len(pairs) == 1
    assert "Holm" not in section.words[0] and section.sheets[0].caption == "1 pair"
    c = pairs[0]
    assert cell(section, row, "Patients") == 40
    assert cell(section, row, "AUC A - AUC B (95 % CI)") == f"{c.difference:.3f} ({c.low:.2f} to {c.high:.2f})"
    assert cell(section, row, "p, DeLong") == f"{c.p_delong:.3f}"
    assert cell(section, row, "In words") == snapshot(name="alike")
    c.p, c.p_holm, c.p_folds, c.difference = 1e-5, 1e-5, None, 0.1
    changed = pairs_section(made)
    assert changed is not None
    assert cell(changed, row, "p") == "< 0.001"
    assert cell(changed, row, "p by fold") is None
    assert cell(changed, row, "In words") == snapshot(name="different")
    assert pairs_section(context(pairs=[])) is None


def test_the_sentence_counts_the_pairs(snapshot: SnapshotAssertion) -> None:
    alike, one = compare_all([*a_run("one", n=40).scored, *a_run("two", n=40).scored], replicates=20)[:2]
    said = {
        "none": pairs_sentence([]),
        "one, alike": pairs_sentence([alike]),
        "two, alike": pairs_sentence([alike, one]),
    }
    one.p_holm, one.difference = 1e-5, -0.2
    said |= {"one, different": pairs_sentence([one]), "two, one different": pairs_sentence([one, alike])}
    assert said == snapshot


def test_slices_have_a_table_of_their_own(two: ReportContext) -> None:
    section, slices = slices_section(two), two.by_slice
    assert section is not None
    assert [r[0] for r in section.sheets[0].rows] == ["logistic, FLAIR (honest)", "logistic, FLAIR (leaky) LEAKS"]
    assert cell(section, "logistic, FLAIR (honest)", "AUC pooled") == interval(slices[0].values["auc"])
    assert cell(section, "logistic, FLAIR (honest)", "AUC by fold") == f"{slices[0].mean_fold_auc:.3f}"
    assert section.folded


def test_each_figure_says_its_folds(two: ReportContext, monkeypatch: pytest.MonkeyPatch) -> None:
    home = "evaluation.report.performance.head_by_head"
    training = Drawing("t", "Training", "alt", PNG)
    monkeypatch.setattr(f"{home}.panels", fake_panels("alt"))
    monkeypatch.setattr(f"{home}.training_curves", lambda run: [training] if run.name == "honest" else [])
    section = heads_section(two)
    by_fold = ", ".join(f"{x:.2f}" for x in two.patients[0].fold_auc)
    assert section.drawings[0].title == f"honest: logistic. AUC by fold: {by_fold}."
    assert len(section.drawings) == 4 + 1
    assert section.drawings[-1] is training


def test_with_few_patients_a_sentence_says_why_there_is_no_interval(snapshot: SnapshotAssertion) -> None:
    few = context(a_run("few", n=16))
    for section in (results_section(few), metrics_section(few), slices_section(few)):
        assert section is not None
        assert section.words[-1] == snapshot(name="why")
        assert not any(re.search(r"\d-\d", str(c)) for row in section.sheets[0].rows for c in row)
    assert certainty_section(few).sheets == []
    assert len(certainty_section(few).words) == 1


def test_beside_others_the_few_stand_without_an_interval() -> None:
    both = context(a_run("few", n=16), a_run("more", n=40))
    row = next(r for r in certainty_section(both).sheets[0].rows if r[0] == "logistic, FLAIR (few)")
    pooled = both.patients[0].values["auc"]["estimate"]
    assert row[2] == "n/a" and list(row[4:]) == ["n/a", f"{pooled:.3f} (n/a)", *["n/a"] * 4]
    more = next(a for a in both.patients if a.run == "more")
    assert cell(results_section(both), "logistic, FLAIR (more)", "AUC by fold") == interval(more.by_fold)


def test_the_simulated_intervals_are_those_of_the_documentation(snapshot: SnapshotAssertion) -> None:
    assert narrow_intervals() == snapshot
    table = (ROOT / "docs" / "measured.md").read_text(encoding="utf-8").splitlines()
    rows = [[c.strip(" *") for c in line.strip("|").split("|")] for line in table if line.startswith("|")]
    half = [f"{n} ({n // 2})" for n in SIMULATED.patients]
    without_effect = [r for r in rows if r[0] in half and r[1:4] == ["logistic", "1", "0"]]
    assert len(without_effect) == len(half)
    of_report = [100 * float(r[7]) for r in without_effect]
    others = [100 * float(x) for r in without_effect for x in r[8:11]]
    assert (round(min(of_report)), round(max(of_report))) == SIMULATED.by_fold
    assert (round(min(others)), round(max(others))) == SIMULATED.fixed_models
    assert any(f"{SIMULATED.cohorts} cohorts a row" in line for line in table)
