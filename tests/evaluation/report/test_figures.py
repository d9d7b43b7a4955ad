"""Figures are files that say what they show, the same each time, whatever the names in them."""

from __future__ import annotations

import base64
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.predictions import Prediction, Scored, group_results
from core.text import interval_text, number
from evaluation.read_run import Run
from evaluation.report.figures import Drawing
from evaluation.report.performance.head_by_head import panels, training_curves
from evaluation.report.performance.results import forest
from evaluation.statistics.assess import Assessment, assess


def scored(run: str = "run", sequence: str = "FLAIR", one_class: bool = False) -> Scored:
    rng = np.random.default_rng(0)
    labels = np.ones(30, int) if one_class else np.arange(30) % 2
    scores = np.clip(rng.normal(0.4 + 0.2 * labels, 0.2), 0, 1)
    (s,) = group_results(
        Prediction(run, "dense", sequence, 0, i % 3, f"p{i}", int(y), float(v), 1)
        for i, (y, v) in enumerate(zip(labels, scores, strict=True))
    )
    return s


def assessed(s: Scored, level: str = "patient") -> Assessment:
    return assess(s, level=level, replicates=50, curves=level == "patient")


def a_run(split: str = "patient", **curve: Any) -> Run:
    where = {"head": "dense", "sequence": "FLAIR", "repeat": "0"}
    curves = [
        {**where, "fold": f, "epoch": str(e), "loss": "0.7", "accuracy": "0.5", "val_loss": "0.8", "val_accuracy": "0.4", **curve}
        for f in "012" for e in (1, 2)
    ]  # fmt: skip
    return Run(Path("runs/run"), "run", {"split": split}, [], [], curves)


def words(d: Drawing) -> str:
    """What is written in the SVG, which is well-formed."""
    return " ".join(t.strip() for t in ET.fromstring(d.svg).itertext() if t.strip())


def draw(kind: str) -> Drawing:
    s = scored()
    if kind == "forest":
        return forest([assessed(s), assessed(s, "slice")])
    return panels(assessed(s), s) if kind == "panels" else training_curves(a_run())[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"),
    [("forest", "auc"), ("panels", "run-dense-FLAIR"), ("training", "run-dense-FLAIR-training")],
)
def test_each_figure_is_a_png_and_an_svg_and_the_same_each_time(kind: str, name: str, tmp_path: Path) -> None:
    one, other = draw(kind), draw(kind)
    one.write(tmp_path / "a")
    assert one.name == name
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == [f"{name}.png", f"{name}.svg"]
    assert one == other
    assert one.png == (tmp_path / "a" / f"{name}.png").read_bytes()
    assert one.png.startswith(b"\x89PNG\r\n\x1a\n")
    assert len(one.png) > 5000
    prefix, data = one.data_uri.split(",")
    assert prefix == "data:image/png;base64"
    assert base64.b64decode(data) == one.png
    ET.parse(tmp_path / "a" / f"{name}.svg")


def test_the_forest_tells_every_auc() -> None:
    results = [assessed(scored(sequence=q)) for q in ("FLAIR", "T2w")]
    d = forest(results)
    text = interval_text(results[0].by_fold)
    assert d.alt == f"AUC by fold of every result: dense on FLAIR {text}; dense on T2w {text}"
    assert "dense, T2w" in words(d)
    assert "run:" not in words(d), "with one run its name is no news"
    assert "one: dense, FLAIR" in words(forest([assessed(scored("one")), assessed(scored("two"))]))


@pytest.mark.slow
def test_the_panels_tell_auc_average_precision_and_the_four_cells() -> None:
    s = scored()
    a = assessed(s)
    a.confusion = {"tp": 11, "fp": 6, "tn": 9, "fn": 4}
    d = panels(a, s)
    assert d.title == "run: dense, FLAIR"
    assert "11 true positives, 6 false positives, 9 true negatives, 4 false negatives" in d.alt
    assert f"first repeat. ROC curve with pooled AUC {number(a.first_repeat['auc'])};" in d.alt
    assert f"average precision {number(a.first_repeat['average_precision'])};" in d.alt
    drawn = words(d)
    assert f"ROC, AUC {a.values['auc']['estimate']:.2f} (pooled)" in drawn
    assert "Patients, threshold 0.5" in drawn
    assert " 9 6 4 11 " in drawn, "rows are the labels, columns the calls: tn fp / fn tp"


@pytest.mark.slow
def test_one_class_is_drawn_without_curves() -> None:
    s = scored(one_class=True)
    a = assessed(s)
    assert "AUC n/a" in panels(a, s).alt
    assert "n/a" in forest([a]).alt


@pytest.mark.parametrize(
    ("split", "curve", "expected"),
    [
        ("patient", {}, "on training rows and on inner validation patients."),
        ("slice", {}, "on training rows and on validation slices."),
        ("patient", {"val_loss": "", "val_accuracy": ""}, "on training rows."),
    ],
)
def test_training_curves_say_what_was_watched(split: str, curve: dict[str, str], expected: str) -> None:
    (d,) = training_curves(a_run(split, **curve))
    assert d.alt == f"run: training of dense, FLAIR. Loss and accuracy by epoch for 3 folds, {expected}"
    drawn = words(d)
    assert ("inner validation patients" in drawn) == (split == "patient" and not curve)
    assert ("validation slices" in drawn) == (split == "slice")


def test_a_run_without_curves_has_no_training_figure() -> None:
    run = a_run()
    run.curves.clear()
    assert training_curves(run) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["../up/and away", "a<script>b", r"cost $\frac$ $", "mean(FLAIR+T2w)"])
def test_names_are_data_and_neither_paths_nor_formulas(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    s = scored(run=name)
    a = assessed(s)
    for d in (panels(a, s), forest([a, assessed(scored())])):
        d.write(folder)
        assert (folder / f"{d.name}.png").is_file()
        assert name in words(d) or name in d.title
    assert {p.parent for p in tmp_path.rglob("*.png")} == {folder}


@pytest.mark.slow
def test_drawing_leaves_the_style_of_others_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw("panels")
    assert dict(matplotlib.rcParams) == before
