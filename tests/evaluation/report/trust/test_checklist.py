"""The checklists answer what the runs record, and leave the rest to the authors."""

from __future__ import annotations

import re

import pytest
from report_material import LEAK, a_run, context
from syrupy.assertion import SnapshotAssertion

from evaluation.read_run import Run
from evaluation.report.section import Section, Sheet
from evaluation.report.trust.checklist import OPEN, checklist_section
from evaluation.report.trust.checklist_facts import facts, range_said
from evaluation.report.trust.checklist_items import CLAIM, TRIPOD


def answers(*runs: Run, others: tuple[Section, ...] = ()) -> tuple[dict[str, str], dict[str, str]]:
    section = checklist_section(context(*runs, sections=list(others)))
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
    known = set(facts(context(run)))
    asked = {fact for _, _, fact in (*CLAIM, *TRIPOD) if fact}
    assert asked == known


@pytest.mark.parametrize("number", ["1", "5", "11", "34", "40", "44"])
def test_what_no_run_can_know_is_left_to_the_authors(number: str) -> None:
    assert answers(a_run(n=40))[0][number] == OPEN


@pytest.mark.parametrize("number", ["14", "17", "18a", "18d", "19"])
def test_ethics_funding_and_fairness_are_left_to_the_authors(number: str) -> None:
    assert answers(a_run(n=40))[1][number] == OPEN


def test_answers_come_from_the_records(snapshot: SnapshotAssertion) -> None:
    run = a_run(n=40, repeats=2)
    claim, tripod = answers(run)
    assert claim == snapshot(name="CLAIM 2024")
    assert tripod == snapshot(name="TRIPOD+AI")
    aucs = sorted(a.by_fold["estimate"] for a in context(run).patients)
    assert f"{aucs[0]:.2f} to {aucs[1]:.2f} (2 results " in claim["37"]


def test_a_leak_is_the_answer_to_how_the_data_were_split() -> None:
    claim, tripod = answers(a_run(leak=LEAK))
    assert claim["20"].startswith(LEAK)
    assert LEAK in claim["19"]
    assert LEAK in tripod["12a"]


def test_runs_that_differ_answer_each_for_itself(snapshot: SnapshotAssertion) -> None:
    claim, _ = answers(a_run("one", n=40), a_run("two", n=40, leak=LEAK))
    assert claim["19"] == snapshot(name="how the data were split")
    assert LEAK in claim["19"]
    assert claim["23"] == "Python 3, numpy 2.", "what is the same is said once"
    assert claim["37"] == snapshot(name="performance"), "figures of a leak are no performance"
    assert answers(a_run("two", n=40, leak=LEAK))[0]["37"] == snapshot(name="every run leaks")


def test_few_patients_get_no_figure(snapshot: SnapshotAssertion) -> None:
    claim, tripod = answers(a_run(n=12))
    said = [claim["37"], claim["38"], tripod["23a"]]
    assert said == snapshot
    for text in said:
        assert not re.search(r"0\.\d", text)


def test_further_parts_of_the_report_are_named_where_they_answer(snapshot: SnapshotAssertion) -> None:
    assert answers(a_run(n=40))[0]["30"] == OPEN
    sheet = Sheet("s", ("a",), [("b",)])
    strata = Section("strata", "Strata", [], [sheet])
    assert answers(a_run(n=40), others=(strata,))[0]["30"] == snapshot(name="one")
    both = answers(a_run(n=40), others=(strata, Section("stability", "Stability", [], [sheet])))[0]["30"]
    assert both == snapshot(name="both")
    silent = Section("strata", "Strata", ["Nothing can be said."])
    assert answers(a_run(n=40), others=(silent,))[0]["30"] == OPEN, "a section without a figure answers nothing"


def test_equal_ends_of_a_range_are_said_once() -> None:
    assert range_said([0.631, None, 0.634]) == "0.63"
    assert range_said([0.7, 0.5]) == "0.50 to 0.70"


def test_the_data_say_which_items_are_open(snapshot: SnapshotAssertion) -> None:
    run = a_run(n=40)
    section = checklist_section(context(run))
    data = section.data
    assert data["CLAIM 2024"]["44"] is None
    assert data["CLAIM 2024"]["20"].startswith("Patients")
    answered = sum(a is not None for a in data["TRIPOD+AI"].values())
    assert section.sheets[1].caption == snapshot
    assert f": {answered} of 52 " in section.sheets[1].caption
