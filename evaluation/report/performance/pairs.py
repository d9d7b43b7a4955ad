"""Which of two results is better, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence

from core.text import counted, number, p_text, range_text
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet, result_name, section
from evaluation.statistics.compare import Comparison
from evaluation.statistics.power import FEW_PATIENTS

TEST = "two-sided paired test on the same patients"
COLUMNS = (
    "A against B", "Patients", "AUC A - AUC B (95 % CI)", "p", "p, Holm", "Bootstrap", "p, DeLong", "p by fold", "In words"
)  # fmt: skip


@section(order=40, in_json=False)
def pairs_section(context: ReportContext) -> Section | None:
    """Every pair of results with its paired tests; None without a pair."""
    pairs = context.pairs
    if not pairs:
        return None
    several = [run for c in pairs for run in (c.a.run, c.b.run)]
    rows: list[list[Cell]] = [
        [
            f"{result_name(c.a, several)} against {result_name(c.b, several)}",
            c.n_patients,
            f"{number(c.difference)} ({range_text(c.low, c.high, between=' to ')})",
            p_text(c.p),
            p_text(c.p_holm),
            range_text(c.bootstrap_low, c.bootstrap_high, between=" to "),
            p_text(c.p_delong),
            None if c.p_folds is None else p_text(c.p_folds),
            better_said(c),
        ]
        for c in pairs
    ]
    holm = f"; p is corrected by Holm's method over all {len(pairs)} pairs" if len(pairs) > 1 else ""
    words = [
        "Every pair of results on the patients that both have scores for. The interval and p (two-sided, as all here) of the difference of the AUCs by fold "
        f"allow for other training patients, as under 'How sure'{holm}. Beside them, taking "
        "the fold models as given and uncorrected: the bootstrap over patients, and DeLong's paired test of the pooled AUCs; and "
        "where folds are shared, Nadeau and Bengio's test over folds. Runs that leak are left out."
    ]
    sheet = Sheet(counted(len(pairs), "pair"), COLUMNS, rows)
    return Section("pairs", "Which is better", words, [sheet], folded=True)


def better_said(c: Comparison) -> str:
    """Which of two results ranks patients better."""
    if c.better is None:
        return "no detectable difference"
    return f"{c.better.label()} ({c.better.run}) ranks patients better"


def pairs_sentence(pairs: Sequence[Comparison]) -> str:
    """All comparisons in one sentence, smallest p first."""
    if not pairs:
        return f"Results are not compared: that takes {FEW_PATIENTS} patients per class, and 2 of each in every fold."
    different = [c for c in pairs if c.different]
    if not different and len(pairs) == 1:
        return f"Between the two results there is no detectable difference ({TEST})."
    if not different:
        return f"Among {len(pairs)} pairs of results there is no detectable difference ({TEST}, Holm's correction)."
    first = different[0]
    if len(pairs) == 1:
        return f"The two results differ detectably ({TEST}): {better_said(first)}."
    return (
        f"{len(different)} of {len(pairs)} pairs of results differ detectably ({TEST}, Holm's correction), first of all "
        f"{first.a.label()} ({first.a.run}) and {first.b.label()} ({first.b.run}): {better_said(first)}."
    )
