"""The figures of an audit in sentences: which result leads, what its interval holds, and where nothing can be said."""

from __future__ import annotations

from collections.abc import Sequence

from core.text import number, p_said, some
from evaluation.audit.measures import Figures
from evaluation.audit.reader import Foreign
from evaluation.statistics.power import FEW_PATIENTS

NARROW = (
    "takes the models as given and is too narrow: it does not know how another training sample would have changed them"
)


def candidates_of(all_figures: Sequence[Figures]) -> list[Figures]:
    """Results that can be the highest: enough patients, and no baseline unless the file holds nothing else."""
    enough = [x for x in all_figures if x.smaller_class >= FEW_PATIENTS]
    return [x for x in enough if not x.baseline] or enough


def few_sentences(all_figures: Sequence[Figures], f: Foreign) -> list[str]:
    """That nothing can be said of results with few patients, once for all that have as many."""
    alike: dict[tuple[int, int], list[str]] = {}
    for x in all_figures:
        if x.smaller_class < FEW_PATIENTS:
            alike.setdefault((x.positives, x.patients - x.positives), []).append(result_named(x, f))
    return [
        f"{some(names, 4, '; ')}: with {positive} positive and {negative} negative patients nothing can be said of a new patient; "
        f"at least {FEW_PATIENTS} of each are needed."
        for (positive, negative), names in alike.items()
    ]


def without_leaks(told: Sequence[Figures], clean: Sequence[Figures], f: Foreign) -> str:
    """What is left of the figures when patients who were in training do not count."""
    if not told:
        most = max((x.patients for x in clean), default=0)
        return (
            f"Without the patients who were in training {most or 'none'} are left, too few for a figure that holds for a new patient; "
            f"at least {FEW_PATIENTS} of each class are needed."
        )
    best = max(told, key=lambda x: x.auc)
    which = f", the highest of {len(told)} results" * (len(told) > 1)
    return (
        f"Without the patients who were in training: {result_named(best, f)}{which}, AUC of patients {number(best.auc)}, 95 % interval "
        f"{span(best.low, best.high)}, from {best.patients} patients ({best.positives} positive)."
    )


def finding_sentences(x: Figures, f: Foreign, results: int, *, leaks: bool) -> list[str]:
    """What `x`, the highest of so many results, says of a new patient. `leaks` : tested patients were in training."""
    auc, low, high = x.lead
    what, p = (
        ("AUC of patients", "")
        if x.no_folds
        else ("AUC by fold", f", {p_said(x.fold_p)}" if x.fold_p == x.fold_p else "")
    )
    out = [
        f"{result_named(x, f)}: {what} {number(auc)}, 95 % interval {span(low, high)}{p}, from {x.patients} patients ({x.positives} positive)"
        f"{f', the highest of {results} results' * (results > 1)}."
    ]
    if high < 0.5:
        pooled = ", or folds were pooled whose models score differently" * bool(x.no_folds)
        out.append(
            f"The interval lies below 0.5: the scores may be those of the other class (--positive, --score-column){pooled}."
        )
    elif low <= 0.5:
        out.append("The interval contains 0.5: this is not distinguishable from chance.")
    elif low > 0.5:
        may = ", which patients that are known from training can bring about" if leaks else ""
        out.append(f"The interval lies above 0.5{may}.")
    elif not x.no_folds:
        out.append("There is no interval, since a fold holds fewer than two patients of a class.")
    if x.no_folds:
        out.append(f"The interval {NARROW}. There is no AUC by fold: {x.no_folds}.")
    else:
        out.append(
            f"With all folds in one ranking the AUC of patients is {number(x.auc)}, which is biased low where there is nothing to find; its "
            f"95 % interval, {span(x.low, x.high)}, {NARROW}. The interval by fold allows for that."
        )
    if x.most_rows > 1:
        out.append(
            f"The AUC of its {x.rows} rows{', each repeat by itself,' * (x.repeats > 1)} is {number(x.row_auc)}. Rows of a patient are not independent: counted as if they were, the 95 % "
            f"interval is {span(x.naive_low, x.naive_high)}, and with patients drawn {span(x.row_low, x.row_high)}"
            + (f", {number(x.too_narrow, 1)} times as wide." if x.too_narrow == x.too_narrow else ".")
        )
    if not leaks:
        told = f"a true AUC of {number(x.detectable, 2)}" if x.detectable == x.detectable else "no true AUC"
        out.append(
            f"With {x.patients} patients {told} would be told from 0.5 four times in five; an AUC such as this one is known to about "
            f"{number(x.half_width, 2)} either way."
        )
    return out


def result_named(x: Figures, f: Foreign) -> str:
    """A result by its model, or by its file where that is the only one."""
    return x.model or f.name


def span(low: float, high: float) -> str:
    """'0.500 to 0.700', or 'n/a'."""
    return f"{number(low)} to {number(high)}" if low < high else "n/a"
