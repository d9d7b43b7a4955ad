"""Options as the fields of a dataclass: the command line, run.json, the documentation and Python read the same ones."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from numbers import Number
from pathlib import Path
from typing import Any

from core.documents import Document


@dataclass(frozen=True)
class Option:
    """How a field is asked for on a command line.

    help : a sentence without a full stop, or a function that gives it when it is asked for
    parse : text -> value, raises ValueError
    choices : the values allowed, or a function that gives them when they are asked for, so that what is registered later is
    among them
    many : several values; const : what the flag alone stands for; group : title of its part of the help
    flag : where it is not `--name`
    positional : given by its place, not by a flag; details : what docs/options.md says instead of the help, where that is more
    """

    help: str | Callable[[], str]
    parse: Callable[[str], Any] | None = None
    choices: Sequence[str] | Callable[[], Sequence[str]] | None = None
    metavar: str | None = None
    many: bool = False
    const: Any = None
    group: str = ""
    flag: str = ""
    positional: bool = False
    details: str = ""

    def words(self) -> str:
        """The help."""
        return self.help() if callable(self.help) else self.help

    def allowed(self) -> Sequence[str]:
        """The choices; none where anything goes."""
        return (self.choices() if callable(self.choices) else self.choices) or ()


def option(
    default: Any = MISSING,
    help: str | Callable[[], str] = "",
    *,
    factory: Callable[[], Any] | None = None,
    **about: Any,
) -> Any:
    """A dataclass field with its `Option`; `factory` makes a default that is no plain value, such as a list."""
    metadata = {"option": Option(help, **about)}
    if factory is not None:
        return field(default_factory=factory, metadata=metadata)
    return field(metadata=metadata) if default is MISSING else field(default=default, metadata=metadata)


def options_of(cls: type) -> Iterator[tuple[dataclasses.Field[Any], Option]]:
    """The fields that have an `Option`, in order."""
    for f in dataclasses.fields(cls):
        if "option" in f.metadata:
            yield f, f.metadata["option"]


def default_of(f: dataclasses.Field[Any]) -> Any:
    """The default of a field, None where it has none."""
    if f.default_factory is not MISSING:
        return f.default_factory()
    return None if f.default is MISSING else f.default


def required(f: dataclasses.Field[Any]) -> bool:
    """Whether a field has no default."""
    return f.default is MISSING and f.default_factory is MISSING


def check_choices(options: Any) -> None:
    """Raise ValueError for a value that is none of the choices of its field, or out of its limits, as a command line does."""
    for f, about in options_of(type(options)):
        value, allowed = getattr(options, f.name), about.allowed()
        flag = about.flag or f"--{f.name.replace('_', '-')}"
        if value is None:
            continue
        if about.many and (isinstance(value, str) or not isinstance(value, Iterable)):
            raise ValueError(f"{flag} {value!r}; expected a list of values")
        for one in value if about.many else [value]:
            if allowed and one not in allowed:
                raise ValueError(f"{flag} {one!r}; expected one of {', '.join(allowed)}")
            _check_limits(flag, about, one)


def _check_limits(flag: str, about: Option, value: Any) -> None:
    """Hold a number or a text to what the command line reads; what a parser made of a text is no text any more."""
    if about.parse is None or isinstance(about.parse, type):
        return
    if isinstance(value, bool) or not isinstance(value, Number | str):
        return
    try:
        about.parse(str(value))
    except ValueError as error:
        raise ValueError(f"{flag}: {error}") from None


def as_json(options: Any) -> Document:
    """The options of a dataclass as run.json keeps them: paths as texts."""
    return {f.name: _plain(getattr(options, f.name)) for f in dataclasses.fields(options)}


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def at_least(lowest: int) -> Callable[[str], int]:
    """Parses whole numbers from `lowest` up."""

    def whole_number(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = lowest - 1
        if value < lowest:
            raise ValueError(f"expected a whole number of at least {lowest}, got {text!r}")
        return value

    return whole_number


def above_zero(text: str) -> float:
    """Parses finite numbers above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"expected a number above 0, got {text!r}")
    return value
