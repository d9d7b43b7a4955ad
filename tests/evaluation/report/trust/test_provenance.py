"""Who is in the report, what was left out, and where it comes from."""

from __future__ import annotations

from report_material import ORIGIN, a_run, context
from syrupy.assertion import SnapshotAssertion

from evaluation.report.trust.cohort import cohort_section
from evaluation.report.trust.provenance import code, command_line, libraries, made_by, provenance_section


def test_the_cohort_and_what_was_left_out(snapshot: SnapshotAssertion) -> None:
    section = cohort_section(context(a_run(patient="00709")))
    assert section.words == snapshot
    (sheet,) = section.sheets
    assert sheet.caption == snapshot(name="caption")
    assert sheet.rows == [["a/b.dcm", "00709", "broken 00709"]]
    assert sheet.browse, "thousands of skipped files can be searched"


def test_a_run_that_skipped_nothing_says_so(snapshot: SnapshotAssertion) -> None:
    run = a_run()
    run.about["features"]["skipped"] = []
    section = cohort_section(context(run))
    assert section.sheets == []
    assert section.words[-1] == snapshot


def test_a_skipped_folder_goes_by_its_patient() -> None:
    run = a_run()
    run.about["features"]["skipped"] = [{"patient": "00123", "source": "", "reason": "empty"}]
    assert cohort_section(context(run)).sheets[0].rows == [["00123", "00123", "empty"]]


def test_a_run_can_be_made_again(snapshot: SnapshotAssertion) -> None:
    section = provenance_section(context(a_run(), a_run("runB")))
    assert [s.caption for s in section.sheets] == ["runA", "runB"]
    assert section.sheets[0].rows == snapshot


def test_code_and_command_in_words(snapshot: SnapshotAssertion) -> None:
    no_checkout = {"code_version": "1", "commit": None, "dirty": None}
    assert code(no_checkout) == snapshot(name="no checkout")
    assert code({"code_version": "1", "commit": "f", "dirty": False}) == "code version 1, commit f"
    assert command_line(["a.py", "--out", "my runs"]) == snapshot(name="command")
    assert libraries(ORIGIN) == "Python 3, numpy 2"
    assert made_by(ORIGIN) == snapshot(name="made by")
