"""docs/extending.md, as it stands: its examples are a module outside the packages, and go through the three doors."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
MINE = "\n\n".join(EXAMPLES)
N = 24
RUN = "import sys, {door}, mine; sys.exit({door}.main(sys.argv[1:]))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cohort of `N` patients whose label shows in brightness, its labels, and the examples as mine.py."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.py").write_text(MINE)
    rng = np.random.default_rng(0)
    for i in range(N):
        place = folder / "cohort" / f"p{i:02d}" / "FLAIR"
        place.mkdir(parents=True)
        for k in range(4):
            pixels = np.zeros((32, 32), np.uint8)
            pixels[4:28, 4:28] = rng.integers(60, 120, (24, 24)) + 60 * (i % 2) * (rng.random() < 0.8)
            Image.fromarray(pixels).save(place / f"{k}.png")
    (folder / "labels.csv").write_text("patient,label\n" + "".join(f"p{i:02d},{i % 2}\n" for i in range(N)))
    return folder


def door(folder: Path, name: str, *arguments: object) -> str:
    """What a door prints, with mine.py imported first; it must succeed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    command = [sys.executable, "-c", RUN.format(door=name), *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: re.findall(r"(?:class|def) (\w+)", e)[0])
def test_each_example_is_short(example: str) -> None:
    lines = [line for line in example.splitlines() if line.strip() and "import " not in line]
    assert len(lines) < 15


@pytest.mark.slow
def test_they_go_through_the_three_doors(folder: Path) -> None:
    assert "--centroid-shrink" in door(folder, "train_head", "--help")
    assert "p90" in door(folder, "train_head", "--help")
    assert "thumbnail" in door(folder, "extract_features", "--help")
    door(folder, "extract_features", "cohort", "--backbone", "thumbnail", "--out", "mine.h5", "--workers", "0")
    train = ("mine.h5", "labels.csv", "--head", "centroid", "logistic", "--permutations", "0", "--no-shortcuts")
    said = door(folder, "train_head", *train, "--aggregate", "p90", "--centroid-shrink", "0.5", "--out", "runs/mine")
    assert re.search(r"^centroid +FLAIR +24 ", said, re.MULTILINE)
    door(folder, "train_head", *train, "--tune", "3", "--folds", "2", "--repeats", "1", "--out", "runs/tuned")
    tried = (folder / "runs" / "tuned" / "ledger.csv").read_text()
    assert len(set(re.findall(r'""shrink"": ([\d.]+)', tried))) > 2  # drawn, beside the default
    door(folder, "evaluate", "runs/mine", "--out", "report", "--replicates", "50")
    report = json.loads((folder / "report" / "report.json").read_text())
    assert report["sections"]["sizes"]["sizes"] == {"mine": N}
    assert all("mean_score_gap" in result["values"] for result in report["results"])
    page = (folder / "report" / "report.html").read_text()
    assert "mine has 24 labelled patients." in page and "Score gap" in page
    door(
        folder,
        "evaluate",
        "runs/mine",
        "--cache",
        "mine.h5",
        "--head",
        "centroid",
        "--allow-trained",
        "--out",
        "scores",
    )
    assert (folder / "scores" / "scores.csv").read_text().count("centroid") == N


def test_they_are_in_the_documentation_once_they_are_registered(folder: Path) -> None:
    code = "import mine; from cli.reference import reference; print(reference())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "`--centroid-shrink" in done.stdout and "thumbnail" in done.stdout


def test_a_head_that_cannot_be_saved_is_refused_before_anything_is_fitted(folder: Path) -> None:
    fails = MINE.replace("    fitted = FittedLogistic", "    unsaved = FittedLogistic").replace(
        "def fit(self", "def fit(self, *_, **__): raise SystemExit(9)\n    def unused(self"
    )
    (folder / "apart").mkdir()
    (folder / "apart" / "mine.py").write_text(fails)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder / "apart")])}
    rows = "".join(f"p{i:02d},{i % 5},{i % 3}\n" for i in range(N))
    (folder / "table.csv").write_text("patient,a,b\n" + rows)
    command = [
        sys.executable,
        "-c",
        RUN.format(door="train_head"),
        "../table.csv",
        "../labels.csv",
        "--head",
        "centroid",
    ]
    done = subprocess.run(
        [*command, "--out", "never"], cwd=folder / "apart", env=environment, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "the centroid head cannot be saved" in done.stderr
    assert not (folder / "apart" / "never").exists()


def test_the_modules_of_this_page_are_there() -> None:
    assert all(importlib.util.find_spec(m) for m in re.findall(r"^from ([\w.]+) import", MINE, re.MULTILINE))
