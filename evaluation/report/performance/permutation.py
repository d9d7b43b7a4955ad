"""Results against shuffled labels: p-values, null bands, and what the highest of them is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.text import number, p_said, p_text, range_text
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLUE, GREY, Drawing, canvas, drawn
from evaluation.report.section import Cell, Section, Sheet, result_name, section
from evaluation.report.verdict import permutation_p, shuffles_said
from evaluation.report.words import NO_INTERVALS
from evaluation.statistics.compare import ALPHA
from evaluation.statistics.controls.permutation import HighestTest, PermutationTest, highest_tests

COLUMNS = ("Result", "AUC by fold", "Null band (95 %)", "Null mean", "p, one-sided", "Shuffles")
MEANING = (
    "The patients' labels were dealt out anew at random, and the folds and all that is chosen and fitted inside them were made "
    "again for every shuffle. The band holds the central 95 % of the AUCs that come out; p is the share of shuffles, "
    "counting the result itself, that reach its AUC or more, so never below 1 in (shuffles + 1). Heads that are not listed were "
    "not shuffled: by default only the logistic one is, train_head.py --permutations N does it for all."
)


@section(order=70)
def permutation_section(context: ReportContext) -> Section | None:
    """p-values and null bands of all results that have them; None without any."""
    tests = context.permutations
    if not tests:
        return None
    names = [result_name(t.key, {r.name for r in context.runs}) for t in tests]
    words = [MEANING]
    few = {a.run for a in context.patients if a.few}
    if short := [run for run in dict.fromkeys(t.key.run for t in tests) if run in few]:
        words.append(
            f"{', '.join(short)}: {NO_INTERVALS}, but p over shuffled labels assumes nothing of their number and is valid. With so few "
            "the null band is wide, and only a very high AUC lies outside it."
        )
    highest = highest_tests(tests)
    words += [_highest_said(run, h) for run, h in highest.items()]
    rows: list[list[Cell]] = [
        [name, t.auc, range_text(*t.band), float(t.shuffled.mean()), p_text(t.p), len(t.null)]
        for name, t in zip(names, tests, strict=True)
    ]
    data = {
        "tests": [
            {"key": list(t.key), "auc": t.auc, "p": t.p, "band": list(t.band), "shuffles": len(t.null)} for t in tests
        ],
        "highest": {run: h.p for run, h in highest.items()},
    }
    sheet = Sheet("Results against shuffled labels", COLUMNS, rows)
    return Section("permutations", "Shuffled labels", words, [sheet], [_drawing(names, tests)], data=data)


def _highest_said(run: str, h: HighestTest) -> str:
    reaches = f"{h.best.key.label()}, reaches" if h.n > 1 else f"{h.best.key.label()} reaches"
    more = "more than" if h.p < ALPHA else "no more than"
    if h.n > 1:
        return (
            f"{run}: the highest of these {h.n} results, {reaches} {number(h.best.auc)}; the highest of a shuffle reaches that or more "
            f"with {p_said(h.p)} (one-sided), so this is {more} chance and the choice explain."
        )
    how = f"{permutation_p(h.best)}, {shuffles_said(h.best)}"
    return f"{run}: {reaches} {number(h.best.auc)}, {how}: {more} chance explains."


def _drawing(names: Sequence[str], tests: Sequence[PermutationTest]) -> Drawing:
    height = 0.9 + 0.4 * len(tests)
    with canvas(5.4, height) as fig:
        ax = fig.subplots()
        for i, (name, t) in enumerate(zip(names, tests, strict=True)):
            null = t.shuffled
            jitter = np.linspace(-0.16, 0.16, 7)[np.arange(len(null)) % 7]
            ax.plot(null, i + jitter, ".", color=GREY, ms=2.5, alpha=0.5, label=None if i else "shuffled labels")
            ax.plot(t.band, [i, i], color=GREY, lw=2, label=None if i else "their central 95 %")
            ax.plot(t.auc, i, "D", color=BLUE, ms=6, label=None if i else "labels as they are")
            ax.text(0, i - 0.4, f"{name}, {p_said(t.p)}", transform=ax.get_yaxis_transform(), va="center", fontsize=8)
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0)
        ax.set(xlabel="AUC by fold", ylim=(len(tests) - 0.5, -0.7))
        ax.set_yticks([])
        ax.spines["left"].set_visible(False)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1 + 0.45 / height), ncols=3, fontsize=8)
        alt = "AUC by fold against shuffled labels: " + "; ".join(
            f"{name} {number(t.auc)}, shuffled {number(t.band[0])} to {number(t.band[1])}, {p_said(t.p)}"
            for name, t in zip(names, tests, strict=True)
        )
        return drawn(fig, "permutations", "Results against shuffled labels", alt)
