"""Cells of CSV files that a spreadsheet would take for a formula, and back."""

from __future__ import annotations

import re
from collections.abc import Sequence

_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def neutral(cell: object) -> object:
    """A text that starts as a formula does gets an apostrophe before it, so that it stays text; numbers stay numbers.

    One that has apostrophes there already gets one more, so that `original` knows the way back.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """The text that `neutral` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def originals(column: Sequence[str]) -> Sequence[str]:
    """The texts of a column that `neutral` may or may not have written.

    Where one of them starts as a formula does, nobody put apostrophes there, and all stay as they are.
    """
    if any(_FORMULA.match(cell) and not cell.startswith("'") for cell in column):
        return column
    return [original(cell) for cell in column]
