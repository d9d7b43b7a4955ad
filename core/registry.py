"""Things of one kind by name, which anybody may add to: heads, backbones, aggregators, metrics, report sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Names and what they stand for, in the order of registration.

    Parameters
    ----------
    kind : what one entry is, for errors: 'head'

    Examples
    --------
    >>> HEADS: Registry[type] = Registry("head")
    >>> @HEADS.register("forest")
    ... class Forest: ...
    """

    def __init__(self, kind: str) -> None:  # noqa: D107
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that adds what it decorates under `name`. Raises ValueError where another thing has that name."""

        def add(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"there is a {self.kind} {name!r} already; choose another name")
            self._entries[name] = entry
            return entry

        return add

    def unregister(self, name: str) -> None:
        """Take an entry out again, for tests and notebooks."""
        del self._entries[name]

    def __getitem__(self, name: str) -> T:
        """The entry. Raises ValueError that lists the names, where there is none."""
        if name not in self._entries:
            raise ValueError(f"unknown {self.kind} {name!r}; expected one of {', '.join(self._entries)}")
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
