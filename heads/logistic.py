"""Standardised L2-penalised logistic regression (L-BFGS of SciPy), block by block of a table that is never copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from core.options import above_zero
from heads.base import HEADS, Arrays, BatchedScores, Capabilities, Curve, Fitted
from heads.hyperparameters import hyperparameter
from heads.search.space import LogUniform
from heads.standardise import Floats, Ids, Matrix, Standardiser

ROUNDS = 2000
AT_HAND = (
    2**26
)  # standardised values that are kept from round to round, 256 MiB; those of a larger table are made again


@dataclass
class FittedLogistic:
    """coef : (d,), intercept : () float64, on standardised columns."""

    standardise: Standardiser
    coef: NDArray[np.float64]
    intercept: float

    def scores(self, X: Matrix) -> NDArray[np.float64]:
        """(n, d) -> (n,) probability of the positive class."""
        z = np.empty(len(X))
        for rows, Z in self.standardise.blocks(X):
            z[rows] = Z @ self.coef + self.intercept
        return _probability(z)

    def arrays(self) -> Arrays:
        """What `from_arrays` needs to make this head again."""
        return {
            "mean": self.standardise.mean,
            "scale": self.standardise.scale,
            "coef": self.coef,
            "intercept": np.array(self.intercept),
        }

    @classmethod
    def from_arrays(cls, a: Arrays) -> FittedLogistic:
        """The inverse of `arrays`."""
        return cls(Standardiser(a["mean"], a["scale"]), a["coef"], float(a["intercept"]))


@HEADS.register("logistic")
@dataclass(frozen=True)
class Logistic:
    """`C` is the inverse penalty against a likelihood in which each patient counts once."""

    C: float = hyperparameter(
        0.01,
        "inverse penalty of the logistic head (default: 0.01)",
        parse=above_zero,
        flag="--C",
        search=LogUniform(1e-4, 1),
        details="inverse penalty of the logistic head, against a likelihood in which each patient counts once",
    )

    name: ClassVar[str] = "logistic"
    fitted: ClassVar[type[Fitted]] = FittedLogistic
    capabilities: ClassVar[Capabilities] = Capabilities(linear=True)

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
    ) -> tuple[FittedLogistic, Curve]:
        """Fit on all rows; nothing is drawn at random and no validation rows are needed. No training curve.

        Raises ValueError where it does not converge.
        """
        from scipy.optimize import minimize

        standardise, w = Standardiser.fit(X, weight), weight.astype(np.float64)
        kept = list(standardise.blocks(X)) if X.shape[0] * X.shape[1] <= AT_HAND else None

        def loss(v: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
            """Mean loss of a patient with its penalty, and its gradient, at the coefficients and the intercept `v`."""
            pull = v / (self.C * w.sum())
            pull[-1] = 0  # the intercept has no penalty
            value, gradient = 0.5 * pull @ v, pull
            for rows, Z in kept or standardise.blocks(X):
                block = Z.astype(np.float64)
                z, part = block @ v[:-1] + v[-1], w[rows] / w.sum()
                residual = part * (_probability(z) - y[rows])
                value += part @ (np.logaddexp(0, z) - y[rows] * z)
                gradient[:-1] += residual @ block
                gradient[-1] += residual.sum()
            return float(value), gradient

        options = {"maxiter": ROUNDS, "maxls": 50, "gtol": 1e-5, "ftol": 64 * np.finfo(float).eps}
        found = minimize(loss, np.zeros(X.shape[1] + 1), jac=True, method="L-BFGS-B", options=options)
        if not found.success:
            raise ValueError(
                f"the logistic head did not converge ({found.message}); a smaller --C than {self.C:g} is needed"
            )
        return FittedLogistic(standardise, found.x[:-1], float(found.x[-1])), []

    def batched(self, X: Floats, weight: Floats) -> BatchedScores:
        """Many of these heads on one table, for label shuffles; weight : (n,), of every row while it trains."""
        from heads.controls.batched import BatchedLogistic

        return BatchedLogistic(X, weight, self.C)


def _probability(z: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(0.5 + 0.5 * np.tanh(0.5 * z))  # the logistic function, without overflow
