"""The logistic head scores as scikit-learn does, counts patients once, and is its arrays."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from heads.crossfit import patient_weights
from heads.logistic import FittedLogistic, Logistic
from heads.standardise import Part, Standardiser

RNG = np.random.default_rng(5)
PATIENT = np.repeat([f"p{i}" for i in range(12)], RNG.integers(1, 9, 12))
LABEL = {f"p{i}": i % 2 for i in range(12)}
Y = np.array([LABEL[p] for p in PATIENT])
X = (RNG.normal(size=(len(Y), 6)) + 0.8 * Y[:, None] * [1, 0, 0, 0, 0, 0]).astype(np.float32)
NEW = RNG.normal(size=(7, 6)).astype(np.float32)


def fit(X: np.ndarray, y: np.ndarray, patient: np.ndarray, C: float = 0.01, seed: int = 0) -> FittedLogistic:
    fitted, curve = Logistic(C=C).fit(X, y, patient_weights(patient), patient=patient, seed=seed)
    assert curve == []
    return fitted


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_scores_are_scikit_learns_probabilities(C: float) -> None:
    w = patient_weights(PATIENT)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=5000, tol=1e-9))
    pipeline.fit(X.astype(float), Y, standardscaler__sample_weight=w, logisticregression__sample_weight=w)
    scores = fit(X, Y, PATIENT, C).scores(NEW)
    assert scores.dtype == np.float64
    assert scores == pytest.approx(pipeline.predict_proba(NEW.astype(float))[:, 1], abs=2e-4)


def test_more_slices_of_a_patient_change_nothing() -> None:
    again = np.r_[np.arange(len(Y)), np.tile(np.flatnonzero(PATIENT == "p3"), 20)]
    plain, repeated = fit(X, Y, PATIENT, 1.0), fit(X[again], Y[again], PATIENT[again], 1.0)
    assert plain.scores(NEW) == pytest.approx(repeated.scores(NEW), abs=1e-4)
    unweighted, _ = Logistic(C=1.0).fit(X[again], Y[again], np.ones(len(again)), patient=PATIENT[again], seed=0)
    assert np.abs(unweighted.scores(NEW) - plain.scores(NEW)).max() > 0.01, "the test can tell"


def test_nothing_is_drawn_at_random() -> None:
    assert np.array_equal(fit(X, Y, PATIENT, seed=1).scores(NEW), fit(X, Y, PATIENT, seed=2).scores(NEW))


def test_missing_values_are_scored_as_the_mean() -> None:
    fitted = fit(X, Y, PATIENT)
    gap = np.full((1, 6), np.nan, np.float32)
    assert fitted.scores(gap) == pytest.approx(1 / (1 + np.exp(-fitted.intercept)))


def test_its_arrays_make_it_again() -> None:
    fitted = fit(X, Y, PATIENT)
    assert np.array_equal(FittedLogistic.from_arrays(fitted.arrays()).scores(NEW), fitted.scores(NEW))


def test_extreme_inputs_overflow_nothing() -> None:
    plain = Standardiser(np.zeros(1, np.float32), np.ones(1, np.float32))
    scores = FittedLogistic(plain, np.array([1.0]), 0.0).scores(np.array([[-1e5], [0], [1e5]], np.float32))
    assert scores.tolist() == [0, 0.5, 1]


@pytest.mark.parametrize("at_hand", [0, 2**26])
def test_many_rows_are_fitted_as_scikit_learn_does_on_a_copy_of_them(
    at_hand: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("heads.logistic.AT_HAND", at_hand)
    rng = np.random.default_rng(6)
    patient = np.repeat(np.arange(60).astype(str), 25)
    y = np.repeat(np.arange(60) % 2, 25)
    table = (rng.normal(size=(3000, 8)) + 0.4 * np.repeat(y, 2)[:, None] * (np.arange(8) < 2)).astype(np.float32)
    rows, w = np.arange(0, 3000, 2), patient_weights(patient)
    fitted, _ = Logistic(C=0.1).fit(Part(table, rows), y, w, patient=patient, seed=0)
    Z = fitted.standardise(table[rows]).astype(float)
    theirs = LogisticRegression(C=0.1, max_iter=5000, tol=1e-5).fit(Z, y, sample_weight=w)
    assert fitted.coef == pytest.approx(theirs.coef_[0], abs=1e-6)
    assert fitted.intercept == pytest.approx(theirs.intercept_[0], abs=1e-6)
    assert fitted.scores(Part(table, rows)) == pytest.approx(theirs.predict_proba(Z)[:, 1], abs=1e-6)


def test_a_fit_that_does_not_converge_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heads.logistic.ROUNDS", 1)
    with pytest.raises(ValueError, match=r"did not converge .* a smaller --C than 100 is needed"):
        fit(X, Y, PATIENT, C=100)
