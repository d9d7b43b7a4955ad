"""The report of a table of features speaks of patients and columns, and pays for every look at the folds."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

import evaluate
import train_head

Said = tuple[str, dict[str, Any], list[str]]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Said:
    """The page of a run that replaced another, the sections of its report.json and its verdict."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    y = np.arange(60) % 5 == 0
    ids = [f"P{i:02d}" for i in range(60)]
    rows = [f"{p},{x[0] + 3 * label},{x[1]}" for p, x, label in zip(ids, rng.normal(size=(60, 2)), y, strict=True)]
    (folder / "t.csv").write_text("id,a,b\n" + "\n".join(rows) + "\n")
    (folder / "labels.csv").write_text("id,label\n" + "".join(f"{p},{int(v)}\n" for p, v in zip(ids, y, strict=True)))
    paths = [str(folder / "t.csv"), str(folder / "labels.csv"), "--out", str(folder / "run")]
    for options in (["--C", "0.02"], ["--overwrite"]):
        assert train_head.main([*paths, "--head", "logistic", "--jobs", "1", "--permutations", "19", *options]) == 0
    assert evaluate.main([str(folder / "run"), "--out", str(folder / "report"), "--replicates", "30"]) == 0
    content = json.loads((folder / "report" / "report.json").read_text())
    page = (folder / "report" / "report.html").read_text(encoding="utf-8")
    return (
        re.sub(r"<(style|script)>.*?</\1>|src=\"data:[^\"]*\"", "", page, flags=re.S),
        content["sections"],
        content["verdict"],
    )


@pytest.mark.slow
def test_there_are_neither_slices_nor_sequences(said: Said, snapshot: SnapshotAssertion) -> None:
    page, sections, _ = said
    assert "strata" not in sections
    assert "logistic, table" not in page
    assert "on table" not in page
    words = " ".join(w for s in sections.values() for w in s.get("words", []))
    spoken = r"\b(?:usable slice|slice score|Slices:|skipped at extraction)\b"
    assert not re.findall(spoken, words)
    assert [w for s in sections.values() for w in s.get("words", []) if "audited" in w] == snapshot(name="audit")
    assert "slice" not in json.dumps(sections["checklists"])
    lists = (sections["checklists"][name] for name in ("CLAIM 2024", "TRIPOD+AI"))
    answers = [answer for items in lists for answer in items.values() if answer and "row" in answer]
    assert answers == snapshot(name="checklists")


def test_the_look_of_the_run_that_was_replaced_is_paid_for(said: Said, snapshot: SnapshotAssertion) -> None:
    _, sections, verdict = said
    assert verdict == snapshot(name="verdict")
    assert sections["ledger"]["words"] == snapshot(name="ledger")


def test_twelve_positives_are_said_to_tell_little(said: Said, snapshot: SnapshotAssertion) -> None:
    _, sections, _ = said
    assert [w for w in sections["calibration"]["words"] if "12 patients" in w] == snapshot
