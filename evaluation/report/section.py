"""What a part of the report says: words, tables and figures, apart from how they are laid out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from core.predictions import head_on
from evaluation.report.figures import Drawing

Cell = str | int | float | None


@dataclass
class Sheet:
    """A table of the report. The first column names the row; a float is shown with three digits, None as n/a.

    browse : what a row is ('patients') in a table that can be sorted, and filtered by its first column; '' for a plain one
    choice : the column whose values can be chosen from, in a table to browse
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    browse: str = ""
    choice: str = ""


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


def positive(question: str) -> str:
    """What label 1 stands for: 'MGMT Methylated' of the question 'MGMT Methylated against Unmethylated'."""
    return question.partition(" against ")[0]


def result_name(key: tuple[str, str, str], runs: Collection[str] = (), leaks: Collection[str] = ()) -> str:
    """'boosted, T1wCE' of a (run, head, sequence), with the run where there are several, and with its leak."""
    run, head, sequence = key
    return f"{head_on(head, sequence, ', ')}{f' ({run})' * (len(set(runs)) > 1)}{' LEAKS' * (run in leaks)}"
