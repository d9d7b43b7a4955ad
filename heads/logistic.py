"""Standardised L2-penalised logistic regression (scikit-learn, lbfgs)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from heads.standardise import Floats, Standardiser


@dataclass
class FittedLogistic:
    """coef : (d,), intercept : () float64, on standardised columns."""

    standardise: Standardiser
    coef: NDArray[np.float64]
    intercept: float

    def scores(self, X: Floats) -> NDArray[np.float64]:
        """(n, d) -> (n,) probability of the positive class."""
        z = self.standardise(X) @ self.coef + self.intercept
        return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))  # the logistic function, without overflow

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `from_arrays` needs to make this head again."""
        return {
            "mean": self.standardise.mean,
            "scale": self.standardise.scale,
            "coef": self.coef,
            "intercept": np.array(self.intercept),
        }

    @classmethod
    def from_arrays(cls, a: dict[str, NDArray[Any]]) -> FittedLogistic:
        """The inverse of `arrays`."""
        return cls(Standardiser(a["mean"], a["scale"]), a["coef"], float(a["intercept"]))


@dataclass(frozen=True)
class Logistic:
    """`C` is the inverse penalty against a likelihood in which each patient counts once."""

    C: float = 0.01
    name: str = "logistic"

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
    ) -> tuple[FittedLogistic, list[dict[str, float]]]:
        """Fit on all rows; nothing is drawn at random and no validation rows are needed. No training curve."""
        from sklearn.linear_model import LogisticRegression

        standardise = Standardiser.fit(X, weight)
        model = LogisticRegression(C=self.C, max_iter=2000, tol=1e-5)
        model.fit(standardise(X).astype(np.float64), y, sample_weight=weight)
        return FittedLogistic(standardise, model.coef_[0], float(model.intercept_[0])), []
