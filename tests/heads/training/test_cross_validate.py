"""From Python the same figures come as from the command line, in memory, and a folder only where one is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from door_material import SETTINGS, series

import evaluate
import train_head
from core.leak import Leak
from core.predictions import Predictions
from evaluation.read_run import in_memory, read_run
from features import load
from features.cache.writer import write
from features.table import Table
from heads import Run, cross_validate

N = 20
OPTIONS = {"folds": 3, "repeats": 2, "seed": 4, "permutations": 3}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A cache of two sequences, and labels."""
    folder = tmp_path_factory.mktemp("api")
    rng = np.random.default_rng(0)
    blocks = []
    for i in range(N):
        for sequence in ("FLAIR", "T2w"):
            x = 0.5 * rng.normal(size=12) + rng.normal(size=(4, 12))
            x[:, 0] += 1.5 * (2 * (i % 2) - 1)
            blocks.append(series(f"{i:05d}", sequence, x, blank=(0,)))
    write(folder / "f.h5", SETTINGS, blocks)
    (folder / "l.csv").write_text("BraTS21ID,MGMT_value\n" + "".join(f"{i:05d},{i % 2}\n" for i in range(N)))
    return folder / "f.h5", folder / "l.csv"


@pytest.fixture(scope="module")
def run(files: tuple[Path, Path]) -> Run:
    return cross_validate(load(*files), heads=["logistic", "boosted"], name="api", **OPTIONS)


def trained(files: tuple[Path, Path], out: Path, *options: str) -> Path:
    """The run of the command line with the same options."""
    asked = [f"--{k}={v}" for k, v in OPTIONS.items()]
    command = [*map(str, files), "--head", "logistic", "boosted", "--jobs", "1", "--out", str(out)]
    assert train_head.main([*command, *asked, *options]) == 0
    return out


@pytest.mark.slow
def test_the_door_and_the_call_give_the_same_figures(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    door, saved = trained(files, tmp_path / "door" / "api"), run.save(tmp_path / "saved" / "api")
    assert {p.name for p in door.iterdir()} == {p.name for p in saved.iterdir()}
    for name in ("predictions.csv", "slices.csv", "curves.csv", "ledger.csv", "permutations.csv"):
        assert (door / name).read_bytes() == (saved / name).read_bytes(), name
    a, b = (read_run(folder).about for folder in (door, saved))
    same = ("folds", "question", "join", "patients", "features", "duplicates", "availability", "looks", "shortcuts")
    assert {k: a[k] for k in same} == {k: b[k] for k in same}
    assert {k for k in a["arguments"] if a["arguments"][k] != b["arguments"][k]} <= {"features", "labels", "out"}


@pytest.mark.slow
def test_nothing_is_written_until_it_is_saved(run: Run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert run.save("runs/other") == Path("runs/other")
    saved = read_run(tmp_path / "runs" / "other")
    assert {s.run for s in saved.scored} == {"other"} and run.name == "api", "the run itself keeps its name"
    assert saved.about["run"] == "other" and saved.about["arguments"]["out"] == "runs/other"
    with pytest.raises(ValueError, match="exists; choose another --out or pass --overwrite"):
        run.save("runs/other")
    run.save("runs/other", overwrite=True)
    assert evaluate.main(["runs/other", "--out", "report", "--replicates", "20"]) == 0


def test_a_run_in_memory_reads_like_one_on_disk(run: Run, tmp_path: Path) -> None:
    here, there = in_memory(run), read_run(run.save(tmp_path / "api"))
    assert (here.name, here.leak, here.curves, here.more) == (there.name, there.leak, there.curves, there.more)
    for a, b in zip(here.scored + here.slices, there.scored + there.slices, strict=True):
        assert a.key == b.key and a.units == b.units
        assert np.array_equal(a.scores, b.scores, equal_nan=True)
    lately = {"tables", "looks", "arguments"}
    assert {k: v for k, v in here.about.items() if k not in lately} == {
        k: v for k, v in there.about.items() if k not in lately
    }


def test_predictions_are_a_frame(run: Run) -> None:
    frame = run.to_frame()
    assert list(frame.columns) == list(run.predictions[0]._fields) and len(frame) == len(run.predictions)
    assert frame.dtypes[["repeat", "fold", "label", "n_slices"]].map(str).unique().tolist() == ["int64"]
    assert set(frame[frame.sequence == "FLAIR"].groupby(["head", "repeat"]).patient_id.nunique()) == {N}
    assert [key.label() for key in run.results][:2] == ["logistic on FLAIR", "logistic on T2w"]
    assert {key.sequence for key in run.predictions.result_keys()} == {"FLAIR", "T2w", "shortcuts"}


def test_a_notebook_shows_a_table(run: Run) -> None:
    page = run._repr_html_()
    assert "<td>logistic</td><td>FLAIR</td><td>20</td>" in page and "MGMT_value 1 against 0" in page


def test_a_leak_is_shown_and_kept(files: tuple[Path, Path], tmp_path: Path) -> None:
    run = cross_validate(load(*files), heads=["logistic"], split="slice", sequence=["FLAIR"])
    assert run.leak is not None and run.leak.shared > 0
    assert "LEAKS" in run._repr_html_()
    assert read_run(run.save(tmp_path / "r")).leak == run.leak


def test_a_table_needs_labels_and_takes_hyper_parameters() -> None:
    rng = np.random.default_rng(1)
    names = np.array([f"p{i:02d}" for i in range(24)], object)
    X = rng.normal(size=(24, 3)).astype(np.float32)
    X[:, 0] += np.arange(24) % 2
    table = Table("radiomics", X, names, np.zeros(24, np.int16), names)
    with pytest.raises(ValueError, match="a table has no labels; pass labels="):
        cross_validate(table)
    labels = {p: i % 2 for i, p in enumerate(names)}
    runs = [cross_validate(table, ["logistic"], labels=labels, repeats=1, permutations=0, C=C) for C in (0.01, 10.0)]
    assert runs[0].predictions != runs[1].predictions
    assert runs[1].record.arguments["C"] == 10.0
    tuned = cross_validate(table, ["boosted"], labels=labels, repeats=1, folds=2, tune=2, boosted_rounds=5)
    assert tuned.record.tuning is not None and tuned.results[0].sequence == "chosen"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slices": "central"}, "slices: say it where the table is loaded"),
        ({"demonstrate_leak": 3}, "demonstrate_leak makes no run"),
        ({"number_of_trees": 3}, "no head has number_of_trees; expected some of C, "),
        ({"heads": ["svm"]}, "--head 'svm'; expected one of dense"),
        ({"aggregate": "mode"}, "--aggregate 'mode'; expected one of mean"),
        ({"fuse": "features"}, "add --unit patient"),
        ({"sequence": ["T1w"]}, "no table of T1w; there are FLAIR, T2w"),
        ({"folds": 1}, "--folds: expected a whole number of at least 2, got '1'"),
        ({"repeats": 0}, "--repeats: expected a whole number of at least 1, got '0'"),
        ({"head": ["logistic"]}, r"head: say heads="),
        ({"out": "r"}, r"out: nothing is written yet; run.save\(out\)"),
        ({"features": "f.h5"}, "features: they are the first argument"),
        ({"overwrite": True}, r"overwrite: .*run.save\(out, overwrite=True\)"),
    ],
)
def test_what_is_no_option_is_said(files: tuple[Path, Path], options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cross_validate(load(*files), **{"heads": ["logistic"], **options})


def in_memory_table() -> tuple[Table, dict[str, int]]:
    """24 patients with 3 columns, and their labels."""
    names = np.array([f"p{i:02d}" for i in range(24)], object)
    X = np.random.default_rng(1).normal(size=(24, 3)).astype(np.float32)
    return Table("radiomics", X, names, np.zeros(24, np.int16), names), {p: i % 2 for i, p in enumerate(names)}


@pytest.mark.parametrize("label", [2, -1, 0.5, "1", None])
def test_a_label_is_0_or_1(label: object) -> None:
    table, labels = in_memory_table()
    with pytest.raises(ValueError, match=f"patient 'p05' has the label {label!r}; expected 0 or 1"):
        cross_validate(table, ["logistic"], labels={**labels, "p05": label})  # type: ignore[dict-item]


def test_a_table_in_memory_asks_nothing_of_the_current_folder(tmp_path: Path, monkeypatch) -> None:
    table, labels = in_memory_table()
    slices = Table(
        "radiomics", table.X, table.patient, table.view, table.slice_id, digest=np.array([b"%d" % i for i in range(24)])
    )
    monkeypatch.chdir(tmp_path)
    given = {"labels": {p: np.int64(y) for p, y in labels.items()}, "repeats": 1, "permutations": 0}
    first = cross_validate(slices, ["logistic"], **given)
    (tmp_path / "table").write_text("no cache")
    again = cross_validate(slices, ["logistic"], **given)
    assert again.predictions == first.predictions and again.record.availability is None


def test_a_loaded_cache_that_is_gone_is_said(files: tuple[Path, Path], tmp_path: Path) -> None:
    cache = Path(shutil.copy(files[0], tmp_path / "f.h5"))
    data = load(cache, files[1])
    cache.unlink()
    with pytest.raises(ValueError, match=r"f.h5' that the tables were loaded from is gone; put it back"):
        cross_validate(data, ["logistic"], **OPTIONS)


def test_a_split_file_may_be_a_text(tmp_path: Path) -> None:
    table, labels = in_memory_table()
    (tmp_path / "x.csv").write_text("patient_id,fold\n" + "".join(f"{p},{i // 2 % 3}\n" for i, p in enumerate(labels)))
    given = {"labels": labels, "permutations": 0}
    text = cross_validate(table, ["logistic"], split_file=str(tmp_path / "x.csv"), **given)
    path = cross_validate(table, ["logistic"], split_file=tmp_path / "x.csv", **given)
    assert text.predictions == path.predictions and text.record.split == "file"
    assert {p.patient_id: p.fold for p in text.predictions} == {p: i // 2 % 3 for i, p in enumerate(labels)}


def test_leaks_and_predictions_are_values() -> None:
    assert Leak.from_json("LEAKS: 3 of 8 test patients are also in training") == Leak(3, 8)
    assert Leak.from_json("it leaks, somehow") == Leak(0, 0, "it leaks, somehow")
    assert Leak.from_json(None) is None and Leak.from_json("") is None
    assert Leak.from_json("in other words", {"shared": 1, "tested": 2}) == Leak(1, 2)
    assert Predictions() == Predictions([]) and len(Predictions().to_frame()) == 0
