"""A submission holds exactly the ids asked for, in their order, and nothing made up."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from core.tables import write_csv
from evaluation.export.scores import submission_rows

SCORES = {"00002": 0.25, "00013": 1 / 3, "unasked": 0.9}


def test_ids_are_the_ones_asked_for_in_their_order() -> None:
    ids = [("13", "00013"), ("2", "00002"), ("13", "00013")]
    rows, without = submission_rows(SCORES, ["id", "p"], ids, None)
    assert rows == [["id", "p"], ["13", "0.333333"], ["2", "0.250000"], ["13", "0.333333"]]
    assert without == []


def test_the_challenge_header_is_the_default() -> None:
    assert submission_rows(SCORES, None, [("00002", "00002")], None)[0][0] == ["BraTS21ID", "MGMT_value"]


@pytest.mark.parametrize("patient", [None, "00099"])
def test_nothing_is_made_up(patient: str | None) -> None:
    with pytest.raises(ValueError, match="1 of the 2 ids asked for have no score, first '99'.*--missing-score"):
        submission_rows(SCORES, None, [("2", "00002"), ("99", patient)], None)


@pytest.mark.parametrize(("score", "text"), [(0.5, "0.500000"), (0.0, "0.000000")])
def test_the_missing_score_goes_to_the_missing_alone(score: float, text: str) -> None:
    ids = [("99", None), ("2", "00002"), ("98", "00098")]
    rows, without = submission_rows(SCORES, None, ids, score)
    assert rows[1:] == [["99", text], ["2", "0.250000"], ["98", text]]
    assert without == ["99", "98"]


def test_the_file_is_written_whole_and_replaces_the_last(tmp_path: Path) -> None:
    path = tmp_path / "new" / "submission.csv"
    for rows in ([["id"], ["old"], ["older"]], [["id", "p"], ["00002", "a,b"]]):
        write_csv(path, rows)
        with path.open(newline="", encoding="utf-8") as f:
            assert list(csv.reader(f)) == rows
    assert [p.name for p in path.parent.iterdir()] == ["submission.csv"]
