"""Do the images tell more than how the scans were made? Image results against heads that saw no image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from core.predictions import Scored, head_on
from core.text import interval_text, number, p_said
from evaluation.read_run import Run, is_table
from evaluation.report.figures import BLUE, GREY, Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet
from evaluation.statistics.assess import Assessment, assess
from evaluation.statistics.compare import ALPHA, Comparison, compare, holm
from evaluation.statistics.intervals import inflation
from evaluation.statistics.power import FEW_PATIENTS

EXPLANATION = (
    "A shortcut head sees no image. It knows of each sequence only the number of slices and of blank ones, the plane, matrix, "
    "spacing and slice step, the window of intensities, the brain fraction, and whether the sequence is missing. Where it does "
    "as well as an image head, the image head may have learned no more than that. Where an image head does better, other "
    "shortcuts that show only in the pixels, such as the look of one scanner, are still not ruled out."
)


@dataclass
class Audit:
    """The shortcut heads of one run, the best of them, and each image result compared with it.

    pairs : a is the image result, b the best shortcut head; p_holm is corrected over the pairs of the run
    """

    run: str
    heads: list[Assessment]
    best: Assessment
    pairs: list[Comparison]


def split_off(scored: Sequence[Scored], runs: Sequence[Run]) -> tuple[list[Scored], list[Scored]]:
    """(results on images, results on shortcuts): the second are a baseline and no candidates for the best result."""
    name = {run.name: run.about.get("shortcuts") for run in runs}
    images = [s for s in scored if s.sequence != name[s.run]]
    return images, [s for s in scored if s.sequence == name[s.run]]


def shortcut_section(
    images: Sequence[Scored],
    baselines: Sequence[Scored],
    folder: Path,
    about: Sequence[Run] = (),
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> Section:
    """Every image result against the best shortcut head of its run, by the paired test, and what follows in words.

    `folder` : where the figure goes; `about` : the runs, for why one has no baseline. `data["findings"]` has one paragraph per run with a baseline, fit to stand in a verdict.
    """
    runs = list(dict.fromkeys(s.run for s in images))
    audits = [
        _audit(run, images, own, replicates, seed) for run in runs if (own := [s for s in baselines if s.run == run])
    ]
    tables = [run.name for run in about if is_table(run.about)]
    without = [run for run in runs if run not in {a.run for a in audits} and run not in tables]
    many = len(runs) > 1
    findings = [f"{a.run}: {_finding(a)}" if many else _finding(a) for a in audits]
    words = [*findings, EXPLANATION] if audits else []
    if without:
        words.append(
            f"Without shortcut heads, so not audited: {', '.join(without)} (a slice split, --no-shortcuts, neither a logistic nor a "
            "boosted head, or an older version)."
        )
    if tables:
        words.append(
            f"Not audited: {', '.join(tables)}, trained on a table, which does not say how the scans behind its columns were made. Where "
            "scanner, site or voxel size are known, train the same heads on a table of those alone and give both runs to evaluate.py."
        )
    data = {"findings": findings, "runs": {a.run: _data(a) for a in audits}}
    return Section("shortcuts", "Shortcuts", words, _sheets(audits, many), _drawings(audits, many, folder), data)


def _audit(run: str, images: Sequence[Scored], baselines: Sequence[Scored], replicates: int, seed: int) -> Audit:
    heads = [assess(s, level="patient", replicates=replicates, seed=seed) for s in baselines]
    best = max(range(len(heads)), key=lambda i: heads[i].by_fold["estimate"])
    pairs = [c for s in images if s.run == run and (c := compare(s, baselines[best])) is not None]
    # The highest shortcut head was picked on these patients, which favours it: where it wins, that is paid for.
    for c, p in zip(pairs, holm([c.p * (len(heads) if c.difference < 0 else 1) for c in pairs]), strict=True):
        c.p_holm = p
    return Audit(run, heads, heads[best], pairs)


def _p_chance(a: Audit) -> float:
    """Two-sided p of the best shortcut head, corrected for the number of heads.

    From the variance under chance, where a model is all noise of its training sample: it holds for an AUC of 1 too.
    """
    from scipy.stats import norm

    positive, negative = a.best.n_positive, a.best.n_patients - a.best.n_positive
    folds, repeats = a.best.n_folds / a.best.n_repeats, a.best.n_repeats
    plain = (positive + negative + folds) / (12 * positive * negative)  # of Mann and Whitney's statistic within folds
    z = abs(a.best.by_fold["estimate"] - 0.5) / np.sqrt(plain * inflation(1.0, folds, repeats))
    return min(1.0, float(2 * norm.sf(z)) * len(a.heads))


def _finding(a: Audit) -> str:
    """One paragraph: what the shortcut reaches alone, and how many image results beat it."""
    if a.best.few:
        return (
            f"With {a.best.n_positive} positive and {a.best.n_patients - a.best.n_positive} negative patients nothing can be "
            f"said of shortcuts; at least {FEW_PATIENTS} of each are needed."
        )
    auc, p = a.best.by_fold["estimate"], _p_chance(a)
    told = "can be told" if auc > 0.5 and p < ALPHA else "cannot detectably be told"
    heads = f", corrected for {len(a.heads)} such heads" if len(a.heads) > 1 else ""
    out = (
        f"The label {told} from how the scans were made: without seeing an image, {a.best.head} reaches an AUC by "
        f"fold of {number(auc)} ({p_said(p)}, two-sided, against chance{heads})."
    )
    return f"{out} {_compared(a.pairs)}"


def _compared(pairs: Sequence[Comparison]) -> str:
    if not pairs:
        return (
            f"No image result shares {FEW_PATIENTS} patients of each class with the shortcut head, so none is compared."
        )
    verdicts = [_verdict(c) for c in pairs]
    k, better, worse = len(pairs), verdicts.count("images better"), verdicts.count("shortcut better")
    test = "(paired test, Holm's correction)"
    if better:
        first = max((c for c in pairs if _verdict(c) == "images better"), key=lambda c: c.difference).a
        out = f"Detectably better than the shortcut {test}: {better} of {k} image results, most of all {head_on(*first[1:])}."
    else:
        out = (
            f"No image result (of {k}) ranks patients detectably better than the shortcut {test}, so the images have not been "
            "shown to add anything to how the scans were made."
        )
    if better and k > better + worse:
        out += f" Not detectably different: {k - better - worse}; these have not been shown to add anything to how the scans were made."
    return f"{out} Detectably worse: {worse}." if worse else out


def _verdict(c: Comparison) -> str:
    if not c.p_holm < ALPHA:
        return "no detectable difference"
    return "images better" if c.difference > 0 else "shortcut better"


def _sheets(audits: Sequence[Audit], many: bool) -> list[Sheet]:
    heads = [
        (_name(many, b.run, b.head), b.n_patients, b.n_positive, interval_text(b.by_fold), b.values["auc"]["estimate"])
        for a in audits
        if not a.best.few
        for b in a.heads
    ]
    pairs = [
        (
            _name(many, a.run, f"{c.a[1]} on {c.a[2]}"), c.n_patients,
            f"{c.difference:+.3f} ({c.low:+.2f} to {c.high:+.2f})", c.p_holm, c.p_folds, _verdict(c),
        )
        for a in audits
        for c in a.pairs
    ]  # fmt: skip
    out = []
    if heads:
        titles = ["Head", "Patients", "Positive", "AUC by fold (95 % CI)", "AUC pooled"]
        out.append(Sheet("Heads that saw no image", titles, heads))
    if pairs:
        titles = ["Image result", "Patients", "AUC above shortcut (95 % CI)", "p (Holm)", "p over folds", "In words"]
        out.append(Sheet("Image results against the best shortcut head of their run", titles, pairs))
    return out


def _drawings(audits: Sequence[Audit], many: bool, folder: Path) -> list[Drawing]:
    rows = [(_name(many, a.run, f"{c.a[1]}, {c.a[2]}"), c) for a in audits for c in a.pairs]
    if not rows:
        return []
    with canvas(6.4, 0.9 + 0.28 * len(rows)) as fig:
        ax = fig.subplots()
        for i, (_, c) in enumerate(rows):
            ax.plot([c.low, c.high], [i, i], color=BLUE, lw=2, solid_capstyle="round")
            ax.plot(c.difference, i, "o", color=BLUE, ms=6)
        ax.axvline(0, color=GREY, lw=1, ls="--")
        ax.set(xlabel="AUC of the images minus AUC of the shortcut (95 %)", ylim=(len(rows) - 0.4, -0.6))
        ax.set_yticks(range(len(rows)), [name for name, _ in rows])
        alt = "AUC of each image result minus that of the best shortcut head: " + "; ".join(
            f"{name} {c.difference:+.3f} ({c.low:+.2f} to {c.high:+.2f})" for name, c in rows
        )
        return [save_figure(fig, folder, "shortcuts", "What the images add to how the scans were made", alt)]


def _data(a: Audit) -> dict[str, Any]:
    return {
        "best": a.best.head,
        "p_chance": _p_chance(a),
        "heads": [
            {"head": b.head, "patients": b.n_patients, "positive": b.n_positive, "auc": b.by_fold} for b in a.heads
        ],
        "comparisons": [{**vars(c), "verdict": _verdict(c)} for c in a.pairs],
    }


def _name(many: bool, run: str, name: str) -> str:
    return f"{run}: {name}" if many else name
