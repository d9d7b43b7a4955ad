"""Learning curves in words: rising, falling or neither, by an interval that knows that folds share patients."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from report_material import context
from syrupy.assertion import SnapshotAssertion

import evaluate
import train_head
from evaluation.read_run import Run
from evaluation.report.performance.learning_curve import learning_section, learning_sections
from heads.run_files import LEARNING, LEARNING_COLUMNS


def rows(gain: float, *, heads: tuple[str, ...] = ("logistic",), sequences: tuple[str, ...] = ("FLAIR",)) -> list:
    """Ten folds, sizes of 50 and 100 patients; the AUC is gain higher with 100."""
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 10))
    return [
        {
            "run": "r", "head": head, "sequence": sequence, "share": str(share), "patients": str(patients), "tested": "25",
            "repeat": "0", "fold": str(k), "auc": str(0.6 + (gain + noise[1, k] if share == 1 else noise[0, k])),
        }
        for head in heads for sequence in sequences for share, patients in ((0.5, 50), (1.0, 100)) for k in range(10)
    ]  # fmt: skip


def run(table: list | None, positives: int = 30) -> Run:
    labels = {str(i): int(i < positives) for i in range(60)}
    about = {"patients": {"labels": labels}}
    return Run(Path("runs/r"), "r", about, [], [], [], {} if table is None else {LEARNING: table})


@pytest.mark.parametrize("gain", [0.1, -0.1, 0.0])
def test_the_end_of_the_curve_in_words(gain: float, snapshot: SnapshotAssertion) -> None:
    section = learning_section(run(rows(gain)))
    assert section is not None
    assert section.words == snapshot


@pytest.mark.slow
def test_table_figure_and_data_show_every_head_and_sequence() -> None:
    section = learning_section(run(rows(0.1, heads=("a", "b", "c"), sequences=("X", "Y", "Z"))))
    assert section is not None
    assert section.key == "learning-r"
    assert len(section.sheets[0].rows) == 18
    assert section.sheets[0].rows[0][:3] == ("a, X", "50%", 50)
    (drawing,) = section.drawings
    assert "b on Z: 0.60 with 50, 0.70 with 100" in drawing.alt
    assert int.from_bytes(drawing.png[16:20], "big") <= 6.4 * 130
    assert len(section.data["curves"]) == 9
    json.dumps(section.data, allow_nan=False)


def test_without_a_curve_or_patients_there_is_nothing_to_show(snapshot: SnapshotAssertion) -> None:
    assert learning_section(run(None)) is None
    assert learning_sections(context(run(None), run(rows(0.1), positives=9)))[0].key == "learning-r"
    few = learning_section(run(rows(0.1), positives=9))
    assert few is not None
    assert few.words == snapshot(name="few")
    assert (few.sheets, few.drawings) == ([], [])
    blank = learning_section(run([{**r, "auc": ""} for r in rows(0.1)]))
    assert blank is not None
    assert blank.words == snapshot(name="blank")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a learning curve, on a table of 60 patients of whom column x tells the label."""
    folder = tmp_path_factory.mktemp("learning")
    rng = np.random.default_rng(0)
    lines = [f"p{i:02d},{rng.normal() + 1.2 * (i % 2):.4f},{rng.normal():.4f}" for i in range(60)]
    (folder / "table.csv").write_text("patient,x,y\n" + "\n".join(lines) + "\n")
    (folder / "labels.csv").write_text("patient,label\n" + "".join(f"p{i:02d},{i % 2}\n" for i in range(60)))
    arguments = [
        str(folder / "table.csv"),
        str(folder / "labels.csv"),
        "--jobs",
        "1",
        "--repeats",
        "1",
        "--permutations",
        "0",
    ]
    assert train_head.main([*arguments, "--head", "logistic", "--learning-curve", "--out", str(folder / "run")]) == 0
    return folder


@pytest.mark.slow
def test_the_doors_write_and_report_the_curve_and_the_calibration(trained: Path) -> None:
    with (trained / "run" / LEARNING).open(newline="") as f:
        table = list(csv.DictReader(f))
    assert tuple(table[0]) == LEARNING_COLUMNS
    assert len(table) == 4 * 5
    arguments = [str(trained / "run"), "--replicates", "60", "--recalibrate", "platt", "--out", str(trained / "report")]
    assert evaluate.main(arguments) == 0
    content = json.loads((trained / "report" / "report.json").read_text())
    sections = content["sections"]
    (whole,) = [r["mean_fold_auc"] for r in content["results"] if r["level"] == "patient"]
    assert sections["learning-run"]["curves"][0]["points"][-1]["auc"] == pytest.approx(whole, abs=1e-12)
    assert sections["calibration"]["recalibration"] == "platt"
    assert sections["calibration"]["words"][0].startswith("RECALIBRATED")
    assert "Decision curve" in (trained / "report" / "report.html").read_text()


def test_the_curve_is_of_the_heads_as_given_on_folds_of_patients(trained: Path, capsys) -> None:
    arguments = [str(trained / "table.csv"), str(trained / "labels.csv"), "--learning-curve", "--out", "never"]
    assert train_head.main([*arguments, "--head", "logistic", "--tune", "3"]) == 2
    assert "it takes no --split slice, --tune or --demonstrate-leak" in capsys.readouterr().err
