"""What a part of the report says: words, tables and figures, apart from how they are laid out; and the registry of parts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from core.documents import Document
from core.leak import Leak
from core.predictions import ResultKey
from core.registry import Registry
from evaluation.report.figures import Drawing

if TYPE_CHECKING:
    from evaluation.report.context import ReportContext

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
    folded : shown closed, opened on demand; findings : sentences that belong into the verdict, too
    """

    key: str
    title: str
    words: list[str]
    sheets: list[Sheet] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    data: Document = field(default_factory=dict)
    folded: bool = False
    findings: list[str] = field(default_factory=list)


SectionFunction = Callable[["ReportContext"], Section | Sequence[Section] | None]


@dataclass(frozen=True)
class SectionMaker:
    """A function that makes a part of the report, and where the part stands.

    order : parts stand in its order; in_json : whether report.json has the part under its key
    """

    function: SectionFunction
    order: float
    in_json: bool


SECTIONS: Registry[SectionMaker] = Registry("section")


def section(order: float, *, in_json: bool = True) -> Callable[[SectionFunction], SectionFunction]:
    """Decorator that makes a function a part of every report, under the function's name.

    Parameters
    ----------
    order : where the part stands; those of the project have 10 (results), 20, ... 180 (provenance)
    in_json : False where report.json holds the same elsewhere already

    Returns
    -------
    A decorator that gives the function back as it was. The function takes the `ReportContext` and gives a `Section`,
    several of them, or None where there is nothing to say.

    Raises
    ------
    ValueError : where another part has the function's name

    Examples
    --------
    >>> @section(order=65)
    ... def sizes_section(context):
    ...     return Section("sizes", "Sizes", [f"{len(context.runs)} runs."])
    """

    def add(function: SectionFunction) -> SectionFunction:
        SECTIONS.register(function.__name__)(SectionMaker(function, order, in_json))
        return function

    return add


def result_name(key: ResultKey, runs: Collection[str] = (), leaks: Collection[str] | Mapping[str, Leak] = ()) -> str:
    """'boosted, T1wCE' of a result, with the run where there are several, and with its leak."""
    name = key.label(", ")
    if len(set(runs)) > 1:
        name += f" ({key.run})"
    return f"{name} LEAKS" if key.run in leaks else name


def with_run(run: str, name: str, *, several: bool) -> str:
    """'run: name' where there are several runs, else the name alone."""
    return f"{run}: {name}" if several else name
