"""The trials of a plain run, and looks that survive --overwrite."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from heads.boosted import Boosted
from heads.logistic import Logistic
from heads.run_record import LooksRecord
from heads.search.trials import looks
from heads.training.outcome import given_rows

LABELS = {"00001": 1, "00002": 0}
ABOUT: dict[str, object] = {
    "patients": {"labels": LABELS}, "arguments": {"C": 0.01, "out": "r", "overwrite": False}, "features": {"digest": "f"},
    "labels": {"sha256": "l"}, "code_version": "1", "commit": "abc", "dirty": False, "versions": {"numpy": "2"},
}  # fmt: skip


def run(out: Path, results: list[tuple[str, str]], labels: dict[str, int], **about: object) -> None:
    out.mkdir(parents=True)
    (out / "run.json").write_text(json.dumps({"patients": {"labels": labels}, **about}))
    with (out / "predictions.csv").open("w", newline="") as f:
        writer = csv.writer(f)
        writer.writerow(["head", "sequence", "patient_id"])
        writer.writerows([*r, p] for r in results for p in labels)


def test_a_plain_run_has_a_row_per_result() -> None:
    heads = [Logistic(C=0.5), Boosted(rounds=7)]
    results = [("logistic", "FLAIR"), ("boosted", "FLAIR"), ("logistic", "mean(FLAIR+T2w)")]
    rows = [r._asdict() for r in given_rows("r", results, heads, "central", "max")]
    assert [(r["head"], r["sequence"]) for r in rows] == results
    assert rows[0] == {
        "run": "r", "head": "logistic", "sequence": "FLAIR", "slices": "central", "aggregate": "max", "parameters": '{"C": 0.5}',
        "repeat": "", "fold": "", "inner_auc": "", "inner_log_loss": "", "threshold": "", "chosen": 1, "best_head": 0,
    }  # fmt: skip
    assert json.loads(rows[1]["parameters"])["rounds"] == 7


def test_looks_at_new_patients_start_from_nothing(tmp_path: Path) -> None:
    assert looks(tmp_path / "new", ABOUT, 4) == LooksRecord(4, 0)


def test_overwriting_does_not_hide_looks(tmp_path: Path) -> None:
    run(tmp_path / "r", [("a", "b")], LABELS, looks={"results": 2, "earlier": 5, "total": 7})
    assert looks(tmp_path / "r", ABOUT, 3) == LooksRecord(3, 7)


def test_the_very_same_run_again_is_no_new_look(tmp_path: Path) -> None:
    known = {"results": 2, "earlier": 5, "total": 7}
    again = {"arguments": {"C": 0.01, "out": "elsewhere", "overwrite": True}}
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.json").write_text(json.dumps({**ABOUT, "looks": known, **again}))
    assert looks(tmp_path / "r", ABOUT, 2).as_json() == known
    others: list[dict[str, object]] = [
        {"arguments": {"C": 1}}, {"features": {"digest": "g"}}, {"commit": "def"}, {"dirty": True}, {"versions": {"numpy": "1"}},
    ]  # fmt: skip
    for other in others:
        assert looks(tmp_path / "r", {**ABOUT, **other}, 2) == LooksRecord(2, 7), other


def test_a_run_from_before_the_ledger_counts_by_its_results(tmp_path: Path) -> None:
    run(tmp_path / "r", [("a", "b"), ("a", "c"), ("d", "b")], LABELS)
    assert looks(tmp_path / "r", ABOUT, 1) == LooksRecord(1, 3)


@pytest.mark.parametrize("labels", [{"00001": 0, "00002": 1}, {"00001": 1}, {**LABELS, "00003": 0}])
def test_other_patients_and_other_labels_are_another_question(tmp_path: Path, labels: dict[str, int]) -> None:
    run(tmp_path / "r", [("a", "b")], labels)
    assert looks(tmp_path / "r", ABOUT, 1).earlier == 0


@pytest.mark.parametrize("content", ["", "[]", '{"patients": 3}', '{"patients": {"labels": {"00001": 1, "00002": 0}}}'])
def test_a_damaged_run_is_no_obstacle(tmp_path: Path, content: str) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.json").write_text(content)
    assert looks(tmp_path / "r", ABOUT, 2) == LooksRecord(2, 0)


def test_what_else_lies_in_the_parent_folder_is_no_look(tmp_path: Path) -> None:
    run(tmp_path / "sibling", [("a", "b"), ("a", "c")], LABELS, looks={"results": 2, "earlier": 5, "total": 7})
    assert looks(tmp_path / "r", ABOUT, 3) == LooksRecord(3, 0)
