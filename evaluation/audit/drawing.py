"""The AUCs of an audit as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from core.text import number
from evaluation.audit.figure_words import span
from evaluation.audit.files.foreign import Foreign
from evaluation.audit.results.measures import Figures
from evaluation.audit.results.verdict import result_name
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, save_figure

SHOWN = 24  # models in the figure


class Line(NamedTuple):
    """One AUC of each result: how it is drawn, and the fields of `Figures` that hold it and its interval."""

    offset: float
    colour: str
    marker: str
    label: str
    fields: tuple[str, str, str]


AS_IF_INDEPENDENT = Line(-0.3, ORANGE, "o", "rows, as if independent", ("row_auc", "naive_low", "naive_high"))
ROWS = Line(-0.1, GREY, "o", "rows, patients drawn", ("row_auc", "row_low", "row_high"))
PATIENTS = Line(0.1, BLUE, "o", "patients", ("auc", "low", "high"))
BY_FOLD = Line(0.3, BLUE, "D", "patients, by fold", ("fold_auc", "fold_low", "fold_high"))


def draw(results: Sequence[Figures], f: Foreign, folder: Path) -> Drawing:
    """Draw the AUCs of each result with their intervals: of rows where patients have several, of patients, and by fold.

    Parameters
    ----------
    results : with enough patients; the first of them by AUC are drawn
    f : the predictions
    folder : where the picture goes
    """
    shown = sorted(results, key=lambda x: -x.lead[0])[:SHOWN]
    by_rows = any(x.most_rows > 1 for x in shown)
    lines = [AS_IF_INDEPENDENT, ROWS, PATIENTS] if by_rows else [PATIENTS]
    if any(x.no_folds is None for x in shown):
        lines.append(BY_FOLD)
    with canvas(6.2, 1.3 + 0.55 * len(shown)) as fig:
        ax = fig.subplots()
        told = []
        for i, x in enumerate(shown):
            said = []
            for line in lines:
                value, low, high = (getattr(x, name) for name in line.fields)
                at, label = i + line.offset, None if i else line.label
                ax.plot([low, high], [at] * 2, color=line.colour, lw=2, solid_capstyle="round")
                ax.plot(value, at, line.marker, color=line.colour, ms=5, label=label)
                said.append(f"{line.label} {number(value)} ({span(low, high)})")
            told.append(f"{result_name(x, f)}: {', '.join(said)}")
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.5, -0.5), xlabel="AUC with 95 % interval")
        ax.set_yticks(range(len(shown)), [result_name(x, f) for x in shown])
        fig.legend(loc="outside lower center", ncols=2, fontsize=8)
        alt = f"AUC with 95 % interval. {'; '.join(told)}"
        return save_figure(fig, folder, "audit", "Rows against patients" if by_rows else "AUC of patients", alt)
