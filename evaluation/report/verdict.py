"""The comparison in plain text, as the doors print it, and the sentences that the report leads with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from core.predictions import CHOSEN, TABLE, Prediction, group_results, head_on
from core.text import counted, interval_text, number, p_said, some
from evaluation.statistics.assess import Assessment, assess
from evaluation.statistics.power import FEW_PATIENTS

NO_INTERVALS = f"no intervals with fewer than {FEW_PATIENTS} patients in a class"


def comparison_lines(predictions: Sequence[Prediction], leak: str = "") -> list[str]:
    """A table of heads and sequences at patient level; what it shows needs no bootstrap."""
    return table_lines([assess(s, level="patient", replicates=0) for s in group_results(predictions)], leak)


def table_lines(
    assessments: Sequence[Assessment], leak: str = "", *, trained: Mapping[tuple[str, str, str], float] | None = None
) -> list[str]:
    """One line per assessment: patients, mean AUC by fold with interval, pooled AUC, accuracy and its baseline.

    `trained` : of new patients, for which there is nothing to pool, the AUC by fold that each head had where it was trained. A last
    line says where patients are too few.
    """
    # heads on a table of features have no sequence
    width = (
        0
        if assessments and all(a.sequence == TABLE for a in assessments)
        else max([len(a.sequence) for a in assessments] + [8])
    )
    titles = ("AUC by fold (95 % CI)", "pooled") if trained is None else ("AUC (95 % CI)", "by fold in training")
    lines = ["", leak] if leak else [""]

    def named(head: str, sequence: str) -> str:
        return f"{head:9} {sequence:{width}}" if width else f"{head:9}"

    lines.append(
        f"{named('head', 'sequence')} {'patients':>8}  {titles[0]:21} {titles[1]}  {'accuracy':>8} {'majority':>8}"
    )
    for a in assessments:
        v = a.values
        beside = v["auc"]["estimate"] if trained is None else trained.get((a.run, a.head, a.sequence))
        pooled = f"{number(beside):>{len(titles[1])}}"
        lines.append(
            f"{named(a.head, a.sequence)} {a.n_patients:8}  {interval_text(a.by_fold):21} {pooled}  "
            f"{number(v['accuracy']['estimate']):>8} {number(a.majority_accuracy):>8}"
        )
    if any(a.few for a in assessments):
        lines.append(f"n/a: {NO_INTERVALS}, and the figures say nothing of new patients")
    return lines


def verdict(
    assessments: Sequence[Assessment],
    leaks: Mapping[str, str],
    random_weights: bool,
    questions: Mapping[str, str] | None = None,
    shuffled: Mapping[tuple[str, str, str], tuple[str, str]] | None = None,
    looks: Mapping[str, int] | None = None,
    highest: Mapping[str, str] | None = None,
    *,
    folds: bool = True,
) -> list[str]:
    """What the figures mean for a new patient, in words: the answer first, then a paragraph per entry.

    `questions` : {run: what its label stands for}; runs of one question are judged together, since the best of them is
    picked after looking at them all. `shuffled` : {(run, head, sequence): (p over shuffled labels, how it was come by)} in words, where it is known;
    `highest` : {run: what the highest of them is worth}. Without `folds`, results are of patients whom no head was trained on. `looks` : {question: how often its folds were looked at beyond these
    results}, see `ledger.further_looks`.
    """
    out = []
    if random_weights:
        out.append(
            "RANDOM WEIGHTS: the features come from a network that was never trained. These figures test the plumbing and say nothing of MRI."
        )
    honest: dict[str, list[Assessment]] = {}
    for a in assessments:
        if a.level == "patient" and a.run not in leaks and not math.isnan(a.by_fold["estimate"]):
            honest.setdefault((questions or {}).get(a.run, ""), []).append(a)
    answers, reasons = [], []
    for question, results in honest.items():
        answer, sentences = _judge(results, (looks or {}).get(question, 0), folds=folds)
        answers.append(f"{question or 'In short'}: {answer}.")
        sentences += _shuffled(results, shuffled or {}, highest or {}, (looks or {}).get(question, 0))
        reasons += [f"{question}. {sentences[0]}" if len(honest) > 1 else sentences[0], *sentences[1:]]
    if not honest:
        answers.append(
            "No run here was validated on patients that its heads had not seen, so nothing can be said of a new patient."
        )
    out += [" ".join(answers), *reasons]
    for run, leak in leaks.items():
        out.append(
            f"{run}: {leak}. Its figures measure how well slices of known patients are recognised, and do not hold for a new patient."
        )
    return out


def _judge(results: Sequence[Assessment], further: int = 0, *, folds: bool = True) -> tuple[str, list[str]]:
    """The answer in a few words, and how it comes about. The best result speaks; where one was chosen on inner folds, that one."""
    nested = [a for a in results if a.sequence == CHOSEN]
    nested = [a for a in nested if a.head == CHOSEN] or nested
    best = nested[0] if len(nested) == 1 else max(results, key=lambda a: a.by_fold["estimate"])
    auc, k = best.by_fold, 1 if len(nested) == 1 else len(results)
    positive, negative = best.n_positive, best.n_patients - best.n_positive
    if best.few:
        return "nothing can be said with so few patients", [
            f"With {positive} positive and {negative} negative patients nothing can be said of a new patient, whatever the figures "
            f"below look like; at least {FEW_PATIENTS} of each are needed before an interval means anything, and none is given."
        ]
    as_high = [a for a in results if a is not best and auc["estimate"] - a.by_fold["estimate"] < 1e-9] if k > 1 else []
    tie = f" (as high: {some(_named(a) for a in as_high)})" if as_high else ""
    picked = f"the highest of {k} patient-level results is {_named(best)}" if k > 1 else _named(best)
    what = "AUC by fold" if folds else "AUC of the fitted head on new patients"
    found = f"{number(auc['estimate'])}, 95 % interval {number(auc['low'])} to {number(auc['high'])}"
    out = [
        f"For a new patient: {picked} ({best.run}), {what} {found}, from {best.n_patients} patients ({positive} positive){tie}."
    ]
    chance = "not distinguishable from chance"
    tops = [a.by_fold["high"] for a in results if not a.few]
    beyond = f"; AUCs above {number(max(tops), 2)} are not compatible with these data (95 %)" if max(tops) < 0.9 else ""
    if math.isnan(auc["low"]):
        answer = "no interval, so nothing can be said of a new patient"
        out.append("There is no interval, since a fold holds fewer than two patients of a class: use fewer --folds.")
    elif auc["high"] < 0.5:
        answer = f"no better than chance{beyond}"
        out.append("Its interval lies below 0.5: no better than chance.")
    elif auc["low"] <= 0.5:
        answer = f"{chance}{beyond}"
        out.append(f"Its interval contains 0.5: this is {chance}.")
    elif k + further == 1:
        answer = f"better than chance, AUC {found}"
        out.append("Its interval lies above 0.5: better than chance.")
    else:
        corrected = min(1.0, (k + further) * auc["p"])
        stands = "still better than chance" if corrected < 0.05 else f"{chance} any more"
        answer = f"better than chance, AUC {found}, somewhat optimistic" if corrected < 0.05 else f"{chance}{beyond}"
        elsewhere = "of runs that it replaced or that lie in the same folder"
        seen = [f"{k} results"] * (k > 1) + [
            f"{further} {'' if k > 1 else 'result' + 's' * (further > 1) + ' '}{elsewhere}"
        ] * (further > 0)
        picked_after = "it was picked after" if k > 1 else "it comes after"
        count = f"all {k + further}" if further else "that"
        instead = (
            "train_head.py --tune chooses on inner folds instead"
            if folds
            else "choose --head and --sequence before looking"
        )
        tune = f"; {instead}" * (not nested)
        out.append(
            f"Its own interval lies above 0.5, but {picked_after} looking at {' and '.join(seen)}. Corrected for {count} "
            f"(Bonferroni) {p_said(corrected)}, two-sided: {stands}. Its AUC is optimistic all the same{tune}."
        )
    accuracy = best.values["accuracy"]
    above = accuracy["estimate"] > best.majority_accuracy
    shown = accuracy["low"] > best.majority_accuracy
    relation = ("" if shown else "not detectably ") if above else "not "
    given = "; this interval takes the fold models as given and is too narrow" * (above and shown and folds)
    out.append(
        f"Its accuracy, {interval_text(accuracy)}, is {relation}above the {number(best.majority_accuracy)} that always guessing the "
        f"larger class gives{given}."
    )
    if best.power["detectable"] is not None and not math.isnan(best.power["detectable"]):
        out.append(
            f"With {best.n_patients} patients ({positive} positive) a true AUC of {number(best.power['detectable'], 2)} would be told from "
            "0.5 four times in five, a lower one less often."
        )
    return answer, out


def _shuffled(
    results: Sequence[Assessment],
    shuffled: Mapping[tuple[str, str, str], tuple[str, str]],
    highest: Mapping[str, str],
    further: int,
) -> list[str]:
    """The results that were trained on shuffled labels too, and what the highest of them is worth."""
    several = len({a.run for a in results}) > 1
    told = {
        f"{_named(a)}{f' ({a.run})' * several} {number(a.by_fold['estimate'])}": shuffled[key]
        for a in results
        if (key := (a.run, a.head, a.sequence)) in shuffled
    }
    if not told:
        return []
    how = "; ".join(dict.fromkeys(how for _, how in told.values()))  # once for all
    each = [f"{name}, {p}" for name, (p, _) in told.items()]
    each += [highest[run] for run in dict.fromkeys(a.run for a in results) if run in highest]
    rest = len(results) - len(told)
    not_told = f" The other {rest} were not shuffled." if rest > 1 else " The other one was not shuffled." * rest
    if rest + further:
        not_told += f" None of these p is corrected for the other {counted(rest + further, 'look')}."
    few = " This p needs no number of patients, but says nothing of how large an AUC is." * any(a.few for a in results)
    return [f"Against heads that were trained on shuffled labels ({how}): {'; '.join(each)}.{not_told}{few}"]


def _named(a: Assessment) -> str:
    """A result by its name; what was chosen on inner folds is said so."""
    if a.sequence != CHOSEN:
        return head_on(a.head, a.sequence)
    return "the head chosen on inner folds" if a.head == CHOSEN else f"{a.head} as tuned on inner folds"


def unsaid(few: int, results: int) -> str:
    """That nothing can be said of those results of `results` that have few patients."""
    of = f"{few} of {results} results" if few < results else "any result" if results > 1 else "this result"
    return f"Nothing can be said of {of} here: fewer than {FEW_PATIENTS} patients in a class."
