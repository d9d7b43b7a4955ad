"""Drawing: assessments -> PNG and SVG. matplotlib is imported where it draws."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from core.predictions import Scored, head_on
from core.text import counted, interval_text, number
from evaluation.read_run import Run
from evaluation.statistics.assess import Assessment

BLUE, ORANGE, GREY = "#2563a8", "#c2571a", "#6b7280"
_STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "mgmt-radiogenomics",  # the same figure gives the same file
    "legend.frameon": False,
    "text.parse_math": False,  # a $ in a name is a $
}
_BLANK: dict[str, Any] = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}  # behind text that crosses a line


@dataclass
class Drawing:
    """A figure as files beside the report, and as it stands inside the report."""

    name: str
    title: str
    alt: str
    png: bytes

    @property
    def data_uri(self) -> str:
        """The PNG for an <img> in a self-contained page."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


def forest(assessments: Sequence[Assessment], folder: Path, leaks: Container[str] = ()) -> Drawing:
    """AUC with its interval for every head and sequence: patient level as dots, slice level as rings."""
    patients = [a for a in assessments if a.level == "patient"]
    slices = {(a.run, a.head, a.sequence): a for a in assessments if a.level == "slice"}
    runs = len({a.run for a in patients})
    low, high = (np.array([a.by_fold[end] for a in patients]) for end in ("low", "high"))
    height = 0.9 + 0.4 * len(patients)
    with canvas(5.4, height) as fig:
        ax = fig.subplots()
        for i, a in enumerate(patients):
            colour = GREY if a.run in leaks else BLUE
            ax.plot([low[i], high[i]], [i, i], color=colour, lw=2, solid_capstyle="round")
            ax.plot(a.by_fold["estimate"], i, "o", color=colour, ms=6)
            if other := slices.get((a.run, a.head, a.sequence)):
                ax.plot(other.mean_fold_auc, i, "o", mfc="none", mec=ORANGE, ms=6)
            name = f"{f'{a.run}: ' * (runs > 1)}{head_on(a.head, a.sequence, ', ')}{' (LEAKS)' * (a.run in leaks)}"
            # above its line, so that a long name takes no room from the axis
            ax.text(0, i - 0.4, name, transform=ax.get_yaxis_transform(), va="center", fontsize=8).set_bbox(_BLANK)
        ax.plot(
            [], [], "o", color=BLUE, ms=6, label="patient" if all(a.few for a in patients) else "patient, 95 % interval"
        )
        if slices:
            ax.plot([], [], "o", mfc="none", mec=ORANGE, ms=6, label="slice")
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0, label="chance")
        ax.set(xlabel="AUC by fold", ylim=(len(patients) - 0.5, -0.7), yticks=[])
        marks = [
            0.4,
            0.6,
            *low,
            *high,
            *(a.by_fold["estimate"] for a in patients),
            *(s.mean_fold_auc for s in slices.values()),
        ]
        ax.set_xlim(np.nanmin(marks) - 0.02, np.nanmax(marks) + 0.02)
        ax.spines["left"].set_visible(False)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, 1 + 0.45 / height), ncols=3)
        alt = "AUC by fold of every result: " + "; ".join(
            f"{head_on(a.head, a.sequence)} {interval_text(a.by_fold)}" for a in patients
        )
        return save_figure(
            fig,
            folder,
            "auc",
            "AUC by fold of every result" + ("" if all(a.few for a in patients) else ", with its 95 % interval"),
            alt,
        )


def panels(a: Assessment, scored: Scored, folder: Path) -> Drawing:
    """ROC and precision-recall with bands, the confusion matrix, and the histogram of scores of one result."""
    with canvas(5.4, 5.4, size=11) as fig:  # legible on a phone too
        fig.get_layout_engine().set(hspace=0.08)  # room for the titles of the lower row
        axes = fig.subplots(2, 2).ravel()
        for ax, curve, names, baseline in (
            (axes[0], a.roc, ("False positive rate", "True positive rate"), ([0, 1], [0, 1])),
            (axes[1], a.pr, ("Recall", "Precision"), ([0, 1], [a.n_positive / a.n_units] * 2)),
        ):
            if curve:
                ax.fill_between(curve["grid"], curve["low"], curve["high"], color=BLUE, alpha=0.18, lw=0)
                ax.plot(curve["x"], curve["y"], color=BLUE, lw=1.6)
            ax.plot(*baseline, color=GREY, lw=1, ls="--")
            ax.set(xlabel=names[0], ylabel=names[1], xlim=(0, 1), ylim=(0, 1.02))
            ax.set_box_aspect(1)
        axes[0].set_title(f"ROC, AUC {number(a.first_repeat['auc'], 2)} (pooled)")
        axes[1].set_title(f"PR, AP {number(a.first_repeat['average_precision'], 2)} (pooled)")
        c = a.confusion
        cells = np.array([[c["tn"], c["fp"]], [c["fn"], c["tp"]]])
        axes[2].imshow(cells, cmap="Blues", vmin=0, vmax=max(1, cells.max()) * 1.4)
        for (row, column), n in np.ndenumerate(cells):
            dark = n > 0.8 * cells.max()
            axes[2].text(column, row, str(n), ha="center", va="center", fontsize=12, color="white" if dark else "black")
        axes[2].set_xticks([0, 1], ["called 0", "called 1"])
        axes[2].set_yticks([0, 1], ["is 0", "is 1"])
        axes[2].set_title("Patients, threshold 0.5" if a.threshold == "0.5" else "Patients, best threshold")
        axes[2].spines[:].set_visible(False)
        known = np.isfinite(scored.scores[0])
        bins = np.linspace(0, 1, 21)
        for label, colour in ((0, GREY), (1, ORANGE)):
            mine = scored.scores[0][known & (scored.y == label)]
            if len(mine):  # shares, so that a small class can be seen beside a large one
                share = np.full(len(mine), 100 / len(mine))
                axes[3].hist(mine, bins, weights=share, color=colour, alpha=0.65, label=f"{label} (n = {len(mine)})")
        axes[3].set(xlabel="Patient score", ylabel="% of the label's patients", xlim=(0, 1), title="Scores by label")
        axes[3].set_box_aspect(1)
        axes[3].set_ylim(top=1.35 * axes[3].get_ylim()[1])  # room for the legend
        axes[3].legend(fontsize=9, loc="upper center", ncols=2, handlelength=0.8, handletextpad=0.4, columnspacing=0.8)
        title = f"{a.run}: {head_on(a.head, a.sequence, ', ')}"
        which = f"{title}, first repeat" if a.n_repeats == 1 else f"{title}, first repeat of {a.n_repeats}"
        fig.suptitle("\n".join(wrap(which, 60)), fontsize=11)
        alt = (
            f"{which}. ROC curve with pooled AUC {number(a.first_repeat['auc'])}; precision-recall curve with average "
            f"precision {number(a.first_repeat['average_precision'])}; confusion matrix: {c['tp']} true positives, {c['fp']} false "
            f"positives, {c['tn']} true negatives, {c['fn']} false negatives; histogram of patient scores by label."
        )
        return save_figure(fig, folder, f"{a.run}-{a.head}-{a.sequence}", title, alt)


def training_curves(run: Run, folder: Path) -> list[Drawing]:
    """Loss and accuracy of the dense head by epoch, every fold a line; one figure per sequence."""
    out = []
    watched = "validation slices" if run.about["split"] == "slice" else "inner validation patients"
    keys = dict.fromkeys((c["head"], c["sequence"]) for c in run.curves)
    for head, sequence in keys:
        folds: dict[tuple[str, str], list[dict[str, str]]] = {}
        for c in run.curves:
            if (c["head"], c["sequence"]) == (head, sequence):
                folds.setdefault((c["repeat"], c["fold"]), []).append(c)
        with canvas(5.4, 2.5) as fig:
            for ax, quantity in zip(fig.subplots(1, 2), ("loss", "accuracy"), strict=True):
                for i, rows in enumerate(folds.values()):
                    epochs = [int(r["epoch"]) for r in rows]
                    ax.plot(
                        epochs,
                        [float(r[quantity]) for r in rows],
                        color=BLUE,
                        lw=1,
                        alpha=0.7,
                        label=None if i else "training",
                    )
                    if rows[0][f"val_{quantity}"]:
                        inner = [float(r[f"val_{quantity}"]) for r in rows]
                        ax.plot(
                            epochs,
                            inner,
                            color=ORANGE,
                            lw=1,
                            alpha=0.7,
                            label=None if i else watched,
                        )
                ax.set(xlabel="Epoch", ylabel=quantity.capitalize())
                ax.set_ylim(0, 1.02 if quantity == "accuracy" else _top(folds.values()))
            ax.legend(fontsize=8)
            title = f"{run.name}: training of {head_on(head, sequence, ', ')}"
            both = any(rows[0]["val_loss"] for rows in folds.values())
            alt = f"{title}. Loss and accuracy by epoch for {counted(len(folds), 'fold')}, on training rows{f' and on {watched}' if both else ''}."
            out.append(save_figure(fig, folder, f"{run.name}-{head}-{sequence}-training", title, alt))
    return out


def _top(folds: Iterable[Sequence[Mapping[str, str]]]) -> float:
    """The end of the axis of losses: a few epochs of one fold may lie above, so that the others can be seen."""
    losses = [float(r[k]) for rows in folds for r in rows for k in ("loss", "val_loss") if r[k]]
    return 1.05 * min(max(losses), 3 * float(np.quantile(losses, 0.9)))


@contextmanager
def canvas(width: float, height: float, size: float = 9) -> Iterator[Any]:
    """`with canvas(width, height) as fig`: a matplotlib Figure in inches, in the style of the report, its letters `size` points."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE | {"font.size": size, "axes.titlesize": size + 1}):
        yield Figure(figsize=(width, height), dpi=130, layout="constrained")


def save_figure(fig: Any, folder: Path, name: str, title: str, alt: str) -> Drawing:
    """Write a figure as SVG and PNG into `folder`; `alt` says in words what it shows.

    It is laid out once and drawn once for each file: `Figure.savefig` would draw every file twice.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^\w+.-]", "_", name)
    fig.get_layout_engine().execute(fig)
    fig.set_layout_engine("none")
    image = io.BytesIO()
    pixels: Any = FigureCanvasAgg(fig)
    pixels.print_png(image, metadata={"Software": None})
    lines: Any = FigureCanvasSVG(fig)
    lines.print_svg(folder / f"{name}.svg", metadata={"Date": None})  # last: it changes the figure's resolution
    (folder / f"{name}.png").write_bytes(image.getvalue())
    return Drawing(name, title, alt, image.getvalue())
