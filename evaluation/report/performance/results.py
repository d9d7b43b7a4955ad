"""The main table: every patient-level result beside its baselines, and their AUCs in one figure."""

from __future__ import annotations

from collections.abc import Container, Sequence

import numpy as np

from core.text import interval_text, number
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLANK, BLUE, GREY, ORANGE, Drawing, canvas, drawn
from evaluation.report.section import Section, Sheet, section
from evaluation.report.words import calls, names_of, withheld
from evaluation.statistics.assess import Assessment

COLUMNS = ("Result", "Patients (positive)", "AUC by fold", "AUC pooled", "Accuracy", "Majority")
MEANING = (
    "AUC by fold: the AUC of each test fold, averaged; each is computed within one model, and the interval allows for other patients, who "
    "would also have made other models. AUC pooled: all out-of-fold scores in one ranking, which compares scores of "
    "different fold models and is biased below 0.5 where there is nothing to find. Majority: the accuracy of always "
    "guessing the larger class."
)


@section(order=10, in_json=False)
def results_section(context: ReportContext) -> Section:
    """Every patient-level result: AUC and accuracy beside their baselines."""
    patients = context.patients
    rows = [
        [
            name,
            f"{a.n_patients} ({a.n_positive})",
            interval_text(a.by_fold),
            number(a.values["auc"]["estimate"]),
            interval_text(a.values["accuracy"]),
            number(a.majority_accuracy),
        ]
        for name, a in zip(names_of(patients, context.leaks), patients, strict=True)
    ]
    most = max((a.replicates for a in patients), default=0)
    intervals = ""
    if most:
        intervals = f"Intervals: 95 %; of the accuracy, percentile bootstrap over patients, {most} replicates. "
    words = [MEANING, intervals + calls(patients), *withheld(patients)]
    overview = forest([*patients, *context.by_slice], context.leaks)
    return Section("results", "Results", words, [Sheet("Patient level", COLUMNS, rows)], [overview])


def forest(assessments: Sequence[Assessment], leaks: Container[str] = ()) -> Drawing:
    """AUC with its interval for every head and sequence: patient level as dots, slice level as rings."""
    patients = [a for a in assessments if a.level == "patient"]
    slices = {a.key: a for a in assessments if a.level == "slice"}
    several = len({a.run for a in patients}) > 1
    few = all(a.few for a in patients)
    height = 0.9 + 0.4 * len(patients)
    with canvas(5.4, height) as fig:
        ax = fig.subplots()
        for i, a in enumerate(patients):
            colour = GREY if a.run in leaks else BLUE
            ax.plot([a.by_fold["low"], a.by_fold["high"]], [i, i], color=colour, lw=2, solid_capstyle="round")
            ax.plot(a.by_fold["estimate"], i, "o", color=colour, ms=6)
            if other := slices.get(a.key):
                ax.plot(other.mean_fold_auc, i, "o", mfc="none", mec=ORANGE, ms=6)
            name = a.key.label(", ") + (" (LEAKS)" if a.run in leaks else "")
            name = f"{a.run}: {name}" if several else name
            # above its line, so that a long name takes no room from the axis
            ax.text(0, i - 0.4, name, transform=ax.get_yaxis_transform(), va="center", fontsize=8).set_bbox(BLANK)
        ax.plot([], [], "o", color=BLUE, ms=6, label="patient" if few else "patient, 95 % interval")
        if slices:
            ax.plot([], [], "o", mfc="none", mec=ORANGE, ms=6, label="slice")
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0, label="chance")
        ax.set(xlabel="AUC by fold", ylim=(len(patients) - 0.5, -0.7), yticks=[])
        marks = [0.4, 0.6, *(a.by_fold[k] for a in patients for k in ("low", "high", "estimate"))]
        marks += [s.mean_fold_auc for s in slices.values()]
        ax.set_xlim(np.nanmin(marks) - 0.02, np.nanmax(marks) + 0.02)
        ax.spines["left"].set_visible(False)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1 + 0.45 / height), ncols=3)
        listed = "; ".join(f"{a.key.label()} {interval_text(a.by_fold)}" for a in patients)
        title = "AUC by fold of every result" + ("" if few else ", with its 95 % interval")
        return drawn(fig, "auc", title, f"AUC by fold of every result: {listed}")
