"""What a training says of itself as it goes on: values, which cli turns into words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from features.copies.duplicates import Pair
from features.labels import Join


@dataclass(frozen=True)
class Joined:
    """Features and labels were joined by their ids."""

    join: Join


@dataclass(frozen=True)
class WithoutSlices:
    """Patients have no usable slice in a sequence."""

    sequence: str
    patients: Sequence[str]


@dataclass(frozen=True)
class Compared:
    """All patients were compared with all others; of_rows : by rows of a table, not by images."""

    pairs: Sequence[Pair]
    labels: Mapping[str, int]
    seconds: float
    of_rows: bool


@dataclass(frozen=True)
class FoldNote:
    """The folds are not quite those that were asked for."""

    note: str


@dataclass(frozen=True)
class Separated:
    """A split file puts patients that share images into different folds."""

    file: Path
    patients: Sequence[str]


@dataclass(frozen=True)
class Fitting:
    """Heads are being fitted.

    n : how many times; heads, sequences : which, and on what; configurations : of each head, drawn on inner folds; None
    where heads are fitted as given
    """

    n: int
    heads: Sequence[str]
    sequences: Sequence[str]
    configurations: int | None = None


@dataclass(frozen=True)
class FittingAcquisition:
    """Heads are being fitted on how the scans were made."""

    n: int
    heads: Sequence[str]


@dataclass(frozen=True)
class DrawingCurve:
    """Heads are being fitted on a part of the training patients."""

    sizes: int
    heads: Sequence[str]
    sequences: Sequence[str]


@dataclass(frozen=True)
class Shuffling:
    """Everything is being made again with shuffled labels; slow : a head is fitted one by one."""

    n: int
    heads: Sequence[str]
    slow: bool


@dataclass(frozen=True)
class Demonstrating:
    """Heads are being fitted under slice split and patient split."""

    heads: Sequence[str]
    sequences: Sequence[str]
    draws: int


Event = (
    Joined
    | WithoutSlices
    | Compared
    | FoldNote
    | Separated
    | Fitting
    | FittingAcquisition
    | DrawingCurve
    | Shuffling
    | Demonstrating
)
Tell = Callable[[Event], None]


def silent(event: Event) -> None:
    """Say nothing."""
