"""The fields of a head: their flags, their ranges for --tune, and heads made of values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import numpy as np

from core.documents import Document, Known
from core.options import Option
from heads.base import HEADS, Head

T = TypeVar("T")


class Search(Protocol):
    """A range that --tune draws a hyper-parameter from; see `heads.search.space`."""

    def draw(self, rng: np.random.Generator, given: Any) -> Any:
        """A value; `given` is the one that the user asked for."""
        ...


@dataclass(frozen=True)
class Hyperparameter:
    """One field of a head.

    head, field : whose it is; dest : its name among the options and in run.json; option : its flag, help and parser, None
    where the command line does not ask for it; search : the range that --tune draws from, None where it is not tuned
    """

    head: str
    field: str
    dest: str
    default: Any
    option: Option | None
    search: Search | None


def hyperparameter(default: T, help: str, *, search: Search | None = None, flag: str | None = "", **about: Any) -> Any:
    """A field of a head.

    Parameters
    ----------
    default : its value where nobody asks for another
    help : a sentence without a full stop
    search : the range that --tune draws from; without one it stays as it is given
    flag : on the command line; "" for `--<head>-<field>`, None for no flag
    about : further parts of `core.options.Option`: parse, choices, metavar, many

    Returns
    -------
    A dataclass field.
    """
    option = None if flag is None else Option(help, flag=flag, group="heads", **about)
    return dataclasses.field(default=default, metadata={"hyperparameter": option, "help": help, "search": search})


def hyperparameters(name: str) -> Iterator[Hyperparameter]:
    """The fields of a head that are `hyperparameter`s, in order."""
    for f in dataclasses.fields(HEADS[name]):  # type: ignore[arg-type]
        if "hyperparameter" in f.metadata:
            option: Option | None = f.metadata["hyperparameter"]
            own = option is None or not option.flag
            if option is not None and own:
                option = dataclasses.replace(option, flag=f"--{name}-{f.name}".replace("_", "-"))
            dest = f"{name}_{f.name}" if own else f.name
            yield Hyperparameter(
                head=name, field=f.name, dest=dest, default=f.default, option=option, search=f.metadata["search"]
            )


def make_head(name: str, values: Known) -> Head:
    """A head with hyper-parameters.

    Parameters
    ----------
    name : of a registered head
    values : {`dest` of a hyper-parameter: value}; those of other heads are passed over, and those that are not named keep
        their defaults

    Raises
    ------
    ValueError : the name is unknown
    """
    chosen = {h.field: values[h.dest] for h in hyperparameters(name) if h.dest in values}
    make: Callable[..., Head] = HEADS[name]
    return make(**{k: tuple(v) if isinstance(v, list) else v for k, v in chosen.items()})


def parameters_of(head: Head) -> Document:
    """{field: value} of a head."""
    return {f.name: getattr(head, f.name) for f in dataclasses.fields(head) if f.name != "name"}  # type: ignore[arg-type]
