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


def range_text(low: float, high: float, digits: int = 2, between: str = "-") -> str:
    """'0.53-0.69'; 'n/a' where there is no range. Where signs may occur, `between` is ' to '."""
    return "n/a" if math.isnan(low) else f"{number(low, digits)}{between}{number(high, digits)}"


def signed_interval(value: Mapping[str, float], digits: int = 2) -> str:
    """'-0.12 (-0.29 to 0.04)' of {estimate, low, high} that may lie below 0; 'n/a' where there is no interval."""
    if math.isnan(value["low"]):
        return "n/a"
    middle, low, high = (round(value[k], digits) + 0.0 for k in ("estimate", "low", "high"))  # no '-0.00'
    return f"{number(middle, digits)} ({range_text(low, high, digits, ' to ')})"


def difference_text(difference: float, low: float, high: float) -> str:
    """'+0.031 (-0.02 to +0.08)' of a difference, which says its sign."""
    return f"{difference:+.3f} ({low:+.2f} to {high:+.2f})"


def printable(text: str) -> str:
    """A text that any terminal takes: names that are no UTF-8 are escaped."""
    return text.encode(errors="backslashreplace").decode()
