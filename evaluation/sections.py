"""What a part of the report says: words, tables and figures, apart from how they are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.figures import Drawing

Cell = str | int | float | None


@dataclass
class Sheet:
    """A table of the report. The first column names the row; a float is shown with three digits, None as n/a."""

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass
class Section:
    """A titled part of the report.

    words : paragraphs in plain text; data : what report.json holds under `key` (plain numbers, texts, lists and dicts);
    folded : shown closed, opened on demand
    """

    key: str
    title: str
    words: list[str]
    sheets: list[Sheet] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    folded: bool = False
