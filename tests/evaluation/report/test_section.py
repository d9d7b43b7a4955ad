"""A part of the report that is registered from outside stands in the page and in report.json, and nothing else was edited."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from report_material import a_run, context

from evaluation.report.compose import compose, load_sections
from evaluation.report.context import ReportContext
from evaluation.report.figures import Drawing, canvas, drawn
from evaluation.report.section import SECTIONS, Section, Sheet, section


@pytest.fixture
def registered() -> Iterator[None]:
    """What a test registers is taken out again."""
    load_sections()
    before = set(SECTIONS)
    yield
    for name in set(SECTIONS) - before:
        SECTIONS.unregister(name)


def a_drawing() -> Drawing:
    with canvas(2, 1) as fig:
        fig.subplots().plot([0, 1])
        return drawn(fig, "toy", "A toy", "a line")


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_a_section_from_outside_is_one_function_and_one_decorator() -> None:
    @section(order=65)
    def sizes_section(context: ReportContext) -> Section:
        rows = [[run.name, len(run.scored)] for run in context.runs]
        words = [f"Behind {context.sections[-1].title}."]
        sheets = [Sheet("Sizes", ("Run", "Results"), rows)]
        findings = ["A finding for the top."]
        return Section("sizes", "Sizes", words, sheets, [a_drawing()], {"runs": rows}, findings=findings)

    made = compose(context(a_run(n=24)))
    keys = [s.key for s in made.sections]
    assert keys[keys.index("heads") + 1] == "sizes"
    assert made.sections[keys.index("sizes")].words == ["Behind Head by head."]
    assert "sizes" in [s.key for s in made.in_json]
    assert made.verdict[-1] == "A finding for the top."


@pytest.mark.slow
@pytest.mark.usefixtures("registered")
def test_a_section_may_be_nothing_several_or_not_in_json() -> None:
    @section(order=1)
    def nothing(_: ReportContext) -> None:
        return None

    @section(order=2, in_json=False)
    def two(_: ReportContext) -> list[Section]:
        return [Section("a", "A", []), Section("b", "B", [])]

    made = compose(context(a_run(n=24)))
    assert [s.key for s in made.sections][:3] == ["a", "b", "results"]
    assert not {"a", "b", "results"} & {s.key for s in made.in_json}


@pytest.mark.usefixtures("registered")
def test_a_name_is_registered_once() -> None:
    def twin(_: ReportContext) -> None: ...

    section(order=1)(twin)
    with pytest.raises(ValueError, match="there is a section 'twin' already"):
        section(order=2)(twin)


def test_the_parts_of_the_project_have_places_of_their_own() -> None:
    load_sections()
    orders = sorted(maker.order for maker in SECTIONS.values())
    assert all(a < b for a, b in pairwise(orders))
    assert orders == [10.0 * k for k in range(1, 19)]
