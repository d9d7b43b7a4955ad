"""The notebook's dense head: 128-64-32-16-1, ReLU, sigmoid, binary cross-entropy. TensorFlow trains, numpy scores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.options import above_zero, at_least
from heads.base import HEADS, Arrays, Capabilities, Curve, Fitted, Requirement, hyperparameter
from heads.search.space import Choice, LogUniform
from heads.standardise import Floats, Matrix, Part, Standardiser

OPTIMIZERS = ("rmsprop", "adam", "sgd")
VALIDATION_SHARE = 0.15  # of the training patients, watched by early stopping
PATIENCE = 8  # epochs
LENGTHS = 4096  # of which the numbers of rows are multiples, for the compiler


@dataclass
class FittedDense:
    """kernels : (in, out) float32 and biases : (out,) float32 of each layer."""

    standardise: Standardiser
    kernels: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]

    def scores(self, X: Matrix) -> NDArray[np.float64]:
        """(n, d) -> (n,) probability of the positive class."""
        z = np.empty(len(X))
        for rows, h in self.standardise.blocks(X):
            for kernel, bias in zip(self.kernels[:-1], self.biases[:-1], strict=True):
                h = np.maximum(h @ kernel + bias, 0)
            z[rows] = (h @ self.kernels[-1] + self.biases[-1])[:, 0]
        return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))

    def arrays(self) -> Arrays:
        """What `from_arrays` needs to make this head again."""
        out: Arrays = {"mean": self.standardise.mean, "scale": self.standardise.scale}
        for i, (kernel, bias) in enumerate(zip(self.kernels, self.biases, strict=True)):
            out[f"kernel_{i}"], out[f"bias_{i}"] = kernel, bias
        return out

    @classmethod
    def from_arrays(cls, a: Arrays) -> FittedDense:
        """The inverse of `arrays`."""
        n = max(1, sum(name.startswith("kernel_") for name in a))
        standardise = Standardiser(a["mean"], a["scale"])
        return cls(standardise, [a[f"kernel_{i}"] for i in range(n)], [a[f"bias_{i}"] for i in range(n)])


@HEADS.register("dense")
@dataclass(frozen=True)
class Dense:
    """A stack of ReLU layers and one sigmoid unit."""

    hidden: tuple[int, ...] = hyperparameter(
        (128, 64, 32, 16),
        "layers of the dense head (default: 128 64 32 16)",
        parse=at_least(1),
        many=True,
        flag="--hidden",
        search=Choice(((64,), (128, 32), (32, 16)), or_given=True),
    )
    optimizer: str = hyperparameter(
        "rmsprop", "of the dense head (default: rmsprop)", choices=OPTIMIZERS, flag="--optimizer"
    )
    learning_rate: float = hyperparameter(
        5e-4,
        "of the dense head (default: 5e-4)",
        parse=above_zero,
        flag="--learning-rate",
        search=LogUniform(1e-4, 3e-3),
    )
    batch_size: int = hyperparameter(
        32,
        "of the dense head (default: 32)",
        parse=at_least(1),
        flag="--batch-size",
        search=Choice((16, 32, 64, 128)),
    )
    epochs: int = hyperparameter(50, "of the dense head, at most (default: 50)", parse=at_least(1), flag="--epochs")

    name: ClassVar[str] = "dense"
    fitted: ClassVar[type[Fitted]] = FittedDense
    capabilities: ClassVar[Capabilities] = Capabilities(
        early_stopping=True,
        own_process=True,
        cheap=False,
        requires=Requirement("tensorflow", "TensorFlow", "pip install -r requirements.txt"),
    )

    def fit(
        self,
        X: Matrix,
        y: NDArray[np.int_],
        weight: Floats,
        *,
        patient: NDArray[Any],
        seed: int,
        view: NDArray[np.int16] | None = None,
        validation: NDArray[np.intp] | None = None,
    ) -> tuple[FittedDense, Curve]:
        """Train with early stopping on inner validation patients (or the rows `validation`); best epoch kept.

        With fewer than two patients in a class nothing can be held back: all epochs run. Returns the head and its
        curve, one dict per epoch: epoch, loss, accuracy, and val_loss, val_accuracy where there is validation. Raises
        ValueError where the loss is no longer a number.
        """
        if validation is None:
            validation = inner_validation(y, patient, seed)
        held = np.zeros(len(y), bool)
        held[validation] = True
        standardise = Standardiser.fit(Part(X, np.flatnonzero(~held)), weight[~held])
        weight = weight / weight.mean()  # so that the learning rate means the same for any number of slices
        net = _Network(X.shape[1], self, seed)
        watched = held if view is None else held & (view == 0)  # nothing is scored on augmented views
        n, n_inner = int((~held).sum()), int(watched.sum())
        train, inner = (_rows(standardise, X, y, weight, np.flatnonzero(part)) for part in (~held, watched))
        rng = np.random.default_rng(seed)
        curve: Curve = []
        best, best_loss, waited = net.weights(), np.inf, 0
        for epoch in range(self.epochs):
            loss, accuracy = net.epoch(*train, order=rng.permutation(n))
            row = {"epoch": epoch + 1.0, "loss": loss, "accuracy": accuracy}
            if n_inner:
                row["val_loss"], row["val_accuracy"] = net.evaluate(*inner)
            curve.append(row)
            if not np.isfinite([loss, row.get("val_loss", 0.0)]).all():
                raise ValueError(
                    f"the dense head diverged in epoch {epoch + 1} (loss {loss}); a smaller --learning-rate than "
                    f"{self.learning_rate:g} is needed"
                )
            if not n_inner:
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
    """Weights and optimizer state; a whole epoch is one compiled function, the same one for all fits of a process."""

    def __init__(self, n_columns: int, head: Dense, seed: int) -> None:
        rng = np.random.default_rng((seed, 0x1417))
        sizes = [n_columns, *head.hidden, 1]
        # weights, two slots of the optimizer for each, steps done
        self._state: tuple[list[Any], list[Any], list[Any], Any] = ([], [], [], np.float32(0))
        for a, b in itertools.pairwise(sizes):  # uniform kernels and zero biases (Glorot and Bengio, AISTATS 2010)
            limit = np.sqrt(6 / (a + b))
            self._state[0].extend([rng.uniform(-limit, limit, (a, b)).astype(np.float32), np.zeros(b, np.float32)])
        for slot in self._state[1:3]:
            slot.extend(np.zeros_like(v) for v in self._state[0])
        self._rate = np.float32(head.learning_rate)
        self._epoch, self._evaluate = _compiled(head.optimizer, head.batch_size)

    def epoch(self, X: Any, y: Any, w: Any, *, order: NDArray[np.intp]) -> tuple[float, float]:
        """One pass over the rows of `order`; weighted mean loss and accuracy seen during the pass."""
        every = np.zeros(len(y), np.int32)
        every[: len(order)] = order
        *state, loss, accuracy = self._epoch(*self._state, X, y, w, every, np.int32(len(order)), self._rate)
        self._state = tuple(state)
        return float(loss), float(accuracy)

    def evaluate(self, X: Any, y: Any, w: Any) -> tuple[float, float]:
        """Weighted mean loss and accuracy."""
        loss, accuracy = self._evaluate(self._state[0], X, y, w)
        return float(loss), float(accuracy)

    def weights(self) -> list[NDArray[np.float32]]:
        """Kernel, bias, kernel, bias ..."""
        return [np.asarray(v) for v in self._state[0]]


def _rows(standardise: Standardiser, X: Matrix, y: NDArray[np.int_], w: Floats, rows: NDArray[np.intp]) -> Any:
    """Standardised rows, labels and weights as tensors, filled up with rows of no weight to a length that other folds share.

    XLA compiles for a length, so that folds of a few slices more or less are not to differ in it.
    """
    import tensorflow as tf

    n = -(-max(1, len(rows)) // LENGTHS) * LENGTHS
    Z, labels, weights = (_aligned(shape) for shape in ((n, X.shape[1]), (n,), (n,)))
    labels[: len(rows)], weights[: len(rows)] = y[rows], w[rows]
    for some, block in standardise.blocks(Part(X, rows)):
        Z[some] = block
    with tf.device("CPU"):
        return tuple(tf.experimental.dlpack.from_dlpack(a.__dlpack__()) for a in (Z, labels, weights))


def _aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros from an address on that TensorFlow takes them over as they are, instead of making a second copy."""
    n = int(np.prod(shape))
    room = np.zeros(n + 16, np.float32)
    first = -room.ctypes.data % 64 // room.itemsize
    return room[first : first + n].reshape(shape)


@cache
def _compiled(optimizer: str, batch: int) -> tuple[Any, Any]:
    """(epoch, evaluate), compiled by XLA for one thread: the same sums in the same order, however many folds run at once."""
    import tensorflow as tf

    if tf.config.threading.get_intra_op_parallelism_threads() != 1:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            raise RuntimeError(
                "TensorFlow already runs in this process with several threads; train dense heads in a process of their own"
            ) from None
    steps: dict[str, Callable[..., tuple[Any, Any, Any]]] = {"rmsprop": _rmsprop, "adam": _adam, "sgd": _sgd}
    step = steps[optimizer]

    def losses_of(weights: Any, x: Any, y: Any, w: Any) -> tuple[Any, Any]:
        for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
            x = tf.nn.relu(tf.matmul(x, kernel) + bias)
        z = (tf.matmul(x, weights[-2]) + weights[-1])[:, 0]  # the sigmoid is inside the loss
        losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)
        return w * losses, w * tf.cast(tf.equal(z > 0, y > 0.5), tf.float32)

    def epoch(
        weights: Any, first: Any, second: Any, t: Any, X: Any, y: Any, w: Any, order: Any, n: Any, rate: Any
    ) -> Any:
        order = tf.pad(order, [[0, batch]])

        def one_batch(start: Any, weights: Any, first: Any, second: Any, t: Any, total: Any, right: Any) -> Any:
            there = tf.range(batch) < n - start  # the last batch is partial
            rows = tf.slice(order, [start], [batch])
            x, y_batch, w_batch = tf.gather(X, rows), tf.gather(y, rows), tf.where(there, tf.gather(w, rows), 0.0)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                losses, hits = losses_of(weights, x, y_batch, w_batch)
                loss = tf.reduce_sum(losses) / tf.cast(tf.minimum(batch, n - start), tf.float32)
            t = t + 1
            moved = [
                step(rate, t, *each) for each in zip(weights, tape.gradient(loss, weights), first, second, strict=True)
            ]
            weights, first, second = (list(part) for part in zip(*moved, strict=True))
            return start + batch, weights, first, second, t, total + tf.reduce_sum(losses), right + tf.reduce_sum(hits)

        before = (tf.constant(0), weights, first, second, t, tf.constant(0.0), tf.constant(0.0))
        _, weights, first, second, t, total, right = tf.while_loop(lambda start, *_: start < n, one_batch, before)
        return weights, first, second, t, total / tf.reduce_sum(w), right / tf.reduce_sum(w)

    def evaluate(weights: Any, X: Any, y: Any, w: Any) -> tuple[Any, Any]:
        losses, hits = losses_of(weights, X, y, w)
        return tf.reduce_sum(losses) / tf.reduce_sum(w), tf.reduce_sum(hits) / tf.reduce_sum(w)

    return tf.function(epoch, jit_compile=True), tf.function(evaluate, jit_compile=True)


# One step of each optimizer, as Keras makes it with its default settings: (weight, first slot, second slot).


def _rmsprop(rate: Any, t: Any, v: Any, g: Any, mean_square: Any, unused: Any) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    mean_square = 0.9 * mean_square + 0.1 * tf.square(g)
    return v - rate * g * tf.math.rsqrt(mean_square + 1e-7), mean_square, unused


def _adam(rate: Any, t: Any, v: Any, g: Any, mean: Any, mean_square: Any) -> tuple[Any, Any, Any]:
    import tensorflow as tf

    mean, mean_square = mean + 0.1 * (g - mean), mean_square + 0.001 * (tf.square(g) - mean_square)
    alpha = rate * tf.sqrt(1 - tf.pow(0.999, t)) / (1 - tf.pow(0.9, t))
    return v - alpha * mean / (tf.sqrt(mean_square) + 1e-7), mean, mean_square


def _sgd(rate: Any, t: Any, v: Any, g: Any, unused: Any, neither: Any) -> tuple[Any, Any, Any]:
    return v - rate * g, unused, neither
