"""What heads/run_writer.py wrote is read back by ids, and damaged or foreign folders are refused in words."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.predictions import Prediction, group_results
from evaluation.read_run import read_run
from heads.run_record import REQUIRED
from heads.run_writer import write_run

ABOUT = {**dict.fromkeys(REQUIRED), "format": "mgmt-radiogenomics/run", "format_version": 1, "seed": 0}
PREDICTIONS = [  # head, sequence, repeat, fold, patient, label, score, slices
    ("r", "h", "FLAIR", 0, 1, "b", 0, 1 / 3, 4),
    ("r", "h", "FLAIR", 1, 0, "b", 0, 0.25, 4),
    ("r", "h", "FLAIR", 0, 0, "00002", 1, 0.75, 2),
    ("r", "h", "FLAIR", 1, 1, "00002", 1, 1e-300, 2),
    ("r", "h", "FLAIR", 0, 0, "2", 0, 0.5, 3),  # not tested in repeat 1
    ("r", "h", "T2w", 0, 0, "b", 0, 0.125, 1),
]
SLICES = [
    ("r", "h", "FLAIR", 0, 0, "b", 0, "s#2", 0.2),
    ("r", "h", "FLAIR", 0, 0, "a", 1, "s#2", 0.9),
    ("r", "h", "FLAIR", 0, 0, "b", 0, "s#1", 0.1),
]
CURVES = [("r", "dense", "FLAIR", 0, 0, 1, 0.7, 0.5, "", "")]


def run(folder: Path, *, leak: str | None = None, **tables: list[Any]) -> Path:
    out = folder / "runs" / "r"
    rows = {"predictions": PREDICTIONS, "slices": SLICES, "curves": CURVES, **tables}
    write_run(out, {**ABOUT, "leak": leak}, rows["predictions"], rows["slices"], rows["curves"], [])
    return out


@pytest.mark.parametrize("leak", [None, "LEAKS: 1 of 2 test patients are also in training"])
def test_a_run_comes_back_by_patient(leak: str | None, tmp_path: Path) -> None:
    r = read_run(run(tmp_path, leak=leak))
    assert (r.name, r.about["leak"], len(r.curves)) == ("r", leak, 1)
    flair, t2w = r.scored
    assert flair.key == ("r", "h", "FLAIR")
    assert flair.units == flair.patients == ["00002", "2", "b"]
    assert flair.y.tolist() == [1, 0, 0]
    assert np.array_equal(flair.scores, [[0.75, 0.5, 1 / 3], [1e-300, np.nan, 0.25]], equal_nan=True)
    assert flair.fold.tolist() == [[0, 0, 1], [1, -1, 0]]
    assert flair.n_slices.tolist() == [2, 3, 4]
    assert (t2w.sequence, t2w.patients, t2w.scores.tolist()) == ("T2w", ["b"], [[0.125]])


def test_slices_know_their_patient(tmp_path: Path) -> None:
    (s,) = read_run(run(tmp_path)).slices
    assert s.units == ["a/s#2", "b/s#1", "b/s#2"]
    assert (s.patients, s.patient.tolist(), s.y.tolist()) == (["a", "b"], [0, 1, 1], [1, 0, 0])
    assert s.scores.tolist() == [[0.9, 0.1, 0.2]]


def test_a_run_may_go_by_another_name(tmp_path: Path) -> None:
    r = read_run(run(tmp_path), "old/r")
    assert {r.name, *(s.run for s in r.scored + r.slices)} == {"old/r"}


def test_the_order_of_the_rows_is_of_no_account(tmp_path: Path) -> None:
    one = read_run(run(tmp_path / "a")).scored[0]
    other = read_run(run(tmp_path / "b", predictions=PREDICTIONS[::-1])).scored[1]
    assert one.units == other.units
    assert np.array_equal(one.scores, other.scores, equal_nan=True)


@pytest.mark.parametrize("name", ["run.json", "predictions.csv", "slices.csv", "curves.csv"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    path = run(tmp_path)
    (path / name).unlink()
    with pytest.raises(ValueError, match=rf"is not a run: {name} is missing; make runs with train_head.py"):
        read_run(path)


@pytest.mark.parametrize(("what", "said"), [
    ("runs/nothing", "it does not exist; make runs"),
    ("runs/r/predictions.csv", "it is a file; train heads on features with train_head.py .*predictions.csv LABELS.csv"),
    ("runs", "it is a folder of runs; name them: .*runs/r$"),
    (".", "run.json is missing; make runs"),
])  # fmt: skip
def test_what_is_no_run_is_refused_with_what_it_is(what: str, said: str, tmp_path: Path) -> None:
    run(tmp_path)
    with pytest.raises(ValueError, match=f"is not a run: {said}"):
        read_run(tmp_path / what)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is not readable JSON"),
        (b"", "is not readable JSON"),
        (b"[]", "holds no description of a run"),
        (b"\xff\xfe", "damaged file"),
        (json.dumps({**ABOUT, "format_version": 2}).encode(), "not a run of version 1 .*'mgmt-radiogenomics/run' 2"),
        (
            json.dumps({k: v for k, v in ABOUT.items() if k != "question"}).encode(),
            "lacks question; train the run again",
        ),
        (json.dumps({**ABOUT, "format": "x"}).encode(), "not a run of version 1 .*format 'x' 1"),
    ],
)
def test_a_damaged_description_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = run(tmp_path)
    (path / "run.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_run(path)


def cut(text: bytes) -> bytes:
    return text[: text.rindex(b",") - 1]  # in the middle of the last row


DAMAGE: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("predictions.csv", cut, "damaged table"),
    ("slices.csv", cut, "damaged table"),
    ("curves.csv", lambda t: t.split(b",0.7")[0], "damaged table"),
    ("predictions.csv", lambda t: t.replace(b"patient_id", b"patient"), "damaged table .*patient_id"),
    ("predictions.csv", lambda t: t.replace(b"0.75", b"high"), "damaged table .*high"),
    ("predictions.csv", lambda t: t.replace(b"0.75", b"nan"), "damaged table .*'00002' has the score nan"),
    ("predictions.csv", lambda t: t.replace(b"0.75", b"1.75"), "damaged table .*'00002' has the score 1.75"),
    ("slices.csv", lambda t: t.replace(b"0.9", b"inf"), "damaged table .*'a/s#2' has the score inf"),
    ("predictions.csv", lambda t: t.replace(b"0.75", b"0.7\xff"), "damaged file"),
]


@pytest.mark.parametrize(("name", "damage", "message"), DAMAGE)
def test_a_damaged_table_is_refused(name: str, damage: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    path = run(tmp_path)
    before = (path / name).read_bytes()
    (path / name).write_bytes(damage(before))
    assert (path / name).read_bytes() != before
    with pytest.raises(ValueError, match=f"{name}' is not as the run wrote it"):
        read_run(path)
    about = json.loads((path / "run.json").read_text())
    about["tables"][name] = hashlib.sha256((path / name).read_bytes()).hexdigest()  # a damage that was signed
    (path / "run.json").write_text(json.dumps(about))
    with pytest.raises(ValueError, match=message):
        read_run(path)


def test_two_scores_or_two_labels_of_a_patient_are_refused(tmp_path: Path) -> None:
    twice = [*PREDICTIONS, ("r", "h", "FLAIR", 0, 1, "2", 0, 0.5, 3)]
    with pytest.raises(ValueError, match="'2' has two scores in repeat 0 of h on FLAIR"):
        read_run(run(tmp_path / "a", predictions=twice))
    with pytest.raises(ValueError, match="'2' has two labels"):
        read_run(run(tmp_path / "b", predictions=[*PREDICTIONS, ("r", "h", "FLAIR", 1, 1, "2", 1, 0.5, 3)]))
    with pytest.raises(ValueError, match="'b' has two labels"):
        read_run(run(tmp_path / "c", slices=[*SLICES, ("r", "h", "FLAIR", 0, 0, "b", 1, "s#9", 0.9)]))
    with pytest.raises(ValueError, match="'b/s#1' has two scores in repeat 0"):
        read_run(run(tmp_path / "d", slices=[*SLICES, SLICES[2]]))


def test_groups_keep_runs_and_heads_apart_in_order_of_appearance() -> None:
    def p(run: str, head: str) -> Prediction:
        return Prediction(run, head, "FLAIR", 0, 0, "a", 1, 0.5, 1)

    assert [s.key[:2] for s in group_results([p("z", "h"), p("a", "h"), p("z", "g")])] == [
        ("z", "h"),
        ("a", "h"),
        ("z", "g"),
    ]
    assert group_results([]) == []


def test_repeats_may_be_numbered_from_anywhere() -> None:
    (s,) = group_results(Prediction("r", "h", "q", n, 3, "a", 1, n / 10, 1) for n in (7, 5))
    assert s.scores.tolist() == [[0.5], [0.7]]
