"""Assessments -> the sections of the report that give the figures."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from core.metrics import METRICS
from core.text import counted, interval_text, number, p_text
from evaluation.report.figures import Drawing
from evaluation.report.section import Cell, Section, Sheet, result_name
from evaluation.report.verdict import NO_INTERVALS
from evaluation.statistics.assess import Assessment
from evaluation.statistics.compare import Comparison

MAIN_METRICS = ("auc", "accuracy")
RARE = 0.2  # share of a class below which a threshold of 0.5 is seldom crossed


def results_section(assessments: Sequence[Assessment], overview: Drawing, leaks: Collection[str] = ()) -> Section:
    """Every patient-level result: AUC and accuracy beside their baselines."""
    patients = [a for a in assessments if a.level == "patient"]
    rows = [
        [
            name,
            f"{a.n_patients} ({a.n_positive})",
            interval_text(a.by_fold),
            number(a.values["auc"]["estimate"]),
            interval_text(a.values["accuracy"]),
            number(a.majority_accuracy),
        ]
        for name, a in zip(_names(patients, leaks), patients, strict=True)
    ]
    most = max((a.replicates for a in patients), default=0)
    words = [
        "AUC by fold: the AUC of each test fold, averaged; each is computed within one model, and the interval allows for other patients, who "
        "would also have made other models. AUC pooled: all out-of-fold scores in one ranking, which compares scores of "
        "different fold models and is biased below 0.5 where there is nothing to find. Majority: the accuracy of always "
        "guessing the larger class.",
        (f"Intervals: 95 %; of the accuracy, percentile bootstrap over patients, {most} replicates. " if most else "")
        + _calls(patients),
        *_withheld(patients),
    ]
    columns = ("Result", "Patients (positive)", "AUC by fold", "AUC pooled", "Accuracy", "Majority")
    return Section("results", "Results", words, [Sheet("Patient level", columns, rows)], [overview])


def metrics_section(assessments: Sequence[Assessment], leaks: Collection[str] = ()) -> Section:
    """The other metrics of every patient-level result."""
    patients = [a for a in assessments if a.level == "patient"]
    others = [name for name in METRICS if name not in (*MAIN_METRICS, "brier")]  # with its parts under 'Calibration'
    rows = [
        [name, *(interval_text(a.values[m]) for m in others)]
        for name, a in zip(_names(patients, leaks), patients, strict=True)
    ]
    words = [
        f"95 % intervals: percentile bootstrap over patients. {_calls(patients)} By chance the average precision is the share of positives.",
        *_withheld(patients),
    ]
    sheet = Sheet("Further metrics, patient level", ("Result", *(METRICS[m][0] for m in others)), rows)
    return Section("metrics", "Further metrics", words, [sheet], folded=True)


def certainty_section(assessments: Sequence[Assessment], leaks: Collection[str] = ()) -> Section:
    """The intervals of the AUC that make different assumptions, and what this number of patients can show."""
    patients = [a for a in assessments if a.level == "patient"]
    rows = [
        [
            name,
            interval_text(a.by_fold),
            p_text(a.by_fold["p"]),
            _noise(a),
            _range(a.fold_auc_interval),
            interval_text(a.values["auc"]),
            _range(a.delong),
            number(a.power["half_width"], 2),
            number(a.power["detectable"], 2),
            "n/a" if a.power["patients_needed"] is None else f"{a.power['patients_needed']:.0f}",
        ]
        for name, a in zip(_names(patients, leaks), patients, strict=True)
    ]
    words = [
        "Two things are unsure: which patients were drawn, and which models they made. The interval of the AUC by fold "
        "allows for both: it says where the AUC would lie had other patients been drawn, to train on as well as to test on. p, two-sided, is that of an "
        "AUC of 0.5 by the same reckoning. Training noise is the share of a model that is owed to the patients it happened to train on (0: "
        "none, 1: all), told from how far the repeats disagree. These are few, so that the figure is rough; where it lies beyond 0 or 1 the "
        "bound stands for it and is no measurement; --repeats 5 tells it better. It is taken within each class, so that it can be high where 'Stability' "
        "finds that repeats agree: there the label and patients who are extreme for any model agree too. With a single repeat it is assumed to be 1, the most cautious. Where one fixed "
        "model was tested, as in a slice split, nothing is averaged over other training samples, and it is left out (0).",
        "The others take the fold models as given and are too narrow: the influence curve of the AUC by fold (LeDell, Petersen "
        "and van der Laan 2015), and for the pooled AUC the bootstrap over patients and DeLong's. In simulated cohorts without any "
        "effect (500 each of 40, 120 and 400 patients, logistic head, five folds) these three, called 95 %, contained 0.5 in 74 to "
        "86 % of the cohorts, the first interval in 94 to 95 %. One of the others that just clears 0.5 is no finding.",
        "Last, what this number of patients can show at all: the half-width of the interval, the smallest AUC that would be told "
        "from 0.5 four times in five, and how many patients, with the same share of positives, it would take to tell the AUC found here "
        "from 0.5 four times in five (n/a where it is not above 0.5).",
        *_withheld(patients),
    ]
    columns = (
        "Result", "AUC by fold", "p, two-sided", "Training noise", "Influence curve", "AUC pooled, bootstrap", "DeLong", "Half-width",
        "Smallest AUC detectable", "Patients needed",
    )  # fmt: skip
    if patients and all(a.few for a in patients):
        return Section("certainty", "How sure", _withheld(patients))
    return Section("certainty", "How sure", words, [Sheet("Intervals and power", columns, rows)])


def pairs_section(pairs: Sequence[Comparison]) -> Section:
    """Every pair of results with its paired tests."""
    several = [c.a[0] for c in pairs] + [c.b[0] for c in pairs]
    rows: list[list[Cell]] = [
        [
            f"{result_name(c.a, several)} against {result_name(c.b, several)}",
            c.n_patients,
            f"{number(c.difference)} ({number(c.low, 2)} to {number(c.high, 2)})",
            p_text(c.p),
            p_text(c.p_holm),
            f"{number(c.bootstrap_low, 2)} to {number(c.bootstrap_high, 2)}",
            p_text(c.p_delong),
            None if c.p_folds is None else p_text(c.p_folds),
            c.verdict,
        ]
        for c in pairs
    ]
    holm = f"; p is corrected by Holm's method over all {len(pairs)} pairs" * (len(pairs) > 1)
    words = [
        "Every pair of results on the patients that both have scores for. The interval and p (two-sided, as all here) of the difference of the AUCs by fold "
        f"allow for other training patients, as under 'How sure'{holm}. Beside them, taking "
        "the fold models as given and uncorrected: the bootstrap over patients, and DeLong's paired test of the pooled AUCs; and "
        "where folds are shared, Nadeau and Bengio's test over folds. Runs that leak are left out."
    ]
    columns = (
        "A against B", "Patients", "AUC A - AUC B (95 % CI)", "p", "p, Holm", "Bootstrap", "p, DeLong", "p by fold", "In words"
    )  # fmt: skip
    return Section("pairs", "Which is better", words, [Sheet(counted(len(pairs), "pair"), columns, rows)], folded=True)


def slices_section(assessments: Sequence[Assessment], leaks: Collection[str] = ()) -> Section:
    """The results counted by slice, for comparison only."""
    slices = [a for a in assessments if a.level == "slice"]
    rows: list[list[Cell]] = [
        [name, a.n_units, number(a.mean_fold_auc), *(interval_text(a.values[m]) for m in METRICS)]
        for name, a in zip(_names(slices, leaks), slices, strict=True)
    ]
    words = [
        "Slices of one patient share their label and much of their look, so that they are no independent cases; patients are "
        "drawn in the bootstrap here too. The figure under 'Results' shows the AUC by fold.",
        *_withheld(slices),
    ]
    columns = ("Result", "Slices", "AUC by fold", *("AUC pooled" if m == "auc" else METRICS[m][0] for m in METRICS))
    sheet = Sheet("Slice level, for comparison only", columns, rows)
    return Section("slices", "The same, counted by slice", words, [sheet], folded=True)


def heads_section(
    assessments: Sequence[Assessment], panels: Mapping[tuple[str, str, str], Drawing], training: Sequence[Drawing]
) -> Section:
    """The figures of each result, and how the dense head trained."""
    drawings = []
    for a in assessments:
        if a.level == "patient":
            p = panels[a.run, a.head, a.sequence]
            by_fold = ", ".join(number(x, 2) for x in a.fold_auc) or "no fold has both classes"
            drawings.append(replace(p, title=f"{p.title}. AUC by fold: {by_fold}."))
    words = [
        "Curves, matrix and histogram show the first repeat. Bands: pointwise 95 % over patients"
        + " (none with too few patients)" * any(a.few for a in assessments)
        + ". Dashed: chance."
        + " The loss and accuracy of the dense head by epoch follow." * bool(training)
    ]
    return Section("heads", "Head by head", words, drawings=[*drawings, *training])


def _calls(patients: Sequence[Assessment]) -> str:
    youden = bool(patients) and patients[0].threshold != "0.5"
    if youden:
        return "Calls at the threshold that is best on the other folds, in a tuned run on the inner folds (Youden)."
    rare = [a for a in patients if min(a.n_positive, a.n_patients - a.n_positive) < RARE * a.n_patients]
    return "Calls at threshold 0.5." + (
        f" With {rare[0].n_positive} positive of {rare[0].n_patients} patients hardly a score crosses 0.5, so accuracy, sensitivity "
        "and specificity say little at it; evaluate.py --threshold youden chooses the threshold on the other folds."
        if rare
        else ""
    )


def _withheld(results: Sequence[Assessment]) -> list[str]:
    """Why there is no interval, where that is so."""
    why = "with so few almost any AUC comes about by chance, and the formulas do not hold"
    return [f"n/a: {NO_INTERVALS}, nor p or power; {why}."] * any(a.few for a in results)


def _noise(a: Assessment) -> str:
    """Training noise, and whether it was measured."""
    u = a.by_fold["u"]
    if a.n_folds <= a.n_repeats:
        return "0 (one fixed model)"
    if a.n_repeats == 1:
        return "1 (assumed)"
    return f"{u:.0f} (bound)" if u in (0, 1) else number(u, 2)


def _range(interval: Mapping[str, float]) -> str:
    low, high = interval["low"], interval["high"]
    return f"{number(low, 2)}-{number(high, 2)}" if low == low else "n/a"


def _names(results: Sequence[Assessment], leaks: Collection[str]) -> list[str]:
    return [result_name((a.run, a.head, a.sequence), [b.run for b in results], leaks) for a in results]
