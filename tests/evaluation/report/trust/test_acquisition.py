"""The audit says what it should on cohorts whose answer is known: planted vectors, planted slice counts, a phantom."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_material import context
from scipy import stats
from sklearn.metrics import roc_auc_score
from syrupy.assertion import SnapshotAssertion

import evaluate
import train_head
from core.predictions import Prediction, Scored, group_results
from evaluation.read_run import Run
from evaluation.report.section import Section
from evaluation.report.trust.acquisition import EXPLANATION, shortcut_section
from evaluation.run_facts import split_off
from evaluation.statistics.compare import compare
from features.cache.schema import COLUMNS, SeriesRows
from features.cache.writer import write
from features.extraction import extract
from features.phantom import make_phantom
from features.scans.find import find_scans

SETTINGS = {"dim": 12, "dtype": "float32", "precision": "float32"}
TOLD = "The label can be told from how the scans were made"
NOT_TOLD = "The label cannot detectably be told from how the scans were made"
NOTHING_ADDED = "the images have not been shown to add anything to how the scans were made"


def scored(head: str, sequence: str, shift: float, *, run: str = "run", n: int = 80, seed: int = 0) -> Scored:
    """Normal scores of n patients, half of them positive, whose classes lie `shift` apart."""
    y = (np.arange(n) // 2) % 2
    scores = stats.norm.cdf(np.random.default_rng(seed).normal(size=n) + shift * (y - 0.5))
    rows = [Prediction(run, head, sequence, 0, i % 5, f"{i:04d}", int(y[i]), float(scores[i]), 1) for i in range(n)]
    return group_results(rows)[0]


def series(patient: str, sequence: str, features: np.ndarray) -> SeriesRows:
    """Images with these vectors, and nothing else that tells patients apart but their number."""
    n = len(features)
    columns: dict[str, Any] = {c: np.ones(n, d) for c, d in COLUMNS.items() if c not in ("patient", "sequence")}
    columns |= {"plane": np.array(["axial"] * n, object), "view": np.zeros(n, np.int16)}
    columns |= {"source": np.array([f"{patient}/{sequence}/{k}.dcm" for k in range(n)], object)}
    digests = [hashlib.blake2b(name.encode(), digest_size=16).hexdigest() for name in columns["source"]]
    columns |= {"pixel_digest": np.array(digests, "S32")}  # no two images are the same
    return SeriesRows(patient, sequence, "f", "float32", features.astype(np.float32), columns)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def section(images: list[Scored], *shortcuts: Scored) -> Section:
    return shortcut_section(context(scored=images, baselines=list(shortcuts), replicates=300))


def test_results_on_shortcuts_are_split_off_by_what_the_run_says() -> None:
    results = [scored("logistic", "FLAIR", 1), scored("logistic", "shortcuts", 1)]
    old = scored("logistic", "shortcuts", 1, run="old")
    runs = [Run(Path(), name, about, [], [], []) for name, about in (("run", {"shortcuts": "shortcuts"}), ("old", {}))]
    images, baselines = split_off([*results, old], runs)
    assert [s.key for s in images] == [results[0].key, old.key]
    assert [s.key for s in baselines] == [results[1].key]


def test_images_that_beat_the_shortcut(snapshot: SnapshotAssertion) -> None:
    image, baseline = scored("boosted", "T1wCE", 3), scored("logistic", "shortcuts", 0, seed=1)
    said = section([image], baseline)
    assert said.words[0] == snapshot
    assert said.words[1:] == [EXPLANATION]
    expected = compare(image, baseline)
    assert expected is not None
    (held,) = said.data["runs"]["run"]["comparisons"]
    assert (held["difference"], held["p_holm"], held["verdict"]) == (expected.difference, expected.p, "images better")
    json.dumps(said.data, allow_nan=False)


@pytest.mark.slow
def test_a_shortcut_that_does_as_well_and_one_that_does_better(snapshot: SnapshotAssertion) -> None:
    good = scored("logistic", "shortcuts", 3, seed=1)
    even = section([scored("boosted", "T1wCE", 3)], good).words[0]
    assert even == snapshot(name="as well")
    blind = section([scored("boosted", "T1wCE", 0)], good).words[0]
    assert blind == snapshot(name="better")


def test_two_heads_are_two_looks() -> None:
    """The same shortcut head is detectable alone, and not as the higher of two."""
    one, other = scored("logistic", "shortcuts", 1.0, seed=2), scored("boosted", "shortcuts", 0, seed=1)
    alone, twice = (section([scored("boosted", "T1wCE", 0)], *heads) for heads in ([one], [one, other]))
    p = alone.data["runs"]["run"]["p_chance"]
    assert 0.025 < p < 0.05
    assert alone.words[0].startswith(TOLD)
    assert twice.data["runs"]["run"]["p_chance"] == 2 * p
    assert twice.words[0].startswith(NOT_TOLD)


@pytest.mark.slow
def test_the_p_value_of_a_shortcut_is_that_of_shuffled_labels() -> None:
    """For scores without a training sample the variance is Mann and Whitney's; the training sample adds 1 - 2/5 of it."""
    one = scored("logistic", "shortcuts", 1.0, seed=2)
    p = section([scored("boosted", "T1wCE", 0)], one).data["runs"]["run"]["p_chance"]
    rng = np.random.default_rng(0)
    aucs = []
    for _ in range(200):
        y = one.y.copy()
        for f in range(5):
            y[one.fold[0] == f] = rng.permutation(y[one.fold[0] == f])
        aucs.append(np.mean([roc_auc_score(y[one.fold[0] == f], one.scores[0][one.fold[0] == f]) for f in range(5)]))
    truth = np.mean([roc_auc_score(one.y[one.fold[0] == f], one.scores[0][one.fold[0] == f]) for f in range(5)])
    z = (truth - 0.5) / (np.std(aucs) * np.sqrt(1 + 1 - 2 / 5))
    assert stats.norm.isf(p / 2) == pytest.approx(z, rel=0.15)


def test_the_best_shortcut_head_is_the_one_to_beat(snapshot: SnapshotAssertion) -> None:
    weak, strong = scored("logistic", "shortcuts", 0, seed=1), scored("boosted", "shortcuts", 1.5, seed=2)
    images = [scored("logistic", q, shift, seed=k) for k, (q, shift) in enumerate([("FLAIR", 0), ("T1w", 6)], 5)]
    said = section(images, weak, strong)
    assert said.words[0] == snapshot
    pairs = said.data["runs"]["run"]["comparisons"]
    assert {tuple(c["b"]) for c in pairs} == {strong.key}
    worse, better = (c["p"] for c in pairs)
    assert 2 * worse < better  # Holm by hand: the smallest of two twice, and where the picked shortcut wins, twice more
    assert [c["p_holm"] for c in pairs] == pytest.approx([4 * worse, better])
    assert [c["verdict"] for c in pairs] == ["shortcut better", "images better"]
    assert [sheet.rows[0][0] for sheet in said.sheets] == ["logistic", "logistic on FLAIR"]
    assert "logistic, T1w" in said.drawings[0].alt


def test_each_run_has_its_own_shortcut(snapshot: SnapshotAssertion) -> None:
    images = [scored("logistic", "FLAIR", 2, run=run) for run in ("a", "b", "c")]
    baselines = [scored("logistic", "shortcuts", shift, run=run, seed=1) for run, shift in (("a", 0), ("b", 3))]
    said = shortcut_section(context(scored=images, baselines=baselines, replicates=300))
    assert said.words == snapshot
    assert said.data["findings"] == said.findings == said.words[:2]
    assert said.sheets[1].rows[0][0] == "a: logistic on FLAIR"


def test_few_patients_get_no_figures(snapshot: SnapshotAssertion) -> None:
    said = section([scored("logistic", "FLAIR", 3, n=18)], scored("logistic", "shortcuts", 3, n=18, seed=1))
    assert said.words[0] == snapshot
    assert (said.sheets, said.drawings) == ([], [])


def test_a_sequence_of_few_patients_is_not_compared(snapshot: SnapshotAssertion) -> None:
    said = section([scored("logistic", "FLAIR", 3, n=18)], scored("logistic", "shortcuts", 0, seed=1))
    assert said.words[0] == snapshot


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "more"), [(0.0, 3), (4.0, 0)])
def test_planted_vectors_and_planted_slice_counts(tmp_path: Path, effect: float, more: int, capsys: Any) -> None:
    """`effect` shifts the vectors of positives, `more` is their number of additional slices: one is told, one is not."""
    rng = np.random.default_rng(1)
    blocks, rows = [], []
    for i in range(48):
        label = i % 2
        rows.append(f"{i:05d},{label}")
        for sequence in ("FLAIR", "T2w"):
            x = rng.normal(size=(5 + more * label + int(rng.integers(2)), 12)) + rng.normal(size=12)
            x[:, 0] += effect * (label - 0.5)
            blocks.append(series(f"{i:05d}", sequence, x))
    write(tmp_path / "f.h5", SETTINGS, blocks)
    (tmp_path / "labels.csv").write_text("BraTS21ID,MGMT_value\n" + "\n".join(rows) + "\n")
    words, shortcut = audited(tmp_path, "--fuse", "scores")
    results = json.loads((tmp_path / "report" / "report.json").read_text())["results"]
    assert {r["sequence"] for r in results} == {"FLAIR", "T2w", "mean(FLAIR+T2w)"}  # a baseline is no result
    assert f"the highest of {2 * 3} patient-level results" in capsys.readouterr().out
    if more:
        assert shortcut == 1
        assert words.startswith(TOLD)
        assert NOTHING_ADDED in words
    else:
        assert shortcut < 0.7
        assert words.startswith(NOT_TOLD)
        assert "Detectably better than the shortcut" in words
    predictions = table(tmp_path / "run" / "predictions.csv")
    rest = [r for r in predictions if r["sequence"] == "shortcuts"]
    assert len(rest) == 2 * 48 * 2
    folds = {(r["patient_id"], r["repeat"], r["fold"]) for r in predictions}
    assert len(folds) == 48 * 2  # the same folds as the images
    assert "shortcuts" not in {r["sequence"] for r in table(tmp_path / "run" / "slices.csv")}
    assert not [p for p in (tmp_path / "run" / "heads").rglob("*") if "shortcuts" in p.name]


def audited(folder: Path, *options: str) -> tuple[str, float]:
    """Train and report on f.h5 and labels.csv; the finding in words and the AUC of the best shortcut head."""
    paths = [str(folder / name) for name in ("f.h5", "labels.csv")]
    heads = ["--head", "logistic", "boosted", "--repeats", "2", "--jobs", "1", "--permutations", "0", *options]
    assert train_head.main([*paths, *heads, "--out", str(folder / "run")]) == 0
    assert evaluate.main([str(folder / "run"), "--out", str(folder / "report"), "--replicates", "60"]) == 0
    content = json.loads((folder / "report" / "report.json").read_text())
    (finding,) = content["sections"]["shortcuts"]["findings"]
    assert finding in content["verdict"]
    own = content["sections"]["shortcuts"]["runs"]["run"]["heads"]
    return finding, max(h["auc"]["estimate"] for h in own)


@pytest.mark.slow
def test_without_shortcuts_on_request_and_where_there_are_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    blocks = [series(f"{i:05d}", "FLAIR", rng.normal(size=(4, 12))) for i in range(24)]
    write(tmp_path / "f.h5", SETTINGS, blocks)
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{i:05d},{i % 2}\n" for i in range(24)))
    (tmp_path / "t.csv").write_text("id,a\n" + "".join(f"{i:05d},{rng.normal()}\n" for i in range(24)))
    for name, features, *options in (
        ("asked", "f.h5", "--no-shortcuts"),
        ("csv", "t.csv"),
        ("slice", "f.h5", "--split", "slice"),
    ):
        paths = [str(tmp_path / features), str(tmp_path / "labels.csv"), "--out", str(tmp_path / name)]
        assert train_head.main([*paths, "--head", "logistic", "--jobs", "1", *options]) == 0
        about = json.loads((tmp_path / name / "run.json").read_text())
        assert about["shortcuts"] is None
        assert "shortcuts" not in {r["sequence"] for r in table(tmp_path / name / "predictions.csv")}
        assert (about["availability"] is None) == (name == "csv")


@pytest.mark.slow
def test_phantoms_with_a_planted_shortcut(tmp_path: Path, cheap_embedder: Any) -> None:
    """From scans to words: lesions tell nothing, and positives were cut into thinner slices."""
    arguments: dict[str, Any] = {"patients": 22, "seed": 5, "slices": 10, "matrix": 64, "sequences": ("T1wCE",)}
    train = make_phantom(tmp_path, effect=0.0, shortcut=4, **arguments)
    extract(find_scans([train]), tmp_path / "f.h5", embed=cheap_embedder, workers=0)
    (tmp_path / "train_labels.csv").rename(tmp_path / "labels.csv")
    words, auc = audited(tmp_path)
    assert auc > 0.95
    assert words.startswith(TOLD)
    assert NOTHING_ADDED in words
