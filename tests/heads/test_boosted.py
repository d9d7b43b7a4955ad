"""The boosted head scores as LightGBM does, counts patients once, and is plain arrays."""

from __future__ import annotations

import lightgbm
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from heads.boosted import BIN_SAMPLE, Boosted, FittedBoosted
from heads.crossfit import patient_weights
from heads.standardise import Part, Standardiser
from heads.trees import Trees

RNG = np.random.default_rng(5)
N = 60
PATIENT = np.repeat([f"p{i:02}" for i in range(N)], 10)
Y = np.repeat(np.arange(N) % 2, 10)
X = (RNG.integers(0, 8, size=(10 * N, 5)) + 2 * Y[:, None] * [1, 0, 0, 0, 0]).astype(np.float32)
NEW = RNG.integers(0, 8, size=(40, 5)).astype(np.float32)


def fit(X: np.ndarray, y: np.ndarray, patient: np.ndarray, seed: int = 0) -> FittedBoosted:
    fitted, curve = Boosted(rounds=30).fit(X, y, patient_weights(patient), patient=patient, seed=seed)
    assert curve == []
    return fitted


@pytest.mark.parametrize("gaps", [False, True])
def test_scores_are_lightgbms_probabilities(gaps: bool) -> None:
    Z = np.where(RNG.random(X.shape) < 0.1 * gaps, np.nan, X).astype(np.float32)
    w = patient_weights(PATIENT)
    scale = Standardiser.fit(Z, w)
    model = lightgbm.LGBMClassifier(
        n_estimators=30, learning_rate=0.05, num_leaves=8, feature_fraction=0.3, min_child_samples=1, min_child_weight=min(1.25, 0.0125 * w.sum()), reg_lambda=1.0,
        random_state=3, deterministic=True, force_col_wise=True, n_jobs=1, verbosity=-1,
    )  # fmt: skip
    names = [f"Column_{i}" for i in range(5)]
    model.fit(scale(Z), Y, sample_weight=w, feature_name=names)
    expected = model.booster_.predict(scale(NEW))
    scores = fit(Z, Y, PATIENT, seed=3).scores(NEW)
    assert scores.dtype == np.float64
    assert scores == pytest.approx(expected, abs=1e-12)
    assert np.ptp(scores) > 0.2, "the trees have grown"


def test_more_slices_of_a_patient_change_nothing() -> None:
    again = np.r_[np.arange(len(Y)), np.tile(np.flatnonzero(PATIENT == "p03"), 3)]
    plain, repeated = fit(X, Y, PATIENT), fit(X[again], Y[again], PATIENT[again])
    assert plain.scores(NEW) == pytest.approx(repeated.scores(NEW), abs=1e-5)
    unweighted, _ = Boosted(rounds=30).fit(X[again], Y[again], np.ones(len(again)), patient=PATIENT[again], seed=0)
    assert np.abs(unweighted.scores(NEW) - plain.scores(NEW)).max() > 0.01, "the test can tell"


def test_the_seed_alone_decides() -> None:
    one, same, other = (fit(X, Y, PATIENT, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one.arrays().values(), same.arrays().values(), strict=True))
    assert not np.array_equal(one.scores(NEW), other.scores(NEW))


def test_a_dozen_rows_are_enough_to_split_on() -> None:
    y = np.arange(12) % 2
    fitted = fit(y[:, None].astype(np.float32), y, np.arange(12).astype(str))
    low, high = fitted.scores(np.array([[0], [1]], np.float32))
    assert low < 0.4 < 0.6 < high


def test_its_arrays_make_it_again() -> None:
    fitted = fit(X, Y, PATIENT)
    arrays = fitted.arrays()
    assert {name: a.dtype.kind for name, a in arrays.items() if name not in ("mean", "scale")} == {
        "root": "i", "feature": "i", "threshold": "f", "left": "i", "right": "i", "value": "f",
    }  # fmt: skip
    assert np.array_equal(FittedBoosted.from_arrays(arrays).scores(NEW), fitted.scores(NEW))


@pytest.mark.parametrize("n", [60_000, 200])
def test_a_part_of_a_table_gives_the_trees_of_a_matrix(n: int, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(7)
    table = rng.normal(size=(2 * n, 3)).astype(np.float32)
    table[::5, 1], rows = np.nan, np.arange(1, 2 * n, 2)
    y, w = (table[rows, 0] > 0).astype(int), np.full(n, 0.1)
    fitted, _ = Boosted(rounds=3).fit(Part(table, rows), y, w, patient=y, seed=1)
    assert "".join(capfd.readouterr()) == "", "LightGBM says nothing"
    parameters = {
        "objective": "binary", "learning_rate": 0.05, "num_leaves": 8, "feature_fraction": 0.3, "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": min(1.25, 0.0125 * w.sum()), "lambda_l2": 1.0, "seed": 1, "deterministic": True, "force_col_wise": True,
        "num_threads": 1, "bin_construct_sample_cnt": BIN_SAMPLE, "verbosity": -1,
    }  # fmt: skip
    matrix = lightgbm.Dataset(fitted.standardise(table[rows]), y, weight=w, params=parameters)
    expected = Trees.of_lightgbm(lightgbm.train(parameters, matrix, 3).dump_model())
    assert {k: v.tolist() for k, v in vars(fitted.trees).items()} == {k: v.tolist() for k, v in vars(expected).items()}
    assert roc_auc_score(y, fitted.scores(Part(table, rows))) > 0.99
