"""The learning curves of a run in words, a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np

from core.predictions import TABLE, head_on
from core.text import number, range_text
from evaluation.read_run import Run
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, drawn
from evaluation.report.section import Cell, Section, Sheet, section
from evaluation.statistics.controls.learning_curve import Line, Point, Trend, read_lines
from evaluation.statistics.power import FEW_PATIENTS
from heads.run_files import LEARNING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

METHOD = (
    "The test folds are the same at every size; training patients are added, never exchanged, and their share of positives is kept. Points are "
    "means of the AUC by fold; intervals (95 %, t over folds) are widened after Nadeau and Bengio (2003), since folds share their patients."
)
NO_FORECAST = (
    "The curve is not extrapolated. A few sizes within one cohort do not tell a curve that goes on rising from one that levels off, and patients "
    "of another hospital are not more of the same. A curve that is flat at 0.5 says that more patients have not helped these heads on these features up to "
    "this size; it does not say that there is nothing to find."
)


@section(order=120)
def learning_sections(context: ReportContext) -> list[Section]:
    """One part for each run that has a learning curve."""
    return [s for run in context.runs if (s := learning_section(run)) is not None]


def learning_section(run: Run) -> Section | None:
    """The learning curves of a run; None where the run has none."""
    if LEARNING not in run.more:
        return None
    key, title = f"learning-{run.name}", f"Learning curve ({run.name})"
    labels = list(run.about["patients"]["labels"].values())
    if min(labels.count(0), labels.count(1)) < FEW_PATIENTS:
        few = f"{labels.count(1)} positive and {labels.count(0)} negative patients: nothing can be said of more or fewer of them."
        return Section(key, title, [few])
    lines = read_lines(run.more[LEARNING])
    if not lines:
        return Section(key, title, ["No test fold holds both classes, so there is no AUC by fold to draw."])
    rows = [_row(c, p) for c in lines for p in c.points]
    sheet = Sheet("AUC by fold (95 % interval)", ["Result", "Share", "Training patients", "AUC by fold"], rows)
    words = [*map(_rise, lines), METHOD, NO_FORECAST]
    data = {"curves": [asdict(c) for c in lines]}
    return Section(key, title, words, [sheet], [drawing(run.name, lines)], data=data)


def _row(c: Line, p: Point) -> Sequence[Cell]:
    auc = f"{number(p.auc)} ({range_text(p.low, p.high, between=' to ')})"
    return head_on(c.head, c.sequence, ", "), f"{p.share:.0%}", round(p.patients), auc


def _rise(c: Line) -> str:
    first, last = c.points[-2:]
    change = f"{c.gain:+.3f} (95 % interval {c.low:+.3f} to {c.high:+.3f})"
    ending = {
        Trend.RISING: "still rising",
        Trend.FALLING: "falling",
        Trend.UNCLEAR: f"no detectable change, though a rise of up to {max(c.high, 0):.3f} is not ruled out",
    }[c.trend]
    return (
        f"{head_on(c.head, c.sequence)}: AUC by fold {number(last.auc)} with {last.patients:.0f} training patients, {change} against "
        f"{first.patients:.0f}: {ending}."
    )


def drawing(run: str, lines: Sequence[Line]) -> Drawing:
    """A panel per sequence, a line per head: mean AUC by fold against training patients, with intervals."""
    sequences = list(dict.fromkeys(c.sequence for c in lines))
    heads = list(dict.fromkeys(c.head for c in lines))
    columns = min(2, len(sequences))
    n_rows = -(-len(sequences) // columns)
    with canvas(0.6 + 2.4 * columns + (0.8 if columns == 1 else 0), 0.5 + 2.2 * n_rows) as fig:
        axes = fig.subplots(n_rows, columns, squeeze=False, sharey=True)
        for ax in axes.flat[len(sequences) :]:
            ax.remove()
        for ax, sequence in zip(axes.flat, sequences, strict=False):
            ax.axhline(0.5, color=GREY, lw=1, ls="--")
            for c in lines:
                if c.sequence == sequence:
                    _draw_line(ax, c, heads.index(c.head))
            ax.set(title="" if sequence == TABLE else sequence, xlim=(0, None))
        fig.supxlabel("Training patients", fontsize=9)
        fig.supylabel("AUC by fold", fontsize=9)
        axes[0, 0].legend(fontsize=8, loc="best")
        alt = "AUC by fold against training patients, with 95 % intervals. " + "; ".join(
            f"{head_on(c.head, c.sequence)}: "
            + ", ".join(f"{number(p.auc, 2)} with {p.patients:.0f}" for p in c.points)
            for c in lines
        )
        return drawn(fig, f"learning-{run}", f"{run}: learning curve", alt)


def _draw_line(ax: Axes, c: Line, k: int) -> None:
    """The k-th head, a little to the side, so that intervals do not hide each other."""
    x = np.array([p.patients for p in c.points])
    y = np.array([p.auc for p in c.points])
    below, above = y - [p.low for p in c.points], [p.high for p in c.points] - y
    ax.errorbar(
        x + 0.02 * k * x.max(),
        y,
        [below, above],
        fmt="os^"[k % 3] + "-",
        ms=4,
        lw=1.4,
        elinewidth=1,
        color=(BLUE, ORANGE, GREY)[k % 3],
        label=c.head,
    )
