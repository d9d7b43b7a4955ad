"""Draws stay within their ranges, the default comes first, and every sequence gets its turn."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest

from heads.base import Head
from heads.boosted import Boosted
from heads.dense import Dense
from heads.logistic import Logistic
from heads.search.space import Configuration, draw

KEYS = [(q, s) for s in ("first", "all", "central") for q in ("FLAIR", "T1w", "T2w")]
HEADS: list[Head] = [Logistic(C=7.0), Boosted(rounds=3), Dense(hidden=(5,), epochs=9)]


def drawn(head: Head, n: int, seed: int = 0, keys: list[tuple[str, str]] | None = None) -> list[Configuration]:
    return draw(head, keys or KEYS, ["max", "mean"], n, np.random.default_rng(seed))


@pytest.mark.parametrize("head", HEADS, ids=lambda h: h.name)
def test_the_default_comes_first_and_the_draws_follow_the_generator(head: Head) -> None:
    assert drawn(head, 1) == [Configuration(head, "FLAIR", "first", "max")]
    assert drawn(head, 9) == drawn(head, 9) != drawn(head, 9, seed=1)
    assert drawn(head, 9)[0] == drawn(head, 9, seed=1)[0]
    assert len({c.parameters for c in drawn(head, 9)}) == 9


@pytest.mark.parametrize("n", [3, 4, 11])
def test_sequences_take_turns(n: int) -> None:
    for seed in range(20):
        counts = Counter(c.sequence for c in drawn(HEADS[0], n, seed))
        assert max(counts.values()) - min(counts.values()) <= 1 and len(counts) == 3


def test_slices_and_aggregators_are_drawn_alike() -> None:
    configurations = drawn(HEADS[0], 1201)[1:]
    for column, values in (("slices", 3), ("aggregate", 2)):
        counts = Counter(getattr(c, column) for c in configurations)
        expected = 1200 / values
        assert len(counts) == values
        assert all(abs(n - expected) < 5 * expected**0.5 for n in counts.values())


def test_hyper_parameters_stay_in_range_and_cover_it() -> None:
    c = np.array([x.head.C for x in drawn(Logistic(), 2001)[1:] if isinstance(x.head, Logistic)])
    assert (c >= 1e-4).all() and (c <= 1).all()
    by_decade = np.histogram(np.log10(c), bins=[-4, -3, -2, -1, 0])[0]
    assert (abs(by_decade - 500) < 5 * 500**0.5).all()
    trees: list[Any] = [x.head for x in drawn(Boosted(), 300)[1:]]
    assert {t.num_leaves for t in trees} == {2, 4, 8, 16} and {t.rounds for t in trees} == {50, 100, 200, 400}
    assert all(0.01 <= t.learning_rate <= 0.2 for t in trees)
    layers: list[Any] = [x.head for x in drawn(Dense(hidden=(9, 3), optimizer="adam", epochs=7), 300)[1:]]
    assert {d.hidden for d in layers} == {(9, 3), (64,), (128, 32), (32, 16)}
    assert all(1e-4 <= d.learning_rate <= 3e-3 and d.optimizer == "adam" and d.epochs == 7 for d in layers)


def test_parameters_are_json_with_sorted_keys() -> None:
    assert Configuration(Logistic(C=0.5), "FLAIR", "all", "mean").parameters == '{"C": 0.5}'
    for head in HEADS:
        parameters = json.loads(Configuration(head, "FLAIR", "all", "mean").parameters)
        assert list(parameters) == sorted(parameters)
        assert set(parameters) == set(vars(head)) - {"name"}


def test_one_table_leaves_only_hyper_parameters_to_draw() -> None:
    configurations = draw(Logistic(), [("table", "all")], ["mean"], 6, np.random.default_rng(0))
    assert {(c.sequence, c.slices, c.aggregate) for c in configurations} == {("table", "all", "mean")}
    assert len({c.parameters for c in configurations}) == 6
