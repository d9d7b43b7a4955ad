"""A head from outside the packages, for tests: tests register it and take it out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from core.options import above_zero
from heads import hyperparameter
from heads.search.space import LogUniform


@dataclass
class FittedDirection:
    """One direction in the columns."""

    way: np.ndarray
    middle: np.ndarray

    def scores(self, X: Any) -> np.ndarray:
        return 1 / (1 + np.exp(-np.clip((np.nan_to_num(np.asarray(X)) - self.middle) @ self.way, -30, 30)))

    def arrays(self) -> dict[str, np.ndarray]:
        return {"way": self.way, "middle": self.middle}

    @classmethod
    def from_arrays(cls, a: dict[str, np.ndarray]) -> FittedDirection:
        return cls(a["way"], a["middle"])


@dataclass(frozen=True)
class Direction:
    """The difference of the class means."""

    stretch: float = hyperparameter(
        1.0, "factor of the scores (default: 1)", parse=above_zero, search=LogUniform(0.1, 10)
    )
    fitted = FittedDirection

    def fit(self, X: Any, y: Any, weight: Any, **_: Any) -> Any:
        Z = np.nan_to_num(np.asarray(X, float))
        means = [np.average(Z[y == k], 0, weight[y == k]) for k in (0, 1)]
        way = self.stretch * (means[1] - means[0]) / len(means[0])
        return FittedDirection(way, np.mean(means, axis=0)), []


@dataclass(frozen=True)
class Unsaved(Direction):
    """What it fits has no arrays."""

    fitted = object  # type: ignore[assignment]
