"""What was tried, on which folds, and how often the reported folds were looked at, in words and as tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.documents import Document
from core.text import counted, number, some
from evaluation.neighbours import neighbours
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet, result_name, section
from evaluation.statistics.controls.multiplicity import Choice, Looks, Tried, TunedResult, count_tried, tuned_results

TITLES = {
    "head": "head",
    "sequence": "sequence",
    "slices": "slices",
    "aggregate": "aggregator",
}  # of the ledger's columns
WORTH = ("result", "folds", "AUC on inner folds, of the chosen", "AUC on the reported folds, by fold")
CHOSEN = ("result", "what", "choice")
STABLE = 0.8  # share of folds that choose alike


@section(order=130)
def ledger_section(context: ReportContext) -> Section:
    """How many configurations were tried and where, how often the reported folds were looked at in all, and what was chosen.

    The runs of the report and what they record count. Other runs in the same folder are named in one line, and count for
    nothing: the same runs give the same report wherever they lie.
    """
    names, leaks = [run.name for run in context.runs], context.leaks
    words = [_tried(run.name, count_tried(run), leaks=run.name in leaks) for run in context.runs]
    words += [_looked(looks, question=len(context.looks) > 1) for looks in context.looks]
    if leaks:
        words.append(f"Runs that leak ({', '.join(leaks)}) are no candidates and are not counted.")
    worth: list[list[Cell]] = []
    choices: list[list[Cell]] = []
    for found in [t for run in context.runs for t in tuned_results(run)]:
        name = result_name(found.key, names)
        worth.append([name, found.folds, *(None if math.isnan(x) else x for x in (found.inner, found.outer))])
        words.append(_stability(name, found) + _worth(found))
        choices += _choices(name, found)
    sheets = []
    if worth:
        sheets.append(Sheet("What choosing the best on inner folds was worth on the reported ones", WORTH, worth))
        sheets.append(Sheet("What was chosen (in how many folds)", CHOSEN, choices))
    if beside := neighbours(context.runs):
        words.append(BESIDE.format(names=some(beside)))
    data = {
        "looks": [_data(looks) for looks in context.looks],
        "choices": [dict(zip(CHOSEN, c, strict=True)) for c in choices],
    }
    return Section("ledger", "What was tried", words, sheets, data=data)


BESIDE = (
    "In the same folder other runs ask the same question of the same labels, and count for nothing here: {names}. Who picks the best "
    "of them all should give them all to one report."
)


def _tried(run: str, tried: Tried, *, leaks: bool) -> str:
    if tried.inner is None and tried.results == 1:
        return f"{run}: one configuration was tried, on the reported folds."
    if tried.inner is None:
        hint = "" if leaks else "; train_head.py --tune chooses on inner folds instead"
        return (
            f"{run}: {tried.results} configurations were tried, all of them on the reported folds. The highest of them is partly "
            f"luck{hint}."
        )
    text = (
        f"{run}: {tried.inner} configurations were tried, {tried.inner // max(1, tried.folds)} in each of {counted(tried.folds, 'fold')}, all of them on inner folds "
        f"of its training patients; a threshold was chosen there too, which --threshold youden uses. The reported folds were scored once for "
        f"each of {counted(tried.results, 'result')}. Another {tried.refit} were tried "
        "on inner folds of all patients, for the heads that meet new patients. Scores of different folds come from different "
        "configurations, so read the AUC by fold rather than the pooled one, which ranks them together."
    )
    if tried.chooses_head:
        text += " The head called chosen is in each fold the one that was best on the inner folds: the answer to the best of all."
    if tried.stand_ins:
        text += (
            f" {tried.stand_in_patients} patients lack a sequence that was chosen; {tried.stand_ins} of the scores come from the "
            "best configuration of a sequence that they have. An AUC on inner folds is of the patients who have the sequence."
        )
    return text


def _looked(looks: Looks, *, question: bool) -> str:
    about = f"{looks.question}: in" if question else "In"
    return (
        f"{about} all, the reported folds of these {looks.patients} patients were looked at {_times(looks.total)}: {looks.results} by "
        f"the results of this report, {looks.replaced} by runs that these replaced. Runs that were deleted or lie elsewhere are not known."
    )


def _stability(name: str, found: TunedResult) -> str:
    most = [(TITLES[c.column], *c.counts[0]) for c in found.choices]
    if not most:
        return f"{name}: only hyper-parameters were there to choose."
    stable = [f"{title} {value} in {n}" for title, value, n in most if n >= STABLE * found.folds]
    varied = [f"{title} ({value} in {n})" for title, value, n in most if n < STABLE * found.folds]
    text = f"{name}: of {found.folds} folds the choice was {', '.join(stable)}." if stable else f"{name}:"
    if varied:
        text += f" Not stable over {found.folds} folds: {', '.join(varied)}; the inner folds cannot tell such choices apart."
    return text


def _worth(found: TunedResult) -> str:
    if math.isnan(found.inner):
        return ""
    return (
        f" The chosen configurations reach an AUC of {number(found.inner)} on the inner folds that they were picked by, and "
        f"{number(found.outer)} on the reported ones. Only the second figure holds for new patients."
    )


def _choices(name: str, found: TunedResult) -> list[list[Cell]]:
    """(result, what, each choice with its number of folds), and the span of each hyper-parameter."""
    out: list[list[Cell]] = [[name, TITLES[c.column], _counts(c)] for c in found.choices]
    return out + [[name, parameter, _span(values)] for parameter, values in found.parameters.items()]


def _counts(choice: Choice) -> str:
    return ", ".join(f"{value} ({n})" for value, n in choice.counts)


def _span(values: Sequence[object]) -> str:
    numbers = [v for v in values if isinstance(v, int | float)]
    if len(numbers) == len(values) and min(numbers) < max(numbers):
        return f"{min(numbers):g} to {max(numbers):g}"
    return " or ".join(sorted({str(v) for v in values}))


def _data(looks: Looks) -> Document:
    names = ("question", "patients", "results", "replaced", "total")
    return {name: getattr(looks, name) for name in names}


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
