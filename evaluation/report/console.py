"""The comparison of results in plain text, as the doors print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.predictions import TABLE, Prediction, ResultKey, group_results
from core.text import interval_text, number
from evaluation.report.words import NO_INTERVALS
from evaluation.statistics.assess import Assessment, assess


def comparison_lines(predictions: Sequence[Prediction], leak: str = "") -> list[str]:
    """A table of heads and sequences at patient level; what it shows needs no bootstrap."""
    return table_lines([assess(s, level="patient", replicates=0) for s in group_results(predictions)], leak)


def table_lines(
    assessments: Sequence[Assessment], leak: str = "", *, trained: Mapping[ResultKey, float] | None = None
) -> list[str]:
    """One line per assessment: patients, mean AUC by fold with interval, pooled AUC, accuracy and its baseline.

    Parameters
    ----------
    assessments : of one run, at patient level
    leak : a warning that stands above the table
    trained : of new patients, for which there is nothing to pool, the AUC by fold that each head had where it was trained

    Returns
    -------
    Lines without line ends; the last one says where patients are too few.
    """
    # heads on a table of features have no sequence
    of_tables = bool(assessments) and all(a.sequence == TABLE for a in assessments)
    width = 0 if of_tables else max([len(a.sequence) for a in assessments] + [8])
    titles = ("AUC by fold (95 % CI)", "pooled") if trained is None else ("AUC (95 % CI)", "by fold in training")
    lines = ["", leak] if leak else [""]

    def placed(head: str, sequence: str) -> str:
        return f"{head:9} {sequence:{width}}" if width else f"{head:9}"

    lines.append(
        f"{placed('head', 'sequence')} {'patients':>8}  {titles[0]:21} {titles[1]}  {'accuracy':>8} {'majority':>8}"
    )
    for a in assessments:
        beside = a.values["auc"]["estimate"] if trained is None else trained.get(a.key)
        lines.append(
            f"{placed(a.head, a.sequence)} {a.n_patients:8}  {interval_text(a.by_fold):21} {number(beside):>{len(titles[1])}}  "
            f"{number(a.values['accuracy']['estimate']):>8} {number(a.majority_accuracy):>8}"
        )
    if any(a.few for a in assessments):
        lines.append(f"n/a: {NO_INTERVALS}, and the figures say nothing of new patients")
    return lines
