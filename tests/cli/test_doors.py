"""The three doors as a user walks through them, on caches with a planted signal."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from door_material import SETTINGS, by_name, series
from sklearn.metrics import roc_auc_score

import evaluate
import extract_features
import train_head
from features.cache.reader import Cache
from features.cache.writer import write
from heads import bundle


@pytest.fixture
def cohort(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    """`cohort(n, effect=..., first=0)` writes f.h5 and labels.csv for n patients, 6 slices a series, the first blank."""

    def make(
        n: int,
        *,
        effect: float = 1.5,
        first: int = 0,
        name: str = "f",
        sequences=("FLAIR", "T2w"),
        weights: str = "custom",
    ):
        rng = np.random.default_rng(7 + first)
        blocks, rows = [], []
        for i in range(first, first + n):
            patient, label = f"{i:05d}", i % 2
            rows.append(f"{patient},{label}")
            signature = rng.normal(size=12) * 2  # what makes slices of one patient alike
            for sequence in sequences:
                if sequence == "T2w" and i == first:
                    continue
                x = signature + rng.normal(size=(6, 12))
                x[:, 0] += effect * (2 * label - 1)
                blocks.append(series(patient, sequence, x, blank=(0,)))
        cache, labels = tmp_path / f"{name}.h5", tmp_path / f"{name}.csv"
        write(cache, {**SETTINGS, "weights": weights}, blocks)
        labels.write_text("BraTS21ID,MGMT_value\n" + "\n".join(rows) + "\n")
        return cache, labels

    return make


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def train(*arguments: object) -> int:
    return train_head.main([str(a) for a in (*arguments, "--jobs", "1")])


@pytest.mark.slow
def test_scans_to_report(tmp_path: Path, write_dicom, cheap_embedder, monkeypatch, capsys) -> None:
    rng = np.random.default_rng(0)
    for i in range(8):
        for sequence in ("FLAIR", "T1wCE"):
            for k in range(3):
                pixels = rng.integers(0, 400, (32, 32)).astype(np.uint16)
                pixels[8:20, 8:20] += np.uint16(500 * (i % 2))
                write_dicom(
                    tmp_path / "train" / f"{i:05d}" / sequence / f"Image-{k}.dcm", pixels, InstanceNumber=k,
                    ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, 3 * k], PixelSpacing=[1, 1],
                )  # fmt: skip
    (tmp_path / "labels.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(8)))
    monkeypatch.setattr("features.backbones.keras_applications.Embedder", lambda *a, **k: by_name(cheap_embedder))
    cache, run, report = tmp_path / "f.h5", tmp_path / "runs" / "a", tmp_path / "report"
    assert extract_features.main([str(tmp_path / "train"), "--out", str(cache), "--workers", "0"]) == 0
    out = capsys.readouterr().out
    assert "8 patients, 48 slices" in out
    assert "24 slices (24 axial)" in out
    assert train(cache, tmp_path / "labels.csv", "--head", "logistic", "--out", run, "--folds", 4) == 0
    out = capsys.readouterr().out
    assert "8 ids joined by number ('00000' is '0' in the labels)" in out
    assert evaluate.main([str(run), "--out", str(report), "--replicates", "100"]) == 0
    assert (report / "report.html").read_text().startswith("<!doctype html>")
    results = json.loads((report / "report.json").read_text())["results"]
    assert {r["values"]["auc"]["estimate"] for r in results if r["level"] == "patient"} == {1.0}


@pytest.mark.slow
def test_predictions_are_out_of_fold_and_carry_their_ids(cohort, tmp_path: Path) -> None:
    cache, labels = cohort(20)
    assert train(cache, labels, "--head", "logistic", "boosted", "--repeats", 2, "--out", tmp_path / "r") == 0
    rows = table(tmp_path / "r" / "predictions.csv")
    assert list(rows[0]) == ["run", "head", "sequence", "repeat", "fold", "patient_id", "label", "score", "n_slices"]
    flair = [r for r in rows if (r["head"], r["sequence"], r["repeat"]) == ("logistic", "FLAIR", "1")]
    assert sorted(r["patient_id"] for r in flair) == [f"{i:05d}" for i in range(20)]
    assert all(int(r["label"]) == int(r["patient_id"]) % 2 for r in rows)
    assert {r["n_slices"] for r in rows if r["sequence"] != "shortcuts"} == {"5"}  # the blank slice is left out
    assert "00000" not in {r["patient_id"] for r in rows if r["sequence"] == "T2w"}
    slices = table(tmp_path / "r" / "slices.csv")
    mine = [
        float(s["score"])
        for s in slices
        if (s["head"], s["sequence"], s["repeat"], s["patient_id"]) == ("logistic", "FLAIR", "1", "00003")
    ]
    score = next(float(r["score"]) for r in flair if r["patient_id"] == "00003")
    assert score == pytest.approx(np.mean(mine), abs=1e-12)
    about = json.loads((tmp_path / "r" / "run.json").read_text())
    with Cache(cache) as opened:
        assert about["features"]["digest"] == opened.content_digest
    assert about["patients"]["missing_sequence"]["T2w"] == ["00000"]
    assert {(f["repeat"], f["fold"]) for f in about["folds"]} == {(r, k) for r in range(2) for k in range(5)}
    assert sorted(p.name for p in (tmp_path / "r" / "heads").iterdir()) == [
        "boosted-FLAIR.npz", "boosted-T2w.npz", "folds", "logistic-FLAIR.npz", "logistic-T2w.npz",
    ]  # fmt: skip


@pytest.mark.slow
def test_results_do_not_depend_on_the_number_of_jobs(cohort, tmp_path: Path) -> None:
    cache, labels = cohort(16)
    options = [str(cache), str(labels), "--epochs", "4", "--folds", "3"]
    for jobs in ("2", "3"):
        assert train_head.main([*options, "--jobs", jobs, "--out", str(tmp_path / jobs / "run")]) == 0
    assert (
        train_head.main(
            [*options, "--head", "logistic", "boosted", "--jobs", "1", "--out", str(tmp_path / "1" / "run")]
        )
        == 0
    )
    for name in ("predictions.csv", "slices.csv", "curves.csv"):
        assert (tmp_path / "2" / "run" / name).read_bytes() == (tmp_path / "3" / "run" / name).read_bytes()
    light = [r for r in table(tmp_path / "2" / "run" / "predictions.csv") if r["head"] != "dense"]
    assert light == table(tmp_path / "1" / "run" / "predictions.csv")


@pytest.mark.slow
def test_a_slice_split_leaks_and_says_so_in_every_output(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(30, effect=0.0, sequences=("FLAIR",))
    assert (
        train(cache, labels, "--head", "boosted", "--split", "slice", "--keep-blank", "--out", tmp_path / "leaky") == 0
    )
    printed = capsys.readouterr().out
    assert train(cache, labels, "--head", "boosted", "--out", tmp_path / "honest") == 0
    assert (
        evaluate.main(
            [
                str(tmp_path / "leaky"),
                str(tmp_path / "honest"),
                "--out",
                str(tmp_path / "report"),
                "--replicates",
                "100",
            ]
        )
        == 0
    )
    rows = table(tmp_path / "leaky" / "predictions.csv")
    sentence = json.loads((tmp_path / "leaky" / "run.json").read_text())["leak"]
    n = len(rows)
    assert sentence == f"LEAKS: {n} of {n} test patients are also in training"
    assert sentence in printed
    for name in ("predictions.csv", "slices.csv"):
        assert {r["warning"] for r in table(tmp_path / "leaky" / name)} == {sentence}
    assert "warning" in (tmp_path / "leaky" / "curves.csv").read_text().splitlines()[0]
    assert sentence in (tmp_path / "report" / "report.html").read_text()
    assert sentence in (tmp_path / "report" / "report.json").read_text()
    auc = {}
    for run in ("leaky", "honest"):
        s = table(tmp_path / run / "slices.csv")
        auc[run] = roc_auc_score([int(r["label"]) for r in s], [float(r["score"]) for r in s])
    assert auc["leaky"] > 0.8
    assert auc["honest"] < 0.65


@pytest.mark.slow
@pytest.mark.parametrize(("how", "name"), [("scores", "mean(FLAIR+T2w)"), ("features", "FLAIR+T2w")])
def test_sequences_are_fused_over_what_is_there(cohort, tmp_path: Path, how: str, name: str) -> None:
    cache, labels = cohort(20)
    assert train(cache, labels, "--head", "logistic", "--fuse", how, "--unit", "patient", "--out", tmp_path / "r") == 0
    rows = table(tmp_path / "r" / "predictions.csv")
    score = {(r["sequence"], r["patient_id"]): float(r["score"]) for r in rows}
    assert sorted(p for q, p in score if q == name) == [f"{i:05d}" for i in range(20)]
    if how == "scores":
        assert score[name, "00000"] == score["FLAIR", "00000"]
        assert score[name, "00001"] == pytest.approx((score["FLAIR", "00001"] + score["T2w", "00001"]) / 2)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [("--unit", "patient", "--fuse", "features"), ("--fuse", "scores"), ("--slices", "middle:2", "--aggregate", "max")],
)
def test_fitted_heads_score_new_patients(cohort, tmp_path: Path, capsys, options: tuple[str, ...]) -> None:
    cache, labels = cohort(20)
    new, new_labels = cohort(10, first=50, name="new")
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r", *options) == 0
    out = tmp_path / "out"
    capsys.readouterr()
    assert (
        evaluate.main([str(tmp_path / "r"), "--cache", str(new), "--labels", str(new_labels), "--out", str(out)]) == 0
    )
    rows = table(out / "scores.csv")
    flair = [r for r in rows if r["sequence"] == "FLAIR"]
    assert [r["patient_id"] for r in flair] == [f"{i:05d}" for i in range(50, 60)]
    auc = roc_auc_score([int(r["label"]) for r in flair], [float(r["score"]) for r in flair])
    line = next(x for x in capsys.readouterr().out.splitlines() if x.startswith("logistic  FLAIR "))
    assert f"{auc:.3f} (" in line
    if "--fuse" in options:
        assert len({r["sequence"] for r in rows}) == 3


@pytest.mark.slow
def test_scoring_refuses_patients_of_the_training_and_other_features(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(20)
    new, _ = cohort(4, first=50, name="new", weights="random")
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 0
    score = [str(tmp_path / "r"), "--out", str(tmp_path / "o"), "--cache"]
    assert evaluate.main([*score, str(cache)]) == 2
    assert "was trained on 20 of these patients (00000, 00001" in capsys.readouterr().err
    assert evaluate.main([*score, str(cache), "--allow-trained"]) == 0
    assert evaluate.main([*score, str(new)]) == 2
    assert "trained on other features: weights was 'custom', is 'random'" in capsys.readouterr().err
    assert not (tmp_path / "o" / "submission.csv").exists()


@pytest.mark.slow
def test_a_submission_holds_the_ids_asked_for_in_their_order(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(20)
    new, _ = cohort(4, first=50, name="new")
    assert train(cache, labels, "--head", "logistic", "boosted", "--fuse", "scores", "--out", tmp_path / "r") == 0
    sample, out = tmp_path / "sample.csv", tmp_path / "submission.csv"
    sample.write_text("BraTS21ID,MGMT_value\n00053,0.5\n50,0.5\n00051,0.5\n")
    base = [
        str(tmp_path / "r"),
        "--cache",
        str(new),
        "--out",
        str(tmp_path / "o"),
        "--submission",
        str(out),
        "--sample",
        str(sample),
    ]
    assert evaluate.main(base) == 2
    assert "a submission takes one head and one sequence" in capsys.readouterr().err
    assert not (tmp_path / "o").exists(), "this is said before anything is scored"
    assert evaluate.main([*base, "--head", "logistic", "--sequence", "mean(FLAIR+T2w)"]) == 0
    rows = table(out)
    assert [r["BraTS21ID"] for r in rows] == ["00053", "50", "00051"]
    scores = {r["patient_id"]: float(r["score"]) for r in table(tmp_path / "o" / "scores.csv")}
    assert [float(r["MGMT_value"]) for r in rows] == pytest.approx(
        [scores[p] for p in ("00053", "00050", "00051")], abs=1e-6
    )
    sample.write_text("BraTS21ID,MGMT_value\n00051,0.5\n00099,0.5\n")
    assert evaluate.main([*base, "--head", "logistic", "--sequence", "FLAIR"]) == 2
    assert "1 of the 2 ids asked for have no score, first '00099'" in capsys.readouterr().err
    assert evaluate.main([*base, "--head", "logistic", "--sequence", "FLAIR", "--missing-score", "0.5"]) == 0
    assert table(out)[1] == {"BraTS21ID": "00099", "MGMT_value": "0.500000"}


@pytest.mark.slow
def test_a_csv_of_radiomics_runs_through_the_same_heads(tmp_path: Path, capsys) -> None:
    rng = np.random.default_rng(0)
    rows = ["id,a,b,c"]
    for i in range(60):
        missing = "" if i % 5 == 0 else f"{rng.normal():.4f}"
        rows.append(f"S-{i},{(i % 2) + 0.7 * rng.normal():.4f},{missing},{rng.normal():.4f}")
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "l.csv").write_text(
        "id;status\n" + "".join(f"S-{i};{('yes', 'no', 'unclear')[i % 2 if i < 58 else 2]}\n" for i in range(60))
    )
    base = (
        tmp_path / "t.csv",
        tmp_path / "l.csv",
        "--head",
        "logistic",
        "--label-column",
        "status",
        "--out",
        tmp_path / "r",
    )
    assert train(*base, "--positive", "no") == 2
    assert "say which is the other class with --negative" in capsys.readouterr().err
    assert train(*base, "--positive", "no", "--negative", "yes") == 0
    out = capsys.readouterr().out
    assert "58 patients with label: status 'no' against 'yes'" in out
    assert "2 patients in the features have no known label, left out: S-58, S-59" in out
    auc = float(next(x for x in out.splitlines() if x.startswith("logistic")).split()[2])
    assert auc > 0.75


@pytest.mark.slow
def test_a_head_of_one_plane_takes_no_other(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    run = tmp_path / "r"
    assert train(cache, labels, "--head", "logistic", "--plane", "coronal", "--out", run) == 2
    assert "no usable slice in 12 patients" in capsys.readouterr().out
    assert train(cache, labels, "--head", "logistic", "--plane", "axial", "unknown", "--out", run) == 0
    assert bundle.load_bundle(run / "heads" / "logistic-FLAIR.npz").about["planes"] == ["axial", "unknown"]
    new, _ = cohort(4, first=50, name="new")
    assert evaluate.main([str(run), "--cache", str(new), "--out", str(tmp_path / "o")]) == 0
    assert {r["patient_id"] for r in table(tmp_path / "o" / "scores.csv")} == {"00050", "00051", "00052", "00053"}


@pytest.mark.slow
def test_labelled_new_patients_get_a_verdict(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(24)
    new, theirs = cohort(24, first=50, name="new")
    run, out = tmp_path / "r", tmp_path / "o"
    assert train(cache, labels, "--head", "boosted", "logistic", "--permutations", "0", "--out", run) == 0
    capsys.readouterr()
    assert evaluate.main([str(run), "--cache", str(new), "--labels", str(theirs), "--out", str(out)]) == 0
    said, scores = capsys.readouterr().out, json.loads((out / "scores.json").read_text())
    assert "AUC (95 % CI)         by fold in training" in said
    assert scores["verdict"][0].startswith("MGMT_value 1 against 0: ") and scores["verdict"][0] in said
    assert "AUC of the fitted head on new patients" in scores["verdict"][1]
    trained = {(r["head"], r["sequence"]) for r in table(run / "predictions.csv")}
    order = [(r["head"], r["sequence"]) for r in scores["results"]]
    assert set(order) == {key for key in trained if key[1] != "shortcuts"}
    assert [head for head, _ in order][:2] == ["boosted", "boosted"], "in the order of the run"
    assert (
        evaluate.main([str(run), "--cache", str(cache), "--labels", str(labels), "--allow-trained", "--out", str(out)])
        == 0
    )
    assert json.loads((out / "scores.json").read_text())["verdict"] == []


@pytest.mark.slow
def test_heads_of_a_table_and_features_of_images_do_not_meet(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    rows = "".join(f"{i:05d},{i % 2 + i / 20}\n" for i in range(12))
    (tmp_path / "t.csv").write_text("id,a\n" + rows)
    for name, features in (("images", cache), ("numbers", tmp_path / "t.csv")):
        assert train(features, labels, "--head", "logistic", "--out", tmp_path / name) == 0
    for run, other in (("images", tmp_path / "t.csv"), ("numbers", cache)):
        assert evaluate.main([str(tmp_path / run), "--cache", str(other), "--out", str(tmp_path / "o")]) == 2
    first, second = capsys.readouterr().err.splitlines()[-2:]
    assert "images was trained on a cache (.h5) of features of images; --cache" in first and "is a CSV" in first
    assert "numbers was trained on a CSV with a row per patient; --cache" in second


@pytest.mark.slow
def test_fixed_folds_come_from_a_file(cohort, tmp_path: Path) -> None:
    cache, labels = cohort(12)
    (tmp_path / "folds.csv").write_text("patient_id,fold\n" + "".join(f"{i:05d},{i // 4}\n" for i in range(12)))
    assert (
        train(cache, labels, "--head", "logistic", "--split-file", tmp_path / "folds.csv", "--out", tmp_path / "r") == 0
    )
    assert {(int(r["patient_id"]) // 4, int(r["fold"])) for r in table(tmp_path / "r" / "predictions.csv")} == {
        (0, 0),
        (1, 1),
        (2, 2),
    }


@pytest.mark.slow
def test_random_weights_are_shouted(cohort, tmp_path: Path) -> None:
    cache, labels = cohort(20, weights="random")
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 0
    assert evaluate.main([str(tmp_path / "r"), "--out", str(tmp_path / "report"), "--replicates", "50"]) == 0
    assert "RANDOM WEIGHTS" in (tmp_path / "report" / "report.html").read_text()
    assert json.loads((tmp_path / "report" / "report.json").read_text())["random_weights"] is True


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fuse", "features"), "add --unit patient"),
        (("--split", "slice", "--unit", "patient"), "it does not go with --unit patient"),
        (("--split", "slice", "--folds", "3"), "takes no --folds"),
        (("--slices", "middle:0"), "expected all, central, first, largest or middle:N"),
        (("--sequence", "DWI"), "--sequence 'DWI'"),
        (("--label-column", "IDH"), "has no column 'IDH' (--label-column)"),
    ],
)
def test_wrong_options_name_the_next_move(
    cohort, tmp_path: Path, capsys, options: tuple[str, ...], message: str
) -> None:
    cache, labels = cohort(12)
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r", *options) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
def test_a_patient_without_a_row_stops_the_training_unless_told_otherwise(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    labels.write_text(
        "\n".join(x for x in labels.read_text().splitlines() if not x.startswith("00004")) + "\n00777,1\n"
    )
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 2
    assert "has no row for 1 patients" in capsys.readouterr().err
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r", "--skip-unlabelled") == 0
    out = capsys.readouterr().out
    assert "1 patients in the features have no row in the labels, left out: 00004" in out
    assert "1 patients in the labels have no features: 00777" in out


def test_an_existing_run_is_never_overwritten_silently(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "thesis.txt").write_text("mine")
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 2
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r", "--overwrite") == 2
    assert "is not a run" in capsys.readouterr().err
    assert (tmp_path / "r" / "thesis.txt").read_text() == "mine"


@pytest.mark.slow
def test_augmented_views_train_but_are_never_scored(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    blocks = [series(f"{i:05d}", "FLAIR", rng.normal(size=(4, 12)) + 2 * (i % 2), views=2) for i in range(12)]
    write(tmp_path / "f.h5", {**SETTINGS, "augment": 2}, blocks)
    (tmp_path / "l.csv").write_text("id,label\n" + "".join(f"{i:05d},{i % 2}\n" for i in range(12)))
    assert train(tmp_path / "f.h5", tmp_path / "l.csv", "--head", "logistic", "--out", tmp_path / "r") == 0
    rows = [r for r in table(tmp_path / "r" / "predictions.csv") if r["sequence"] != "shortcuts"]
    assert {r["n_slices"] for r in rows} == {"4"}
    assert len(table(tmp_path / "r" / "slices.csv")) == 2 * 12 * 4  # two repeats


@pytest.mark.slow
def test_one_sequence_can_be_scored_where_the_others_were_not_extracted(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(20)
    new, _ = cohort(4, first=50, name="new", sequences=("FLAIR",))
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 0
    score = [str(tmp_path / "r"), "--cache", str(new), "--out", str(tmp_path / "o")]
    assert evaluate.main(score) == 2
    assert "logistic needs T2w" in capsys.readouterr().err
    assert evaluate.main([*score, "--sequence", "flair"]) == 0
    assert {r["sequence"] for r in table(tmp_path / "o" / "scores.csv")} == {"FLAIR"}


@pytest.mark.slow
def test_patients_of_the_training_are_known_by_number_too_and_shouted_when_allowed(
    cohort, tmp_path: Path, capsys
) -> None:
    cache, labels = cohort(20)
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 0
    with Cache(cache) as opened:
        blocks = [opened.series_rows(k) for k in range(4)]
    for b in blocks:
        b.patient = f"BraTS2021_{b.patient}"
    write(tmp_path / "other.h5", SETTINGS, blocks)
    score = [
        str(tmp_path / "r"),
        "--cache",
        str(tmp_path / "other.h5"),
        "--out",
        str(tmp_path / "o"),
        "--sequence",
        "FLAIR",
    ]
    assert evaluate.main(score) == 2
    assert "was trained on 3 of these patients (BraTS2021_00000" in capsys.readouterr().err
    assert evaluate.main([*score, "--allow-trained", "--labels", str(labels)]) == 0
    sentence = "TRAINED ON: 3 of 3 patients scored here were in the training of the heads; their scores mean nothing"
    assert capsys.readouterr().out.count(sentence) == 2
    assert {r["warning"] for r in table(tmp_path / "o" / "scores.csv")} == {sentence}
    assert json.loads((tmp_path / "o" / "scores.json").read_text())["warning"] == sentence


def test_a_damaged_cache_trains_no_head(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    with h5py.File(cache, "r+") as f:
        f["features"][30, 3] += 1
    assert train(cache, labels, "--head", "logistic", "--out", tmp_path / "r") == 2
    assert "f.h5' is damaged (1 problems): patient '00003' FLAIR: its values differ" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_counts_once_and_a_report_spares_runs_and_files(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    run = tmp_path / "r"
    assert train(cache, labels, "--head", "logistic", "--out", run) == 0
    shutil.copytree(run, tmp_path / "copy")
    assert evaluate.main([str(run), str(tmp_path / "copy"), "--out", str(tmp_path / "o")]) == 2
    assert "copy is given twice" in capsys.readouterr().err
    assert evaluate.main([str(run), "--out", str(run)]) == 2
    assert "is a run; reports go to a folder of their own" in capsys.readouterr().err
    assert evaluate.main([str(run), "--out", str(labels)]) == 2
    assert "is a file; expected a folder" in capsys.readouterr().err
    assert evaluate.main([str(run), "--cache", str(cache), "--submission", "x.csv", "--missing-score", "5"]) == 2
    assert "expected a probability, 0 to 1" in capsys.readouterr().err


def test_a_table_has_no_slices_to_choose_or_to_split(tmp_path: Path, capsys) -> None:
    (tmp_path / "t.csv").write_text("id,a\n" + "".join(f"p{i},{i % 3}\n" for i in range(20)))
    (tmp_path / "l.csv").write_text("id,label\n" + "".join(f"p{i},{i % 2}\n" for i in range(20)))
    for option in (("--split", "slice"), ("--slices", "central"), ("--sequence", "T2w"), ("--fuse", "scores")):
        assert train(tmp_path / "t.csv", tmp_path / "l.csv", "--out", tmp_path / "r", *option) == 2
        assert "is a table of patients; it has no sequences and slices" in capsys.readouterr().err


def test_without_tensorflow_the_dense_head_says_what_to_install(cohort, tmp_path: Path, capsys, monkeypatch) -> None:
    cache, labels = cohort(12)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert train(cache, labels, "--out", tmp_path / "r") == 2
    assert "pip install -r requirements.txt, or pass --head logistic boosted" in capsys.readouterr().err


@pytest.mark.slow
def test_the_leak_demonstration_is_one_command(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(16, effect=0.0, sequences=("FLAIR",))
    out = tmp_path / "demonstration"
    command = (cache, labels, "--demonstrate-leak", 3, "--folds", 4, "--out", out)
    assert train(*command) == 0
    printed = capsys.readouterr().out
    assert "logistic on FLAIR, 3 shuffles of the labels" in printed
    assert "(16 of 16 test patients are also in training): it LEAKS; the patient split reports" in printed
    assert "no leak found" in printed
    assert {p.name for p in out.iterdir()} == {"leak.csv", "leak.json", "leak.png", "leak.svg", "leak.html"}
    rows = table(out / "leak.csv")
    assert len(rows) == 2 * 4 * 2  # splits, draws with the true labels, levels
    assert {(r["head"], r["split"], r["warning"] != "") for r in rows} == {
        ("logistic", "slice", True),
        ("logistic", "patient", False),
    }
    null = [float(r["auc"]) for r in rows if (r["split"], r["labels"], r["level"]) == ("slice", "shuffled", "patient")]
    assert min(null) > 0.8
    about = json.loads((out / "leak.json").read_text())
    assert {v["split"]: v["leaks"] for v in about["verdicts"]} == {"slice": True, "patient": False}
    assert about["arguments"]["head"] == ["logistic"]
    assert about["arguments"]["demonstrate_leak"] == 3
    assert train(*command) == 2
    assert "the leak demonstration" in capsys.readouterr().err
    assert train(*command, "--overwrite", "--seed", 1) == 0
    assert table(out / "leak.csv") != rows
    assert not list(tmp_path.glob(".demonstration*"))


@pytest.mark.slow
def test_the_patient_split_of_the_demonstration_is_the_one_of_a_run(cohort, tmp_path: Path) -> None:
    cache, labels = cohort(16, sequences=("FLAIR",))
    options = ("--head", "logistic", "--folds", 4, "--seed", 3)
    assert train(cache, labels, *options, "--demonstrate-leak", 2, "--out", tmp_path / "d") == 0
    assert train(cache, labels, *options, "--repeats", 1, "--out", tmp_path / "r") == 0
    (mine,) = [
        float(r["auc"])
        for r in table(tmp_path / "d" / "leak.csv")
        if (r["split"], r["labels"], r["level"]) == ("patient", "true", "patient")
    ]
    run = [r for r in table(tmp_path / "r" / "predictions.csv") if r["sequence"] == "FLAIR"]
    folds = [[r for r in run if r["fold"] == k] for k in "0123"]
    aucs = [roc_auc_score([int(r["label"]) for r in f], [float(r["score"]) for r in f]) for f in folds]
    assert mine == pytest.approx(np.mean(aucs), abs=1e-9)


def test_the_demonstration_refuses_what_it_cannot_do_and_spares_runs(cohort, tmp_path: Path, capsys) -> None:
    cache, labels = cohort(12)
    for option in (("--split", "slice"), ("--repeats", 2), ("--unit", "patient"), ("--fuse", "scores"), ("--tune", 2)):
        assert train(cache, labels, "--demonstrate-leak", "--out", tmp_path / "d", *option) == 2
        assert "--demonstrate-leak runs both splits over slices" in capsys.readouterr().err
    (tmp_path / "r").mkdir()
    (tmp_path / "r" / "run.json").write_text("{}")
    assert train(cache, labels, "--demonstrate-leak", "--out", tmp_path / "r", "--overwrite") == 2
    assert "is not a leak demonstration (no leak.json); it is left alone" in capsys.readouterr().err
    (tmp_path / "t.csv").write_text("id,a\n" + "".join(f"{i},{i % 3}\n" for i in range(12)))
    assert train(tmp_path / "t.csv", labels, "--demonstrate-leak", "--out", tmp_path / "d") == 2
    assert "is a table of patients; it has no sequences and slices" in capsys.readouterr().err
