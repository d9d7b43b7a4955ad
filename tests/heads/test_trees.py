"""Trees as arrays: the leaves that LightGBM reaches, and nothing that does not end."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pytest

from heads.trees import Trees

ARRAYS: dict[str, Any] = {  # column 1 up to 0.5: -1; else column 0 up to 2: 10, else 20; and a tree that is a leaf
    "root": np.array([0, 5], np.int32),
    "feature": np.array([1, 0, 0, 0, 0, 0], np.int32),
    "threshold": np.array([0.5, 0, 2, 0, 0, 0]),
    "left": np.array([1, 1, 3, 3, 4, 5], np.int32),
    "right": np.array([2, 1, 4, 3, 4, 5], np.int32),
    "value": np.array([0, -1, 0, 10, 20, 100.0]),
}


def test_the_ways_of_rows_by_hand() -> None:
    X = np.array([[9, 0.5], [2, 0.6], [2.1, 7]], np.float32)
    trees = Trees.from_arrays(ARRAYS, 2)
    assert trees.sums(X).tolist() == [99, 110, 120]
    assert trees.sums(np.tile(X, (700, 1))).tolist() == [99, 110, 120] * 700
    assert trees.sums(X[:0]).tolist() == []


@pytest.mark.parametrize("leaves", [2, 8, 31])
def test_sums_are_those_of_lightgbm(leaves: int) -> None:
    rng = np.random.default_rng(leaves)
    X = rng.integers(-3, 9, (400, 6)).astype(np.float32)  # many values lie on a threshold's side by little
    y = ((X[:, 0] > 2) ^ (X[:, 1] * X[:, 2] > 4)).astype(int)
    parameters = {"objective": "binary", "num_leaves": leaves, "verbosity": -1, "min_data_in_leaf": 1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(X, y), 40)
    trees = Trees.of_lightgbm(booster.dump_model())
    new = np.concatenate([rng.integers(-5, 12, (500, 6)), rng.normal(2, 4, (500, 6))]).astype(np.float32)
    assert trees.sums(new) == pytest.approx(booster.predict(new, raw_score=True), abs=1e-12)
    again = Trees.from_arrays(vars(trees), 6)
    assert np.array_equal(again.sums(new), trees.sums(new))
    for name in ("feature", "left", "right", "root"):
        assert getattr(trees, name).dtype == np.int32


@pytest.mark.parametrize(
    ("name", "at", "value", "words"),
    [
        ("left", 2, 0, "do not end"),  # back to the root: round and round
        ("left", 2, 2, "do not end"),  # half a leaf
        ("right", 0, 6, "do not end"),
        ("right", 3, -1, "do not end"),
        ("root", 1, 6, "do not end"),
        ("root", 0, -1, "do not end"),
        ("feature", 4, 2, "beyond the 2 of its table"),
        ("feature", 0, -1, "beyond the 2"),
        ("threshold", 0, np.nan, "no number"),
        ("value", 1, np.inf, "no number"),
    ],
)
def test_what_are_no_trees_is_refused(name: str, at: int, value: float, words: str) -> None:
    changed = ARRAYS[name].copy()
    changed[at] = value
    with pytest.raises(ValueError, match=words):
        Trees.from_arrays({**ARRAYS, name: changed}, 2)


@pytest.mark.parametrize(
    ("name", "array", "words"),
    [
        ("value", np.zeros(5), "value has 5 values for 6 nodes"),
        ("left", ARRAYS["left"].astype(float), "left has type float64"),
        ("root", np.zeros((1, 1), np.int32), "2 dimensions"),
        ("threshold", np.array(["0"] * 6), "threshold has type <U1"),
    ],
)
def test_other_types_and_lengths_are_refused(name: str, array: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Trees.from_arrays({**ARRAYS, name: array}, 2)
