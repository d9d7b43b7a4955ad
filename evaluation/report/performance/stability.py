"""Does a head say the same again? Rank correlation of out-of-fold scores between repeats, of patients and of slices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.metrics import Array, Labels
from core.predictions import Scored, head_on
from core.text import number
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, save_figure
from evaluation.report.section import Cell, Section, Sheet, result_name
from evaluation.report.verdict import unsaid
from evaluation.statistics.power import few

SLICES = 3  # of one patient, below which their ranks are not compared
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


@dataclass
class Stability:
    """Spearman's correlation of one result for each pair of repeats; NaN where all scores of a repeat are one.

    patients : over patients; slices : over all slices; within : over the slices of one patient, mean of the patients. The last
    two are empty where there are no slices.
    """

    key: tuple[str, str, str]
    n_repeats: int
    n_patients: int
    patients: list[float]
    slices: list[float]
    within: list[float]


def rank_correlations(scores: Array, group: Labels, at_least: int = 2) -> list[float]:
    """(R, n) scores, (n,) group of each column -> for each pair of repeats the mean over groups of Spearman's correlation.

    Ranks are taken inside each group, ties at their mean rank (Spearman, American Journal of Psychology 1904). Columns that
    lack a score in some repeat are left out, and groups of fewer than `at_least` columns or of one score only; NaN where
    that leaves nothing.
    """
    from scipy.stats import rankdata

    known = np.isfinite(scores).all(axis=0)
    scores, group = scores[:, known], group[known]
    order = np.argsort(group, kind="stable")
    pairs = np.triu_indices(len(scores), 1)
    each = []
    for own in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(own) >= at_least:
            ranks = rankdata(scores[:, own], axis=1) - (len(own) + 1) / 2
            products = ranks @ ranks.T
            size = np.sqrt(np.outer(products.diagonal(), products.diagonal()))
            each.append(np.divide(products, size, out=np.full_like(size, np.nan), where=size > 0)[pairs])
    table = np.array(each).reshape(-1, len(pairs[0]))
    return [float(column[known].mean()) if (known := np.isfinite(column)).any() else float("nan") for column in table.T]


def stability(patients: Scored, slices: Scored | None) -> Stability:
    """The correlations of one result, over all pairs of repeats; `slices` : its slice scores, where it has any."""
    out = Stability(patients.key, len(patients.scores), len(patients.units), [], [], [])
    out.patients = rank_correlations(patients.scores, np.zeros(len(patients.units), int))
    if slices is not None:
        out.slices = rank_correlations(slices.scores, np.zeros(len(slices.units), int))
        out.within = rank_correlations(slices.scores, slices.patient, at_least=SLICES)
    return out


def stability_section(scored: Sequence[Scored], slices: Sequence[Scored], folder: Path) -> Section:
    """How far repeats agree, for every result with two of them and enough patients; the figure goes to `folder`.

    scored, slices : scores at patient and at slice level. `data["results"]` has each figure as the mean, lowest and highest
    over pairs of repeats.
    """
    repeated = [s for s in scored if len(s.scores) > 1]
    enough = [s for s in repeated if not few(s.y)]
    by_key = {s.key: s for s in slices if len(s.units) > len(s.patients)}
    found = [stability(s, by_key.get(s.key)) for s in enough]
    words = [] if not found else [_finding(found), COMPARED, MEANING]
    if len(repeated) < len(scored):
        single = f"{len(scored) - len(repeated)} of {len(scored)} results have one repeat and cannot be compared"
        words.append(f"{single}; train with --repeats 2 or more.")
    if len(enough) < len(repeated):
        words.append(unsaid(len(repeated) - len(enough), len(repeated)))
    names = [result_name(f.key, [s.run for s in scored]) for f in found]
    data = {"results": [_data(f) for f in found]}
    return Section("stability", "Stability", words, _sheets(found, names), _drawings(found, names, folder), data)


def _finding(found: Sequence[Stability]) -> str:
    """The least and the most stable result, in words."""
    ranked = sorted((f for f in found if _mean(f.patients) == _mean(f.patients)), key=lambda f: _mean(f.patients))
    if not ranked:
        return "Every score of a repeat is the same, so patients have no order to compare."
    least, most = ranked[0], ranked[-1]
    many = len({f.key[0] for f in found}) > 1
    first, last = (f"{head_on(*f.key[1:])}{f' ({f.key[0]})' * many}" for f in (most, least))
    high, low = (number(_mean(f.patients), 2) for f in (most, least))
    if least is most:
        return f"Between repeats, the order in which {first} puts the patients has a mean rank correlation of {high}."
    return (
        f"Of {len(ranked)} results, {first} keeps the order of patients best from repeat to repeat (mean rank correlation {high}), "
        f"and {last} least ({low})."
    )


def _sheets(found: Sequence[Stability], names: Sequence[str]) -> list[Sheet]:
    if not found:
        return []
    titles = ["Result", "Patients", "Repeats", "Patient scores"]
    if sliced := any(f.slices for f in found):
        titles += ["Slice scores", "Slices within a patient"]
    rows: list[list[Cell]] = [
        [name, f.n_patients, f.n_repeats, *(_spread(v) for v in (f.patients, f.slices, f.within)[: 3 if sliced else 1])]
        for name, f in zip(names, found, strict=True)
    ]
    return [Sheet("Rank correlation between repeats: mean (lowest to highest pair)", titles, rows)]


def _drawings(found: Sequence[Stability], names: Sequence[str], folder: Path) -> list[Drawing]:
    """Every pair of repeats a mark: patients as dots, slices within a patient as rings."""
    if not found:
        return []
    with canvas(6.2, 1.1 + 0.3 * len(found)) as fig:
        ax = fig.subplots()
        styles: list[tuple[str, str, float, dict[str, Any]]] = [
            ("patients", "patients", -0.12, {"color": BLUE, "alpha": 0.7}),
            ("within", "slices within a patient", 0.12, {"mfc": "none", "mec": ORANGE}),
        ]
        for field, label, shift, style in styles[: 2 if any(f.within for f in found) else 1]:
            for i, f in enumerate(found):
                values = getattr(f, field)
                ax.plot(values, [i + shift] * len(values), "o", ms=5, label=None if i else label, **style)
        ax.axvline(0, color=GREY, lw=1, ls="--")
        lowest = min([0.0, *(v for f in found for v in (*f.patients, *f.within) if v == v)])
        ax.set(xlim=(lowest - 0.05, 1.03), ylim=(len(found) - 0.4, -0.6), xlabel="Rank correlation of two repeats")
        ax.set_yticks(range(len(found)), names)
        fig.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2)
        alt = "Rank correlation of out-of-fold scores between repeats, mean of all pairs: " + "; ".join(
            f"{name} patients {number(_mean(f.patients), 2)}"
            + (f", slices within a patient {number(_mean(f.within), 2)}" if f.within else "")
            for name, f in zip(names, found, strict=True)
        )
        return [save_figure(fig, folder, "stability", "Do repeats agree?", alt)]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _spread(values: Sequence[float]) -> str:
    mean = _mean(values)
    if len(values) < 2 or mean != mean:
        return number(mean, 2)
    return f"{number(mean, 2)} ({number(min(values), 2)} to {number(max(values), 2)})"


def _data(f: Stability) -> dict[str, Any]:
    out: dict[str, Any] = {**dict(zip(("run", "head", "sequence"), f.key, strict=True))}
    out |= {"repeats": f.n_repeats, "patients": f.n_patients}
    for name, values in (("patient_scores", f.patients), ("slice_scores", f.slices), ("within_patient", f.within)):
        known = _mean(values) == _mean(values)
        out[name] = {"mean": _mean(values), "lowest": min(values), "highest": max(values)} if known else None
    return out
