"""The figures of each result, and how the dense head trained."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from core.predictions import Scored, head_on
from core.text import counted, number
from evaluation.read_run import Run
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, drawn
from evaluation.report.section import Section, section
from evaluation.statistics.assess import Assessment

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@section(order=60, in_json=False)
def heads_section(context: ReportContext) -> Section:
    """Curves, confusion matrix and histogram of each result, and the training curves of the dense head."""
    drawings = [panels(a, s) for a, s in zip(context.patients, context.scored, strict=True)]
    titled = [
        replace(d, title=f"{d.title}. AUC by fold: {_by_fold(a)}.")
        for d, a in zip(drawings, context.patients, strict=True)
    ]
    training = [drawing for run in context.runs for drawing in training_curves(run)]
    words = "Curves, matrix and histogram show the first repeat. Bands: pointwise 95 % over patients"
    if any(a.few for a in context.patients):
        words += " (none with too few patients)"
    words += ". Dashed: chance."
    if training:
        words += " The loss and accuracy of the dense head by epoch follow."
    return Section("heads", "Head by head", [words], drawings=[*titled, *training])


def _by_fold(a: Assessment) -> str:
    return ", ".join(number(x, 2) for x in a.fold_auc) or "no fold has both classes"


def panels(a: Assessment, scored: Scored) -> Drawing:
    """ROC and precision-recall with bands, the confusion matrix, and the histogram of scores of one result."""
    with canvas(5.4, 5.4, size=11) as fig:  # legible on a phone too
        fig.get_layout_engine().set(hspace=0.08)  # room for the titles of the lower row
        roc, pr, cells, histogram = fig.subplots(2, 2).ravel()
        _draw_curve(roc, a.roc, ("False positive rate", "True positive rate"), ([0, 1], [0, 1]))
        _draw_curve(pr, a.pr, ("Recall", "Precision"), ([0, 1], [a.n_positive / a.n_units] * 2))
        roc.set_title(f"ROC, AUC {number(a.first_repeat['auc'], 2)} (pooled)")
        pr.set_title(f"PR, AP {number(a.first_repeat['average_precision'], 2)} (pooled)")
        _draw_cells(cells, a)
        _draw_histogram(histogram, scored)
        title = f"{a.run}: {a.key.label(', ')}"
        which = f"{title}, first repeat" if a.n_repeats == 1 else f"{title}, first repeat of {a.n_repeats}"
        fig.suptitle("\n".join(wrap(which, 60)), fontsize=11)
        c = a.confusion
        alt = (
            f"{which}. ROC curve with pooled AUC {number(a.first_repeat['auc'])}; precision-recall curve with average "
            f"precision {number(a.first_repeat['average_precision'])}; confusion matrix: {c['tp']} true positives, {c['fp']} false "
            f"positives, {c['tn']} true negatives, {c['fn']} false negatives; histogram of patient scores by label."
        )
        return drawn(fig, f"{a.run}-{a.head}-{a.sequence}", title, alt)


def _draw_curve(
    ax: Axes, curve: Mapping[str, list[float]], names: tuple[str, str], baseline: tuple[list[float], list[float]]
) -> None:
    if curve:
        ax.fill_between(curve["grid"], curve["low"], curve["high"], color=BLUE, alpha=0.18, lw=0)
        ax.plot(curve["x"], curve["y"], color=BLUE, lw=1.6)
    ax.plot(*baseline, color=GREY, lw=1, ls="--")
    ax.set(xlabel=names[0], ylabel=names[1], xlim=(0, 1), ylim=(0, 1.02))
    ax.set_box_aspect(1)


def _draw_cells(ax: Axes, a: Assessment) -> None:
    """The confusion matrix: rows are the labels, columns the calls."""
    c = a.confusion
    cells = np.array([[c["tn"], c["fp"]], [c["fn"], c["tp"]]])
    ax.imshow(cells, cmap="Blues", vmin=0, vmax=max(1, cells.max()) * 1.4)
    for (row, column), n in np.ndenumerate(cells):
        dark = n > 0.8 * cells.max()
        ax.text(column, row, str(n), ha="center", va="center", fontsize=12, color="white" if dark else "black")
    ax.set_xticks([0, 1], ["called 0", "called 1"])
    ax.set_yticks([0, 1], ["is 0", "is 1"])
    ax.set_title("Patients, threshold 0.5" if a.threshold == "0.5" else "Patients, best threshold")
    ax.spines[:].set_visible(False)


def _draw_histogram(ax: Axes, scored: Scored) -> None:
    """The scores of the first repeat by label, as shares, so that a small class can be seen beside a large one."""
    known = np.isfinite(scored.scores[0])
    for label, colour in ((0, GREY), (1, ORANGE)):
        mine = scored.scores[0][known & (scored.y == label)]
        if len(mine):
            share = np.full(len(mine), 100 / len(mine))
            name = f"{label} (n = {len(mine)})"
            ax.hist(mine, np.linspace(0, 1, 21).tolist(), weights=share, color=colour, alpha=0.65, label=name)
    ax.set(xlabel="Patient score", ylabel="% of the label's patients", xlim=(0, 1), title="Scores by label")
    ax.set_box_aspect(1)
    ax.set_ylim(top=1.35 * ax.get_ylim()[1])  # room for the legend
    ax.legend(fontsize=9, loc="upper center", ncols=2, handlelength=0.8, handletextpad=0.4, columnspacing=0.8)


def training_curves(run: Run) -> list[Drawing]:
    """Loss and accuracy of the dense head by epoch, every fold a line; one figure per sequence."""
    watched = "validation slices" if run.about["split"] == "slice" else "inner validation patients"
    results: dict[tuple[str, str], dict[tuple[str, str], list[dict[str, str]]]] = {}
    for c in run.curves:
        folds = results.setdefault((c["head"], c["sequence"]), {})
        folds.setdefault((c["repeat"], c["fold"]), []).append(c)
    return [
        _training_curve(run.name, head, sequence, list(folds.values()), watched)
        for (head, sequence), folds in results.items()
    ]


def _training_curve(
    run: str, head: str, sequence: str, folds: Sequence[Sequence[Mapping[str, str]]], watched: str
) -> Drawing:
    """One figure; `folds` : rows of curves.csv by fold, an epoch each."""
    with canvas(5.4, 2.5) as fig:
        for ax, quantity in zip(fig.subplots(1, 2), ("loss", "accuracy"), strict=True):
            for i, rows in enumerate(folds):
                epochs = [int(r["epoch"]) for r in rows]
                lines = [(quantity, BLUE, "training")]
                if rows[0][f"val_{quantity}"]:
                    lines.append((f"val_{quantity}", ORANGE, watched))
                for column, colour, name in lines:
                    values = [float(r[column]) for r in rows]
                    ax.plot(epochs, values, color=colour, lw=1, alpha=0.7, label=None if i else name)
            ax.set(xlabel="Epoch", ylabel=quantity.capitalize())
            ax.set_ylim(0, 1.02 if quantity == "accuracy" else _top(folds))
        ax.legend(fontsize=8)
        title = f"{run}: training of {head_on(head, sequence, ', ')}"
        and_on = f" and on {watched}" if any(rows[0]["val_loss"] for rows in folds) else ""
        alt = f"{title}. Loss and accuracy by epoch for {counted(len(folds), 'fold')}, on training rows{and_on}."
        return drawn(fig, f"{run}-{head}-{sequence}-training", title, alt)


def _top(folds: Iterable[Sequence[Mapping[str, str]]]) -> float:
    """The end of the axis of losses: a few epochs of one fold may lie above, so that the others can be seen."""
    losses = [float(r[k]) for rows in folds for r in rows for k in ("loss", "val_loss") if r[k]]
    return 1.05 * min(max(losses), 3 * float(np.quantile(losses, 0.9)))
