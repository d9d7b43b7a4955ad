"""The verdict in words: the answer first, then how it comes about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.leak import Leak, leak_sentence
from core.text import counted, interval_text, number, p_said, some
from evaluation.report.words import named
from evaluation.statistics.controls.permutation import PermutationTest
from evaluation.statistics.power import FEW_PATIENTS
from evaluation.statistics.verdict import Outcome, Relation, Verdict

RANDOM_WEIGHTS = "RANDOM WEIGHTS: the features come from a network that was never trained. These figures test the plumbing and say nothing of MRI."
NOBODY = "No run here was validated on patients that its heads had not seen, so nothing can be said of a new patient."
CHANCE = "not distinguishable from chance"


def verdict_words(
    verdicts: Sequence[Verdict], leaks: Mapping[str, Leak], *, random_weights: bool = False, folds: bool = True
) -> list[str]:
    """What the figures mean for a new patient: the answer to each question first, then a paragraph per entry.

    Parameters
    ----------
    verdicts : one per question
    leaks : {run: its leak}; their figures are said to hold for nobody
    random_weights : whether the features come from an untrained network
    folds : False where results are of patients whom no head was trained on

    Returns
    -------
    At least one paragraph, without markup.
    """
    out = [RANDOM_WEIGHTS] if random_weights else []
    answers, reasons = [], []
    for v in verdicts:
        answers.append(f"{v.question or 'In short'}: {_answer(v)}.")
        first, *rest = [*_reasons(v, folds=folds), *_shuffled(v)]
        reasons += [f"{v.question}. {first}" if len(verdicts) > 1 else first, *rest]
    out += [" ".join(answers or [NOBODY]), *reasons]
    return out + [
        f"{run}: {leak_sentence(leak)}. Its figures measure how well slices of known patients are recognised, and do not hold for a "
        "new patient."
        for run, leak in leaks.items()
    ]


def _answer(v: Verdict) -> str:
    """The answer in a few words."""
    beyond = ""
    if v.excluded_above is not None:
        beyond = f"; AUCs above {number(v.excluded_above, 2)} are not compatible with these data (95 %)"
    return {
        Outcome.TOO_FEW: "nothing can be said with so few patients",
        Outcome.NO_INTERVAL: "no interval, so nothing can be said of a new patient",
        Outcome.BELOW_CHANCE: f"no better than chance{beyond}",
        Outcome.CHANCE: f"{CHANCE}{beyond}",
        Outcome.BETTER: f"better than chance, AUC {_found(v)}",
        Outcome.BETTER_CORRECTED: f"better than chance, AUC {_found(v)}, somewhat optimistic",
        Outcome.LOST_TO_LOOKS: f"{CHANCE}{beyond}",
    }[v.outcome]


def _found(v: Verdict) -> str:
    auc = v.best.by_fold
    return f"{number(auc['estimate'])}, 95 % interval {number(auc['low'])} to {number(auc['high'])}"


def _reasons(v: Verdict, *, folds: bool) -> list[str]:
    """How the answer comes about, a paragraph per entry."""
    best, positive = v.best, v.best.n_positive
    if v.outcome is Outcome.TOO_FEW:
        return [
            f"With {positive} positive and {best.n_patients - positive} negative patients nothing can be said of a new patient, whatever "
            f"the figures below look like; at least {FEW_PATIENTS} of each are needed before an interval means anything, and none is given."
        ]
    tie = f" (as high: {some(named(key) for key in v.as_high)})" if v.as_high else ""
    name = named(best.key)
    picked = f"the highest of {v.results} patient-level results is {name}" if v.results > 1 else name
    what = "AUC by fold" if folds else "AUC of the fitted head on new patients"
    out = [
        f"For a new patient: {picked} ({best.run}), {what} {_found(v)}, from {best.n_patients} patients ({positive} positive){tie}.",
        _against_chance(v, folds=folds),
        _against_majority(v, folds=folds),
    ]
    detectable = number(best.power["detectable"], 2)
    if detectable != "n/a":
        out.append(
            f"With {best.n_patients} patients ({positive} positive) a true AUC of {detectable} would be told from 0.5 four times in "
            "five, a lower one less often."
        )
    return out


def _against_chance(v: Verdict, *, folds: bool) -> str:
    said = {
        Outcome.NO_INTERVAL: "There is no interval, since a fold holds fewer than two patients of a class: use fewer --folds.",
        Outcome.BELOW_CHANCE: "Its interval lies below 0.5: no better than chance.",
        Outcome.CHANCE: f"Its interval contains 0.5: this is {CHANCE}.",
        Outcome.BETTER: "Its interval lies above 0.5: better than chance.",
    }
    if v.outcome in said:
        return said[v.outcome]
    assert v.p_corrected is not None
    stands = "still better than chance" if v.outcome is Outcome.BETTER_CORRECTED else f"{CHANCE} any more"
    picked_after = "it was picked after" if v.results > 1 else "it comes after"
    count = f"all {v.results + v.further}" if v.further else "that"
    instead = (
        "train_head.py --tune chooses on inner folds instead"
        if folds
        else "choose --head and --sequence before looking"
    )
    tune = "" if v.nested else f"; {instead}"
    return (
        f"Its own interval lies above 0.5, but {picked_after} looking at {_seen(v)}. Corrected for {count} (Bonferroni) "
        f"{p_said(v.p_corrected)}, two-sided: {stands}. Its AUC is optimistic all the same{tune}."
    )


def _seen(v: Verdict) -> str:
    """What was looked at: '2 results and 3 of runs that it replaced'."""
    replaced = "of runs that it replaced"
    if v.results == 1:
        return f"{counted(v.further, 'result')} {replaced}"
    return f"{v.results} results" + (f" and {v.further} {replaced}" if v.further else "")


def _against_majority(v: Verdict, *, folds: bool) -> str:
    relation = {Relation.ABOVE: "", Relation.NOT_DETECTABLY: "not detectably ", Relation.NOT_ABOVE: "not "}[v.accuracy]
    given = ""
    if v.accuracy is Relation.ABOVE and folds:
        given = "; this interval takes the fold models as given and is too narrow"
    return (
        f"Its accuracy, {interval_text(v.best.values['accuracy'])}, is {relation}above the {number(v.best.majority_accuracy)} that always "
        f"guessing the larger class gives{given}."
    )


def permutation_p(test: PermutationTest) -> str:
    """'p = 0.010 (the least that they can give)'."""
    return f"{p_said(test.p)} (the least that they can give)" if test.least else p_said(test.p)


def shuffles_said(test: PermutationTest) -> str:
    """Under what circumstances p was come by."""
    return f"one-sided, over {len(test.null)} shuffles of the labels"


def _shuffled(v: Verdict) -> list[str]:
    """The results that were trained on shuffled labels too, and what the highest of them is worth."""
    if not v.shuffled:
        return []
    how = "; ".join(dict.fromkeys(shuffles_said(test) for _, test in v.shuffled))  # once for all
    each = []
    for a, test in v.shuffled:
        run = f" ({a.run})" if v.several_runs else ""
        each.append(f"{named(a.key)}{run} {number(a.by_fold['estimate'])}, {permutation_p(test)}")
    each += [
        f"the highest of these {h.n}, {h.best.key.label()}, against the highest of each shuffle: {p_said(h.p)}"
        for h in v.highest.values()
    ]
    more = ""
    if v.not_shuffled:
        others = f"other {v.not_shuffled} were" if v.not_shuffled > 1 else "other one was"
        more = f" The {others} not shuffled."
    if v.not_shuffled + v.further:
        more += f" None of these p is corrected for the other {counted(v.not_shuffled + v.further, 'look')}."
    if v.any_few:
        more += " This p needs no number of patients, but says nothing of how large an AUC is."
    return [f"Against heads that were trained on shuffled labels ({how}): {'; '.join(each)}.{more}"]
