"""Learning curves in words: rising, falling or neither, by an interval that knows that folds share patients."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import evaluate
import train_head
from evaluation.read_run import Run
from evaluation.report.performance.learning_curve import (
    TABLE,
    corrected_interval,
    learning_section,
    patient_auc,
    read_lines,
)
from evaluation.statistics.compare import corrected_t_test
from heads.controls.learning_curve import LEARNING_COLUMNS


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
    return Run(Path("runs/r"), "r", about, [], [], [], {} if table is None else {TABLE: table})


def test_the_interval_is_the_corrected_t_test_inverted() -> None:
    values = np.random.default_rng(1).normal(0.05, 0.1, 10)
    for share in (0.0, 0.25):
        low, high = corrected_interval(values, share)
        assert (low + high) / 2 == pytest.approx(values.mean())
        assert corrected_t_test(values - low, share) == pytest.approx(0.05, abs=1e-9)
        assert corrected_t_test(values - high, share) == pytest.approx(0.05, abs=1e-9)
    assert np.isnan(corrected_interval(values[:1], 0.25)).all()


def test_lines_hold_means_by_size_and_the_paired_gain() -> None:
    table = rows(0.1)
    (line,) = read_lines(table)
    aucs = np.array([float(r["auc"]) for r in table]).reshape(2, 10)
    assert [p.auc for p in line.points] == pytest.approx(aucs.mean(axis=1))
    assert [(p.share, p.patients) for p in line.points] == [(0.5, 50), (1.0, 100)]
    assert line.gain == pytest.approx((aucs[1] - aucs[0]).mean())
    assert (line.low, line.high) == pytest.approx(corrected_interval(aucs[1] - aucs[0], 0.25))
    assert (line.points[0].low, line.points[0].high) == pytest.approx(corrected_interval(aucs[0], 0.25))


def test_folds_that_lack_a_class_are_left_out() -> None:
    table = rows(0.1)
    for r in table:
        if r["fold"] == "3":
            r["auc"] = ""
    (line,) = read_lines(table)
    kept = [float(r["auc"]) for r in table if r["fold"] != "3" and r["share"] == "1.0"]
    assert line.points[1].auc == pytest.approx(np.mean(kept))


@pytest.mark.parametrize(
    ("gain", "said"),
    [(0.1, "still rising."), (-0.1, "falling."), (0.0, "no detectable change, though a rise of up to 0.0")],
)
def test_the_end_of_the_curve_in_words(gain: float, said: str, tmp_path: Path) -> None:
    section = learning_section(run(rows(gain)), tmp_path)
    assert section is not None
    assert said in section.words[0]
    assert section.words[0].startswith("logistic on FLAIR: AUC by fold 0.")
    assert "not extrapolated" in section.words[-1]


def test_table_figure_and_data_show_every_head_and_sequence(tmp_path: Path) -> None:
    section = learning_section(run(rows(0.1, heads=("a", "b", "c"), sequences=("X", "Y", "Z"))), tmp_path)
    assert section is not None
    assert section.key == "learning-r"
    assert len(section.sheets[0].rows) == 18
    assert section.sheets[0].rows[0][:3] == ("a, X", "50%", 50)
    (drawing,) = section.drawings
    assert "b on Z: 0.60 with 50, 0.70 with 100" in drawing.alt
    assert int.from_bytes(drawing.png[16:20], "big") <= 6.4 * 130
    assert len(section.data["curves"]) == 9
    json.dumps(section.data, allow_nan=False)


def test_without_a_curve_or_patients_there_is_nothing_to_show(tmp_path: Path) -> None:
    assert learning_section(run(None), tmp_path) is None
    few = learning_section(run(rows(0.1), positives=9), tmp_path)
    assert few is not None
    assert few.words == ["9 positive and 51 negative patients: nothing can be said of more or fewer of them."]
    assert (few.sheets, few.drawings) == ([], [])
    blank = learning_section(run([{**r, "auc": ""} for r in rows(0.1)]), tmp_path)
    assert blank is not None
    assert blank.words == ["No test fold holds both classes, so there is no AUC by fold to draw."]


@dataclass
class Result:
    rows: np.ndarray
    scores: np.ndarray


@dataclass
class Table:
    patient: np.ndarray


def test_the_auc_of_a_fold_counts_patients_once() -> None:
    table = Table(np.array(["a", "a", "b", "c", "c", "d"], object))
    result = Result(np.arange(1, 6), np.array([0.9, 0.2, 0.1, 0.5, 0.3]))  # a 0.9, b 0.2, c 0.3, d 0.3
    assert patient_auc(result, table, {"a": 1, "b": 0, "c": 1, "d": 0}, "mean") == pytest.approx(3.5 / 4)
    assert patient_auc(result, table, {"a": 1, "b": 0, "c": 1, "d": 0}, "max") == 1.0
    assert np.isnan(patient_auc(result, table, dict.fromkeys("abcd", 1), "mean"))


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


def test_the_doors_write_and_report_the_curve_and_the_calibration(trained: Path) -> None:
    with (trained / "run" / TABLE).open(newline="") as f:
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
