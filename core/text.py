"""Numbers, counts and lists of names as people read them, for every layer alike."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping


def some(names: Iterable[str], most: int = 8, comma: str = ", ") -> str:
    """The first names, and how many more there are: 'a, b and 3 more'."""
    listed = list(names)
    return comma.join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def counted(n: int, what: str) -> str:
    """'1 pair', '3 pairs'."""
    return f"{n} {what}{plural(n)}"


def plural(n: int) -> str:
    """The s of a plural, nothing for one."""
    return "" if n == 1 else "s"


def number(x: float | None, digits: int = 3) -> str:
    """Fixed digits; 'n/a' where there is no number."""
    return "n/a" if x is None or math.isnan(x) else f"{x:.{digits}f}"


def p_text(p: float) -> str:
    """'0.034', or '< 0.001'."""
    return "< 0.001" if p < 0.001 else number(p)


def p_said(p: float) -> str:
    """'p = 0.034', or 'p < 0.001'."""
    return f"p {'' if p_text(p).startswith('<') else '= '}{p_text(p)}"


def interval_text(value: Mapping[str, float]) -> str:
    """'0.612 (0.53-0.69)' of {estimate, low, high}; without an interval, or with one without width: '0.612 (n/a)'."""
    if not value["low"] < value["high"]:
        return f"{number(value['estimate'])} (n/a)"
    digits = 2 if value["high"] - value["low"] >= 0.02 else 3  # so that the estimate lies inside
    return f"{number(value['estimate'])} ({number(value['low'], digits)}-{number(value['high'], digits)})"


def printable(text: str) -> str:
    """A text that any terminal takes: names that are no UTF-8 are escaped."""
    return text.encode(errors="backslashreplace").decode()
