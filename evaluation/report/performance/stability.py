"""How far repeats agree, in words, as a table and as a figure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from core.documents import Document
from core.text import number
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, drawn
from evaluation.report.section import Cell, Section, Sheet, result_name, section
from evaluation.report.words import unsaid
from evaluation.statistics.power import few
from evaluation.statistics.stability import Spread, Stability, by_steadiness, spread, stability

COMPARED = (
    "Compared are the scores that the same patients (and where there are images, the same slices) get in two repeats: from heads of other folds and another "
    "seed, none of which trained on the patient. Heads of the folds of one repeat cannot be compared so, since each patient is held "
    "back by one of them only."
)
MEANING = (
    "1 is the same order, 0 no relation. Heads of two repeats share most of their training patients, so their scores agree to some "
    "degree even where there is nothing to find; and a head that reads a shortcut reads it in every repeat. A low figure means that "
    "the order of patients depends on how they were split, and that single scores and maps should not be leaned on. A high figure "
    "does not mean that the order is right. The ranges are over pairs of repeats of the same patients; they are no confidence intervals."
)


@section(order=100)
def stability_section(context: ReportContext) -> Section:
    """How far repeats agree, for every honest result with two of them and enough patients.

    `data["results"]` has each figure as the mean, lowest and highest over pairs of repeats.
    """
    scored = context.honest
    repeated = [s for s in scored if len(s.scores) > 1]
    enough = [s for s in repeated if not few(s.y)]
    slices = {s.key: s for s in context.slices}
    found = [stability(s, slices.get(s.key)) for s in enough]
    words = [_finding(found), COMPARED, MEANING] if found else []
    if len(repeated) < len(scored):
        single = f"{len(scored) - len(repeated)} of {len(scored)} results have one repeat and cannot be compared"
        words.append(f"{single}; train with --repeats 2 or more.")
    if len(enough) < len(repeated):
        words.append(unsaid(len(repeated) - len(enough), len(repeated)))
    names = [result_name(f.key, [s.run for s in scored]) for f in found]
    data = {"results": [_data(f) for f in found]}
    sheets, drawings = ([_sheet(found, names)], [_drawing(found, names)]) if found else ([], [])
    return Section("stability", "Stability", words, sheets, drawings, data=data)


def _finding(found: Sequence[Stability]) -> str:
    """The least and the most stable result, in words."""
    ranked = by_steadiness(found)
    if not ranked:
        return "Every score of a repeat is the same, so patients have no order to compare."
    several = len({f.key.run for f in found}) > 1
    least, most = ranked[0], ranked[-1]
    last, first = (f"{f.key.label()} ({f.key.run})" if several else f.key.label() for f in (least, most))
    low, high = (number(spread(f.patients).mean, 2) for f in (least, most))
    if least is most:
        return f"Between repeats, the order in which {first} puts the patients has a mean rank correlation of {high}."
    return (
        f"Of {len(ranked)} results, {first} keeps the order of patients best from repeat to repeat (mean rank correlation {high}), "
        f"and {last} least ({low})."
    )


def _sheet(found: Sequence[Stability], names: Sequence[str]) -> Sheet:
    titles = ["Result", "Patients", "Repeats", "Patient scores"]
    sliced = any(f.slices for f in found)
    if sliced:
        titles += ["Slice scores", "Slices within a patient"]
    rows: list[list[Cell]] = []
    for name, f in zip(names, found, strict=True):
        figures = (f.patients, f.slices, f.within) if sliced else (f.patients,)
        rows.append([name, f.n_patients, f.n_repeats, *(_spread_said(spread(v)) for v in figures)])
    return Sheet("Rank correlation between repeats: mean (lowest to highest pair)", titles, rows)


def _drawing(found: Sequence[Stability], names: Sequence[str]) -> Drawing:
    """Every pair of repeats a mark: patients as dots, slices within a patient as rings."""
    with canvas(6.2, 1.1 + 0.3 * len(found)) as fig:
        ax = fig.subplots()
        styles: list[tuple[str, list[list[float]], float, Document]] = [
            ("patients", [f.patients for f in found], -0.12, {"color": BLUE, "alpha": 0.7})
        ]
        if any(f.within for f in found):
            rings = {"mfc": "none", "mec": ORANGE}
            styles.append(("slices within a patient", [f.within for f in found], 0.12, rings))
        for label, figures, shift, style in styles:
            for i, values in enumerate(figures):
                ax.plot(values, [i + shift] * len(values), "o", ms=5, label=None if i else label, **style)
        ax.axvline(0, color=GREY, lw=1, ls="--")
        lowest = min([0.0, *(v for f in found for v in (*f.patients, *f.within) if not math.isnan(v))])
        ax.set(xlim=(lowest - 0.05, 1.03), ylim=(len(found) - 0.4, -0.6), xlabel="Rank correlation of two repeats")
        ax.set_yticks(range(len(found)), names)
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        alt = "Rank correlation of out-of-fold scores between repeats, mean of all pairs: " + "; ".join(
            _told(name, f) for name, f in zip(names, found, strict=True)
        )
        return drawn(fig, "stability", "Do repeats agree?", alt)


def _told(name: str, f: Stability) -> str:
    within = f", slices within a patient {number(spread(f.within).mean, 2)}" if f.within else ""
    return f"{name} patients {number(spread(f.patients).mean, 2)}{within}"


def _spread_said(s: Spread) -> str:
    if s.n < 2 or math.isnan(s.mean):
        return number(s.mean, 2)
    return f"{number(s.mean, 2)} ({number(s.lowest, 2)} to {number(s.highest, 2)})"


def _data(f: Stability) -> Document:
    out: Document = {**f.key._asdict(), "repeats": f.n_repeats, "patients": f.n_patients}
    for name, values in (("patient_scores", f.patients), ("slice_scores", f.slices), ("within_patient", f.within)):
        s = spread(values)
        out[name] = None if math.isnan(s.mean) else {"mean": s.mean, "lowest": s.lowest, "highest": s.highest}
    return out
