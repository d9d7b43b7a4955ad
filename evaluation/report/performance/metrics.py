"""The metrics that the main table does not show."""

from __future__ import annotations

from core.metrics import METRICS
from core.text import interval_text
from evaluation.report.context import ReportContext
from evaluation.report.section import Section, Sheet, section
from evaluation.report.words import calls, names_of, withheld

ELSEWHERE = ("auc", "accuracy", "brier")  # in the main table, and with its parts under 'Calibration'


@section(order=20, in_json=False)
def metrics_section(context: ReportContext) -> Section:
    """Every registered metric of every patient-level result, but for those that other parts show."""
    patients = context.patients
    others = [name for name in METRICS if name not in ELSEWHERE]
    rows = [
        [name, *(interval_text(a.values[m]) for m in others)]
        for name, a in zip(names_of(patients, context.leaks), patients, strict=True)
    ]
    words = [
        f"95 % intervals: percentile bootstrap over patients. {calls(patients)} By chance the average precision is the share of positives.",
        *withheld(patients),
    ]
    sheet = Sheet("Further metrics, patient level", ("Result", *(METRICS[m].title for m in others)), rows)
    return Section("metrics", "Further metrics", words, [sheet], folded=True)
