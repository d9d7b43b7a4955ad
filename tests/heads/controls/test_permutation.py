"""Label permutations: the batched heads are the heads of the cross-validation, and nothing else is shuffled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from core.metrics import mean_fold_auc
from core.predictions import Predictions
from heads.controls import batched
from heads.controls.batched import BatchedLogistic
from heads.controls.permutation import Draw, batched_rows, batched_scores, predicted_rows, shuffled_labels
from heads.crossfit import cross_fit, patient_weights
from heads.folds import patient_folds, row_splits
from heads.logistic import Logistic


@dataclass
class Table:
    X: np.ndarray
    patient: np.ndarray
    view: np.ndarray
    sequence: str = "FLAIR"


def cohort(n: int, per_patient: int, d: int, seed: int = 0, effect: float = 0.7) -> tuple[Table, dict[str, int]]:
    rng = np.random.default_rng(seed)
    labels = {f"{i:04d}": i % 2 for i in range(n)}
    patient = np.repeat(np.array(sorted(labels), object), rng.integers(1, per_patient + 1, n))
    y = np.array([labels[p] for p in patient])
    mixing = rng.normal(size=(d, d)) / np.sqrt(d) + np.eye(d)
    X = (rng.normal(size=(len(y), d)) + effect * (y[:, None] - 0.5)) @ mixing * 3 + 10
    return Table(X.astype(np.float32), patient, np.zeros(len(y), np.int16)), labels


@pytest.mark.parametrize("C", [0.01, 1.0])
@pytest.mark.parametrize(("n", "per_patient", "d", "missing"), [(30, 6, 12, 0.0), (40, 1, 90, 0.0), (36, 3, 20, 0.15)])
def test_the_batched_heads_are_those_of_the_cross_validation(n, per_patient, d, missing, C) -> None:
    table, labels = cohort(n, per_patient, d)
    table.X[np.random.default_rng(1).random(table.X.shape) < missing] = np.nan
    draws = []
    for shuffled in [labels, *shuffled_labels(labels, 3, seed=4)]:
        draws.append(Draw(shuffled, patient_folds(shuffled, folds=3, repeats=2, seed=0)[0]))
    patients = sorted(labels)
    found = batched_scores(Logistic(C=C), table, draws, patients, lambda s: s.mean(axis=0))
    assert found.shape == (4, 2, n)
    for k, draw in enumerate(draws):
        expected = np.full((2, n), np.nan)
        splits = {"FLAIR": row_splits(draw.folds, table.patient, table.view)}
        for r in cross_fit([Logistic(C=C)], [table], draw.labels, splits, seed=0):
            for p in set(table.patient[r.rows]):
                expected[r.repeat, patients.index(p)] = r.scores[table.patient[r.rows] == p].mean()
        np.testing.assert_allclose(found[k], expected, atol=1e-3)


def test_heads_that_do_not_converge_together_are_fitted_one_by_one(monkeypatch) -> None:
    table, labels = cohort(24, 2, 6)
    draws = [Draw(labels, patient_folds(labels, folds=3, repeats=1, seed=0)[0])]
    together = batched_scores(Logistic(), table, draws, sorted(labels), lambda s: s.mean(axis=0))
    monkeypatch.setattr(batched, "_ROUNDS", 1)
    with pytest.raises(batched.NoConvergenceError):
        y, train = np.array([[0], [1], [0], [1]]), np.ones((4, 1), bool)
        BatchedLogistic(np.arange(4.0)[:, None], np.ones(4), 1e6).scores(y, train)
    alone = batched_scores(Logistic(), table, draws, sorted(labels), lambda s: s.mean(axis=0))
    np.testing.assert_allclose(alone, together, atol=1e-3)


def test_a_patient_without_rows_has_no_score() -> None:
    table, labels = cohort(20, 2, 5)
    labels["zzzz"] = 1
    folds, _ = patient_folds(labels, folds=4, repeats=1, seed=0)
    scores = batched_scores(Logistic(), table, [Draw(labels, folds)], sorted(labels), lambda s: s.max(axis=0))
    assert np.isnan(scores[0, 0, -1])
    assert np.isfinite(scores[0, 0, :-1]).all()


def test_views_train_and_are_not_scored() -> None:
    table, labels = cohort(20, 1, 5)
    doubled = Table(
        np.concatenate([table.X, table.X + 50]),
        np.concatenate([table.patient, table.patient]),
        np.repeat(np.array([0, 1], np.int16), 20),
    )
    folds, _ = patient_folds(labels, folds=4, repeats=1, seed=0)
    found = batched_scores(Logistic(), doubled, [Draw(labels, folds)], sorted(labels), lambda s: s.mean(axis=0))
    splits = {"FLAIR": row_splits(folds, doubled.patient, doubled.view)}
    for r in cross_fit([Logistic()], [doubled], labels, splits, seed=0):
        np.testing.assert_allclose(found[0, 0, r.rows], r.scores, atol=1e-3)


def test_shuffles_keep_the_counts_and_differ() -> None:
    labels = {f"{i}": int(i < 5) for i in range(15)}
    draws = list(shuffled_labels(labels, 50, seed=0))
    assert all(sum(d.values()) == 5 and set(d) == set(labels) for d in draws)
    assert len({tuple(d.values()) for d in draws}) > 40
    assert draws == list(shuffled_labels(labels, 50, seed=0)) != list(shuffled_labels(labels, 50, seed=1))
    # each patient is positive in a third of the draws: 50 draws, 4 standard errors
    assert max(abs(np.mean([d[p] for d in draws]) - 1 / 3) for p in labels) < 4 * np.sqrt(2 / 9 / 50)


def test_one_class_in_training_is_refused() -> None:
    X = np.arange(8.0)[:, None]
    solver = BatchedLogistic(X, patient_weights(np.array(list("abcdefgh"), object)), 0.01)
    y = np.array([[1, 1, 0, 0, 0, 0, 0, 0]]).T
    with pytest.raises(ValueError, match="one class only"):
        solver.scores(y, np.array([[False, False, *[True] * 6]]).T)


def test_rows_keep_the_number_of_their_draw_however_the_heads_are_fitted() -> None:
    table, labels = cohort(24, 3, 6)
    dealt = [labels, *shuffled_labels(labels, 3, seed=1)]
    draws = [Draw(d, patient_folds(d, folds=3, repeats=2, seed=0)[0]) for d in dealt]

    def predict(draw: Draw) -> Predictions:
        splits = {"FLAIR": row_splits(draw.folds, table.patient, table.view)}
        results = cross_fit([Logistic()], [table], draw.labels, splits, seed=0)
        return Predictions.from_folds("r", results, {"FLAIR": table}, draw.labels, "mean")

    together = batched_rows("r", [Logistic()], [table], draws, aggregator="mean")
    alone = predicted_rows(draws, predict)
    assert [r[:4] for r in together] == [r[:4] for r in alone] == [("r", "logistic", "FLAIR", k) for k in range(4)]
    assert [r.auc for r in together] == pytest.approx([r.auc for r in alone], abs=0.03)
    first = predict(draws[0]).grouped()[0]
    assert alone[0].auc == mean_fold_auc(first.y, first.scores, first.fold)
