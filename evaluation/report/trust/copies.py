"""Patients of a cohort that share images: what training found, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from core.documents import Document
from core.text import counted
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet, section
from evaluation.statistics.controls.copies import CopiesFound, Likeness, SharedSeries, copies_found

COLUMNS = ("Patient", "Shares images with", "Sequence", "How", "Slices", "Labels", "Run")
ROWS = "Rows of the table were compared by all their values; a patient measured twice with other values is not found."
HOW = {
    Likeness.EXACT: "identical pixels",
    Likeness.NEAR: "nearly identical",
    Likeness.ROW: "all values equal",
}


@section(order=140)
def disjoint_section(context: ReportContext) -> Section:
    """Whether one patient stands in a cohort under two names, run by run, from `duplicates` in run.json.

    Runs of older versions did not look; the section says so. Conflicts of labels and copies in different folds are findings.
    """
    found = [copies_found(run) for run in context.runs]
    findings = [sentence for f in found for sentence in _alarms(f)]
    rows = [_row(f.run, s) for f in found for s in f.series]
    data: Document = {
        "findings": findings,
        "runs": {run.name: run.about.get("duplicates") for run in context.runs},
    }
    sheets = [Sheet("Patients that share images", COLUMNS, rows)] if rows else []
    words = [*map(_said, found), *findings]
    title = "One patient under two names"
    return Section("duplicates", title, words, sheets, data=data, folded=not rows, findings=findings)


def _said(f: CopiesFound) -> str:
    if not f.looked:
        return f"{f.run} was trained by an older version, which did not look for copies of patients."
    test = ROWS if f.of_rows else f.test
    if not f.patients:
        return f"{f.run}: no patient is a copy of another under a different id. {test}"
    apart = "; each group of them is in one fold" if f.kept_together else ""
    same = "row" if f.of_rows else "images"
    return f"{f.run}: {counted(f.patients, 'pair')} of patients with the same {same} under different ids{apart}. {test}"


def _alarms(f: CopiesFound) -> list[str]:
    out = []
    if f.conflicts:
        named = "; ".join(f"{a} ({of_a}) and {b} ({of_b})" for (a, of_a), (b, of_b) in f.conflicts)
        out.append(f"{f.run}: LABEL CONFLICT: the same images have different labels, so one is wrong: {named}.")
    if f.separated:
        out.append(
            f"{f.run}: LEAKS: its split file puts patients that share images into different folds: {', '.join(f.separated)}."
        )
    return out


def _row(run: str, s: SharedSeries) -> Sequence[Cell]:
    slices = "" if s.how is Likeness.ROW else f"{s.n} of {s.of}"
    return s.a, s.b, s.sequence, HOW[s.how], slices, f"{s.labels[0]}, {s.labels[1]}", run
