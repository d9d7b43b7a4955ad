"""What a head is: a frozen dataclass of hyper-parameters that fits, what it gives, what it can do, and the registry.

A new head is one file: a dataclass under `@HEADS.register("name")`, whose fields are `hyperparameter`s. The flags of the
command line, what --tune draws, the documentation and the kind in a saved file follow from it.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.registry import Registry
from heads.standardise import Floats, Ids, Matrix

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]
Curve = list[dict[str, float]]


class Fitted(Protocol):
    """A fitted head: scores rows, and can be written as plain arrays and made again from them."""

    def scores(self, X: Matrix) -> NDArray[np.float64]:
        """(n, d) -> (n,) probability of the positive class."""
        ...

    def arrays(self) -> Arrays:
        """What `from_arrays` needs to make this head again."""
        ...

    @classmethod
    def from_arrays(cls, a: Arrays, /) -> Fitted:
        """The inverse of `arrays`. Raises ValueError for arrays of another kind."""
        ...


class Head(Protocol):
    """A head before it is fitted: its hyper-parameters are the fields of a frozen dataclass.

    A class may say more of itself: `fitted`, the class of what `fit` gives (without it the head cannot be saved), and
    `capabilities`.
    """

    @property
    def name(self) -> str:
        """The name under which it is registered."""
        ...

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
    ) -> tuple[Fitted, Curve]:
        """Fit on all rows.

        Parameters
        ----------
        X : (n, d) float32, NaN where a value is missing
        y : (n,) 0 or 1
        weight : (n,) under which each patient's rows sum to 1
        patient : (n,) ids
        seed : of whatever is drawn at random
        view : (n,) int16, 0 for an image itself, else an augmented view
        validation : row numbers to watch; given only to heads that stop early

        Returns
        -------
        The fitted head, and its training curve: one dict per epoch with epoch, loss, accuracy, and val_loss, val_accuracy
        where there is validation. [] where there is none.

        Raises
        ------
        ValueError : it does not converge
        """
        ...


class BatchedHead(Head, Protocol):
    """A head that fits many label shuffles at once; by default its result is held against 200 of them."""

    def batched(self, X: Floats, weight: Floats) -> BatchedScores:
        """A solver for one table; weight : (n,), of every row while it trains."""
        ...


class BatchedScores(Protocol):
    """Many heads of one kind on one table."""

    def scores(self, y: NDArray[np.integer], train: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(n, B) probabilities of all rows under B heads, each fitted on its own labels y (n, B) and rows train (n, B)."""
        ...


@dataclass(frozen=True)
class Requirement:
    """A library that not everybody has.

    module : as it is imported; name : as people write it; install : the command that brings it
    """

    module: str
    name: str
    install: str


@dataclass(frozen=True)
class Capabilities:
    """What the rest of the project may do with a head.

    Parameters
    ----------
    linear : its fitted form has `coef` and `intercept` on standardised columns, so that scores can be explained; the heads
        of the folds are kept
    early_stopping : it watches the validation rows that a split reserves; other heads do not see them
    own_process : its library keeps threads for a whole process, so that several jobs need a process each
    cheap : it fits in seconds, so that the acquisition baseline and learning curves are made with it too
    requires : what must be installed
    """

    linear: bool = False
    early_stopping: bool = False
    own_process: bool = False
    cheap: bool = True
    requires: Requirement | None = None


class HeadRegistry(Registry[type[Head]]):
    """The heads by name. `@HEADS.register("forest")` gives a class the name too."""

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that adds a class. Raises ValueError for a name that is taken, or that is no word for a flag and a file."""
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"a head cannot be called {name!r}; expected small letters, digits and _")
        add: Callable[[T], T] = super().register(name)  # type: ignore[assignment]

        def named(cls: T) -> T:
            cls.name = name  # type: ignore[attr-defined]
            return add(cls)

        return named


HEADS = HeadRegistry("head", {name: f"{__package__}.{name}" for name in ("dense", "logistic", "boosted")})
_DEFAULT: Capabilities = Capabilities()


def capabilities(head: Head | type[Head]) -> Capabilities:
    """What a head can do; the defaults of `Capabilities` where its class does not say."""
    found: Capabilities = getattr(head, "capabilities", _DEFAULT)
    return found


def shuffles_at_once(head: Head) -> bool:
    """Whether a head is a `BatchedHead`."""
    return hasattr(head, "batched")


def check_heads(names: Sequence[str]) -> None:
    """Look at heads before anything is fitted.

    Parameters
    ----------
    names : of registered heads

    Raises
    ------
    ValueError : a name is unknown, a library is not installed, or what a head fits cannot be saved
    """
    for name in names:
        needs = capabilities(HEADS[name]).requires
        if needs is not None and importlib.util.find_spec(needs.module) is None:
            others = " ".join(n for n in HEADS if capabilities(HEADS[n]).requires is None)
            raise ValueError(f"the {name} head needs {needs.name}: {needs.install}, or pass --head {others}")
        saved_as(name)


def saved_as(name: str) -> type[Fitted]:
    """The class of what a head fits, which reads it from a file.

    Raises
    ------
    ValueError : the head has none, or one without `arrays` and `from_arrays`
    """
    cls: type[Fitted] | None = getattr(HEADS[name], "fitted", None)
    lacking = [part for part in ("scores", "arrays", "from_arrays") if not callable(getattr(cls, part, None))]
    if cls is None or lacking:
        what = (
            f"has no {', '.join(lacking)}" if cls is not None else "is not known: its class has no attribute `fitted`"
        )
        raise ValueError(
            f"the {name} head cannot be saved: what it fits {what}. Give {HEADS[name].__name__}.fitted a class with scores, "
            "arrays and from_arrays (heads/logistic.py is the shortest example)"
        )
    return cls
