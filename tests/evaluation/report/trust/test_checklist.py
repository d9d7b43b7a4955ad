"""The checklists answer what the runs record, and leave the rest to the authors."""

from __future__ import annotations

import re

import pytest
from report_material import LEAK, a_run, assessments

from evaluation.read_run import Run
from evaluation.report.section import Section, Sheet
from evaluation.report.trust.checklist import CLAIM, OPEN, TRIPOD, _range, checklist_section, facts


def answers(*runs: Run, others: tuple[Section, ...] = ()) -> tuple[dict[str, str], dict[str, str]]:
    section = checklist_section(runs, assessments(*runs), others)
    claim, tripod = ({str(row[0]).split()[0]: str(row[1]) for row in sheet.rows} for sheet in section.sheets)
    return claim, tripod


def test_the_items_are_those_of_the_papers() -> None:
    assert [n for n, _, _ in CLAIM] == [str(i) for i in range(1, 45)]
    numbers = [n for n, _, _ in TRIPOD]
    assert len(numbers) == len(set(numbers)) == 52
    assert list(dict.fromkeys(int(re.match(r"\d+", n)[0]) for n in numbers)) == list(range(1, 28))  # type: ignore[index]
    letters = {int(re.match(r"\d+", n)[0]): n[-1] for n in numbers if n[-1].isalpha()}  # type: ignore[index]
    assert letters == {3: "c", 5: "b", 6: "c", 8: "c", 9: "c", 12: "g", 18: "f", 20: "c", 23: "b", 27: "c"}


def test_every_answer_has_a_fact_and_every_fact_an_item() -> None:
    run = a_run(n=40)
    known = set(facts([run], assessments(run), {}))
    asked = {fact for _, _, fact in (*CLAIM, *TRIPOD) if fact}
    assert asked == known


@pytest.mark.parametrize("number", ["1", "5", "11", "34", "40", "44"])
def test_what_no_run_can_know_is_left_to_the_authors(number: str) -> None:
    assert answers(a_run(n=40))[0][number] == OPEN


@pytest.mark.parametrize("number", ["14", "17", "18a", "18d", "19"])
def test_ethics_funding_and_fairness_are_left_to_the_authors(number: str) -> None:
    assert answers(a_run(n=40))[1][number] == OPEN


def test_answers_come_from_the_records() -> None:
    run = a_run(n=40, repeats=2)
    claim, tripod = answers(run)
    assert "train.h5" in claim["7"] and "ffffffffffff" in claim["7"] and "labels.csv" in claim["7"]
    assert claim["12"].startswith("2 patients without a known label were left out, 1 files skipped")
    assert "T2w: 1" in claim["12"]
    assert claim["14"].startswith("MGMT of 00002.")
    assert "2 folds, 2 repeats, drawn with seed 7" in claim["19"]
    assert claim["20"].startswith("Patients: no patient is in training and test")
    assert claim["23"] == "Python 3, numpy 2."
    assert claim["25"] == "logistic (C 0.01); unit: slice."
    assert (
        "3 patients included; left out: 2 without a known label, 0 without a row in the labels, 1 with" in claim["35"]
    )
    aucs = sorted(a.by_fold["estimate"] for a in assessments(run) if a.level == "patient")
    assert f"{aucs[0]:.2f} to {aucs[1]:.2f} (2 results without a leak)" in claim["37"]
    assert claim["33"].startswith("None here")
    assert tripod["21"] == "3 patients, 1 positive."
    assert "commit abc (with uncommitted changes)" in tripod["18f"]
    assert tripod["12a"] == claim["19"]


def test_a_leak_is_the_answer_to_how_the_data_were_split() -> None:
    claim, tripod = answers(a_run(leak=LEAK))
    assert claim["20"].startswith(LEAK)
    assert LEAK in claim["19"]
    assert LEAK in tripod["12a"]


def test_runs_that_differ_answer_each_for_itself() -> None:
    claim, _ = answers(a_run("one", n=40), a_run("two", n=40, leak=LEAK))
    assert "one: Cross-validation" in claim["19"]
    assert f"two: By slice, the notebook's way. {LEAK}" in claim["19"]
    assert claim["23"] == "Python 3, numpy 2.", "what is the same is said once"
    assert "(2 results without a leak)" in claim["37"], "figures of a leak are no performance"
    assert answers(a_run("two", n=40, leak=LEAK))[0]["37"].startswith("Every run leaks")


def test_few_patients_get_no_figure() -> None:
    claim, tripod = answers(a_run(n=12))
    for text in (claim["37"], claim["38"], tripod["23a"]):
        assert text.startswith("Fewer than 10 patients in a class")
        assert not re.search(r"0\.\d", text)


def test_further_parts_of_the_report_are_named_where_they_answer() -> None:
    assert answers(a_run(n=40))[0]["30"] == OPEN
    sheet = Sheet("s", ("a",), [("b",)])
    strata = Section("strata", "Strata", [], [sheet])
    assert answers(a_run(n=40), others=(strata,))[0]["30"] == "See 'Strata' in this report."
    both = answers(a_run(n=40), others=(strata, Section("stability", "Stability", [], [sheet])))[0]["30"]
    assert both == "See 'Strata', 'Stability' in this report."
    silent = Section("strata", "Strata", ["Nothing can be said."])
    assert answers(a_run(n=40), others=(silent,))[0]["30"] == OPEN, "a section without a figure answers nothing"


def test_equal_ends_of_a_range_are_said_once() -> None:
    assert _range([0.631, None, 0.634]) == "0.63"
    assert _range([0.7, 0.5]) == "0.50 to 0.70"


def test_the_data_say_which_items_are_open() -> None:
    run = a_run(n=40)
    section = checklist_section([run], assessments(run))
    data = section.data
    assert data["CLAIM 2024"]["44"] is None
    assert data["CLAIM 2024"]["20"].startswith("Patients")
    answered = sum(a is not None for a in data["TRIPOD+AI"].values())
    assert section.sheets[1].caption == f"TRIPOD+AI: {answered} of 52 items have an answer"
