"""Runs that lie beside those of a report are named, and neither count nor break anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evaluate
import train_head
from evaluation.neighbours import neighbours
from evaluation.read_run import Run

ABOUT: dict[str, Any] = {"format": "mgmt-radiogenomics/run", "question": "MGMT 1 against 0", "labels": {"sha256": "a"}}


def lie(folder: Path, name: str, content: str | bytes) -> Run:
    (folder / name).mkdir()
    (folder / name / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    return Run(folder / name, name, ABOUT, [], [], [])


def test_neighbours_ask_the_same_question_of_the_same_labels(tmp_path: Path) -> None:
    run = lie(tmp_path, "run", json.dumps(ABOUT))
    other = lie(tmp_path, "other", json.dumps(ABOUT))
    lie(tmp_path, "asks something else", json.dumps({**ABOUT, "question": "IDH1 1 against 0"}))
    lie(tmp_path, "other labels", json.dumps({**ABOUT, "labels": {"sha256": "b"}}))
    lie(tmp_path, "a report", json.dumps({**ABOUT, "format": "other"}))
    lie(tmp_path, ".hidden", json.dumps(ABOUT))
    (tmp_path / "empty").mkdir()
    assert neighbours([run]) == ["other"]
    assert neighbours([Run(tmp_path / "empty" / ".." / "run", "run", ABOUT, [], [], [])]) == ["other"]
    assert neighbours([run, other]) == []
    assert neighbours([Run(Path("nowhere/run"), "run", ABOUT, [], [], [])]) == [], "a run that lies in no folder"


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "3", '"x"', json.dumps({**ABOUT, "labels": []}), json.dumps({**ABOUT, "labels": {}}),
        json.dumps({"format": ABOUT["format"]}), "[" * 100_000, b"\xff\xfe\x00", json.dumps({**ABOUT, "question": {"a": [1]}}),
    ],
)  # fmt: skip
def test_a_damaged_neighbour_is_passed_over(tmp_path: Path, content: str | bytes) -> None:
    run = lie(tmp_path, "run", json.dumps(ABOUT))
    lie(tmp_path, "damaged", content)
    (tmp_path / "folder" / "run.json").mkdir(parents=True)
    assert neighbours([run]) == []


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs `alone/run` and, of the same table, `together/run` byte for byte, beside four others and damaged ones."""
    folder = tmp_path_factory.mktemp("neighbours")
    rng = np.random.default_rng(3)
    rows = [f"p{i:02d},{rng.normal() + 0.9 * (i % 2):.4f},{rng.normal():.4f}" for i in range(60)]
    (folder / "t.csv").write_text("patient,x,y\n" + "\n".join(rows) + "\n")
    (folder / "l.csv").write_text("patient,label\n" + "".join(f"p{i:02d},{i % 2}\n" for i in range(60)))
    inputs = [str(folder / "t.csv"), str(folder / "l.csv"), "--head", "logistic", "--jobs", "1", "--repeats", "1"]
    assert train_head.main([*inputs, "--permutations", "9", "--out", str(folder / "alone" / "run")]) == 0
    shutil.copytree(folder / "alone" / "run", folder / "together" / "run")
    for k in range(4):
        options = ["--permutations", "0", "--C", str(0.1 * (k + 1)), "--out", str(folder / "together" / f"r{k}")]
        assert train_head.main([*inputs, *options]) == 0
    lie(folder / "together", "half a run", '{"format": "mgmt-radiogenomics/run"')
    return folder


@pytest.mark.slow
def test_a_report_is_the_same_wherever_its_runs_lie(trained: Path) -> None:
    found = {}
    for place in ("alone", "together"):
        options = ["--out", str(trained / f"report {place}"), "--replicates", "40"]
        assert evaluate.main([str(trained / place / "run"), *options]) == 0
        found[place] = json.loads((trained / f"report {place}" / "report.json").read_text())
        found[place].pop("provenance")
    alone, together = found["alone"], found["together"]
    assert alone["verdict"] == together["verdict"]
    assert "better than chance" in alone["verdict"][0], "a verdict that four further looks would have changed"
    words = together["sections"]["ledger"]["words"]
    (line,) = [w for w in words if w not in alone["sections"]["ledger"]["words"]]
    assert "r0, r1, r2, r3" in line
    words.remove(line)
    assert alone == together
