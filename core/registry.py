"""Things of one kind by name, which anybody may add to: heads, backbones, aggregators, metrics, report sections."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Names and what they stand for, in the order of registration.

    Parameters
    ----------
    kind : what one entry is, for errors: 'head'
    homes : {name: module whose import registers it}, of the entries that come with the project; a module is imported when its
        entry is asked for, and these names come first, in this order

    Examples
    --------
    >>> HEADS: Registry[type] = Registry("head")
    >>> @HEADS.register("forest")
    ... class Forest: ...
    """

    def __init__(self, kind: str, homes: Mapping[str, str] | None = None) -> None:  # noqa: D107
        self.kind = kind
        self._homes = dict(homes or {})
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator that adds what it decorates under `name`. Raises ValueError where another thing has that name."""

        def add(entry: T) -> T:
            if name in self._entries or (name in self._homes and not _lives_in(entry, self._homes[name])):
                raise ValueError(f"there is a {self.kind} {name!r} already; choose another name")
            self._entries[name] = entry
            return entry

        return add

    def unregister(self, name: str) -> None:
        """Take an entry out again, for tests and notebooks."""
        del self._entries[name]

    def __getitem__(self, name: str) -> T:
        """The entry. Raises ValueError that lists the names, where there is none."""
        if name not in self:
            raise ValueError(f"unknown {self.kind} {name!r}; expected one of {', '.join(self)}")
        if name not in self._entries:
            import_module(self._homes[name])
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._homes

    def __iter__(self) -> Iterator[str]:
        return iter([*self._homes, *(name for name in self._entries if name not in self._homes)])

    def __len__(self) -> int:
        return len(list(iter(self)))


def _lives_in(entry: object, module: str) -> bool:
    return f"{getattr(entry, '__module__', '')}.".startswith(f"{module}.")
