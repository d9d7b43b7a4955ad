"""Do the images tell more than how the scans were made? The finding in words, tables and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from core.documents import Document
from core.predictions import ResultKey
from core.text import difference_text, interval_text, number, p_said
from evaluation.read_run import is_table
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLUE, GREY, Drawing, canvas, drawn
from evaluation.report.section import Cell, Section, Sheet, section, with_run
from evaluation.statistics.assess import Assessment
from evaluation.statistics.compare import Comparison
from evaluation.statistics.controls.confounders import AcquisitionAudit, Winner, audit_acquisition, winner
from evaluation.statistics.power import FEW_PATIENTS

EXPLANATION = (
    "A shortcut head sees no image. It knows of each sequence only the number of slices and of blank ones, the plane, matrix, "
    "spacing and slice step, the window of intensities, the brain fraction, and whether the sequence is missing. Where it does "
    "as well as an image head, the image head may have learned no more than that. Where an image head does better, other "
    "shortcuts that show only in the pixels, such as the look of one scanner, are still not ruled out."
)
TEST = "(paired test, Holm's correction)"


@section(order=80)
def shortcut_section(context: ReportContext) -> Section:
    """Every image result against the best head of its run that saw no image, by the paired test, and what follows in words.

    The findings are one paragraph per run with such heads.
    """
    images, baselines = context.scored, context.baselines
    runs = list(dict.fromkeys(s.run for s in images))
    sampling = {"replicates": context.options.replicates, "seed": context.options.seed}
    audits = [
        audit_acquisition(run, images, own, **sampling)
        for run in runs
        if (own := [s for s in baselines if s.run == run])
    ]
    tables = [run.name for run in context.runs if is_table(run.about)]
    without = [run for run in runs if run not in {a.run for a in audits} and run not in tables]
    several = len(runs) > 1
    findings = [with_run(a.run, _finding(a), several=several) for a in audits]
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
    return Section(
        "shortcuts",
        "Shortcuts",
        words,
        _sheets(audits, several=several),
        _drawings(audits, several=several),
        data={"findings": findings, "runs": {a.run: _data(a) for a in audits}},
        findings=findings,
    )


def _finding(a: AcquisitionAudit) -> str:
    """One paragraph: what the acquisition tells alone, and how many image results beat it."""
    if a.best.few:
        return (
            f"With {a.best.n_positive} positive and {a.best.n_patients - a.best.n_positive} negative patients nothing can be "
            f"said of shortcuts; at least {FEW_PATIENTS} of each are needed."
        )
    told = "can be told" if a.told else "cannot detectably be told"
    heads = f", corrected for {len(a.heads)} such heads" if len(a.heads) > 1 else ""
    return (
        f"The label {told} from how the scans were made: without seeing an image, {a.best.head} reaches an AUC by "
        f"fold of {number(a.best.by_fold['estimate'])} ({p_said(a.p_chance)}, two-sided, against chance{heads}). {_compared(a.pairs)}"
    )


def _compared(pairs: Sequence[Comparison]) -> str:
    if not pairs:
        return (
            f"No image result shares {FEW_PATIENTS} patients of each class with the shortcut head, so none is compared."
        )
    won = [c for c in pairs if winner(c) is Winner.IMAGES]
    k, better = len(pairs), len(won)
    worse = sum(winner(c) is Winner.ACQUISITION for c in pairs)
    if won:
        first = max(won, key=_difference).a
        out = f"Detectably better than the shortcut {TEST}: {better} of {k} image results, most of all {first.label()}."
    else:
        out = (
            f"No image result (of {k}) ranks patients detectably better than the shortcut {TEST}, so the images have not been "
            "shown to add anything to how the scans were made."
        )
    if won and k > better + worse:
        out += f" Not detectably different: {k - better - worse}; these have not been shown to add anything to how the scans were made."
    return f"{out} Detectably worse: {worse}." if worse else out


def _difference(c: Comparison) -> float:
    return c.difference


def _sheets(audits: Sequence[AcquisitionAudit], *, several: bool) -> list[Sheet]:
    heads = [_head_row(a.run, b, several=several) for a in audits if not a.best.few for b in a.heads]
    pairs = [_pair_row(a.run, c, several=several) for a in audits for c in a.pairs]
    out = []
    if heads:
        titles = ["Head", "Patients", "Positive", "AUC by fold (95 % CI)", "AUC pooled"]
        out.append(Sheet("Heads that saw no image", titles, heads))
    if pairs:
        titles = ["Image result", "Patients", "AUC above shortcut (95 % CI)", "p (Holm)", "p over folds", "In words"]
        out.append(Sheet("Image results against the best shortcut head of their run", titles, pairs))
    return out


def _head_row(run: str, head: Assessment, *, several: bool) -> Sequence[Cell]:
    name, auc = with_run(run, head.head, several=several), interval_text(head.by_fold)
    return name, head.n_patients, head.n_positive, auc, head.values["auc"]["estimate"]


def _pair_row(run: str, c: Comparison, *, several: bool) -> Sequence[Cell]:
    name, difference = with_run(run, _on(c.a), several=several), difference_text(c.difference, c.low, c.high)
    return name, c.n_patients, difference, c.p_holm, c.p_folds, winner(c).value


def _on(key: ResultKey) -> str:
    return f"{key.head} on {key.sequence}"


def _drawings(audits: Sequence[AcquisitionAudit], *, several: bool) -> list[Drawing]:
    rows = [(with_run(a.run, f"{c.a.head}, {c.a.sequence}", several=several), c) for a in audits for c in a.pairs]
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
            f"{name} {difference_text(c.difference, c.low, c.high)}" for name, c in rows
        )
        return [drawn(fig, "shortcuts", "What the images add to how the scans were made", alt)]


def _data(a: AcquisitionAudit) -> Document:
    return {
        "best": a.best.head,
        "p_chance": a.p_chance,
        "heads": [
            {"head": b.head, "patients": b.n_patients, "positive": b.n_positive, "auc": b.by_fold} for b in a.heads
        ],
        "comparisons": [{**asdict(c), "verdict": winner(c).value} for c in a.pairs],
    }
