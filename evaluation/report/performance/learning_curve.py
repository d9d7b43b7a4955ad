"""Learning curves: does the AUC still rise with the number of training patients?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.aggregate import aggregate
from core.metrics import Array, auc, ones
from core.predictions import TABLE as NO_SCANS
from core.predictions import head_on
from core.text import number
from evaluation.read_run import Run
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet
from evaluation.statistics.intervals import LEVEL
from evaluation.statistics.power import FEW_PATIENTS

TABLE = "learning.csv"
METHOD = (
    "The test folds are the same at every size; training patients are added, never exchanged, and their share of positives is kept. Points are "
    "means of the AUC by fold; intervals (95 %, t over folds) are widened after Nadeau and Bengio (2003), since folds share their patients."
)
NO_FORECAST = (
    "The curve is not extrapolated. A few sizes within one cohort do not tell a curve that goes on rising from one that levels off, and patients "
    "of another hospital are not more of the same. A curve that is flat at 0.5 says that more patients have not helped these heads on these features up to "
    "this size; it does not say that there is nothing to find."
)


@dataclass(frozen=True)
class Point:
    """The mean AUC by fold at one size, with its 95 % interval; patients : mean number that trained."""

    share: float
    patients: float
    auc: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """One head on one sequence; gain, low, high : AUC at the last size minus that at the one before, paired by fold."""

    head: str
    sequence: str
    points: list[Point]
    gain: float
    low: float
    high: float


def patient_auc(result: Any, table: Any, labels: Mapping[str, int], how: str) -> float:
    """The AUC over the test patients of one fold, NaN where it lacks a class.

    result : object with rows (m,) and scores (m,); table : object with patient (n,), which the rows point into; how : an
    aggregator.
    """
    rows = aggregate(result.scores, table.patient[result.rows], how)
    y = np.array([labels[patient] for patient, _, _ in rows], int)
    return float(auc(y, np.array([score for _, score, _ in rows]), ones(len(y)))[0])


def corrected_interval(values: Array, test_share: float) -> tuple[float, float]:
    """95 % interval of a mean over folds: the corrected t-test of Nadeau and Bengio (Machine Learning 2003), inverted.

    values : one per fold and repeat; test_share : test patients per training patient. (NaN, NaN) with fewer than two.
    """
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    error = np.sqrt(np.var(values, ddof=1) * (1 / n + test_share))
    half = t.ppf((1 + LEVEL) / 2, n - 1) * error
    return float(np.mean(values) - half), float(np.mean(values) + half)


def read_lines(rows: Sequence[Mapping[str, str]]) -> list[Line]:
    """The curves in the rows of learning.csv, in order of appearance; folds without an AUC at any size are left out."""
    found: dict[tuple[str, str], dict[float, dict[tuple[str, str], tuple[float, float, float]]]] = {}
    for r in rows:
        if r["auc"]:
            sizes = found.setdefault((r["head"], r["sequence"]), {})
            figures = (float(r["auc"]), float(r["patients"]), float(r["tested"]))
            sizes.setdefault(float(r["share"]), {})[r["repeat"], r["fold"]] = figures
    out = []
    for (head, sequence), sizes in found.items():
        shares = sorted(sizes)
        folds = sorted(set.intersection(*(set(sizes[s]) for s in shares)))
        table = np.array([[sizes[s][f] for f in folds] for s in shares])  # (sizes, folds, 3)
        aucs, trained = table[:, :, 0], table[:, :, 1]
        ratio = float(
            (table[-1, :, 2] / table[-1, :, 1]).mean()
        )  # of the whole folds: their overlap is what is corrected for
        points = [
            Point(s, float(n.mean()), float(a.mean()), *corrected_interval(a, ratio))
            for s, n, a in zip(shares, trained, aucs, strict=True)
        ]
        gains = aucs[-1] - aucs[-2] if len(shares) > 1 else np.array([np.nan])
        out.append(Line(head, sequence, points, float(gains.mean()), *corrected_interval(gains, ratio)))
    return out


def learning_section(run: Run, folder: Path) -> Section | None:
    """The learning curves of a run in words, a table and a figure; None where the run has none."""
    if TABLE not in run.more:
        return None
    key, title = f"learning-{run.name}", f"Learning curve ({run.name})"
    labels = list(run.about["patients"]["labels"].values())
    if min(labels.count(0), labels.count(1)) < FEW_PATIENTS:
        few = f"{labels.count(1)} positive and {labels.count(0)} negative patients: nothing can be said of more or fewer of them."
        return Section(key, title, [few])
    lines = read_lines(run.more[TABLE])
    if not lines:
        return Section(key, title, ["No test fold holds both classes, so there is no AUC by fold to draw."])
    rows = [
        (head_on(c.head, c.sequence, ", "), f"{p.share:.0%}", round(p.patients), f"{number(p.auc)} ({number(p.low, 2)} to {number(p.high, 2)})")
        for c in lines for p in c.points
    ]  # fmt: skip
    sheet = Sheet("AUC by fold (95 % interval)", ["Result", "Share", "Training patients", "AUC by fold"], rows)
    words = [*map(_rise, lines), METHOD, NO_FORECAST]
    return Section(
        key, title, words, [sheet], [drawing(run.name, lines, folder)], {"curves": [asdict(c) for c in lines]}
    )


def _rise(c: Line) -> str:
    first, last = c.points[-2:]
    change = f"{c.gain:+.3f} (95 % interval {c.low:+.3f} to {c.high:+.3f})"
    start = (
        f"{head_on(c.head, c.sequence)}: AUC by fold {number(last.auc)} with {last.patients:.0f} training patients, {change} against "
        f"{first.patients:.0f}"
    )
    if c.low > 0:
        return f"{start}: still rising."
    if c.high < 0:
        return f"{start}: falling."
    return f"{start}: no detectable change, though a rise of up to {max(c.high, 0):.3f} is not ruled out."


def drawing(run: str, lines: Sequence[Line], folder: Path) -> Drawing:
    """A panel per sequence, a line per head: mean AUC by fold against training patients, with intervals."""
    sequences = list(dict.fromkeys(c.sequence for c in lines))
    heads = list(dict.fromkeys(c.head for c in lines))
    columns = min(2, len(sequences))
    n_rows = -(-len(sequences) // columns)
    with canvas(0.6 + 2.4 * columns + 0.8 * (columns == 1), 0.5 + 2.2 * n_rows) as fig:
        axes = fig.subplots(n_rows, columns, squeeze=False, sharey=True)
        for ax in axes.flat[len(sequences) :]:
            ax.remove()
        for ax, sequence in zip(axes.flat, sequences, strict=False):
            ax.axhline(0.5, color=GREY, lw=1, ls="--")
            for c in lines:
                if c.sequence == sequence:
                    k = heads.index(c.head)
                    x = np.array([p.patients for p in c.points])
                    y, low, high = (np.array([getattr(p, name) for p in c.points]) for name in ("auc", "low", "high"))
                    aside = 0.02 * k * x.max()  # so that intervals do not hide each other
                    ax.errorbar(
                        x + aside, y, [y - low, high - y], fmt="os^"[k % 3] + "-", ms=4, lw=1.4, elinewidth=1,
                        color=(BLUE, ORANGE, GREY)[k % 3], label=c.head,
                    )  # fmt: skip
            ax.set(title="" if sequence == NO_SCANS else sequence, xlim=(0, None))
        fig.supxlabel("Training patients", fontsize=9)
        fig.supylabel("AUC by fold", fontsize=9)
        axes[0, 0].legend(fontsize=8, loc="best")
        alt = "AUC by fold against training patients, with 95 % intervals. " + "; ".join(
            f"{head_on(c.head, c.sequence)}: "
            + ", ".join(f"{number(p.auc, 2)} with {p.patients:.0f}" for p in c.points)
            for c in lines
        )
        return save_figure(fig, folder, f"learning-{run}", f"{run}: learning curve", alt)
