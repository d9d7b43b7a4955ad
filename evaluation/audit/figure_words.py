"""What the figures of an audit say, in English: the highest result, its interval, and what picking it is worth."""

from __future__ import annotations

import math

from core.text import number, p_said, p_text, some
from evaluation.audit.findings import Clean, Few, FindingKind, Luck, NoFigures, OfResult
from evaluation.audit.results.measures import Figures
from evaluation.audit.results.scores import NoFolds
from evaluation.statistics.power import FEW_PATIENTS

NARROW = (
    "takes the models as given and is too narrow: it does not know how another training sample would have changed them"
)
WHY_NO_FOLDS = {
    NoFolds.SEVERAL_EACH: "patients lie in several folds of one repeat",
    NoFolds.NOT_TWO: "the rows that count name no folds, or one",
    NoFolds.ONE_CLASS: "no fold has both classes",
}


def span(low: float, high: float) -> str:
    """'0.500 to 0.700', or 'n/a'."""
    return f"{number(low)} to {number(high)}" if low < high else "n/a"


def few_sentence(finding: Few) -> str:
    """That nothing can be said of results with few patients."""
    return (
        f"{some(finding.results, 4, '; ')}: with {finding.positives} positive and {finding.negatives} negative patients nothing can be "
        f"said of a new patient; at least {FEW_PATIENTS} of each are needed."
    )


def no_figures_sentence(finding: NoFigures) -> str:
    """That there are no figures."""
    left = (
        "Every patient with a label and a score was left out"
        if finding.contradictory
        else "No row has both a label and a score"
    )
    return f"{left}, so there are no figures."


def clean_sentence(finding: Clean) -> str:
    """What is left without the patients who leak."""
    if finding.best is None:
        return (
            f"Without the patients who were in training {finding.most or 'none'} are left, too few for a figure that holds for a "
            f"new patient; at least {FEW_PATIENTS} of each class are needed."
        )
    best = finding.best
    which = f", the highest of {finding.results} results" if finding.results > 1 else ""
    return (
        f"Without the patients who were in training: {finding.name}{which}, AUC of patients {number(best.auc)}, 95 % interval "
        f"{span(best.low, best.high)}, from {best.patients} patients ({best.positives} positive)."
    )


def result_sentence(finding: OfResult) -> str:
    """One thing that is to be said of the highest result."""
    match finding.kind:
        case FindingKind.HIGHEST:
            return _highest(finding)
        case FindingKind.ONE_RANKING:
            return _one_ranking(finding.figures)
        case FindingKind.ROWS:
            return _rows(finding.figures)
        case FindingKind.POWER:
            return _power(finding.figures)
        case _:
            return _interval(finding)


def _highest(finding: OfResult) -> str:
    x, (auc, low, high) = finding.figures, finding.figures.lead
    what, p = "AUC of patients", ""
    if x.no_folds is None:
        what, p = "AUC by fold", "" if math.isnan(x.fold_p) else f", {p_said(x.fold_p)}"
    among = f", the highest of {finding.results} results" if finding.results > 1 else ""
    return (
        f"{finding.name}: {what} {number(auc)}, 95 % interval {span(low, high)}{p}, from {x.patients} patients "
        f"({x.positives} positive){among}."
    )


def _interval(finding: OfResult) -> str:
    match finding.kind:
        case FindingKind.BELOW_CHANCE:
            pooled = ", or folds were pooled whose models score differently" if finding.figures.no_folds else ""
            return (
                "The interval lies below 0.5: the scores may be those of the other class (--positive, --score-column)"
                f"{pooled}."
            )
        case FindingKind.CHANCE:
            return "The interval contains 0.5: this is not distinguishable from chance."
        case FindingKind.ABOVE_CHANCE:
            may = ", which patients that are known from training can bring about" if finding.leaks else ""
            return f"The interval lies above 0.5{may}."
        case _:
            assert finding.kind is FindingKind.NO_INTERVAL
            return "There is no interval, since a fold holds fewer than two patients of a class."


def _one_ranking(x: Figures) -> str:
    if x.no_folds is not None:
        return f"The interval {NARROW}. There is no AUC by fold: {WHY_NO_FOLDS[x.no_folds]}."
    return (
        f"With all folds in one ranking the AUC of patients is {number(x.auc)}, which is biased low where there is nothing to find; its "
        f"95 % interval, {span(x.low, x.high)}, {NARROW}. The interval by fold allows for that."
    )


def _rows(x: Figures) -> str:
    each = ", each repeat by itself," if x.repeats > 1 else ""
    wider = "" if math.isnan(x.too_narrow) else f", {number(x.too_narrow, 1)} times as wide"
    return (
        f"The AUC of its {x.rows} rows{each} is {number(x.row_auc)}. Rows of a patient are not independent: counted as if they were, "
        f"the 95 % interval is {span(x.naive_low, x.naive_high)}, and with patients drawn {span(x.row_low, x.row_high)}{wider}."
    )


def _power(x: Figures) -> str:
    told = "no true AUC" if math.isnan(x.detectable) else f"a true AUC of {number(x.detectable, 2)}"
    return (
        f"With {x.patients} patients {told} would be told from 0.5 four times in five; an AUC such as this one is known to about "
        f"{number(x.half_width, 2)} either way."
    )


def luck_sentence(finding: Luck) -> str:
    """What picking the highest of several results is worth."""
    best = finding.best
    what = "AUC by fold" if best.by_fold else "AUC of patients"
    which = f" ({best.model})" if best.model else ""
    if best.reached:
        reach = f"{best.reached} of {best.permutations} shuffles of the labels reach {number(best.auc)} (p = {p_text(best.p)})"
    else:
        reach = (
            f"none of {best.permutations} shuffles of the labels reaches {number(best.auc)} (p = {best.p:.2g}, the least that they "
            "can give)"
        )
    return (
        f"The file holds {best.results} results, of which the highest {what} is {number(best.auc)}{which}. If no score knew anything of "
        f"the label, the highest of {best.results} would still be {number(best.expected)} on average and above {number(best.upper)} in one "
        f"case of twenty; {reach}. {_worth(finding)}"
    )


def _worth(finding: Luck) -> str:
    if finding.best.p > 0.05:
        return "The highest is not distinguishable from the luck of picking it."
    if finding.leaks:
        return "That is more than the luck of picking it, but patients that are known from training can bring it about."
    if finding.above:
        return "The highest is more than luck, but its own figure is optimistic all the same."
    return (
        "That is more than the luck of picking it, if the models are taken as given; its own interval does not lie above 0.5 all the "
        "same, and says more."
    )
