"""The notebook's dense head: 128-64-32-16-1, ReLU, sigmoid, binary cross-entropy. TensorFlow trains, numpy scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heads.standardise import Floats, Standardiser

OPTIMIZERS = ("rmsprop", "adam", "sgd")
VALIDATION_SHARE = 0.15  # of the training patients, watched by early stopping
PATIENCE = 8  # epochs


@dataclass
class FittedDense:
    """kernels : (in, out) float32 and biases : (out,) float32 of each layer."""

    standardise: Standardiser
    kernels: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]

    def scores(self, X: Floats) -> NDArray[np.float64]:
        """(n, d) -> (n,) probability of the positive class."""
        h = self.standardise(X)
        for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
            h = np.maximum(h @ kernel + bias, 0)
        z = (h @ self.kernels[-1] + self.biases[-1])[:, 0].astype(np.float64)
        return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `from_arrays` needs to make this head again."""
        out: dict[str, NDArray[Any]] = {"mean": self.standardise.mean, "scale": self.standardise.scale}
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            out[f"kernel_{i}"], out[f"bias_{i}"] = kernel, bias
        return out

    @classmethod
    def from_arrays(cls, a: dict[str, NDArray[Any]]) -> FittedDense:
        """The inverse of `arrays`."""
        n = max(1, sum(name.startswith("kernel_") for name in a))
        standardise = Standardiser(a["mean"], a["scale"])
        return cls(standardise, [a[f"kernel_{i}"] for i in range(n)], [a[f"bias_{i}"] for i in range(n)])


@dataclass(frozen=True)
class Dense:
    """A stack of ReLU layers and one sigmoid unit."""

    hidden: tuple[int, ...] = (128, 64, 32, 16)
    optimizer: str = "rmsprop"
    learning_rate: float = 5e-4
    batch_size: int = 32
    epochs: int = 50
    name: str = "dense"

    def fit(
        self,
        X: Floats,
        y: NDArray[np.int_],
        weight: Floats,
        *,
        patient: NDArray[Any],
        seed: int,
        view: NDArray[np.int16] | None = None,
        validation: NDArray[np.intp] | None = None,
    ) -> tuple[FittedDense, list[dict[str, float]]]:
        """Train with early stopping on inner validation patients (or the rows `validation`); best epoch kept.

        With fewer than two patients in a class nothing can be held back: all epochs run. Returns the head and its
        curve, one dict per epoch: epoch, loss, accuracy, and val_loss, val_accuracy where there is validation. Raises
        ValueError where the loss is no longer a number.
        """
        if validation is None:
            validation = inner_validation(y, patient, seed)
        held = np.zeros(len(y), bool)
        held[validation] = True
        standardise = Standardiser.fit(X[~held], weight[~held])
        Z = standardise(X)
        weight = weight / weight.mean()  # so that the learning rate means the same for any number of slices
        net = _Network(X.shape[1], self, seed)
        train = (Z[~held], y[~held].astype(np.float32), weight[~held].astype(np.float32))
        watched = held if view is None else held & (view == 0)  # nothing is scored on augmented views
        inner = (Z[watched], y[watched].astype(np.float32), weight[watched].astype(np.float32))
        rng = np.random.default_rng(seed)
        curve: list[dict[str, float]] = []
        best, best_loss, waited = net.weights(), np.inf, 0
        for epoch in range(self.epochs):
            loss, accuracy = net.epoch(*train, order=rng.permutation(len(train[1])))
            row = {"epoch": epoch + 1.0, "loss": loss, "accuracy": accuracy}
            if len(inner[1]):
                row["val_loss"], row["val_accuracy"] = net.evaluate(*inner)
            curve.append(row)
            if not np.isfinite([loss, row.get("val_loss", 0.0)]).all():
                raise ValueError(
                    f"the dense head diverged in epoch {epoch + 1} (loss {loss}); a smaller --learning-rate than "
                    f"{self.learning_rate:g} is needed"
                )
            if not len(inner[1]):
                best = net.weights()
                continue
            if row["val_loss"] < best_loss:
                best, best_loss, waited = net.weights(), row["val_loss"], 0
            else:
                waited += 1
                if waited >= PATIENCE:
                    break
        return FittedDense(standardise, best[::2], best[1::2]), curve


def inner_validation(y: NDArray[np.int_], patient: NDArray[Any], seed: int) -> NDArray[np.intp]:
    """Rows of a stratified, seeded 15 % of the training patients, at least one of each class, none if a class has one."""
    rng = np.random.default_rng(seed)
    held: list[str] = []
    for label in (0, 1):
        members = np.array(sorted({str(p) for p in patient[y == label]}))
        if len(members) < 2:
            return np.empty(0, np.intp)
        held += list(rng.permutation(members)[: max(1, round(VALIDATION_SHARE * len(members)))])
    return np.flatnonzero(np.isin(patient.astype(str), held))


class _Network:
    """The Keras model and its optimizer; a whole epoch runs inside one compiled function."""

    def __init__(self, n_columns: int, head: Dense, seed: int) -> None:
        import keras
        import tensorflow as tf

        if tf.config.threading.get_intra_op_parallelism_threads() != 1:
            try:  # one thread: the same sums in the same order, however many folds run at once
                tf.config.threading.set_intra_op_parallelism_threads(1)
                tf.config.threading.set_inter_op_parallelism_threads(1)
            except RuntimeError:
                raise RuntimeError(
                    "TensorFlow already runs in this process with several threads; train dense heads in a process of their own"
                ) from None
        keras.utils.set_random_seed(seed)
        layers: list[Any] = [keras.Input((n_columns,))]
        layers += [keras.layers.Dense(units, activation="relu") for units in head.hidden]
        self.model = keras.Sequential([*layers, keras.layers.Dense(1)])  # the sigmoid is inside the loss
        optimizers = {"rmsprop": keras.optimizers.RMSprop, "adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
        self.optimizer = optimizers[head.optimizer](learning_rate=head.learning_rate)
        self.optimizer.build(self.model.trainable_variables)
        batch = head.batch_size

        def loss_of(x: Any, y: Any, w: Any) -> tuple[Any, Any]:
            z = self.model(x, training=True)[:, 0]
            losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)
            return w * losses, w * tf.cast(tf.equal(z > 0, y > 0.5), tf.float32)

        def run_epoch(X: Any, y: Any, w: Any) -> tuple[Any, Any]:
            n = tf.shape(X)[0]
            total, right = tf.constant(0.0), tf.constant(0.0)
            for start in tf.range(0, n, batch):
                part = slice(start, tf.minimum(start + batch, n))
                with tf.GradientTape() as tape:
                    losses, hits = loss_of(X[part], y[part], w[part])
                    loss = tf.reduce_mean(losses)
                self.optimizer.apply(
                    tape.gradient(loss, self.model.trainable_variables), self.model.trainable_variables
                )
                total, right = total + tf.reduce_sum(losses), right + tf.reduce_sum(hits)
            return total / tf.reduce_sum(w), right / tf.reduce_sum(w)

        def run_evaluate(X: Any, y: Any, w: Any) -> tuple[Any, Any]:
            losses, hits = loss_of(X, y, w)
            return tf.reduce_sum(losses) / tf.reduce_sum(w), tf.reduce_sum(hits) / tf.reduce_sum(w)

        rows = [tf.TensorSpec([None, n_columns]), tf.TensorSpec([None]), tf.TensorSpec([None])]
        self._epoch = tf.function(run_epoch, input_signature=rows)
        self._evaluate = tf.function(run_evaluate, input_signature=rows)

    def epoch(self, X: Floats, y: Floats, w: Floats, *, order: NDArray[np.intp]) -> tuple[float, float]:
        """One pass in the given order; weighted mean loss and accuracy seen during the pass."""
        loss, accuracy = self._epoch(X[order], y[order], w[order])
        return float(loss), float(accuracy)

    def evaluate(self, X: Floats, y: Floats, w: Floats) -> tuple[float, float]:
        """Weighted mean loss and accuracy."""
        loss, accuracy = self._evaluate(X, y, w)
        return float(loss), float(accuracy)

    def weights(self) -> list[NDArray[np.float32]]:
        """Kernel, bias, kernel, bias ..."""
        return [np.asarray(v) for v in self.model.get_weights()]
