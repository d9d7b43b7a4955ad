"""A run is written whole or not at all, and never in place of something else."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from heads import run_writer
from heads.bundle import Bundle, load_bundle
from heads.logistic import FittedLogistic
from heads.run_writer import check_new, write_run
from heads.standardise import Standardiser

LEAK = "LEAKS: 1 of 2 test patients are also in training"
HEAD = FittedLogistic(Standardiser(np.zeros(2, np.float32), np.ones(2, np.float32)), np.array([1.0, -2.0]), 0.25)


def write(out: Path, *, overwrite: bool = False, score: float = 1 / 3, **about: Any) -> None:
    where = ("r", "logistic", "FLAIR", 0, 1)
    write_run(
        out,
        {"run": "r", "n": 1, **about},
        [(*where, "00002", 1, score, 2)],
        [(*where, "00002", 1, "a,b#1", np.float64(0.1)), (*where, "00002", 1, "ä#2", np.float64(0.2))],
        iter([(*where, 1, 0.7, 0.5, "", "")]),
        [Bundle(HEAD, {"head": "logistic", "sequence": q}) for q in ("FLAIR", "FLAIR+T2w")],
        overwrite=overwrite,
    )


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_the_files_and_their_columns(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "r"
    write(out)
    assert sorted(p.relative_to(out).as_posix() for p in out.rglob("*")) == [
        "curves.csv", "heads", "heads/logistic-FLAIR+T2w.npz", "heads/logistic-FLAIR.npz",
        "predictions.csv", "run.json", "slices.csv",
    ]  # fmt: skip
    assert list(tmp_path.rglob(".*")) == []
    (prediction,) = rows(out / "predictions.csv")
    assert prediction == {
        "run": "r", "head": "logistic", "sequence": "FLAIR", "repeat": "0", "fold": "1",
        "patient_id": "00002", "label": "1", "score": repr(1 / 3), "n_slices": "2",
    }  # fmt: skip
    slices = rows(out / "slices.csv")
    assert list(slices[0]) == [*list(prediction)[:7], "slice", "score"]
    assert [(s["slice"], float(s["score"])) for s in slices] == [("a,b#1", 0.1), ("ä#2", 0.2)]
    (curve,) = rows(out / "curves.csv")
    assert list(curve.values())[5:] == ["1", "0.7", "0.5", "", ""]
    assert list(curve)[5:] == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert json.loads((out / "run.json").read_text(encoding="utf-8")) == {
        "run": "r",
        "n": 1,
        "tables": {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in out.glob("*.csv")},
    }
    assert load_bundle(out / "heads" / "logistic-FLAIR.npz").fitted.scores(
        np.zeros((1, 2), np.float32)
    ) == pytest.approx(1 / (1 + np.exp(-0.25)))


def test_every_row_of_a_leaking_run_says_so(tmp_path: Path) -> None:
    write(tmp_path / "r", leak=LEAK)
    for name in ("predictions.csv", "slices.csv", "curves.csv"):
        table = rows(tmp_path / "r" / name)
        assert list(table[0])[-1] == "warning"
        assert {row["warning"] for row in table} == {LEAK}


@pytest.mark.parametrize("leak", [None, ""])
def test_an_honest_run_has_no_warning_column(leak: str | None, tmp_path: Path) -> None:
    write(tmp_path / "r", leak=leak)
    assert "warning" not in (tmp_path / "r" / "predictions.csv").read_text(encoding="utf-8")


def test_a_new_run_can_be_read_by_others(tmp_path: Path) -> None:
    write(tmp_path / "r")
    assert (tmp_path / "r").stat().st_mode & 0o555 == 0o555


def test_an_existing_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "r")
    before = (tmp_path / "r" / "predictions.csv").read_bytes()
    for attempt in (lambda: check_new(tmp_path / "r", overwrite=False), lambda: write(tmp_path / "r", score=0.9)):
        with pytest.raises(ValueError, match="exists; choose another --out or pass --overwrite"):
            attempt()
    assert (tmp_path / "r" / "predictions.csv").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_overwriting_replaces_everything_and_leaves_nothing_behind(tmp_path: Path) -> None:
    write(tmp_path / "r")
    (tmp_path / "r" / "stale.txt").touch()
    write(tmp_path / "r", overwrite=True, score=0.9)
    assert [p.name for p in tmp_path.iterdir()] == ["r"]
    assert not (tmp_path / "r" / "stale.txt").exists()
    assert rows(tmp_path / "r" / "predictions.csv")[0]["score"] == "0.9"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_no_run_is_never_touched(kind: str, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    if kind == "folder":
        out.mkdir()
        (out / "chapter1.tex").write_text("years of work")
    else:
        out.write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(ValueError, match="thesis"):
            write(out, overwrite=overwrite)
    kept = out / "chapter1.tex" if kind == "folder" else out
    assert kept.read_text() == "years of work"
    assert [p.name for p in tmp_path.iterdir()] == ["thesis"]


def failing() -> Iterator[tuple[Any, ...]]:
    yield ("r", "logistic", "FLAIR", 0, 1, "00002", 1, 0.5, 2)
    raise KeyboardInterrupt


@pytest.mark.parametrize("existing", [False, True])
def test_a_failure_midway_leaves_what_was_there(existing: bool, tmp_path: Path) -> None:
    if existing:
        write(tmp_path / "r")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    with pytest.raises(KeyboardInterrupt):
        write_run(tmp_path / "r", {}, failing(), [], [], [], overwrite=True)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert len(list(tmp_path.iterdir())) == existing


def test_a_failure_while_publishing_brings_the_old_run_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "r")
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    rename = Path.rename

    def unlucky(self: Path, target: Path) -> Path:
        if self.suffix == ".tmp":
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr("core.system.files._exchanged", lambda a, b: False)
    monkeypatch.setattr(run_writer.Path, "rename", unlucky)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "r", overwrite=True, score=0.9)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["r"]
