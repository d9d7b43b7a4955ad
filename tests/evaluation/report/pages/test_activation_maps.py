"""What is drawn and said of class activation maps, and refused; the door from run and cohort to figures."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_ins import CellEmbedder
from syrupy.assertion import SnapshotAssertion

import evaluate
import extract_features
import train_head
from core.predictions import Prediction, Scored, group_results
from core.question import LabelQuestion
from evaluation.read_run import read_run
from evaluation.report.pages.activation_maps import drawing, explain_section, write_explanation
from evaluation.statistics.activation_maps import Explanation, known_scores
from evaluation.statistics.assess import assess


def explanation(logits: list[float], score: float, **changes: Any) -> Explanation:
    """Slices whose maps have the given means, each with one cell far above them."""
    maps = np.zeros((len(logits), 7, 7))
    maps[:, 2, 3] = 49 * np.array(logits)
    images = np.zeros((len(logits), 224, 224), np.uint8)
    slices = [f"00011/FLAIR/Image-{k}.dcm#{k}" for k in range(len(logits))]
    return replace(
        Explanation("00011", 1, "logistic", "FLAIR", 0, 2, score, "mean", False, slices, images, maps), **changes
    )


def result(auc_is_high: bool, n: int = 40) -> Scored:
    rng = np.random.default_rng(0)
    y = np.arange(n) % 2
    scores = 0.4 * rng.random(n) + (0.25 * y if auc_is_high else 0)
    return group_results(
        Prediction("run", "logistic", "FLAIR", 0, i % 5, f"p{i}", int(y[i]), float(scores[i]), 3) for i in range(n)
    )[0]


@pytest.mark.slow
def test_the_figure_says_whose_score_it_is(snapshot: SnapshotAssertion) -> None:
    figure = drawing(explanation([0.2, -0.1, 0.9, -0.5, 0, 0.3, 0.4, 0.1], 0.62))
    svg = figure.svg.decode()
    assert figure.name == "00011-logistic-FLAIR"
    assert "00011: logistic on FLAIR, label 1, repeat 0, fold 2: score 0.62" in svg
    assert "mean of the scores of 8 slices; the 6 that carry it most" in svg
    assert svg.index("slice 2") < svg.index("slice 6") < svg.index("slice 5") and "slice 3" not in svg
    assert figure.alt == snapshot(name="figure")
    lone = drawing(explanation([0.3], 0.57, pooled=True, slices=["a/plain.png#-1"]))
    assert lone.alt == snapshot(name="one slice")
    assert "plain" in lone.svg.decode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "scored", [result(True), result(False), result(True, 12)], ids=["above chance", "chance", "few patients"]
)
def test_the_words_say_what_the_maps_are_worth(scored: Scored, snapshot: SnapshotAssertion) -> None:
    assessed = [assess(scored, level="patient", replicates=200)]
    section = explain_section([explanation([0.3, 0.1], 0.55)], assessed, LabelQuestion("MGMT"))
    assert section.words == snapshot
    assert section.sheets[0].rows == [("00011: logistic on FLAIR", 1, 0, 2, 0.55, 2, "0.525 to 0.574")]


@pytest.mark.slow
def test_the_json_has_every_slice_and_the_maps_that_are_drawn(tmp_path: Path) -> None:
    e = explanation([0.1 * k for k in range(8)], 0.6)
    assessed = [assess(result(True), level="patient", replicates=50)]
    section = explain_section([e], assessed, LabelQuestion("q"))
    write_explanation(tmp_path / "explain.json", section, "run", {"commit": "abc"})
    content = json.loads((tmp_path / "explain.json").read_text())
    assert (content["format"], content["format_version"]) == ("mgmt-radiogenomics/explanation", 1)
    slices = content["explanations"][0]["slices"]
    assert [s["map"] is None for s in slices] == [True, True] + [False] * 6
    assert np.mean(slices[7]["map"]) == pytest.approx(slices[7]["logit"], abs=1e-12)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with cohort/, f.h5, labels.csv and the runs slices, pooled, boosted and leak: 8 patients, 4 slices each, one blank."""
    from PIL import Image

    home = tmp_path_factory.mktemp("explain")
    rng = np.random.default_rng(0)
    for i in range(8):
        for sequence in ("FLAIR", "T2w")[: 1 if i == 3 else 2]:
            folder = home / "cohort" / f"{i:05d}" / sequence
            folder.mkdir(parents=True)
            for k in range(4):
                pixels = rng.integers(0, 120 + 60 * (i % 2), (24, 24)).astype(np.uint8) * np.uint8(k > 0)
                Image.fromarray(pixels).save(folder / f"Image-{k}.png")
    (home / "labels.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(8)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.backbones.keras_applications.Embedder", lambda *a, **k: CellEmbedder())
        extract = [home / "cohort", "--out", home / "f.h5", "--workers", "0"]
        assert extract_features.main([str(a) for a in extract]) == 0
        for name, options in {
            "slices": ["--head", "logistic", "boosted", "--folds", "4", "--repeats", "2", "--fuse", "scores"],
            "pooled": ["--head", "logistic", "--folds", "4", "--unit", "patient", "--fuse", "features"],
            "boosted": ["--head", "boosted", "--folds", "2", "--sequence", "FLAIR"],
            "leak": ["--head", "logistic", "--split", "slice", "--keep-blank", "--sequence", "FLAIR"],
        }.items():
            paths = [home / "f.h5", home / "labels.csv", "--out", home / name]
            assert train_head.main([str(a) for a in (*paths, *options, "--permutations", "0", "--jobs", "1")]) == 0
        yield home


Door = Callable[..., int]


@pytest.fixture
def door(walked: Path, tmp_path: Path) -> Door:
    def call(run: str, *patients: str, options: tuple[str, ...] = (), cohort: Path | None = None) -> int:
        paths = ["--cohort", str(cohort or walked / "cohort"), "--out", str(tmp_path / "out"), "--replicates", "50"]
        return evaluate.main([str(walked / run), "--explain", *patients, *paths, *options])

    return call


def explained(tmp_path: Path) -> list[dict[str, Any]]:
    content: dict[str, Any] = json.loads((tmp_path / "out" / "explain" / "explain.json").read_text())
    return list(content["explanations"])


@pytest.mark.slow
def test_explained_scores_are_the_out_of_fold_scores_of_the_run(
    walked: Path, tmp_path: Path, door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    assert door("slices", "5", "00002") == 0  # ids join by number
    found = explained(tmp_path)
    assert sorted((e["patient"], e["sequence"]) for e in found) == [
        ("00002", "FLAIR"), ("00002", "T2w"), ("00005", "FLAIR"), ("00005", "T2w"),
    ]  # fmt: skip
    with (walked / "slices" / "slices.csv").open(newline="") as f:
        known = {
            (r["sequence"], r["slice"]): (float(r["score"]), r["fold"])
            for r in csv.DictReader(f) if r["head"] == "logistic" and r["repeat"] == "0"
        }  # fmt: skip
    folds = json.loads((walked / "slices" / "run.json").read_text())["folds"]
    for e in found:
        assert len(e["slices"]) == 3  # the blank one is left out
        for s in e["slices"]:
            score, fold = known[e["sequence"], s["slice"]]
            assert s["score"] == pytest.approx(score, abs=1e-6)
            assert np.mean(s["map"]) == pytest.approx(s["logit"], abs=1e-12)
            assert int(fold) == e["fold"]
        assert e["score"] == pytest.approx(np.mean([s["score"] for s in e["slices"]]), abs=1e-6)
        own = next(f["test"] for f in folds if (f["repeat"], f["fold"]) == (0, e["fold"]))
        assert e["patient"] in own
        assert (tmp_path / "out" / "explain" / f"{e['patient']}-logistic-{e['sequence']}.svg").exists()
    assert "4 scores explained" in capsys.readouterr().out
    page = (tmp_path / "out" / "explain" / "explain.html").read_text()
    assert page.count("data:image/png") == 4 and "not where the tumour is" in page


@pytest.mark.slow
def test_a_pooled_score_is_the_mean_of_its_slices_logits(walked: Path, tmp_path: Path, door: Door) -> None:
    assert door("pooled", "00002", options=("--sequence", "FLAIR")) == 0
    (e,) = explained(tmp_path)
    assert e["pooled"] and len(e["slices"]) == 3
    mean = np.mean([s["logit"] for s in e["slices"]])
    assert 1 / (1 + np.exp(-mean)) == pytest.approx(e["score"], abs=1e-6)
    run = read_run(walked / "pooled")
    assert known_scores(run, "logistic", "FLAIR", 0, "00002") == (e["score"], {"00002": e["score"]})


@pytest.mark.parametrize(
    ("run", "patient", "options", "message"),
    [
        ("slices", "00042", (), "--explain '00042': slices has 8 labelled patients, and that is none of them"),
        ("slices", "00003", ("--sequence", "T2w"), "'00003': no linear head held this patient back on T2w"),
        ("slices", "00002", ("--head", "boosted"), "--head boosted: slices can explain logistic alone"),
        ("slices", "00002", ("--sequence", "mean(FLAIR+T2w)"), "expected some of FLAIR"),
        ("boosted", "00002", (), "only such a head can be explained exactly"),
        ("leak", "00002", (), "test patients are also in training: its heads trained on the patients"),
    ],
)
def test_what_cannot_be_explained_is_refused(
    door: Door, capsys: pytest.CaptureFixture[str], run: str, patient: str, options: tuple[str, ...], message: str
) -> None:
    assert door(run, patient, options=options) == 2
    assert message in capsys.readouterr().err


def test_a_cohort_that_is_not_the_runs_is_refused(
    walked: Path, tmp_path: Path, door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    other = tmp_path / "other"
    shutil.copytree(walked / "cohort", other)
    Image.fromarray(np.full((24, 24), 90, np.uint8)).save(other / "00002" / "FLAIR" / "Image-2.png")
    Image.fromarray(np.eye(24, dtype=np.uint8) * 250).save(other / "00004" / "FLAIR" / "Image-2.png")
    (other / "00005" / "FLAIR" / "Image-3.png").unlink()
    shutil.rmtree(other / "00006" / "FLAIR")
    shutil.rmtree(other / "00007")
    for run, patient, message in (
        ("slices", "2", "cohort and run do not belong together"),
        ("pooled", "4", "cohort and run do not belong together"),
        ("slices", "5", "lacks the slice '00005/FLAIR/Image-3.png#3' of the run (1 lacking, 0 too many)"),
        ("slices", "6", "has no FLAIR of '00006', and slices has"),
        ("slices", "7", "has no folder '00007'"),
    ):
        assert door(run, patient, cohort=other, options=("--sequence", "FLAIR")) == 2
        assert message in capsys.readouterr().err


def test_another_network_is_refused(
    door: Door, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    other = CellEmbedder()
    other.settings["weights_sha256"] = "1" * 64
    monkeypatch.setattr("features.backbones.keras_applications.Embedder", lambda *a, **k: other)
    assert door("slices", "00002") == 2
    assert "weights_sha256 was '000" in capsys.readouterr().err


def test_a_table_of_numbers_has_no_images(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"{i},{i % 2 + 0.1 * (i % 7)}\n" for i in range(12))
    (tmp_path / "t.csv").write_text("id,a\n" + rows)
    (tmp_path / "l.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(12)))
    run = tmp_path / "run"
    train = [
        tmp_path / "t.csv",
        tmp_path / "l.csv",
        "--head",
        "logistic",
        "--out",
        run,
        "--permutations",
        "0",
        "--jobs",
        "1",
    ]
    assert train_head.main([str(a) for a in train]) == 0
    assert evaluate.main([str(run), "--explain", "3", "--cohort", str(tmp_path)]) == 2
    assert "there is no image to draw a map over" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["a", "--explain", "1"], "--explain PATIENT and --cohort DIR go together"),
        (["a", "--cohort", "c"], "--explain PATIENT and --cohort DIR go together"),
        (["a", "b", "--explain", "1", "--cohort", "c"], "--explain takes one run"),
        (["a", "--explain", "1", "--cohort", "c", "--cache", "f.h5"], "--explain takes one run and no --cache"),
        (["a", "--weights", "w.h5"], "--weights is for --explain"),
        (["a", "--head", "logistic"], "--head is for new patients"),
        (["a", "--explain", "1", "--cohort", "c", "--labels", "l.csv"], "--labels is for new patients"),
    ],
)
def test_options_that_contradict_each_other(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_real_maps_of_a_real_patient(shared: Path, tmp_path: Path) -> None:
    """The real network on one slice a patient: the out-of-fold score comes back from the maps."""
    weights = ["--weights", str(shared / "weights" / "vgg16_imagenet_notop.h5")]
    train = shared / "data" / "rsna_like_tcia" / "train"
    for patient in train.iterdir():
        files = sorted((patient / "FLAIR").iterdir())
        for file in files[len(files) // 2 : len(files) // 2 + 2]:
            (tmp_path / "train" / patient.name / "FLAIR").mkdir(parents=True, exist_ok=True)
            shutil.copy(file, tmp_path / "train" / patient.name / "FLAIR")
    cache, run, out = (str(tmp_path / name) for name in ("f.h5", "run", "out"))
    cohort, labels = str(tmp_path / "train"), str(train.parent / "train_labels.csv")
    assert extract_features.main([cohort, "--out", cache, "--workers", "0", *weights]) == 0
    assert (
        train_head.main(
            [cache, labels, "--head", "logistic", "--out", run, "--folds", "3", "--permutations", "0", "--jobs", "1"]
        )
        == 0
    )
    assert evaluate.main([run, "--explain", "11", "--cohort", cohort, "--out", out, *weights]) == 0
    (e,) = explained(tmp_path)
    assert np.shape(e["slices"][0]["map"]) == (7, 7)
    assert e["score"] == pytest.approx(np.mean([s["score"] for s in e["slices"]]), abs=1e-4)
    assert 0 < np.std(e["slices"][0]["map"])
