"""The intervals of the AUC that make different assumptions, and what this number of patients can show."""

from __future__ import annotations

from typing import NamedTuple

from core.text import interval_text, number, p_text, range_text
from evaluation.report.context import ReportContext
from evaluation.report.section import Section, Sheet, section
from evaluation.report.words import names_of, withheld
from evaluation.statistics.assess import Assessment


class Simulation(NamedTuple):
    """How often intervals called 95 % contained 0.5 in simulated cohorts without any effect, in per cent."""

    cohorts: int
    patients: tuple[int, ...]
    folds: str
    fixed_models: tuple[int, int]  # the intervals that take the fold models as given
    by_fold: tuple[int, int]  # the interval that allows for other training patients


# What benchmarks/evidence/simulation.py found, as docs/measured.md tells it.
SIMULATED = Simulation(cohorts=500, patients=(40, 120, 400), folds="five", fixed_models=(74, 86), by_fold=(94, 95))
NOISE = (
    "Two things are unsure: which patients were drawn, and which models they made. The interval of the AUC by fold "
    "allows for both: it says where the AUC would lie had other patients been drawn, to train on as well as to test on. p, two-sided, is that of an "
    "AUC of 0.5 by the same reckoning. Training noise is the share of a model that is owed to the patients it happened to train on (0: "
    "none, 1: all), told from how far the repeats disagree. These are few, so that the figure is rough; where it lies beyond 0 or 1 the "
    "bound stands for it and is no measurement; --repeats 5 tells it better. It is taken within each class, so that it can be high where 'Stability' "
    "finds that repeats agree: there the label and patients who are extreme for any model agree too. With a single repeat it is assumed to be 1, the most cautious. Where one fixed "
    "model was tested, as in a slice split, nothing is averaged over other training samples, and it is left out (0)."
)
POWER = (
    "Last, what this number of patients can show at all: the half-width of the interval, the smallest AUC that would be told "
    "from 0.5 four times in five, and how many patients, with the same share of positives, it would take to tell the AUC found here "
    "from 0.5 four times in five (n/a where it is not above 0.5)."
)
COLUMNS = (
    "Result", "AUC by fold", "p, two-sided", "Training noise", "Influence curve", "AUC pooled, bootstrap", "DeLong", "Half-width",
    "Smallest AUC detectable", "Patients needed",
)  # fmt: skip


def narrow_intervals() -> str:
    """What is known of the intervals that take the fold models as given."""
    *first, last = SIMULATED.patients
    narrow, wide = (f"{low} to {high} %" for low, high in (SIMULATED.fixed_models, SIMULATED.by_fold))
    return (
        "The others take the fold models as given and are too narrow: the influence curve of the AUC by fold (LeDell, Petersen "
        "and van der Laan 2015), and for the pooled AUC the bootstrap over patients and DeLong's. In simulated cohorts without any "
        f"effect ({SIMULATED.cohorts} each of {', '.join(map(str, first))} and {last} patients, logistic head, {SIMULATED.folds} folds) these three, called 95 %, "
        f"contained 0.5 in {narrow} of the cohorts, the first interval in {wide}. One of the others that just clears "
        "0.5 is no finding."
    )


@section(order=30, in_json=False)
def certainty_section(context: ReportContext) -> Section:
    """How sure each AUC is, by several intervals, and the power of this number of patients."""
    patients = context.patients
    if patients and all(a.few for a in patients):
        return Section("certainty", "How sure", withheld(patients))
    rows = [
        [
            name,
            interval_text(a.by_fold),
            p_text(a.by_fold["p"]),
            _noise(a),
            range_text(a.fold_auc_interval["low"], a.fold_auc_interval["high"]),
            interval_text(a.values["auc"]),
            range_text(a.delong["low"], a.delong["high"]),
            number(a.power["half_width"], 2),
            number(a.power["detectable"], 2),
            "n/a" if a.power["patients_needed"] is None else f"{a.power['patients_needed']:.0f}",
        ]
        for name, a in zip(names_of(patients, context.leaks), patients, strict=True)
    ]
    words = [NOISE, narrow_intervals(), POWER, *withheld(patients)]
    return Section("certainty", "How sure", words, [Sheet("Intervals and power", COLUMNS, rows)])


def _noise(a: Assessment) -> str:
    """Training noise, and whether it was measured."""
    u = a.by_fold["u"]
    if a.n_folds <= a.n_repeats:
        return "0 (one fixed model)"
    if a.n_repeats == 1:
        return "1 (assumed)"
    return f"{u:.0f} (bound)" if u in (0, 1) else number(u, 2)
