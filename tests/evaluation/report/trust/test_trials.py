"""What the report says of what was tried and how often it was looked at."""

from __future__ import annotations

import json

from ledger_material import LABELS, make, scored, tuned
from report_material import context
from syrupy.assertion import SnapshotAssertion

from evaluation.read_run import Run
from evaluation.report.section import Section
from evaluation.report.trust.trials import ledger_section


def said(*runs: Run) -> Section:
    return ledger_section(context(*runs))


def test_what_is_said_of_tuned_runs(snapshot: SnapshotAssertion) -> None:
    section = said(tuned())
    assert section.words == snapshot(name="words")
    assert [sheet.rows for sheet in section.sheets] == snapshot(name="tables")
    assert section.data == snapshot(name="data")
    json.dumps(section.data, allow_nan=False)


def test_what_is_said_without_tuning(snapshot: SnapshotAssertion) -> None:
    results = [scored("p", h, q) for h in ("logistic", "boosted") for q in ("FLAIR", "T2w")]
    section = said(make("p", results))
    assert section.words == snapshot(name="four")
    assert section.sheets == []
    assert said(make("p", results[:1])).words == snapshot(name="one")


def test_two_questions_are_counted_apart(snapshot: SnapshotAssertion) -> None:
    other = make("o", [scored("o", "logistic", "FLAIR")], question="IDH1", patients={"labels": {"01": 1, "02": 0}})
    assert said(tuned(), other).words[2:4] == snapshot


def test_a_leaking_run_is_no_candidate_and_no_look(snapshot: SnapshotAssertion) -> None:
    leaky = make("l", [scored("l", "logistic", "FLAIR")], leak="LEAKS")
    section = said(leaky)
    assert section.words == snapshot
    assert section.data["looks"] == []


def test_few_patients_get_no_figures() -> None:
    few = {p: y for p, y in LABELS.items() if int(p) < 18}
    section = said(tuned(few, 18))
    assert [r[2:] for r in section.sheets[0].rows] == [[None, None]] * 3
    assert not any("AUC of" in w for w in section.words)


def test_stand_ins_are_said(snapshot: SnapshotAssertion) -> None:
    run = tuned()
    run.about["tuning"]["stand_ins"] = [{"patient": "01"}, {"patient": "01"}, {"patient": "02"}]
    assert said(run).words[0] == snapshot
