"""Gradient-boosted trees (LightGBM; Ke et al., NeurIPS 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from heads.base import HEADS, Arrays, Curve, Fitted
from heads.hyperparameters import hyperparameter
from heads.search.space import Choice, LogUniform
from heads.standardise import ROWS_AT_ONCE, Floats, Ids, Matrix, Standardiser
from heads.trees import Trees

BIN_SAMPLE = (
    10_000  # training rows that the 255 bins of a column are taken from; sorting all of them takes longer than it helps
)


@dataclass
class FittedBoosted:
    """The trees of the log odds, for standardised columns."""

    standardise: Standardiser
    trees: Trees

    def scores(self, X: Matrix) -> NDArray[np.float64]:
        """(n, d) -> (n,) probability of the positive class."""
        z = np.empty(len(X))
        for rows, Z in self.standardise.blocks(X):
            z[rows] = self.trees.sums(Z)
        with np.errstate(over="ignore"):  # of log odds below -709: the probability is 0
            return np.asarray(1 / (1 + np.exp(-z)))

    def arrays(self) -> Arrays:
        """What `from_arrays` needs to make this head again."""
        return {"mean": self.standardise.mean, "scale": self.standardise.scale, **vars(self.trees)}

    @classmethod
    def from_arrays(cls, a: Arrays) -> FittedBoosted:
        """The inverse of `arrays`. Raises ValueError for what are no trees."""
        if "model" in a:
            raise ValueError("it holds LightGBM's text, which is not read any more; train again")
        return cls(Standardiser(a["mean"], a["scale"]), Trees.from_arrays(a, len(a["mean"])))


@HEADS.register("boosted")
@dataclass(frozen=True)
class Boosted:
    """Shallow, strongly regularised trees: patients are few and columns many."""

    rounds: int = hyperparameter(200, "number of trees", flag=None, search=Choice((50, 100, 200, 400)))
    learning_rate: float = hyperparameter(
        0.05, "how much of each tree is added", flag=None, search=LogUniform(0.01, 0.2)
    )
    num_leaves: int = hyperparameter(8, "leaves of a tree, at most", flag=None, search=Choice((2, 4, 8, 16)))
    feature_fraction: float = hyperparameter(
        0.3, "share of the columns that a tree may use", flag=None, search=Choice((0.1, 0.3, 0.6, 1.0))
    )

    name: ClassVar[str] = "boosted"
    fitted: ClassVar[type[Fitted]] = FittedBoosted

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
    ) -> tuple[FittedBoosted, Curve]:
        """Fit a fixed number of rounds, so that no validation rows are needed. No training curve."""
        import lightgbm

        standardise = Standardiser.fit(X, weight)
        parameters = {
            "objective": "binary",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "feature_fraction": self.feature_fraction,
            # A leaf is bounded by the weight of its patients, not by its rows: at even odds a patient weighs 1/4, and a
            # leaf holds about a twentieth of the patients, at most five.
            "min_data_in_leaf": 1,
            "min_sum_hessian_in_leaf": min(1.25, 0.25 * float(weight.sum()) / 20),
            "lambda_l2": 1.0,
            "seed": seed,
            "deterministic": True,
            "force_col_wise": True,  # the same trees as row by row, in half the time on one thread
            "num_threads": 1,  # the same sums in the same order, however many folds run at once
            "bin_construct_sample_cnt": BIN_SAMPLE,
            "verbosity": -1,
        }
        data = _binned(standardise, X, y, weight, parameters)
        booster = lightgbm.train(parameters, data, self.rounds)
        return FittedBoosted(standardise, Trees.of_lightgbm(booster.dump_model())), []


def _binned(standardise: Standardiser, X: Matrix, y: NDArray[np.int_], weight: Floats, parameters: Any) -> Any:
    """LightGBM's data set of the standardised rows, made block by block: the one that it makes of a whole matrix."""
    import lightgbm

    class Blocks(lightgbm.Sequence):  # type: ignore[misc]
        batch_size = ROWS_AT_ONCE

        def __len__(self) -> int:
            return len(X)

        def __getitem__(self, some: Any) -> Any:
            if isinstance(some, slice):
                return standardise(X[some])
            return standardise(X[int(some) : int(some) + 1])[0].astype(np.float64)  # a row that bins are taken from

    class Dataset(lightgbm.Dataset):  # type: ignore[misc]
        def get_params(self) -> Any:
            return parameters  # the seed, threads and silence too, as where a matrix is given

    return Dataset(Blocks(), y, weight=weight, params=parameters)
