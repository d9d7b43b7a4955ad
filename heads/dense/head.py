"""The notebook's dense head: 128-64-32-16-1, ReLU, sigmoid, binary cross-entropy. TensorFlow trains, numpy scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.options import above_zero, at_least
from heads.base import HEADS, Arrays, Capabilities, Curve, Fitted, Requirement
from heads.dense.network import Network, Tensor, tensors
from heads.hyperparameters import hyperparameter
from heads.search.space import Choice, LogUniform
from heads.standardise import Floats, Ids, Matrix, Part, Standardiser

OPTIMIZERS = ("rmsprop", "adam", "sgd")
VALIDATION_SHARE = 0.15  # of the training patients, watched by early stopping
PATIENCE = 8  # epochs


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
        patient: Ids,
        seed: int,
        view: NDArray[np.int16] | None = None,
        validation: NDArray[np.intp] | None = None,
    ) -> tuple[FittedDense, Curve]:
        """Train with early stopping on inner validation patients, or the rows `validation`; the best epoch is kept.

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
        net = Network(X.shape[1], self.hidden, self.optimizer, self.learning_rate, self.batch_size, seed=seed)
        watched = held if view is None else held & (view == 0)  # nothing is scored on augmented views
        n, n_inner = int((~held).sum()), int(watched.sum())
        train, inner = (tensors(standardise, X, y, weight, np.flatnonzero(part)) for part in (~held, watched))
        best, curve = self._epochs(net, train, inner, n, np.random.default_rng(seed), watched=n_inner > 0)
        return FittedDense(standardise, best[::2], best[1::2]), curve

    def _epochs(
        self,
        net: Network,
        train: tuple[Tensor, ...],
        inner: tuple[Tensor, ...],
        n: int,
        rng: np.random.Generator,
        *,
        watched: bool,
    ) -> tuple[list[NDArray[np.float32]], Curve]:
        """The weights of the best epoch (without rows to watch, of the last), and the curve; n : training rows."""
        curve: Curve = []
        best, best_loss, waited = net.weights(), np.inf, 0
        for epoch in range(self.epochs):
            loss, accuracy = net.epoch(*train, order=rng.permutation(n))
            row = {"epoch": epoch + 1.0, "loss": loss, "accuracy": accuracy}
            if watched:
                row["val_loss"], row["val_accuracy"] = net.evaluate(*inner)
            curve.append(row)
            if not np.isfinite([loss, row.get("val_loss", 0.0)]).all():
                raise ValueError(
                    f"the dense head diverged in epoch {epoch + 1} (loss {loss}); a smaller --learning-rate than "
                    f"{self.learning_rate:g} is needed"
                )
            if not watched:
                best = net.weights()
            elif row["val_loss"] < best_loss:
                best, best_loss, waited = net.weights(), row["val_loss"], 0
            else:
                waited += 1
                if waited >= PATIENCE:
                    break
        return best, curve


def inner_validation(y: NDArray[np.int_], patient: Ids, seed: int) -> NDArray[np.intp]:
    """Rows of a stratified, seeded 15 % of the training patients, at least one of each class, none if a class has one."""
    rng = np.random.default_rng(seed)
    held: list[str] = []
    for label in (0, 1):
        members = np.array(sorted({str(p) for p in patient[y == label]}))
        if len(members) < 2:
            return np.empty(0, np.intp)
        held += list(rng.permutation(members)[: max(1, round(VALIDATION_SHARE * len(members)))])
    return np.flatnonzero(np.isin(patient.astype(str), held))
