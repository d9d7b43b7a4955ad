"""Folds keep patients whole, depend on nothing but patients, labels and seed, and the leaking split counts its leak."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import StratifiedKFold, train_test_split

from core.leak import Leak, leak_sentence
from heads.folds import Fold, file_folds, leak_of, patient_folds, row_splits, separated, slice_split

LABELS = {f"{i:05}": int(i % 3 == 0) for i in range(30)}  # 10 positive, 20 negative


@pytest.mark.parametrize("repeats", [1, 3])
def test_every_patient_is_tested_once_per_repeat(repeats: int) -> None:
    folds, note = patient_folds(LABELS, folds=5, repeats=repeats, seed=0)
    assert [(f.repeat, f.fold) for f in folds] == [(r, k) for r in range(repeats) for k in range(5)]
    tested = Counter((f.repeat, p) for f in folds for p in f.test)
    assert tested == {(r, p): 1 for r in range(repeats) for p in LABELS}
    assert note == ""


def test_folds_are_stratified() -> None:
    folds, _ = patient_folds(LABELS, folds=5, repeats=2, seed=3)
    assert {(len(f.test), sum(LABELS[p] for p in f.test)) for f in folds} == {(6, 2)}


def test_folds_do_not_depend_on_the_order_of_the_labels() -> None:
    backwards = dict(reversed(LABELS.items()))
    one, other = (patient_folds(d, folds=5, repeats=2, seed=7)[0] for d in (LABELS, backwards))
    assert one == other


def test_seed_and_repeat_each_change_the_folds() -> None:
    def partition(seed: int, repeat: int) -> set[tuple[str, ...]]:
        return {f.test for f in patient_folds(LABELS, folds=5, repeats=2, seed=seed)[0] if f.repeat == repeat}

    assert partition(0, 0) == partition(0, 0)
    assert partition(0, 0) != partition(1, 0)
    assert partition(0, 0) != partition(0, 1)
    assert partition(0, 1) != partition(1, 0), "repeat 1 of seed 0 must not be repeat 0 of seed 1"


def test_fewer_folds_are_made_and_said_where_a_class_is_small() -> None:
    labels = {"a": 1, "b": 1, "c": 1} | {f"n{i}": 0 for i in range(9)}
    folds, note = patient_folds(labels, folds=5, repeats=1, seed=0)
    assert [sum(labels[p] for p in f.test) for f in folds] == [1, 1, 1]
    assert note == "5 folds were asked for, but the smaller class has 3 patients: 3 folds are used"


@pytest.mark.parametrize(
    ("labels", "folds", "repeats", "message"),
    [
        ({"a": 1, "b": 0, "c": 0}, 2, 1, "1 positive and 2 negative"),
        ({"a": 1, "b": 1}, 2, 1, "2 positive and 0 negative"),
        ({}, 2, 1, "0 positive and 0 negative"),
        (LABELS, 1, 1, "--folds 1"),
        (LABELS, 5, 0, "--repeats 0"),
    ],
)
def test_impossible_folds_are_refused(labels: dict[str, int], folds: int, repeats: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        patient_folds(labels, folds=folds, repeats=repeats, seed=0)


@pytest.mark.parametrize("groups", [None, {}, {"00000": "x", "00001": "y", "stranger": "x"}])
def test_folds_without_real_groups_are_those_of_stratified_k_fold(groups: dict[str, str] | None) -> None:
    made, _ = patient_folds(LABELS, folds=5, repeats=3, seed=11, groups=groups)
    patients, y = np.array(sorted(LABELS)), np.array([LABELS[p] for p in sorted(LABELS)])
    expected = [
        tuple(patients[test])
        for repeat in range(3)
        for _, test in StratifiedKFold(5, shuffle=True, random_state=np.random.RandomState((11, repeat))).split(y, y)
    ]
    assert [f.test for f in made] == expected


def test_groups_stay_in_one_fold_of_every_repeat_and_folds_stay_stratified() -> None:
    groups = {"00000": "a", "00001": "a", "00002": "a", "00010": "b", "00020": "b", "00029": "c", "stranger": "c"}
    folds, note = patient_folds(LABELS, folds=5, repeats=8, seed=0, groups=groups)
    assert note == ""
    assert sorted(p for f in folds if f.repeat == 7 for p in f.test) == sorted(LABELS)
    for members in ({"00000", "00001", "00002"}, {"00010", "00020"}):
        homes = [f for f in folds if members & set(f.test)]
        assert [f.repeat for f in homes] == list(range(8)), "one fold per repeat"
        assert all(members <= set(f.test) for f in homes)
    assert all(1 <= sum(LABELS[p] for p in f.test) <= 3 and 4 <= len(f.test) <= 8 for f in folds)
    assert len({f.test for f in folds}) > 5, "repeats differ"
    assert separated(folds, groups) == []


def test_a_group_counts_once_in_its_class() -> None:
    labels = {"a": 1, "b": 1, "c": 1, "d": 1} | {f"n{i}": 0 for i in range(9)}
    folds, note = patient_folds(labels, folds=4, repeats=1, seed=0, groups={"a": "g", "b": "g"})
    assert (
        note
        == "4 folds were asked for, but the smaller class has 3 groups of patients who share images: 3 folds are used"
    )
    assert sorted(sum(labels[p] for p in f.test) for f in folds) == [1, 1, 2]
    with pytest.raises(ValueError, match="1 positive and 9 negative groups of patients who share images"):
        patient_folds(labels, folds=4, repeats=1, seed=0, groups=dict.fromkeys("abcd", "g"))


def test_patients_put_apart_are_named() -> None:
    folds = [Fold(0, 0, ("a", "b")), Fold(0, 1, ("c", "d")), Fold(1, 0, ("a", "c")), Fold(1, 1, ("b", "d"))]
    assert separated(folds, {"a": "g", "b": "g", "d": "h"}) == ["a", "b"], "together in repeat 0 only"
    assert separated(folds, {"c": "g", "d": "g", "z": "g"}) == ["c", "d"], "z has no fold"
    assert separated(folds[:2], {"a": "g", "b": "g"}) == separated([], {"a": "g", "b": "g"}) == []


def split_file(folder: Path, text: str) -> Path:
    path = folder / "split.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_folds_from_a_file_are_taken_as_they_are(tmp_path: Path) -> None:
    path = split_file(tmp_path, "﻿fold,patient_id,note\n7,00002,x\n7,00001,x\n2,00003,x\n2,stranger,x\n")
    labels = {"00003": 1, "00001": 0, "00002": 1}
    assert file_folds(path, labels) == [Fold(0, 2, ("00003",)), Fold(0, 7, ("00001", "00002"))]


def test_folds_from_a_file_may_be_repeated(tmp_path: Path) -> None:
    path = split_file(tmp_path, "patient_id,repeat,fold\na,0,0\nb,0,1\na,1,1\nb,1,0\n")
    assert file_folds(path, {"a": 0, "b": 1}) == [
        Fold(0, 0, ("a",)),
        Fold(0, 1, ("b",)),
        Fold(1, 0, ("b",)),
        Fold(1, 1, ("a",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs the columns patient_id and fold"),
        ("patient_id,fold\n", "needs the columns patient_id and fold"),
        ("id,fold\na,0\nb,1\n", "needs the columns patient_id and fold"),
        ("patient_id,fold\na,0\nb,x\n", "row 3: fold and repeat must be whole numbers"),
        ("patient_id,fold\na,0\nb,\n", "row 3: fold and repeat must be whole numbers"),
        ("patient_id,fold\na,0\nb\n", "row 3: fold and repeat must be whole numbers"),
        ("patient_id,fold\na,0\nb,-1\n", "row 3: fold and repeat must be whole numbers"),
        ("patient_id,fold,repeat\na,0,-1\nb,1,-1\n", "row 2: fold and repeat must be whole numbers"),
        ("patient_id,fold\na,0\nb,1\na,1\n", "row 4: patient 'a' is twice in repeat 0"),
        ("patient_id,fold\na,0\nc,1\n", "gives no fold to 1 labelled patients, first 'b'"),
        ("patient_id,fold,repeat\na,0,0\nb,1,0\na,0,1\n", "gives no fold to 1 labelled patients, first 'b'"),
        ("patient_id,fold\na,0\nb,0\nc,1\n", "fewer than two folds"),
    ],
)
def test_a_bad_split_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        file_folds(split_file(tmp_path, text), {"a": 0, "b": 1})


def test_a_missing_split_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"nowhere\.csv.*cannot be read"):
        file_folds(tmp_path / "nowhere.csv", LABELS)


def test_rows_keep_patients_apart_and_views_are_never_tested() -> None:
    rng = np.random.default_rng(0)
    patient = rng.choice(np.array(sorted(LABELS), object), 600)
    view = rng.integers(0, 3, 600).astype(np.int16)
    folds, _ = patient_folds(LABELS, folds=5, repeats=2, seed=0)
    splits = row_splits(folds, patient, view)
    for fold, split in zip(folds, splits, strict=True):
        assert (split.repeat, split.fold, split.validation) == (fold.repeat, fold.fold, None)
        assert not set(patient[split.train]) & set(patient[split.test])
        assert set(patient[split.test]) <= set(fold.test)
        assert (view[split.test] == 0).all()
        assert leak_of(patient, [split]).shared == 0
        outside = [i for i in range(600) if patient[i] not in fold.test]
        assert split.train.tolist() == outside, "views of training patients train too"
    for repeat in (0, 1):
        tested = np.concatenate([s.test for s in splits if s.repeat == repeat])
        assert sorted(tested) == np.flatnonzero(view == 0).tolist()


def test_a_patient_whose_id_begins_like_another_stays_apart() -> None:
    patient = np.array(["1", "11", "111", "1"], object)
    (split,) = row_splits([Fold(0, 0, ("1",))], patient, np.zeros(4, np.int16))
    assert split.test.tolist() == [0, 3]
    assert split.train.tolist() == [1, 2]


def ids(n: int) -> np.ndarray:
    return np.arange(n).astype(str)


def test_the_slice_split_is_the_notebooks() -> None:
    split = slice_split(np.zeros(1000, np.int16), ids(1000))
    train, rest = train_test_split(np.arange(1000), test_size=0.2, random_state=42)
    validation, test = train_test_split(rest, test_size=0.5, random_state=42)
    assert split.train.tolist() == sorted(train)
    assert split.validation is not None
    assert split.validation.tolist() == sorted(validation)
    assert split.test.tolist() == sorted(test)
    assert [len(split.train), len(split.validation), len(split.test)] == [800, 100, 100]
    assert slice_split(np.zeros(1000, np.int16), ids(1000), seed=0).test.tolist() != split.test.tolist()


def test_the_slice_split_tests_and_validates_on_images_only() -> None:
    view = np.tile(np.array([0, 1, 2], np.int16), 50)
    image = np.repeat(ids(50), 3)
    split = slice_split(view, image)
    assert split.validation is not None
    assert (view[split.test] == 0).all()
    assert (view[split.validation] == 0).all()
    assert len(split.train) == 3 * 40
    assert not set(image[split.train]) & set(image[np.r_[split.test, split.validation]])


def test_a_slice_split_of_nine_slices_is_refused() -> None:
    with pytest.raises(ValueError, match="9 slices; a slice split"):
        slice_split(np.zeros(9, np.int16), ids(9))


def test_the_leak_is_counted_in_patients() -> None:
    split = slice_split(np.zeros(100, np.int16), ids(100))
    alone, shared = np.arange(100).astype(str), np.repeat(["a", "b"], 50)
    assert leak_of(alone, [split]) == Leak(0, 10)
    assert leak_of(shared, [split]) == Leak(2, 2)
    mixed = alone.copy()
    mixed[split.test[:3]] = mixed[split.train[0]]  # three test slices of one training patient
    assert leak_of(mixed, [split]) == Leak(1, 8)


def test_the_leak_sentence_is_the_one_that_every_output_carries() -> None:
    assert leak_sentence(Leak(3, 8)) == "LEAKS: 3 of 8 test patients are also in training"
