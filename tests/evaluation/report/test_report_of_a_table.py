"""The report of a table of features speaks of patients and columns, and pays for every look at the folds."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest

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


def test_there_are_neither_slices_nor_sequences(said: Said) -> None:
    page, sections, _ = said
    assert "strata" not in sections
    assert "logistic, table" not in page
    assert "on table" not in page
    words = " ".join(w for s in sections.values() for w in s.get("words", []))
    assert not re.findall(r"\b(?:usable slice|slice score|Slices:|skipped at extraction)\b", words)
    assert "Not audited: run, trained on a table" in words
    answers = json.dumps(sections["checklists"])
    assert "slice" not in answers
    assert "a table of 2 columns, a row per patient" in answers
    assert "unit: patient (a row of the table each)" in answers


def test_the_look_of_the_run_that_was_replaced_is_paid_for(
    said: Said,
) -> None:
    _, sections, verdict = said
    assert any("over 19 shuffles of the labels" in w and "(the least that they can give)" in w for w in verdict)
    assert "somewhat optimistic" in verdict[0]
    assert "it comes after looking at 1 result of runs that it replaced" in verdict[2]
    assert "Corrected for all 2 (Bonferroni)" in verdict[2]
    assert any("looked at twice: 1 by the results of this report, 1 by runs" in w for w in sections["ledger"]["words"])


def test_twelve_positives_are_said_to_tell_little(said: Said) -> None:
    _, sections, _ = said
    assert any(
        w.startswith("What 12 patients in the smaller class cannot tell") for w in sections["calibration"]["words"]
    )
