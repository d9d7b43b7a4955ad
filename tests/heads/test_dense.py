"""The dense head: its epochs are Keras's, numpy scores as Keras predicts, and early stopping watches other patients.

TensorFlow runs in one child process, since the head needs it with one thread.
"""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from core.metrics import auc, ones
from heads.crossfit import patient_weights
from heads.dense import OPTIMIZERS, PATIENCE, Dense, FittedDense, inner_validation
from heads.dense.network import Network, compiled
from heads.standardise import Standardiser

module = importlib.import_module("heads.dense.head")  # where the head finds its network
SMALL = Dense(hidden=(8, 4), epochs=3)


@pytest.fixture(scope="module")
def child() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        executor.submit(start_tensorflow).result()
        yield executor


def rows(n_patients: int = 40, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X, y, patient: 1 to 7 slices a patient."""
    rng = np.random.default_rng(0)
    patient = np.repeat([f"p{i:03}" for i in range(n_patients)], rng.integers(1, 8, n_patients))
    y = np.array([int(p[1:]) % 2 for p in patient])
    return rng.normal(size=(len(y), 6)).astype(np.float32) + np.float32(shift) * y[:, None], y, patient


def fit(head: Dense, shift: float = 0.0, n_patients: int = 40, **options: Any) -> tuple[FittedDense, list[Any]]:
    X, y, patient = rows(n_patients, shift)
    return head.fit(X, y, patient_weights(patient), patient=patient, **{"seed": 1, **options})


# What runs in the child, by name.


def start_tensorflow() -> None:
    compiled("rmsprop", 32)


def keras_scores(fitted: FittedDense, X: np.ndarray) -> np.ndarray:
    """The same weights in a plain Keras model with a sigmoid unit, and its predict."""
    import keras

    hidden = [keras.layers.Dense(len(b), activation="relu") for b in fitted.biases[:-1]]
    model = keras.Sequential([keras.Input((X.shape[1],)), *hidden, keras.layers.Dense(1, activation="sigmoid")])
    model.set_weights([w for pair in zip(fitted.kernels, fitted.biases, strict=True) for w in pair])
    return np.asarray(model.predict(fitted.standardise(X), verbose=0)[:, 0])


def one_epoch_each(head: Dense) -> tuple[list[np.ndarray], list[np.ndarray], tuple[float, float], list[float]]:
    """Weights after one epoch of ours and of Keras's `fit`, from equal weights, on rows in the same order."""
    X, y, patient = rows()
    w = patient_weights(patient).astype(np.float32)
    X, y = X.astype(np.float32), y.astype(np.float32)
    assert len(y) % head.batch_size, "the last batch is to be partial"
    network = Network(6, head.hidden, head.optimizer, head.learning_rate, head.batch_size, seed=3)
    import keras

    hidden = [keras.layers.Dense(units, activation="relu") for units in head.hidden]
    model = keras.Sequential([keras.Input((6,)), *hidden, keras.layers.Dense(1)])
    model.set_weights(network.weights())
    classes = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
    model.compile(classes[head.optimizer](head.learning_rate), keras.losses.BinaryCrossentropy(from_logits=True))
    order = np.random.default_rng(8).permutation(len(y))
    before = network.evaluate(X, y, w)
    z = model.predict(X, verbose=0)[:, 0]
    ours = network.epoch(X, y, w, order=order)
    model.fit(X[order], y[order], sample_weight=w[order], batch_size=head.batch_size, shuffle=False, verbose=0)
    probability = 1 / (1 + np.exp(-z.astype(float)))
    expected = [log_loss(y, probability, sample_weight=w), float(np.average((z > 0) == (y > 0.5), weights=w))]
    assert ours[0] != before[0]
    return network.weights(), model.get_weights(), before, expected


def keras_auc(y: np.ndarray, score: np.ndarray) -> float:
    import tensorflow as tf

    metric = tf.keras.metrics.AUC(num_thresholds=5000)
    metric.update_state(y, score)
    return float(metric.result())


def scripted(val_losses: list[float]) -> tuple[FittedDense, list[Any], list[np.ndarray]]:
    """Fit with made-up validation losses; also the first kernel after every epoch."""
    left, kernels = list(val_losses), []

    class Scripted(Network):
        def evaluate(self, *data: Any) -> tuple[float, float]:
            kernels.append(self.weights()[0])
            return left.pop(0), 0.5

    module.Network = Scripted  # type: ignore[misc]
    try:
        fitted, curve = fit(Dense(hidden=(4,), epochs=len(val_losses)))
    finally:
        module.Network = Network  # type: ignore[misc]
    return fitted, curve, kernels


def watched_rows(**options: Any) -> tuple[Any, Any, np.ndarray, np.ndarray]:
    """(validation rows, training rows) as the network gets them, and the standardiser's moments."""
    seen: dict[str, np.ndarray] = {}

    class Spy(Network):
        def epoch(self, X: Any, y: Any, w: Any, *, order: Any) -> tuple[float, float]:
            seen["train"] = np.asarray(X)[: len(order)]
            assert sorted(order) == list(range(len(order)))
            assert not np.asarray(w)[len(order) :].any(), "what fills up the rows has no weight"
            return super().epoch(X, y, w, order=order)

        def evaluate(self, X: Any, y: Any, w: Any) -> tuple[float, float]:
            seen["inner"] = np.asarray(X)[np.asarray(w) > 0]
            return super().evaluate(X, y, w)

    module.Network = Spy  # type: ignore[misc]
    try:
        fitted, _ = fit(Dense(hidden=(4,), epochs=1), **options)
    finally:
        module.Network = Network  # type: ignore[misc]
    return seen.get("inner"), seen["train"], fitted.standardise.mean, fitted.standardise.scale


def warnings_and_fit(head: Dense, **options: Any) -> tuple[FittedDense, list[Any]]:
    import warnings

    warnings.simplefilter("error")
    return fit(head, **options)


# The tests.


@pytest.mark.slow
def test_numpy_scores_are_what_keras_predicts(child: ProcessPoolExecutor) -> None:
    fitted, _ = child.submit(warnings_and_fit, Dense(epochs=4), shift=0.5).result()
    X, _, _ = rows(shift=0.5)
    X[::5, 2] = np.nan
    scores = fitted.scores(X)
    assert [k.shape for k in fitted.kernels] == [(6, 128), (128, 64), (64, 32), (32, 16), (16, 1)]
    assert scores.dtype == np.float64
    assert scores == pytest.approx(child.submit(keras_scores, fitted, X).result(), abs=1e-5)
    assert np.ptp(scores) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_an_epoch_is_an_epoch_of_keras_fit(child: ProcessPoolExecutor, optimizer: str) -> None:
    head = Dense(hidden=(8, 4), optimizer=optimizer, learning_rate=0.01)
    ours, theirs, before, expected = child.submit(one_epoch_each, head).result()
    for a, b in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, abs=2e-6, rel=1e-4)
    assert before == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_optimizers_and_learning_rates_lead_elsewhere(child: ProcessPoolExecutor) -> None:
    heads = [Dense(hidden=(4,), epochs=1, optimizer=o) for o in OPTIMIZERS] + [
        Dense(hidden=(4,), epochs=1, learning_rate=0.1),
        Dense(hidden=(4,), epochs=1, batch_size=5),
    ]
    kernels = [f.kernels[0].tobytes() for f, _ in child.map(fit, heads)]
    assert len(set(kernels)) == len(heads)


def test_an_unknown_optimizer_is_refused(child: ProcessPoolExecutor) -> None:
    with pytest.raises((KeyError, ValueError), match="lion"):
        child.submit(fit, Dense(optimizer="lion")).result()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_head(child: ProcessPoolExecutor) -> None:
    one, same = (child.submit(fit, SMALL).result() for _ in range(2))
    other = child.submit(fit, SMALL, seed=2).result()
    for a, b in zip(one[0].kernels + one[0].biases, same[0].kernels + same[0].biases, strict=True):
        assert np.array_equal(a, b)
    assert one[1] == same[1]
    assert not np.array_equal(one[0].kernels[0], other[0].kernels[0])


@pytest.mark.slow
def test_it_learns_what_can_be_learnt(child: ProcessPoolExecutor) -> None:
    fitted, curve = child.submit(fit, Dense(hidden=(16, 8), epochs=40, learning_rate=3e-3), shift=2.0).result()
    X, y, _ = rows(shift=2.0)
    assert roc_auc_score(y, fitted.scores(X)) > 0.97
    assert curve[-1]["loss"] < 0.5 * curve[0]["loss"]


def test_curve_rows_count_epochs_from_one(child: ProcessPoolExecutor) -> None:
    _, curve = child.submit(fit, SMALL).result()
    assert [row["epoch"] for row in curve] == [1, 2, 3]
    assert {tuple(row) for row in curve} == {("epoch", "loss", "accuracy", "val_loss", "val_accuracy")}
    assert all(0 <= row[k] <= 1 for row in curve for k in ("accuracy", "val_accuracy"))


def test_the_best_epoch_is_kept_and_patience_is_finite(child: ProcessPoolExecutor) -> None:
    losses = [0.9, 0.5, 0.7, 0.4, 0.4] + [0.6] * 20
    fitted, curve, kernels = child.submit(scripted, losses).result()
    assert np.array_equal(fitted.kernels[0], kernels[3])
    assert not np.array_equal(kernels[3], kernels[4])
    assert len(curve) == 4 + PATIENCE
    assert [row["val_loss"] for row in curve] == losses[: 4 + PATIENCE]


@pytest.mark.slow
def test_a_head_that_diverges_is_an_error_and_no_score(child: ProcessPoolExecutor) -> None:
    for n_patients in (40, 2):  # with and without inner validation
        head = Dense(hidden=(8,), optimizer="sgd", learning_rate=1e30, epochs=5)
        with pytest.raises(ValueError, match=r"dense.*--learning-rate"):
            child.submit(fit, head, n_patients=n_patients).result()


def test_early_stopping_and_scaling_keep_the_inner_patients_apart(child: ProcessPoolExecutor) -> None:
    X, y, patient = rows()
    inner, train, mean, scale = child.submit(watched_rows).result()
    held = np.isin(np.arange(len(y)), inner_validation(y, patient, 1))
    expected = Standardiser.fit(X[~held], patient_weights(patient)[~held])
    assert np.array_equal(mean, expected.mean)
    assert np.array_equal(scale, expected.scale)
    assert np.array_equal(inner, expected(X[held]))
    assert np.array_equal(train, expected(X[~held]))


def test_rows_reserved_by_the_split_are_the_ones_watched(child: ProcessPoolExecutor) -> None:
    X, y, patient = rows()
    reserved = np.array([0, 3, 5])
    inner, train, mean, scale = child.submit(watched_rows, validation=reserved).result()
    assert np.allclose(inner * scale + mean, X[reserved], atol=1e-5)
    assert len(train) == len(y) - 3


def test_with_one_patient_in_a_class_every_epoch_runs_and_the_last_is_kept(child: ProcessPoolExecutor) -> None:
    fitted, curve = child.submit(fit, Dense(hidden=(4,), epochs=12), n_patients=2).result()
    assert len(curve) == 12
    assert set(curve[0]) == {"epoch", "loss", "accuracy"}
    shorter, _ = child.submit(fit, Dense(hidden=(4,), epochs=11), n_patients=2).result()
    assert not np.array_equal(fitted.kernels[0], shorter.kernels[0])


@pytest.mark.parametrize("positives", [2, 3, 10, 40])
@pytest.mark.parametrize("seed", [0, 1])
def test_inner_validation_is_whole_patients_of_both_classes(positives: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    label = {f"p{i:03}": int(i < positives) for i in range(positives + 20)}
    patient = np.array(sorted(label) + list(rng.choice(sorted(label), 300)), object)
    y = np.array([label[p] for p in patient])
    held = inner_validation(y, patient, seed)
    inside, outside = set(patient[held]), set(np.delete(patient, held))
    assert not inside & outside
    assert sum(label[p] for p in inside) == max(1, round(0.15 * positives))
    assert sum(1 - label[p] for p in inside) == 3
    assert np.array_equal(held, inner_validation(y, patient, seed))
    assert not np.array_equal(held, inner_validation(y, patient, seed + 10)) or positives == 2


@pytest.mark.parametrize("y", [[1, 0, 0, 0], [0, 1, 1, 1], [0, 0, 0, 0]])
def test_inner_validation_is_empty_where_a_class_has_one_patient(y: list[int]) -> None:
    labels = np.array(y + y)
    held = inner_validation(labels, np.array(list("abcdabcd"), object), 0)
    assert held.dtype == np.intp
    assert held.tolist() == []


def test_its_arrays_make_it_again() -> None:
    rng = np.random.default_rng(0)
    shapes = [(6, 12), *[(12, 12)] * 10, (12, 1)]  # so many that kernel_10 would sort before kernel_2
    fitted = FittedDense(
        Standardiser(np.zeros(6, np.float32), np.ones(6, np.float32)),
        [rng.normal(size=s).astype(np.float32) for s in shapes],
        [rng.normal(size=s[1]).astype(np.float32) for s in shapes],
    )
    X, _, _ = rows()
    assert np.array_equal(FittedDense.from_arrays(fitted.arrays()).scores(X), fitted.scores(X))


@pytest.mark.slow
def test_keras_and_scikit_learn_agree_on_the_auc_of_aligned_rows(child: ProcessPoolExecutor) -> None:
    """The notebook's open question: its generator shuffled, so that labels met other images' predictions."""
    fitted, _ = child.submit(fit, Dense(hidden=(8,), epochs=10, learning_rate=0.01), shift=1.0).result()
    X, y, _ = rows(shift=1.0)
    score = fitted.scores(X)
    reference = roc_auc_score(y, score)
    assert reference > 0.75
    assert auc(y, score, ones(len(y)))[0] == pytest.approx(reference, abs=1e-12)
    assert child.submit(keras_auc, y, score).result() == pytest.approx(reference, abs=2e-3)
    shuffled = np.random.default_rng(42).permutation(score)
    assert abs(roc_auc_score(y, shuffled) - reference) > 0.1
    assert child.submit(keras_auc, y, shuffled).result() == pytest.approx(roc_auc_score(y, shuffled), abs=2e-3)
