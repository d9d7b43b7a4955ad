"""A tuned run as it is written, read back and applied to new patients."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from door_material import SETTINGS, series
from sklearn.metrics import roc_auc_score

import evaluate
import train_head
from core.predictions import ResultKey
from evaluation.read_run import Run, read_run
from evaluation.statistics.controls.multiplicity import inner_thresholds
from features.cache.writer import write
from heads import bundle

DRAWS, FOLDS, N = 4, 2, 36


def cohort(folder: Path, name: str, first: int, n: int) -> tuple[Path, Path]:
    """A cache in which T2w says the label and FLAIR nothing; every seventh patient has no T2w."""
    rng = np.random.default_rng(first)
    blocks = []
    for i in range(first, first + n):
        for sequence in ("FLAIR", "T2w")[: 1 if i % 7 == 3 else 2]:
            x = 0.3 * rng.normal(size=12) + rng.normal(size=(5, 12))
            x[:, 0] += 3 * (2 * (i % 2) - 1) * (sequence == "T2w")
            blocks.append(series(f"{i:05d}", sequence, x, blank=(0,)))
    write(folder / f"{name}.h5", SETTINGS, blocks)
    lines = [f"{i:05d},{i % 2}" for i in range(first, first + n)]
    (folder / f"{name}.csv").write_text("BraTS21ID,MGMT_value\n" + "\n".join(lines) + "\n")
    return folder / f"{name}.h5", folder / f"{name}.csv"


def train(cache: Path, labels: Path, out: Path, *options: str) -> int:
    arguments = [str(cache), str(labels), "--out", str(out), "--jobs", "1", "--no-shortcuts", *options]
    return train_head.main([*arguments, "--head", "logistic", "boosted", "--folds", str(FOLDS), "--repeats", "1"])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned")
    files = cohort(folder, "f", 0, N)
    assert train(*files, folder / "runs" / "r", "--tune", str(DRAWS)) == 0
    return folder


@pytest.fixture(scope="module")
def run(tuned: Path) -> Run:
    return read_run(tuned / "runs" / "r")


def ledger(run: Run) -> list[dict[str, str]]:
    return run.more["ledger.csv"]


@pytest.mark.slow
def test_the_ledger_has_every_draw_and_one_choice_per_head_and_fold(run: Run) -> None:
    rows = ledger(run)
    counts = Counter((r["head"], r["repeat"], r["fold"]) for r in rows)
    folds = [("0", "0"), ("0", "1"), ("", "")]  # the last: for new patients
    assert counts == {(h, *f): DRAWS for h in ("logistic", "boosted") for f in folds}
    chosen = [r for r in rows if r["chosen"] == "1"]
    assert Counter((r["head"], r["repeat"], r["fold"]) for r in chosen) == dict.fromkeys(counts, 1)
    best = [r for r in rows if r["best_head"] == "1"]
    assert sorted((r["repeat"], r["fold"]) for r in best) == sorted(folds) and all(r in chosen for r in best)
    for r in chosen:
        rivals = [o for o in rows if (o["head"], o["repeat"], o["fold"]) == (r["head"], r["repeat"], r["fold"])]
        assert float(r["inner_auc"]) == pytest.approx(max(float(o["inner_auc"]) for o in rivals))
        assert r["sequence"] == "T2w" and 0 <= float(r["threshold"]) <= 1
    for b in best:
        rivals = [o for o in chosen if o["fold"] == b["fold"]]
        assert float(b["inner_auc"]) == pytest.approx(max(float(o["inner_auc"]) for o in rivals))


def test_every_patient_has_one_score_per_result(run: Run) -> None:
    assert [s.key for s in run.scored] == [("r", h, "chosen") for h in ("logistic", "boosted", "chosen")]
    for s in run.scored:
        assert s.patients == [f"{i:05d}" for i in range(N)]
        assert np.isfinite(s.scores).all()
        there = np.array([int(p) % 7 != 3 for p in s.patients])
        for f in range(FOLDS):
            inside = there & (s.fold[0] == f)
            assert roc_auc_score(s.y[inside], s.scores[0][inside]) > 0.8
    stand_ins = run.about["tuning"]["stand_ins"]
    assert Counter(s["patient"] for s in stand_ins) == {f"{i:05d}": 3 for i in range(3, N, 7)}
    assert {s["sequence"] for s in stand_ins} == {"FLAIR"}
    assert run.about["looks"] == {"results": 3, "earlier": 0, "total": 3}


def test_the_best_head_of_a_fold_gives_its_own_scores(run: Run) -> None:
    by_head = {s.head: s for s in run.scored}
    for row in ledger(run):
        if row["best_head"] == "1" and row["fold"]:
            inside = by_head["chosen"].fold[0] == int(row["fold"])
            assert np.array_equal(by_head["chosen"].scores[0][inside], by_head[row["head"]].scores[0][inside])


def test_the_heads_for_new_patients_say_what_they_are(tuned: Path, run: Run) -> None:
    folder = tuned / "runs" / "r" / "heads"
    assert sorted(f.name for f in folder.glob("*.npz")) == [
        f"{h}-chosen.npz" for h in ("boosted", "chosen", "logistic")
    ]
    final = {r["head"]: r for r in ledger(run) if r["chosen"] == "1" and not r["fold"]}
    best = next(r["head"] for r in final.values() if r["best_head"] == "1")
    X = np.random.default_rng(0).normal(size=(4, 12)).astype(np.float32)
    for name, kind in (("logistic", "logistic"), ("boosted", "boosted"), ("chosen", best)):
        b = bundle.load_bundle(folder / f"{name}-chosen.npz")
        row = final[kind]
        assert (b.about["head"], b.about["kind"], b.about["sequence"]) == (name, kind, "chosen")
        assert (b.about["parts"], b.about["slices"], b.about["aggregate"], b.about["parameters"]) == (
            [row["sequence"]], row["slices"], row["aggregate"], row["parameters"],
        )  # fmt: skip
        assert b.about["train_patients"] == [f"{i:05d}" for i in range(N)], "FLAIR alone took part in the choice too"
        assert np.array_equal(b.fitted.scores(X), bundle.load_bundle(folder / f"{kind}-chosen.npz").fitted.scores(X))
    for file in (folder / "folds").glob("*.npz"):
        about = bundle.load_bundle(file).about
        scored = next(s for s in run.scored if s.head == about["head"])
        inside = [p for p, f in zip(scored.patients, scored.fold[0], strict=True) if f == about["fold"]]
        assert about["kind"] == "logistic" and about["test_patients"] == [p for p in inside if int(p) % 7 != 3]


def test_new_patients_are_scored_by_the_chosen_heads(tuned: Path, tmp_path: Path) -> None:
    cache, labels = cohort(tmp_path, "new", 40, 12)
    arguments = [
        str(tuned / "runs" / "r"),
        "--cache",
        str(cache),
        "--labels",
        str(labels),
        "--out",
        str(tmp_path / "s"),
    ]
    submission = tmp_path / "submission.csv"
    options = ["--head", "chosen", "--sequence", "chosen", "--submission", str(submission), "--missing-score", "0.5"]
    assert evaluate.main([*arguments, *options]) == 0
    with (tmp_path / "s" / "scores.csv").open(newline="") as f:
        rows = list(csv.DictReader(f))
    assert {(r["head"], r["sequence"]) for r in rows} == {("chosen", "chosen")}
    assert [r["patient_id"] for r in rows] == [f"{i:05d}" for i in range(40, 52) if i % 7 != 3]
    assert roc_auc_score([int(r["label"]) for r in rows], [float(r["score"]) for r in rows]) > 0.9
    assert len(submission.read_text().splitlines()) == 13


@pytest.mark.slow
def test_the_report_uses_thresholds_of_inner_folds(tuned: Path, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "report"
    options = ["--out", str(out), "--threshold", "youden", "--replicates", "50"]
    assert evaluate.main([str(tuned / "runs" / "r"), *options]) == 0
    report = json.loads((out / "report.json").read_text())
    cuts = inner_thresholds(run)
    for result in (r for r in report["results"] if r["level"] == "patient"):
        of_result = cuts[ResultKey(run.name, result["head"], "chosen")]
        assert result["thresholds"] == sorted(set(of_result.values()))
        scored = next(s for s in run.scored if s.head == result["head"])
        at = np.array([of_result[0, f] for f in scored.fold[0]])
        right = (scored.scores[0] >= at) == (scored.y == 1)
        assert result["values"]["accuracy"]["estimate"] == pytest.approx(right.mean())
    assert report["sections"]["ledger"]["looks"][0]["total"] == 3


@pytest.mark.slow
def test_looks_are_carried_over_by_overwrite(tmp_path: Path) -> None:
    files = cohort(tmp_path, "f", 0, 12)
    out = tmp_path / "runs" / "r"
    seen: list[Any] = []
    for options in (["--fuse", "scores"], ["--overwrite"], ["--overwrite", "--tune", "2"]):
        assert train(*files, out, *options) == 0
        about = json.loads((out / "run.json").read_text())
        seen.append([about["looks"][k] for k in ("results", "earlier", "total")])
    assert seen == [[6, 0, 6], [4, 6, 10], [3, 10, 13]]


@pytest.mark.parametrize("options", [["--split", "slice"], ["--fuse", "scores"]])
def test_what_tuning_does_not_go_with(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["f.h5", "f.csv", "--out", str(tmp_path / "r"), "--head", "logistic", "--tune", "3", *options]
    assert train_head.main(arguments) == 2
    assert "it takes no --split slice or --fuse scores" in capsys.readouterr().err


def test_a_table_of_patients_leaves_hyper_parameters(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"p{i:02d},{i % 2 + rng.normal():.3f},{rng.normal():.3f}" for i in range(N)]
    (tmp_path / "t.csv").write_text("patient,a,b\n" + "\n".join(lines) + "\n")
    (tmp_path / "l.csv").write_text("patient,label\n" + "\n".join(f"p{i:02d},{i % 2}" for i in range(N)) + "\n")
    options = ["--head", "logistic", "--tune", "3", "--folds", "2", "--repeats", "1", "--jobs", "1"]
    assert (
        train_head.main([str(tmp_path / "t.csv"), str(tmp_path / "l.csv"), "--out", str(tmp_path / "r"), *options]) == 0
    )
    run = read_run(tmp_path / "r")
    assert [s.key[1:] for s in run.scored] == [("logistic", "chosen")], "one head is not reported twice"
    assert {(r["sequence"], r["slices"], r["aggregate"]) for r in ledger(run)} == {("table", "all", "mean")}
    assert len({r["parameters"] for r in ledger(run)}) > 3
