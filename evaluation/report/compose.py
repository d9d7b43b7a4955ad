"""A report: every registered part in order, and the words that lead it."""

from __future__ import annotations

import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from evaluation.report import performance, trust
from evaluation.report.context import ReportContext
from evaluation.report.section import SECTIONS, Section, SectionMaker
from evaluation.report.verdict import verdict_words


@dataclass(frozen=True)
class Composed:
    """The parts of a report in order, those of them that report.json holds under their keys, and the words that lead."""

    sections: list[Section]
    in_json: list[Section]
    verdict: list[str]


def load_sections() -> None:
    """Import the parts that come with the project: every module of `performance` and `trust` registers its own."""
    for package in (performance, trust):
        for module in pkgutil.iter_modules(package.__path__):
            import_module(f"{package.__name__}.{module.name}")


def compose(context: ReportContext) -> Composed:
    """Make every registered part, in their order.

    Parameters
    ----------
    context : of the report; `context.sections` grows by each part that is made

    Returns
    -------
    The parts and the words that lead them.
    """
    load_sections()
    in_json = []
    for maker in sorted(SECTIONS.values(), key=_order):
        made = maker.function(context)
        new = [] if made is None else [made] if isinstance(made, Section) else list(made)
        context.sections.extend(new)
        if maker.in_json:
            in_json += new
    return Composed(context.sections, in_json, lead(context, context.sections))


def lead(context: ReportContext, sections: Sequence[Section]) -> list[str]:
    """The verdict in words, how the results compare, and what parts of the report found that belongs at the top."""
    from evaluation.report.performance.pairs import pairs_sentence

    words = verdict_words(context.verdicts, context.leaks, random_weights=context.random_weights)
    if len(context.honest) > 1:
        words.append(pairs_sentence(context.pairs))
    return words + [finding for s in sections for finding in s.findings]


def _order(maker: SectionMaker) -> float:
    return maker.order
