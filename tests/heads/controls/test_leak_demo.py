"""The demonstrator's draws: the same heads, one unit per split, labels that move with the patient."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from rows import Slices

from heads.boosted import Boosted
from heads.controls.leak_demo import Trial, demonstrate
from heads.controls.permutation import shuffled
from heads.crossfit import cross_fit
from heads.folds import patient_folds, row_splits
from heads.logistic import Logistic

LABELS = {f"{i:02}": int(i % 3 == 0) for i in range(12)}  # 4 positive, 8 negative


def slices(n: int = 6, views: int = 1, sequence: str = "FLAIR", patients: list[str] | None = None) -> Slices:
    """Noise, n images a patient, each with `views` rows; column 0 is the row number."""
    patient = np.repeat(np.array(patients or sorted(LABELS), object), n * views)
    view = np.tile(np.arange(views), len(patient) // views).astype(np.int16)
    image = np.array([f"{p}#{i // views}" for i, p in enumerate(patient)], object)
    X = np.random.default_rng(0).normal(size=(len(patient), 5)).astype(np.float32)
    X[:, 0] = np.arange(len(patient))
    return Slices(sequence, X, patient, view, image)


@dataclass
class SpyHead:
    """Remembers rows, labels and patients of every fit; scores are constant."""

    name: str = "spy"
    calls: list[dict[str, Any]] = field(default_factory=list)

    def fit(self, X: Any, y: Any, weight: Any, *, patient: Any, seed: int, view: Any, validation: Any = None) -> Any:
        self.calls.append({"rows": np.asarray(X)[:, 0].astype(int), "y": y, "patient": patient, "seed": seed})
        return self, []

    def scores(self, X: Any) -> Any:
        return np.full(len(X), 0.5)


def run(table: Slices, heads: Any = None, labels: dict[str, int] = LABELS, **options: Any) -> list[Trial]:
    settings = {"draws": 3, "folds": 4, "seed": 5, **options}
    return demonstrate(heads or [Logistic()], [table], labels, **settings)


@pytest.mark.slow
def test_the_patient_split_of_the_true_labels_is_the_one_of_a_run() -> None:
    t, heads = slices(), [Logistic(), Boosted(rounds=5)]
    splits = {"FLAIR": row_splits(patient_folds(LABELS, folds=4, repeats=1, seed=5)[0], t.patient, t.view)}
    expected = cross_fit(heads, [t], LABELS, splits, seed=5)
    trials = [x for x in run(t, heads) if (x.split, x.draw) == ("patient", 0)]
    assert [x.head for x in trials] == ["logistic", "boosted"]
    got = [f for x in trials for f in x.scores]
    assert all(np.array_equal(a.rows, b.rows) for a, b in zip(got, expected, strict=True))
    assert all(np.array_equal(a.scores, b.scores) for a, b in zip(got, expected, strict=True))


def test_every_image_is_tested_once_in_each_draw_of_each_split_and_no_view_is() -> None:
    t = slices(views=3)
    trials = run(t)
    assert Counter((x.split, x.draw) for x in trials) == {(s, d): 1 for s in ("slice", "patient") for d in range(4)}
    for x in trials:
        assert len(x.scores) == 4, "both splits are scored over as many folds"
        assert sorted(np.concatenate([f.rows for f in x.scores])) == np.flatnonzero(t.view == 0).tolist()


def test_slices_or_patients_are_whole_in_training_and_views_follow_their_image() -> None:
    t, spy = slices(views=3), SpyHead()
    trials = run(t, [spy], draws=0)
    calls = iter(spy.calls)
    for name, unit in (("patient", t.patient), ("slice", t.slice_id)):
        for fold in next(x for x in trials if x.split == name).scores:
            train = next(calls)["rows"]
            assert not set(unit[train]) & set(unit[fold.rows])
            outside = ~np.isin(unit.astype(str), unit[fold.rows].astype(str))
            assert train.tolist() == np.flatnonzero(outside).tolist(), "views train where their image does"


def test_the_overlap_is_counted_in_patients() -> None:
    assert {(x.split, x.shared, x.tested) for x in run(slices())} == {("slice", 12, 12), ("patient", 0, 12)}
    warnings = {x.split: x.warning for x in run(slices(), draws=0)}
    assert warnings == {"slice": "LEAKS: 12 of 12 test patients are also in training", "patient": ""}
    assert {(x.split, x.shared) for x in run(slices(n=1))} == {("slice", 0), ("patient", 0)}, "one slice a patient"


def test_draws_shuffle_labels_over_patients_and_draw_folds_anew() -> None:
    spy = SpyHead()
    trials = [x for x in run(slices(), [spy], draws=5) if x.split == "patient"]
    assert trials[0].labels == LABELS
    assert all(sum(x.labels.values()) == 4 for x in trials)
    assert len({tuple(x.labels.values()) for x in trials}) == 6
    assert len({tuple(tuple(f.rows) for f in x.scores) for x in trials}) == 6
    for call in spy.calls:
        assert len({(p, int(y)) for p, y in zip(call["patient"], call["y"], strict=True)}) == len(set(call["patient"]))
    for x in trials:  # stratified by the shuffled labels: one positive in each of four folds
        assert [sum(x.labels[p] for p in set(slices().patient[f.rows])) for f in x.scores] == [1, 1, 1, 1]


def test_the_same_seed_gives_the_same_draws_whatever_the_number_of_jobs() -> None:
    def flat(trials: list[Trial]) -> list[float]:
        return [s for x in trials for f in x.scores for s in f.scores]

    one, two, other = run(slices(), draws=1), run(slices(), draws=1, jobs=2), run(slices(), draws=1, seed=6)
    assert flat(one) == flat(two)
    assert flat(one) != flat(other)


def test_ids_of_one_patient_share_their_label_and_get_a_split_of_their_own() -> None:
    persons = {"01": "00", "05": "04"}
    labels = LABELS | {"01": LABELS["00"], "05": LABELS["04"]}
    trials = run(slices(), labels=labels, persons=persons, draws=6)
    assert all(x.labels["00"] == x.labels["01"] and x.labels["04"] == x.labels["05"] for x in trials)
    overlap = {s: {(x.shared, x.tested) for x in trials if x.split == s} for s in ("slice", "id", "patient")}
    assert overlap["slice"] == {(10, 10)}
    assert overlap["patient"] == {(0, 10)}
    assert {tested for _, tested in overlap["id"]} == {10}
    assert 0 < max(shared for shared, _ in overlap["id"]) <= 2


def test_an_identity_shuffle_keeps_the_labels_and_every_person_gets_one() -> None:
    who = {p: p for p in LABELS} | {"01": "00"}

    class Backwards:
        def permutation(self, values: list[int]) -> np.ndarray:
            return np.array(values[::-1])

    people = sorted(set(who.values()))
    expected = dict(zip(people, [LABELS[p] for p in reversed(people)], strict=True))
    assert shuffled(LABELS, who, Backwards()) == {p: expected[who[p]] for p in LABELS}


def test_a_sequence_with_one_patient_in_a_class_is_named() -> None:
    t = slices(sequence="T2w", patients=["00", "01", "02"])
    with pytest.raises(ValueError, match="T2w: 1 positive and 2 negative patients"):
        run(t)


def test_a_patient_without_slices_is_not_among_the_shuffled() -> None:
    t = slices(patients=sorted(LABELS)[:8])
    assert all(set(x.labels) == set(sorted(LABELS)[:8]) for x in run(t))
