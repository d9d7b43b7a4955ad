"""Shuffled labels: the AUCs that the same selection and training reaches where there is nothing to find."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.metrics import Array, Labels, fold_aucs, ones
from core.predictions import head_on
from core.text import number, p_said, p_text
from evaluation.read_run import Run
from evaluation.report.figures import BLUE, GREY, Drawing, canvas, save_figure
from evaluation.report.section import Cell, Section, Sheet, result_name
from evaluation.report.verdict import NO_INTERVALS

FILE = "permutations.csv"
COLUMNS = ("run", "head", "sequence", "permutation", "auc")  # permutation 0: the labels as they are
_TIE = 1e-9


@dataclass
class Shuffled:
    """The AUC by fold of one result, and (n,) what shuffled labels gave; p counts the result itself as one shuffle."""

    key: tuple[str, str, str]
    auc: float
    null: Array

    @property
    def p(self) -> float:
        """One-sided p-value of an AUC this high (Phipson and Smyth 2010): never 0."""
        return _share(self.null, self.auc)

    @property
    def said(self) -> tuple[str, str]:
        """p in words, with the least that this number of shuffles can give; and under what circumstances."""
        n = len(self.null)
        least = " (the least that they can give)" * (self.p <= 1 / (n + 1))
        return f"{p_said(self.p)}{least}", f"one-sided, over {n} shuffles of the labels"

    @property
    def band(self) -> tuple[float, float]:
        """The central 95 % of what shuffled labels give."""
        low, high = np.quantile(self.null, [0.025, 0.975])
        return float(low), float(high)


def mean_fold_auc(y: Labels, scores: Array, fold: Labels) -> float:
    """The mean over repeats and folds with both classes; y (n,), scores and fold (R, n), NaN where there is no score."""
    aucs = fold_aucs(y, scores, fold, ones(len(y)))
    return float(aucs.mean()) if len(aucs) else float("nan")


def rows_of(
    run: str, head: str, sequence: str, draws: Iterable[tuple[Labels, Array, Labels]]
) -> Iterator[tuple[str, str, str, int, float]]:
    """Rows of permutations.csv from (labels (n,), scores (R, n), fold (R, n)) of each draw, the true labels first."""
    for k, (y, scores, fold) in enumerate(draws):
        yield run, head, sequence, k, mean_fold_auc(y, scores, fold)


def read(runs: Sequence[Run]) -> list[Shuffled]:
    """Every result of the runs that was trained on shuffled labels too."""
    out = []
    for run in runs:
        aucs: dict[tuple[str, str, str], dict[int, float]] = {}
        for row in run.more.get(FILE, []):
            aucs.setdefault((run.name, row["head"], row["sequence"]), {})[int(row["permutation"])] = float(row["auc"])
        for key, values in aucs.items():
            null = np.array([v for k, v in sorted(values.items()) if k > 0 and np.isfinite(v)])
            if len(null) and np.isfinite(values.get(0, np.nan)):
                out.append(Shuffled(key, values[0], null))
    return out


def highest(tests: Sequence[Shuffled]) -> float:
    """p of the highest AUC against the highest of the same shuffle (Westfall and Young 1993), for tests of one run."""
    n = min(len(t.null) for t in tests)
    top = np.max([t.null[:n] for t in tests], axis=0)
    return _share(top, max(t.auc for t in tests))


def highest_said(tests: Sequence[Shuffled]) -> dict[str, str]:
    """{run: what its highest shuffled result is worth}, of the runs with several."""
    out = {}
    for run, own in _by_run(tests).items():
        if len(own) > 1:
            best = max(own, key=lambda t: t.auc)
            out[run] = (
                f"the highest of these {len(own)}, {head_on(*best.key[1:])}, against the highest of each shuffle: {p_said(highest(own))}"
            )
    return out


def _by_run(tests: Sequence[Shuffled]) -> dict[str, list[Shuffled]]:
    out: dict[str, list[Shuffled]] = {}
    for t in tests:
        out.setdefault(t.key[0], []).append(t)
    return out


def _share(null: Array, auc: float) -> float:
    """Share of the shuffles that reach an AUC, counting it as one; a tie that only rounding tells apart is a tie."""
    return float((1 + (null >= auc - _TIE).sum()) / (1 + len(null)))


def permutation_section(runs: Sequence[Run], folder: Path, few: Mapping[str, bool]) -> Section | None:
    """p-values and null bands of all results that have them, None without any; `few` : {run: has too few patients}."""
    tests = read(runs)
    if not tests:
        return None
    names = [result_name(t.key, {r.name for r in runs}) for t in tests]
    words = [
        "The patients' labels were dealt out anew at random, and the folds and all that is chosen and fitted inside them were made "
        "again for every shuffle. The band holds the central 95 % of the AUCs that come out; p is the share of shuffles, "
        "counting the result itself, that reach its AUC or more, so never below 1 in (shuffles + 1). Heads that are not listed were "
        "not shuffled: by default only the logistic one is, train_head.py --permutations N does it for all."
    ]
    if short := [run for run in dict.fromkeys(t.key[0] for t in tests) if few.get(run)]:
        words.append(
            f"{', '.join(short)}: {NO_INTERVALS}, but p over shuffled labels assumes nothing of their number and is valid. With so few "
            "the null band is wide, and only a very high AUC lies outside it."
        )
    by_run = _by_run(tests)
    for run, own in by_run.items():
        best, p = max(own, key=lambda t: t.auc), highest(own)
        said = "more than chance and the choice explain" if p < 0.05 else "no more than chance and the choice explain"
        if len(own) > 1:
            words.append(
                f"{run}: the highest of these {len(own)} results, {head_on(*best.key[1:])}, reaches {number(best.auc)}; the "
                f"highest of a shuffle reaches that or more with {p_said(p)} (one-sided), so this is {said}."
            )
        else:
            words.append(
                f"{run}: {head_on(*best.key[1:])} reaches {number(best.auc)}, {', '.join(best.said)}: "
                f"{'more than' if p < 0.05 else 'no more than'} chance explains."
            )
    rows: list[list[Cell]] = [
        [name, t.auc, f"{number(t.band[0], 2)}-{number(t.band[1], 2)}", float(t.null.mean()), p_text(t.p), len(t.null)]
        for name, t in zip(names, tests, strict=True)
    ]
    columns = ("Result", "AUC by fold", "Null band (95 %)", "Null mean", "p, one-sided", "Shuffles")
    data = {
        "tests": [
            {"key": list(t.key), "auc": t.auc, "p": t.p, "band": list(t.band), "shuffles": len(t.null)} for t in tests
        ],
        "highest": {run: highest(own) for run, own in by_run.items()},
    }
    sheet = Sheet("Results against shuffled labels", columns, rows)
    return Section("permutations", "Shuffled labels", words, [sheet], [_drawing(names, tests, folder)], data)


def _drawing(names: Sequence[str], tests: Sequence[Shuffled], folder: Path) -> Drawing:
    height = 0.9 + 0.4 * len(tests)
    with canvas(5.4, height) as fig:
        ax = fig.subplots()
        for i, (name, t) in enumerate(zip(names, tests, strict=True)):
            jitter = np.linspace(-0.16, 0.16, 7)[np.arange(len(t.null)) % 7]
            ax.plot(t.null, i + jitter, ".", color=GREY, ms=2.5, alpha=0.5, label=None if i else "shuffled labels")
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
        return save_figure(fig, folder, "permutations", "Results against shuffled labels", alt)
