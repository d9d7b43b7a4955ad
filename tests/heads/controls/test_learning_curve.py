"""A learning curve keeps its test folds, adds patients, and ends where the cross-validation is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from rows import Rows
from sklearn.metrics import roc_auc_score

from heads.boosted import Boosted
from heads.controls.learning_curve import SHARES, learning_curve, patient_auc, training_patients
from heads.crossfit import FoldScores, cross_fit
from heads.folds import Fold, patient_folds, row_splits
from heads.logistic import Logistic
from heads.run_files import LEARNING_COLUMNS

LABELS = {f"{i:03}": int(i % 3 == 0) for i in range(60)}
FOLDS = patient_folds(LABELS, folds=4, repeats=2, seed=0)[0]


def table(sequence: str = "FLAIR", patients: int = 60) -> Rows:
    """Two slices a patient, and a view of each; column 0 tells the label, faintly."""
    rng = np.random.default_rng(len(sequence))
    patient = np.repeat(np.array(sorted(LABELS)[:patients], object), 4)
    X = rng.normal(size=(len(patient), 8)).astype(np.float32)
    X[:, 0] += np.array([LABELS[p] for p in patient])
    return Rows(sequence, X, patient, np.tile(np.array([0, 0, 1, 1], np.int16), patients))


def mean_auc(t: Rows, r: FoldScores) -> float:
    """The AUC of the means of patients."""
    patients = sorted(set(t.patient[r.rows]))
    score = [r.scores[t.patient[r.rows] == p].mean() for p in patients]
    return float(roc_auc_score([LABELS[p] for p in patients], score))


def curve(
    t: Rows, sizes: tuple[float, ...] = SHARES, heads: tuple[object, ...] = (Logistic(),), **more: object
) -> list:
    options = {"seed": 5, **more}
    rows = learning_curve("run", heads, [t], LABELS, FOLDS, sizes, **options)  # type: ignore[arg-type]
    return [dict(zip(LEARNING_COLUMNS, row, strict=True)) for row in rows]


@pytest.mark.slow
def test_with_all_patients_it_is_the_cross_validation_exactly() -> None:
    t, heads = table(), (Logistic(), Boosted(rounds=5))
    splits = {"FLAIR": row_splits(FOLDS, t.patient, t.view)}
    plain = cross_fit(heads, [t], LABELS, splits, seed=5)
    whole = [r for r in curve(t, heads=heads) if r["share"] == 1]
    assert [(r["head"], r["repeat"], r["fold"], r["auc"]) for r in whole] == [
        (r.head, r.repeat, r.fold, pytest.approx(mean_auc(t, r), abs=1e-12)) for r in plain
    ]


def test_test_rows_stay_and_training_rows_come_from_the_training_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    t, seen = table(), []
    monkeypatch.setattr("heads.controls.learning_curve.patient_auc", lambda r, *_: seen.append(r) or 0.5)
    curve(t)
    whole = {(s.repeat, s.fold): s.test.tolist() for s in row_splits(FOLDS, t.patient, t.view)}
    assert len(seen) == 4 * 8
    assert all(r.rows.tolist() == whole[r.repeat, r.fold] for r in seen)


def test_smaller_shares_are_parts_of_larger_ones_and_stratified() -> None:
    for f in FOLDS:
        chosen = [training_patients(f, LABELS, share, 0) for share in (0.1, 0.25, 0.5, 1.0)]
        assert all(set(a) < set(b) for a, b in zip(chosen, chosen[1:], strict=False))
        assert chosen[-1] == sorted(set(LABELS) - set(f.test))
        assert [sum(LABELS[p] for p in c) for c in chosen] == [2, 4, 8, 15]
        assert [len(c) for c in chosen] == [2 + 3, 4 + 8, 8 + 15, 45]
    a, b = (training_patients(f, LABELS, 0.5, 0) for f in (Fold(0, 0, ("000",)), Fold(1, 0, ("000",))))
    assert a != b, "each repeat draws its own"
    assert a == training_patients(Fold(0, 0, ("000",)), LABELS, 0.5, 0)
    assert a != training_patients(Fold(0, 0, ("000",)), LABELS, 0.5, 1)


def test_a_class_keeps_two_patients_however_small_the_share() -> None:
    assert sum(LABELS[p] for p in training_patients(FOLDS[0], LABELS, 0.01, 0)) == 2


def test_patients_are_counted_where_the_table_has_them() -> None:
    rows = curve(table(patients=40), (0.5, 1.0))
    for r, f in zip([r for r in rows if r["share"] == 1], FOLDS, strict=True):
        tested = sum(int(p) < 40 for p in f.test)
        assert (r["tested"], r["patients"]) == (tested, 40 - tested)
    assert {r["patients"] for r in rows if r["share"] == 0.5} <= set(range(8, 24))


def test_a_fold_without_an_auc_is_blank() -> None:
    t = table()
    positives, negatives = ([p for p in LABELS if LABELS[p] == label] for label in (1, 0))
    folds = [Fold(0, 0, tuple(positives[:3])), Fold(0, 1, tuple(positives[3:] + negatives[:20]))]
    rows = learning_curve("run", [Logistic()], [t], LABELS, folds, (1.0,), seed=5)
    assert [r.auc == "" for r in rows] == [True, False]


def test_slices_are_joined_as_the_run_joins_them() -> None:
    t = table()
    by_mean, by_max = (
        {(r["repeat"], r["fold"]): r["auc"] for r in curve(t, (1.0,), aggregator=how)} for how in ("mean", "max")
    )
    assert by_mean.keys() == by_max.keys() and by_mean != by_max


def test_a_share_is_above_0_and_at_most_1() -> None:
    with pytest.raises(ValueError, match="expected numbers above 0, at most 1"):
        curve(table(), (0.5, 1.5))


@dataclass
class Scores:
    rows: np.ndarray
    scores: np.ndarray


@dataclass
class Patients:
    patient: np.ndarray


def test_the_auc_of_a_fold_counts_patients_once() -> None:
    table = Patients(np.array(["a", "a", "b", "c", "c", "d"], object))
    result = Scores(np.arange(1, 6), np.array([0.9, 0.2, 0.1, 0.5, 0.3]))  # a 0.9, b 0.2, c 0.3, d 0.3
    assert patient_auc(result, table, {"a": 1, "b": 0, "c": 1, "d": 0}, "mean") == pytest.approx(3.5 / 4)
    assert patient_auc(result, table, {"a": 1, "b": 0, "c": 1, "d": 0}, "max") == 1.0
    assert np.isnan(patient_auc(result, table, dict.fromkeys("abcd", 1), "mean"))
