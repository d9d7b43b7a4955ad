"""The network of the dense head: weights, optimizer and compiled epochs. TensorFlow is imported where it is used."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heads.standardise import Floats, Matrix, Part, Standardiser

Tensor = Any  # TensorFlow says nothing of its types
LENGTHS = 4096  # of which the numbers of rows are multiples, for the compiler


class Network:
    """Weights and optimizer state; a whole epoch is one compiled function, the same one for all fits of a process."""

    def __init__(  # noqa: D107
        self, n_columns: int, hidden: Sequence[int], optimizer: str, learning_rate: float, batch_size: int, *, seed: int
    ) -> None:
        rng = np.random.default_rng((seed, 0x1417))
        sizes = [n_columns, *hidden, 1]
        # weights, two slots of the optimizer for each, steps done
        self._state: tuple[list[Tensor], list[Tensor], list[Tensor], Tensor] = ([], [], [], np.float32(0))
        for a, b in itertools.pairwise(sizes):  # uniform kernels and zero biases (Glorot and Bengio, AISTATS 2010)
            limit = np.sqrt(6 / (a + b))
            self._state[0].extend([rng.uniform(-limit, limit, (a, b)).astype(np.float32), np.zeros(b, np.float32)])
        for slot in self._state[1:3]:
            slot.extend(np.zeros_like(v) for v in self._state[0])
        self._rate = np.float32(learning_rate)
        self._epoch, self._evaluate = compiled(optimizer, batch_size)

    def epoch(self, X: Tensor, y: Tensor, w: Tensor, *, order: NDArray[np.intp]) -> tuple[float, float]:
        """One pass over the rows of `order`; weighted mean loss and accuracy seen during the pass."""
        every = np.zeros(len(y), np.int32)
        every[: len(order)] = order
        *state, loss, accuracy = self._epoch(*self._state, X, y, w, every, np.int32(len(order)), self._rate)
        self._state = tuple(state)
        return float(loss), float(accuracy)

    def evaluate(self, X: Tensor, y: Tensor, w: Tensor) -> tuple[float, float]:
        """Weighted mean loss and accuracy."""
        loss, accuracy = self._evaluate(self._state[0], X, y, w)
        return float(loss), float(accuracy)

    def weights(self) -> list[NDArray[np.float32]]:
        """Kernel, bias, kernel, bias ..."""
        return [np.asarray(v) for v in self._state[0]]


def tensors(standardise: Standardiser, X: Matrix, y: NDArray[np.int_], w: Floats, rows: NDArray[np.intp]) -> Tensor:
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


def _one_thread() -> None:
    """Hold TensorFlow to one thread. Raises RuntimeError where it runs with several already."""
    import tensorflow as tf

    threading = tf.config.threading
    if threading.get_intra_op_parallelism_threads() != 1:
        try:
            threading.set_intra_op_parallelism_threads(1)
            threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            raise RuntimeError(
                "TensorFlow already runs in this process with several threads; train dense heads in a process of their own"
            ) from None


@cache
def compiled(optimizer: str, batch: int) -> tuple[Tensor, Tensor]:
    """(epoch, evaluate), compiled by XLA for one thread: the same sums in the same order, however many folds run at once."""
    import tensorflow as tf

    _one_thread()
    steps: dict[str, Callable[..., tuple[Tensor, Tensor, Tensor]]] = {"rmsprop": _rmsprop, "adam": _adam, "sgd": _sgd}
    step = steps[optimizer]

    def epoch(
        weights: Tensor,
        first: Tensor,
        second: Tensor,
        t: Tensor,
        X: Tensor,
        y: Tensor,
        w: Tensor,
        order: Tensor,
        n: Tensor,
        rate: Tensor,
    ) -> Tensor:
        order = tf.pad(order, [[0, batch]])

        def one_batch(
            start: Tensor, weights: Tensor, first: Tensor, second: Tensor, t: Tensor, total: Tensor, right: Tensor
        ) -> Tensor:
            there = tf.range(batch) < n - start  # the last batch is partial
            rows = tf.slice(order, [start], [batch])
            x, y_batch, w_batch = tf.gather(X, rows), tf.gather(y, rows), tf.where(there, tf.gather(w, rows), 0.0)
            with tf.GradientTape() as tape:
                tape.watch(weights)
                losses, hits = _losses(weights, x, y_batch, w_batch)
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

    def evaluate(weights: Tensor, X: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        losses, hits = _losses(weights, X, y, w)
        return tf.reduce_sum(losses) / tf.reduce_sum(w), tf.reduce_sum(hits) / tf.reduce_sum(w)

    return tf.function(epoch, jit_compile=True), tf.function(evaluate, jit_compile=True)


def _losses(weights: Tensor, x: Tensor, y: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted loss and weighted hits of each row."""
    import tensorflow as tf

    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = tf.nn.relu(tf.matmul(x, kernel) + bias)
    z = (tf.matmul(x, weights[-2]) + weights[-1])[:, 0]  # the sigmoid is inside the loss
    losses = tf.nn.sigmoid_cross_entropy_with_logits(labels=y, logits=z)
    return w * losses, w * tf.cast(tf.equal(z > 0, y > 0.5), tf.float32)


# One step of each optimizer, as Keras makes it with its default settings: (weight, first slot, second slot).


def _rmsprop(
    rate: Tensor, t: Tensor, v: Tensor, g: Tensor, mean_square: Tensor, unused: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    import tensorflow as tf

    mean_square = 0.9 * mean_square + 0.1 * tf.square(g)
    return v - rate * g * tf.math.rsqrt(mean_square + 1e-7), mean_square, unused


def _adam(
    rate: Tensor, t: Tensor, v: Tensor, g: Tensor, mean: Tensor, mean_square: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    import tensorflow as tf

    mean, mean_square = mean + 0.1 * (g - mean), mean_square + 0.001 * (tf.square(g) - mean_square)
    alpha = rate * tf.sqrt(1 - tf.pow(0.999, t)) / (1 - tf.pow(0.9, t))
    return v - alpha * mean / (tf.sqrt(mean_square) + 1e-7), mean, mean_square


def _sgd(
    rate: Tensor, t: Tensor, v: Tensor, g: Tensor, unused: Tensor, neither: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    return v - rate * g, unused, neither
