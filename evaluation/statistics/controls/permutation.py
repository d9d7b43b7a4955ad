"""Shuffled labels: the AUCs that the same selection and training reaches where there is nothing to find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics import Array
from core.predictions import ResultKey
from evaluation.read_run import Run
from heads.run_files import PERMUTATIONS

_TIE = 1e-9


@dataclass(frozen=True)
class PermutationTest:
    """One result against what shuffled labels gave.

    Parameters
    ----------
    key : which result; auc : its AUC by fold
    null : {number of the shuffle: its AUC by fold}; a shuffle without an AUC is left out
    """

    key: ResultKey
    auc: float
    null: Mapping[int, float]

    @property
    def shuffled(self) -> Array:
        """(n,) the AUCs of the shuffles, in order of their numbers."""
        return np.array([self.null[k] for k in sorted(self.null)])

    @property
    def p(self) -> float:
        """One-sided p-value of an AUC this high, which counts the result itself as one shuffle (Phipson and Smyth 2010): never 0."""
        return _share(self.shuffled, self.auc)

    @property
    def least(self) -> bool:
        """Whether p is the least that this number of shuffles can give."""
        return self.p <= 1 / (len(self.null) + 1)

    @property
    def band(self) -> tuple[float, float]:
        """The central 95 % of what shuffled labels give."""
        low, high = np.quantile(self.shuffled, [0.025, 0.975])
        return float(low), float(high)


@dataclass(frozen=True)
class HighestTest:
    """The highest of `n` results of one run against the highest of each shuffle; p is one-sided."""

    best: PermutationTest
    n: int
    p: float


def permutation_tests(runs: Sequence[Run]) -> list[PermutationTest]:
    """Every result of the runs that was trained on shuffled labels too, in the order of the runs and their files."""
    out = []
    for run in runs:
        aucs: dict[ResultKey, dict[int, float]] = {}
        for row in run.more.get(PERMUTATIONS, []):
            key = ResultKey(run.name, row["head"], row["sequence"])
            aucs.setdefault(key, {})[int(row["permutation"])] = float(row["auc"])  # 0: the labels as they are
        for key, values in aucs.items():
            null = {k: v for k, v in values.items() if k > 0 and np.isfinite(v)}
            if null and np.isfinite(values.get(0, np.nan)):
                out.append(PermutationTest(key, values[0], null))
    return out


def highest_by_draw(tests: Sequence[PermutationTest]) -> dict[int, float]:
    """{number of the shuffle: the highest AUC that any result reaches in it}; a result without an AUC there is passed over."""
    out: dict[int, float] = {}
    for t in tests:
        for k, auc in t.null.items():
            out[k] = max(auc, out.get(k, auc))
    return dict(sorted(out.items()))


def highest_test(tests: Sequence[PermutationTest]) -> HighestTest:
    """The highest AUC against the highest of the same shuffle (Westfall and Young 1993), for at least one test of one run."""
    best = max(tests, key=_auc)
    top = np.array(list(highest_by_draw(tests).values()))
    return HighestTest(best, len(tests), _share(top, best.auc))


def highest_tests(tests: Sequence[PermutationTest]) -> dict[str, HighestTest]:
    """{run: the test of its highest result}."""
    by_run: dict[str, list[PermutationTest]] = {}
    for t in tests:
        by_run.setdefault(t.key.run, []).append(t)
    return {run: highest_test(own) for run, own in by_run.items()}


def _auc(test: PermutationTest) -> float:
    return test.auc


def _share(null: Array, auc: float) -> float:
    """Share of the shuffles that reach an AUC, counting it as one; a tie that only rounding tells apart is a tie."""
    return float((1 + (null >= auc - _TIE).sum()) / (1 + len(null)))
