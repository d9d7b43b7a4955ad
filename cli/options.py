"""Dataclasses of options -> argparse, and back."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

from core.documents import Document
from core.options import Option, default_of, options_of, required

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser, *classes: type) -> None:
    """Add an argument for each field of the dataclasses; fields of one group stand together in the help."""
    groups: Document = {"": parser}
    there: set[str] = set()
    for cls in classes:
        for f, about in options_of(cls):
            if f.name in there:
                continue  # two classes share it: one flag
            there.add(f.name)
            if about.group not in groups:
                groups[about.group] = parser.add_argument_group(about.group)
            _add(groups[about.group], f.name, about, default_of(f), required(f))


def _add(group: Any, name: str, about: Option, default: Any, required: bool) -> None:
    settings: Document = {"dest": name, "help": about.words(), "required": required}
    if default is False:
        settings["action"] = "store_true"
    else:
        settings |= {"metavar": about.metavar, "default": default, "choices": tuple(about.allowed()) or None}
        if about.parse is not None:
            settings["type"] = (
                about.parse if isinstance(about.parse, type) else typed(about.parse)
            )  # argparse knows int
        if about.const is not None:
            settings |= {"nargs": "?", "const": about.const}
        if about.many:
            settings["nargs"] = "*" if about.positional and default == [] else "+"
    if about.positional:
        del settings["dest"], settings["required"]
    action = group.add_argument(name if about.positional else _flag(name, about), **settings)
    action.details = about.details  # for the page of all options


def _flag(name: str, about: Option) -> str:
    return about.flag or f"--{name.replace('_', '-')}"


def typed(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """`parse` as argparse wants it: its ValueError is the message."""

    def typed(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return typed


def options_from(cls: type[T], given: argparse.Namespace) -> T:
    """The dataclass of what was given on the command line."""
    return cls(**{f.name: getattr(given, f.name) for f, _ in options_of(cls)})
