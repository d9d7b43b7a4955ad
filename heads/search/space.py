"""What tuning may choose: random draws of hyper-parameters, sequence, slice selection and aggregator (random draws instead
of a grid: Bergstra and Bengio, JMLR 2012)."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np

from core.documents import Document
from heads.base import Head
from heads.hyperparameters import Search, parameters_of

SLICES = ("all", "central", "largest", "middle:10")  # drawn beside the slices that the user asks for


class Key(NamedTuple):
    """Which table of those that tuning chooses from."""

    sequence: str
    slices: str


@dataclass(frozen=True)
class LogUniform:
    """Numbers from `low` to `high`, every factor as likely as any other; three digits."""

    low: float
    high: float

    def draw(self, rng: np.random.Generator, given: float) -> float:
        """A number."""
        return float(f"{math.exp(rng.uniform(math.log(self.low), math.log(self.high))):.3g}")


@dataclass(frozen=True)
class Choice:
    """One of some values, all as likely; `or_given` : the one that the user asked for is among them, first."""

    values: Sequence[Any]
    or_given: bool = False

    def draw(self, rng: np.random.Generator, given: Any) -> Any:
        """One of the values."""
        values = [given, *self.values] if self.or_given else self.values
        return values[int(rng.integers(len(values)))]


@dataclass(frozen=True)
class Configuration:
    """A head with its hyper-parameters, what it is trained on, and how its slice scores are joined."""

    head: Head
    sequence: str
    slices: str
    aggregate: str

    @property
    def key(self) -> Key:
        """The table that it is trained on."""
        return Key(self.sequence, self.slices)

    @property
    def parameters(self) -> str:
        """The hyper-parameters as JSON, sorted by name."""
        return json.dumps(parameters_of(self.head), sort_keys=True)


def draw(
    head: Head, keys: Sequence[Key], aggregators: Sequence[str], draws: int, rng: np.random.Generator
) -> list[Configuration]:
    """The default configuration, then random ones.

    Sequences take turns, the default's first, so that few draws meet all of them.

    Parameters
    ----------
    head : with the hyper-parameters of the default configuration
    keys : the tables, the default one first
    aggregators : the default one first
    draws : how many configurations in all

    Returns
    -------
    `draws` configurations; they depend on the state of `rng` alone.
    """
    sequences = list(dict.fromkeys(q for q, _ in keys))
    slices = list(dict.fromkeys(s for _, s in keys))
    turns = [*rng.permutation(sequences[1:]), sequences[0]]
    out = [Configuration(head, *keys[0], aggregators[0])]
    for i in range(draws - 1):
        drawn = _drawn(head, rng)
        where = str(turns[i % len(turns)]), str(rng.choice(slices))
        out.append(Configuration(drawn, *where, str(rng.choice(aggregators))))
    return out


def _drawn(head: Head, rng: np.random.Generator) -> Head:
    """The head with every hyper-parameter drawn that has a range, in the order of its fields."""
    drawn: Document = {}
    for f in fields(head):  # type: ignore[arg-type]
        search: Search | None = f.metadata.get("search")
        if search is not None:
            drawn[f.name] = search.draw(rng, getattr(head, f.name))
    changed: Head = replace(head, **drawn)  # type: ignore[type-var]
    return changed
