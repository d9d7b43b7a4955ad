"""Who trained, who was tested: split files of others, and planted overlaps that must be counted right."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.question import LabelQuestion
from evaluation.audit.files.foreign import Foreign
from evaluation.audit.files.split_files import read_slides, read_splits
from evaluation.audit.files.splits import Split, distinct, often_tested, splits_of

CLAM = ",train,val,test\n0,a,d,e\n1,b,,f\n2,c,,a\n"
CLAM_BOOL = (
    ",train,val,test\na,True,False,False\nb,True,False,False\nc,True,False,False\nd,False,True,False\n"
    "e,False,False,True\nf,False,False,True\na,False,False,True\n"
)


def of(path: Path, text: str) -> list[Split]:
    path.write_text(text)
    return read_splits(path)


def parts(s: Split) -> tuple[set[str], set[str], set[str]]:
    return set(s.train), set(s.val), set(s.test)


def predictions(rows: list[tuple], columns: tuple[str, ...]) -> Foreign:
    """Rows of (patient, slide, model, repeat, fold, part)."""
    names = ("patient", "slide", "model", "repeat", "fold", "part")
    cells = {name: list(c) for name, c in zip(names, zip(*rows, strict=True), strict=True)}
    y, score = np.zeros(len(rows), int), np.ones(len(rows))
    return Foreign(
        name="p", columns=dict.fromkeys(columns, "x"), question=LabelQuestion("q"), y=y, score=score, **cells
    )


@pytest.mark.parametrize(("name", "text"), [("splits_0.csv", CLAM), ("splits_0_bool.csv", CLAM_BOOL)])
def test_clam(name: str, text: str, tmp_path: Path) -> None:
    (s,) = of(tmp_path / name, text)
    assert parts(s) == ({"a", "b", "c"}, {"d"}, {"e", "f", "a"})
    assert (s.name, s.leaked, s.assumed) == (name, {"a"}, False)


def test_clam_writes_each_fold_twice(tmp_path: Path) -> None:
    both = of(tmp_path / "splits_0.csv", CLAM) + of(tmp_path / "splits_0_bool.csv", CLAM_BOOL)
    kept, twice = distinct(both)
    assert (len(kept), kept[0].name, twice) == (1, "splits_0.csv", 1)


def test_clam_counts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="counts slides and names none"):
        of(tmp_path / "splits_0_descriptor.csv", ",train,val,test\nnormal,4,1,1\n")


def test_stamp(tmp_path: Path) -> None:
    content = {
        "splits": [
            {"train_patients": ["a", "b"], "test_patients": ["c", "b"]},
            {"train_patients": ["c"], "test_patients": ["a"]},
        ]
    }
    one, two = of(tmp_path / "splits.json", json.dumps(content))
    assert (parts(one), one.leaked, one.name) == (({"a", "b"}, set(), {"b", "c"}), {"b"}, "splits.json, split 0")
    assert two.leaked == frozenset()
    assert often_tested([one, two]) == {}


@pytest.mark.parametrize("text", ["[]", "{", '{"splits": [{"train_patients": []}]}', '{"splits": 3}'])
def test_other_json_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='no split file of STAMP .*expected {"splits"'):
        of(tmp_path / "splits.json", text)


def test_a_list_of_folds_takes_the_others_for_training(tmp_path: Path) -> None:
    text = "patient_id,fold,repeat\n" + "".join(f"p{i},{(i + r) % 3},{r}\n" for r in range(2) for i in range(6))
    splits = of(tmp_path / "folds.csv", text)
    assert len(splits) == 6
    assert all(len(s.test) == 2 and len(s.train) == 4 and not s.leaked and s.assumed for s in splits)
    assert splits[0].name == "folds.csv, repeat 0, fold 0"
    assert often_tested(splits) == {}


def test_a_list_of_parts(tmp_path: Path) -> None:
    splits = of(tmp_path / "l.csv", "case_id;fold;split\na;0;Train\nb;0;val\nb;0;test\na;1;test\nc;1;training\n")
    assert [parts(s) for s in splits] == [({"a"}, {"b"}, {"b"}), ({"c"}, set(), {"a"})]
    assert splits[0].selected == {"b"}


@pytest.mark.parametrize(("text", "message"), [
    ("a,b\n1,2\n", "no split file: expected .* it has a, b"),
    ("patient,fold\n,2\n", "row 2: the id or its fold is blank"),
    ("patient,fold\np,\n", "row 2: the id or its fold is blank"),
    ("train,val,test\nTrue,False,False\n", "no column of ids"),
])  # fmt: skip
def test_what_is_no_split_file(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        of(tmp_path / "x.csv", text)


def test_a_missing_file(tmp_path: Path) -> None:
    for name in ("x.csv", "x.json"):
        with pytest.raises(ValueError, match="does not exist"):
            read_splits(tmp_path / name)


def test_a_table_of_slides(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("FILENAME,PATIENT\ns1.h5,a\ns2.h5,a\n")
    assert read_slides(tmp_path / "t.csv") == {"s1": "a", "s2": "a"}
    (tmp_path / "t.csv").write_text("a,PATIENT\n1,2\n")
    with pytest.raises(ValueError, match="needs a column of slides and one of patients"):
        read_slides(tmp_path / "t.csv")


def test_renaming_ids_to_patients_shows_the_leak() -> None:
    s = Split("x", "x", frozenset({"s1", "s2"}), frozenset(), frozenset({"s3"}))
    assert not s.leaked
    assert s.renamed({"s1": "anna", "s2": "bert", "s3": "anna"}).leaked == {"anna"}


@pytest.mark.parametrize("planted", [0, 1, 7])
def test_planted_overlap_of_slices_is_counted(planted: int) -> None:
    """40 patients with 6 slices in 5 folds by patient; of `planted` patients one slice lies in another fold."""
    fold = np.repeat(np.arange(40) % 5, 6)
    fold[6 * np.arange(planted)] = (fold[6 * np.arange(planted)] + 1) % 5
    rows = [(f"p{i // 6}", f"s{i}", "", "", str(fold[i]), "") for i in range(240)]
    splits, unclear = splits_of(predictions(rows, ("slides", "fold")))
    assert len(splits) == 5
    assert frozenset().union(*(s.leaked for s in splits)) == {f"p{i}" for i in range(planted)}
    assert not unclear


def test_repeats_without_a_number_are_no_proof_of_a_leak() -> None:
    rng = np.random.default_rng(0)
    rows = [(f"p{i}", "", "", "", str(rng.integers(5)), "") for _ in range(3) for i in range(30)]
    splits, unclear = splits_of(predictions(rows, ("fold",)))
    assert any(s.leaked for s in splits) and unclear
    assert splits_of(predictions(rows, ("fold", "repeat")))[1] is False, "a column of repeats settles it"
    assert splits_of(predictions([*rows, rows[0]], ("fold",)))[1] is False, "patients with unequal numbers of rows"


def test_the_same_slides_in_two_folds_may_be_repeats() -> None:
    rows = [("p", s, "", "", f, "") for s in "ab" for f in "01"] + [("q", "c", "", "", f, "") for f in "01"]
    assert splits_of(predictions(rows, ("slides", "fold")))[1]
    assert not splits_of(predictions([*rows, ("q", "d", "", "", "1", "")], ("slides", "fold")))[1]


def test_models_that_share_folds_count_once() -> None:
    rows = [(f"p{i}", "", model, "", str(i % 2), "") for model in "ab" for i in range(4)]
    splits, _ = splits_of(predictions(rows, ("fold", "models")))
    assert [(s.name, len(s.test)) for s in splits] == [("fold 0", 2), ("fold 1", 2)]
    rows[-1] = ("p3", "", "b", "", "0", "")
    names = [s.name for s in splits_of(predictions(rows, ("fold", "models")))[0]]
    assert len(set(names)) == 4 and "b, fold 0" in names


def test_parts_in_the_predictions() -> None:
    rows = [
        ("a", "1", "", "", "", "train"),
        ("a", "2", "", "", "", "test"),
        ("b", "1", "", "", "", "val"),
        ("b", "1", "", "", "", "test"),
    ]
    (s,), unclear = splits_of(predictions(rows, ("part", "slides")))
    assert (s.leaked, s.selected, unclear, s.name) == ({"a"}, {"b"}, False, "the file")


def test_who_is_often_tested() -> None:
    splits = [Split("x", str(k), frozenset(), frozenset(), frozenset(t)) for k, t in enumerate(["ab", "bc", "bd"])]
    assert often_tested(splits) == {"b": 3}
    assert often_tested([*splits[:1], Split("y", "0", frozenset(), frozenset(), frozenset("ab"))]) == {}, "two schemes"


def test_folds_of_training_with_tests_apart_meet_all_of_them() -> None:
    rows = [(p, "", "", "", f, part) for f, part, ps in (
        ("0", "train", "ab"), ("0", "val", "c"), ("1", "train", "cb"), ("1", "val", "a"), ("10", "test", "bd"), ("", "test", "e")
    ) for p in ps]  # fmt: skip
    splits, _ = splits_of(predictions(rows, ("part", "fold")))
    assert [parts(s) for s in splits] == [({"a", "b"}, {"c"}, {"b", "d", "e"}), ({"b", "c"}, {"a"}, {"b", "d", "e"})]


def test_folds_stand_in_the_order_of_their_numbers() -> None:
    rows = [(f"p{k}", "", "", "", str(k), "") for k in (10, 2, 0, 1, 11)]
    assert [s.name for s in splits_of(predictions(rows, ("fold",)))[0]] == [f"fold {k}" for k in (0, 1, 2, 10, 11)]
