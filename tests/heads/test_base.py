"""A head is one dataclass: flags, tuning, files and controls follow from it, and what cannot be saved is never fitted."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from toy_heads import Direction, Unsaved

import evaluate
import train_head
from core.registry import Registry
from heads.base import HEADS, Capabilities, capabilities, check_heads, saved_as
from heads.boosted import Boosted, FittedBoosted
from heads.bundle import load_bundle
from heads.dense import Dense
from heads.hyperparameters import hyperparameters, make_head
from heads.logistic import Logistic

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def toy() -> Iterator[type[Direction]]:
    """The toy head under the name `direction`."""
    yield HEADS.register("direction")(Direction)
    HEADS.unregister("direction")


def inputs(folder: Path, first: int = 0, n: int = 24) -> tuple[str, str]:
    """A table of patients of whom the first column says the label, and their labels."""
    rng = np.random.default_rng(first)
    people = range(first, first + n)
    (folder / f"t{first}.csv").write_text(
        "id,a,b\n" + "".join(f"p{i},{2 * (i % 2) + rng.normal():.4f},{rng.normal():.4f}\n" for i in people)
    )
    (folder / f"l{first}.csv").write_text("id,label\n" + "".join(f"p{i},{i % 2}\n" for i in people))
    return str(folder / f"t{first}.csv"), str(folder / f"l{first}.csv")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


@pytest.mark.slow
def test_a_head_from_outside_goes_through_the_doors(toy: type, tmp_path: Path, capsys) -> None:
    run, options = tmp_path / "r", ("--folds", "3", "--repeats", "1", "--jobs", "1", "--permutations", "2")
    command = [*inputs(tmp_path), "--head", "direction", "logistic", "--direction-stretch", "2.5", *options]
    assert train_head.main([*command, "--learning-curve", "--out", str(run)]) == 0
    assert {r["head"] for r in rows(run / "predictions.csv")} == {"direction", "logistic"}
    assert {r["head"] for r in rows(run / "learning.csv")} == {"direction", "logistic"}
    assert {r["head"] for r in rows(run / "permutations.csv")} == {"direction", "logistic"}
    assert json.loads((run / "run.json").read_text())["arguments"]["direction_stretch"] == 2.5
    assert rows(run / "ledger.csv")[0]["parameters"] == '{"stretch": 2.5}'
    assert load_bundle(run / "heads" / "direction-table.npz").fitted.scores(np.zeros((1, 2))).shape == (1,)
    new, theirs = inputs(tmp_path, 50)
    scored = [str(run), "--cache", new, "--labels", theirs, "--out", str(tmp_path / "o")]
    assert evaluate.main(scored) == 0
    assert {r["head"] for r in rows(tmp_path / "o" / "scores.csv")} == {"direction", "logistic"}
    assert evaluate.main([str(run), "--out", str(tmp_path / "report"), "--replicates", "20"]) == 0
    assert "direction" in capsys.readouterr().out


def test_a_head_from_outside_is_tuned_in_its_range(toy: type, tmp_path: Path) -> None:
    command = [*inputs(tmp_path), "--head", "direction", "--folds", "2", "--repeats", "1", "--jobs", "1", "--tune", "4"]
    assert train_head.main([*command, "--out", str(tmp_path / "r")]) == 0
    drawn = {json.loads(r["parameters"])["stretch"] for r in rows(tmp_path / "r" / "ledger.csv")}
    assert len(drawn) > 4 and all(0.1 <= x <= 10 for x in drawn)
    assert load_bundle(tmp_path / "r" / "heads" / "direction-chosen.npz").about["kind"] == "direction"


def test_its_flags_are_in_the_help(toy: type) -> None:
    text = train_head.parser().format_help()
    assert "--direction-stretch" in text and "factor of the scores" in text
    assert "{dense,logistic,boosted,direction}" in text


def test_a_head_that_cannot_be_saved_is_refused_before_anything_is_read(tmp_path: Path, capsys) -> None:
    HEADS.register("unsaved")(Unsaved)
    try:
        assert train_head.main(["no.csv", "no.csv", "--head", "unsaved", "--out", str(tmp_path / "r")]) == 2
    finally:
        HEADS.unregister("unsaved")
    said = capsys.readouterr().err
    assert "the unsaved head cannot be saved: what it fits has no scores, arrays, from_arrays" in said


def test_a_head_that_says_nothing_of_its_fitted_form_is_refused(toy: type, monkeypatch) -> None:
    monkeypatch.delattr(Direction, "fitted")
    with pytest.raises(ValueError, match="the direction head cannot be saved: .* no attribute `fitted`"):
        check_heads(["logistic", "direction"])


def test_the_kinds_in_files_are_the_names_of_heads() -> None:
    assert saved_as("boosted") is FittedBoosted
    with pytest.raises(ValueError, match="unknown head 'os.system'; expected one of dense, logistic, boosted"):
        saved_as("os.system")


@pytest.mark.parametrize("name", ["Forest", "a-b", "", "2nd", "a/b"])
def test_a_name_is_one_word_of_a_flag_and_of_a_file(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be called"):
        HEADS.register(name)


def test_a_name_is_taken_once() -> None:
    for name in ("logistic", "dense"):
        with pytest.raises(ValueError, match=f"there is a head '{name}' already"):
            HEADS.register(name)(Direction)


def test_entries_of_the_house_come_first_and_are_imported_when_asked_for() -> None:
    names: Registry[object] = Registry("thing", {"a": "nowhere.to.be.found"})
    names.register("b")("found")
    assert (list(names), len(names), "a" in names, "c" in names) == (["a", "b"], 2, True, False)
    assert names["b"] == "found"
    with pytest.raises(ModuleNotFoundError):
        names["a"]


def test_capabilities_are_of_the_class() -> None:
    assert capabilities(Logistic()).linear and not capabilities(Boosted()).linear
    assert capabilities(Dense) == capabilities(Dense(epochs=1)) and capabilities(Dense).own_process
    assert capabilities(Direction) == Capabilities()


def test_hyper_parameters_have_names_of_their_own_unless_their_flag_says_otherwise() -> None:
    assert [h.dest for h in hyperparameters("logistic")] == ["C"]
    assert [h.dest for h in hyperparameters("dense")] == [
        "hidden",
        "optimizer",
        "learning_rate",
        "batch_size",
        "epochs",
    ]
    boosted = list(hyperparameters("boosted"))
    assert [h.dest for h in boosted][:2] == ["boosted_rounds", "boosted_learning_rate"]
    assert all(h.option is None and h.search is not None for h in boosted)
    made = make_head("boosted", {"boosted_rounds": 7, "learning_rate": 9.0})
    assert made == Boosted(rounds=7)
    assert make_head("dense", {"hidden": [8, 4]}) == Dense(hidden=(8, 4))


def test_importing_heads_loads_nothing_heavy() -> None:
    code = "import sys, heads; heads.HEADS; print(sorted({'pandas', 'sklearn', 'lightgbm', 'scipy', 'h5py', 'tensorflow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
