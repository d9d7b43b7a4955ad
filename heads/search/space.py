"""What tuning may choose: random draws of hyper-parameters, sequence, slice selection and aggregator (random draws instead
of a grid: Bergstra and Bengio, JMLR 2012)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from heads.boosted import Boosted
from heads.crossfit import Head
from heads.dense import Dense
from heads.logistic import Logistic

SLICES = ("all", "central", "largest", "middle:10")  # drawn beside the slices that the user asks for
Key = tuple[str, str]  # sequence, slices


@dataclass(frozen=True)
class Configuration:
    """A head with its hyper-parameters, what it is trained on, and how its slice scores are joined."""

    head: Head
    sequence: str
    slices: str
    aggregate: str

    @property
    def parameters(self) -> str:
        """The hyper-parameters as JSON, sorted by name."""
        return json.dumps({k: v for k, v in vars(self.head).items() if k != "name"}, sort_keys=True)


def draw(
    head: Head, keys: Sequence[Key], aggregators: Sequence[str], draws: int, rng: np.random.Generator
) -> list[Configuration]:
    """The default configuration, then random ones. Sequences take turns, the default's first, so that few draws meet all of them."""
    sequences = list(dict.fromkeys(q for q, _ in keys))
    slices = list(dict.fromkeys(s for _, s in keys))
    turns = [*rng.permutation(sequences[1:]), sequences[0]]
    return [Configuration(head, *keys[0], aggregators[0])] + [
        Configuration(
            _drawn(head, rng), str(turns[i % len(turns)]), str(rng.choice(slices)), str(rng.choice(aggregators))
        )
        for i in range(draws - 1)
    ]


def _drawn(head: Head, rng: np.random.Generator) -> Head:
    """The head with hyper-parameters drawn from ranges that suit few patients."""
    if isinstance(head, Logistic):
        return replace(head, C=_log_uniform(rng, 1e-4, 1))
    if isinstance(head, Boosted):
        return replace(
            head,
            rounds=int(rng.choice([50, 100, 200, 400])),
            learning_rate=_log_uniform(rng, 0.01, 0.2),
            num_leaves=int(rng.choice([2, 4, 8, 16])),
            feature_fraction=float(rng.choice([0.1, 0.3, 0.6, 1.0])),
        )
    assert isinstance(head, Dense)
    layers = [head.hidden, (64,), (128, 32), (32, 16)]
    return replace(
        head,
        hidden=layers[int(rng.integers(len(layers)))],
        learning_rate=_log_uniform(rng, 1e-4, 3e-3),
        batch_size=int(rng.choice([16, 32, 64, 128])),
    )


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")
