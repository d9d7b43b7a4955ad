"""The results counted by slice, for comparison only."""

from __future__ import annotations

from core.metrics import METRICS
from core.text import interval_text, number
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet, section
from evaluation.report.words import names_of, withheld

MEANING = (
    "Slices of one patient share their label and much of their look, so that they are no independent cases; patients are "
    "drawn in the bootstrap here too. The figure under 'Results' shows the AUC by fold."
)


@section(order=50, in_json=False)
def slices_section(context: ReportContext) -> Section | None:
    """Every registered metric over slices; None where no run has slices."""
    slices = context.by_slice
    if not slices:
        return None
    rows: list[list[Cell]] = [
        [name, a.n_units, number(a.mean_fold_auc), *(interval_text(a.values[m]) for m in METRICS)]
        for name, a in zip(names_of(slices, context.leaks), slices, strict=True)
    ]
    titles = ["AUC pooled" if name == "auc" else metric.title for name, metric in METRICS.items()]
    sheet = Sheet("Slice level, for comparison only", ("Result", "Slices", "AUC by fold", *titles), rows)
    return Section("slices", "The same, counted by slice", [MEANING, *withheld(slices)], [sheet], folded=True)
