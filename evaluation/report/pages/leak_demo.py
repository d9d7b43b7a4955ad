"""The leak demonstration in words, as tables and as a figure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.documents import Document, Known
from core.system.files import write_text
from core.text import number
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, drawn
from evaluation.report.section import Cell, Section, Sheet
from evaluation.statistics.assess import without_nan
from evaluation.statistics.controls.leak_demo import SPLITS, Row, SplitVerdict, flag
from evaluation.statistics.power import FEW_PATIENTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

POOLED = (
    "The AUC by fold is the one to read. Pooling ranks scores of different fold models together and is biased below 0.5 where "
    "there is nothing to find: a fold that happens to hold back more positives trains on fewer of them and gives all its patients "
    "lower scores, and the other way round. Within a fold all patients meet the same model, and the bias is gone."
)

PUBLISHED_SOURCE = "Yagis et al., Scientific Reports 11, 22544 (2021), doi:10.1038/s41598-021-01681-w"
PUBLISHED_NULL = {"slice": 0.96, "patient": 0.50}  # accuracy on randomly labelled OASIS slices, by split
PUBLISHED_INFLATION = {
    "OASIS": 30,
    "ADNI": 29,
    "PPMI": 48,
    "Versilia": 55,
}  # slice accuracy, per cent, from the abstract
PUBLISHED = (
    "The same has been measured before. For convolutional networks on brain MRI a split by slices raised the slice accuracy by "
    + ", ".join(f"{rise} % ({name})" for name, rise in PUBLISHED_INFLATION.items())
    + f"; with random labels on OASIS it gave about {100 * PUBLISHED_NULL['slice']:.0f} %, and a split by subjects "
    f"{100 * PUBLISHED_NULL['patient']:.0f} % ({PUBLISHED_SOURCE}). Those are accuracies, not AUCs."
)


def leakage_section(rows: Sequence[Row], smaller_class: int) -> Section:
    """Words, tables and figure of a demonstration; `smaller_class` : patients in it."""
    verdicts = flag(rows)
    sheets = [
        _sheet("Patients: AUC by fold, and what is wrong with the split", verdicts),
        _sheet("Slices: the same for single slices", flag(rows, "slice")),
    ]
    return Section(
        "leakage",
        "What the split makes up",
        [*conclusion(verdicts, smaller_class), PUBLISHED],
        sheets,
        [drawing(rows)],
        data={
            "verdicts": [_plain(v) for v in verdicts],
            "published": {
                "source": PUBLISHED_SOURCE,
                "inflation_of_accuracy": {k: v / 100 for k, v in PUBLISHED_INFLATION.items()},
                "accuracy_with_random_labels": PUBLISHED_NULL,
            },
        },
    )


def split_sentence(v: SplitVerdict) -> str:
    """The verdict on one split of one head and sequence."""
    where = f"{v.head} on {v.sequence}, {v.split} split"
    both = f"{v.shared} of {v.tested} test patients are also in training"
    found = f"with shuffled labels its AUC is {number(v.mean)} (sd {number(v.sd)}, {v.draws} draws)"
    if v.inflated and v.shared:
        return f"{where}: LEAKS: {both}, and {found} where there is nothing to find: {number(v.optimism)} of it is the split's doing."
    if v.inflated:
        return (
            f"{where}: LEAKS: {found}, though no test patient is in training by id. Look for a patient under two ids."
        )
    if v.shared:
        return (
            f"{where}: LEAKS: {both}. Yet {found}: no inflation was detected here, and up to about {number(v.mean - v.low, 2)} of it "
            "could hide in the spread."
        )
    return f"{where}: no leak found: {both}, and {found}."


def headline(verdicts: Sequence[SplitVerdict]) -> str:
    """What each split reports where there is nothing to find, in one sentence."""
    parts = []
    for split in SPLITS:
        mine = [v for v in verdicts if v.split == split]
        if mine:
            worst = _worst(mine)
            margin = number(max(v.mean - v.low for v in mine), 2)
            hidden = f"no leak found, though an inflation of less than about {margin} could hide in the spread"
            finding = "it LEAKS" if any(v.leaks for v in mine) else hidden
            both = f"{worst.shared} of {worst.tested} test patients are also in training"
            mean = number(float(np.mean([v.mean for v in mine])), 2)
            parts.append(f"the {split} split reports an AUC of {mean} ({both}): {finding}")
    return f"With shuffled labels, where there is nothing to find, {'; '.join(parts)}."


def conclusion(verdicts: Sequence[SplitVerdict], smaller_class: int) -> list[str]:
    """What the headline does not say: leaks that paid nothing or have no known cause, few patients, and which AUC to read."""
    out = [split_sentence(v) for v in verdicts if v.inflated != (v.shared > 0)]
    if smaller_class < FEW_PATIENTS:
        out.append(
            f"The smaller class has {smaller_class} patients, fewer than {FEW_PATIENTS}: the AUCs with the true labels say nothing of new "
            "patients. The shuffled labels judge the splits, and need no more than that."
        )
    return [*out, POOLED]


def leak_table_lines(verdicts: Sequence[SplitVerdict]) -> list[str]:
    """One line per verdict for the terminal."""
    width = max([len(v.sequence) for v in verdicts] + [8])
    lines = ["", "AUC at patient level; mean, sd, above 0.5 and pooled are with shuffled labels"]
    lines.append(
        f"{'head':9} {'sequence':{width}} {'split':8} {'true labels':>11}  {'mean':>5} {'sd':>6} {'above 0.5':>10} {'pooled':>7}  in both"
    )
    for v in verdicts:
        lines.append(
            f"{v.head:9} {v.sequence:{width}} {v.split:8} {number(v.true):>11}  {number(v.mean):>5} {number(v.sd):>6} "
            f"{v.optimism:>+10.3f} {number(v.pooled):>7}  {v.shared} of {v.tested}"
        )
    return lines


def write_leak_json(path: Path, about: Known, section: Section) -> None:
    """leak.json: where the demonstration comes from, its verdicts, and what has been published."""
    origin = {k: v for k, v in about.items() if k not in ("run", "split", "fused", "leak")}
    content = {**origin, "format": "mgmt-radiogenomics/leak", "format_version": 1, **section.data}
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def drawing(rows: Sequence[Row]) -> Drawing:
    """A panel per split, a line per head and sequence: draws of shuffled labels as dots, true labels as a diamond."""
    verdicts = flag(rows)
    splits = [s for s in SPLITS if any(v.split == s for v in verdicts)]
    results = list(dict.fromkeys((v.head, v.sequence) for v in verdicts))
    names = [f"{head}, {sequence}" for head, sequence in results] + ["published: CNN, OASIS\n(accuracy, Yagis 2021)"]
    with canvas(3.1 * len(splits) + 1.4, 1.5 + 0.56 * len(names)) as fig:
        for ax, split in zip(fig.subplots(1, len(splits), sharey=True), splits, strict=True):
            mine = [v for v in verdicts if v.split == split]
            for v in mine:
                _draw_verdict(ax, v, rows, results.index((v.head, v.sequence)))
            if split in PUBLISHED_NULL:
                there = PUBLISHED_NULL[split], len(results)
                ax.plot(*there, "s", color=GREY, mfc="none", ms=6, label="random labels, published")
            ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0, label="nothing to find")
            worst = _worst(mine)
            leaks = " (LEAKS)" if any(v.leaks for v in mine) else ""
            ax.set_title(f"{split} split{leaks}\n{worst.shared} of {worst.tested} test patients in training")
            ax.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.7), xlabel="AUC of patients, by fold")
            ax.axhline(len(results) - 0.5, color=GREY, lw=0.5)
            ax.set_yticks(range(len(names)), names)
        handles, labels = fig.axes[-1].get_legend_handles_labels()
        by_label = dict(zip(labels, handles, strict=True))
        fig.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=5, fontsize=8)
        alt = "AUC of patients by split, with true labels and with shuffled ones. " + "; ".join(
            f"{v.head} on {v.sequence}, {v.split} split: true {number(v.true, 2)}, shuffled {number(v.mean, 2)} on average "
            f"(sd {number(v.sd, 2)})"
            for v in verdicts
        )
        return drawn(fig, "leak", "The same heads under both splits", alt)


def _draw_verdict(ax: Axes, v: SplitVerdict, rows: Sequence[Row], i: int) -> None:
    """The i-th line of a panel."""
    key = (v.head, v.sequence, v.split, "patient", "shuffled")
    draws = [r.auc for r in rows if (r.head, r.sequence, r.split, r.level, r.labels) == key]
    spread = 0.5 * ((0.618 * np.arange(len(draws))) % 1 - 0.5)  # so that equal draws do not hide each other
    ax.plot(draws, i + spread, "o", color=BLUE, ms=4, alpha=0.45, mew=0, label="shuffled labels, a draw")
    ax.plot([v.mean, v.mean], [i - 0.27, i + 0.27], color=BLUE, lw=2, label="their mean")
    figures = f"{number(v.mean, 2)} (sd {number(v.sd, 2)})"
    paper = {"facecolor": "white", "lw": 0, "pad": 1}  # over the line of chance, under the dots
    ax.text(min(v.mean, 0.87), i - 0.33, figures, color=BLUE, fontsize=8, ha="center", bbox=paper, zorder=1)
    ax.plot(v.true, i, "D", color=ORANGE, ms=6.5, mec="white", label="true labels")


def _worst(verdicts: Sequence[SplitVerdict]) -> SplitVerdict:
    """The verdict with the most patients on both sides."""
    return max(verdicts, key=_shared)


def _shared(v: SplitVerdict) -> int:
    return v.shared


def _sheet(caption: str, verdicts: Sequence[SplitVerdict]) -> Sheet:
    columns = (
        "head, sequence, split", "true labels", "shuffled labels: mean", "sd", "above 0.5", "pooled", "patients in both",
    )  # fmt: skip
    return Sheet(caption, columns, [_row(v) for v in verdicts])


def _row(v: SplitVerdict) -> Sequence[Cell]:
    name, both = f"{v.head}, {v.sequence}, {v.split} split", f"{v.shared} of {v.tested}"
    return name, v.true, v.mean, v.sd, v.optimism, v.pooled, both


def _plain(v: SplitVerdict) -> Document:
    more = {"optimism": v.optimism, "inflated": v.inflated, "leaks": v.leaks, "sentence": split_sentence(v)}
    plain: Document = without_nan(asdict(v) | more)
    return plain
