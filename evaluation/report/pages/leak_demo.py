"""The leak demonstration as a figure and as a part of a report."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from core.files import write_text
from core.text import number
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet
from evaluation.statistics.leak_demo import SPLITS, Row, Verdict, conclusion, flag

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


def leakage_section(rows: Sequence[Row], folder: Path, smaller_class: int) -> Section:
    """Words, tables and figure of a demonstration; `smaller_class` : patients in it. The figure goes to `folder`."""
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
        [drawing(rows, folder)],
        {
            "verdicts": [_plain(v) for v in verdicts],
            "published": {
                "source": PUBLISHED_SOURCE,
                "inflation_of_accuracy": {k: v / 100 for k, v in PUBLISHED_INFLATION.items()},
                "accuracy_with_random_labels": PUBLISHED_NULL,
            },
        },
    )


def write_json(path: Path, about: Mapping[str, Any], section: Section) -> None:
    """leak.json: where the demonstration comes from, its verdicts, and what has been published."""
    origin = {k: v for k, v in about.items() if k not in ("run", "split", "fused", "leak")}
    content = {**origin, "format": "mgmt-radiogenomics/leak", "format_version": 1, **section.data}
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def drawing(rows: Sequence[Row], folder: Path) -> Drawing:
    """A panel per split, a line per head and sequence: draws of shuffled labels as dots, true labels as a diamond."""
    verdicts = flag(rows)
    splits = [s for s in SPLITS if any(v.split == s for v in verdicts)]
    results = list(dict.fromkeys((v.head, v.sequence) for v in verdicts))
    names = [f"{head}, {sequence}" for head, sequence in results] + ["published: CNN, OASIS\n(accuracy, Yagis 2021)"]
    with canvas(3.1 * len(splits) + 1.4, 1.5 + 0.56 * len(names)) as fig:
        for ax, split in zip(fig.subplots(1, len(splits), sharey=True), splits, strict=True):
            for i, key in enumerate(results):
                v = next(v for v in verdicts if (v.head, v.sequence, v.split) == (*key, split))
                draws = [
                    r.auc
                    for r in rows
                    if (r.head, r.sequence, r.split, r.level, r.labels) == (*key, split, "patient", "shuffled")
                ]
                spread = 0.5 * ((0.618 * np.arange(len(draws))) % 1 - 0.5)  # so that equal draws do not hide each other
                ax.plot(draws, i + spread, "o", color=BLUE, ms=4, alpha=0.45, mew=0, label="shuffled labels, a draw")
                ax.plot([v.mean, v.mean], [i - 0.27, i + 0.27], color=BLUE, lw=2, label="their mean")
                figures = f"{number(v.mean, 2)} (sd {number(v.sd, 2)})"
                paper = {"facecolor": "white", "lw": 0, "pad": 1}  # over the line of chance, under the dots
                ax.text(min(v.mean, 0.87), i - 0.33, figures, color=BLUE, fontsize=8, ha="center", bbox=paper, zorder=1)
                ax.plot(v.true, i, "D", color=ORANGE, ms=6.5, mec="white", label="true labels")
            if split in PUBLISHED_NULL:
                there = PUBLISHED_NULL[split], len(results)
                ax.plot(*there, "s", color=GREY, mfc="none", ms=6, label="random labels, published")
            ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0, label="nothing to find")
            mine = [v for v in verdicts if v.split == split]
            ax.set_title(f"{SPLITS[split]}{' (LEAKS)' * any(v.leaks for v in mine)}\n{_both(mine)}")
            ax.set(xlim=(-0.03, 1.03), ylim=(len(names) - 0.5, -0.7), xlabel="AUC of patients, by fold")
            ax.axhline(len(results) - 0.5, color=GREY, lw=0.5)
            ax.set_yticks(range(len(names)), names)
        handles, labels = fig.axes[-1].get_legend_handles_labels()
        by_label = dict(zip(labels, handles, strict=True))
        fig.legend(by_label.values(), by_label.keys(), loc="outside lower center", ncols=5, fontsize=8)
        alt = "AUC of patients by split, with true labels and with shuffled ones. " + "; ".join(
            f"{v.head} on {v.sequence}, {SPLITS[v.split]}: true {number(v.true, 2)}, shuffled {number(v.mean, 2)} on average "
            f"(sd {number(v.sd, 2)})"
            for v in verdicts
        )
        return save_figure(fig, folder, "leak", "The same heads under both splits", alt)


def _both(verdicts: Sequence[Verdict]) -> str:
    worst = max(verdicts, key=lambda v: v.shared)
    return f"{worst.shared} of {worst.tested} test patients in training"


def _sheet(caption: str, verdicts: Sequence[Verdict]) -> Sheet:
    columns = (
        "head, sequence, split", "true labels", "shuffled labels: mean", "sd", "above 0.5", "pooled", "patients in both",
    )  # fmt: skip
    rows = [
        (
            f"{v.head}, {v.sequence}, {SPLITS[v.split]}", *(_known(x) for x in (v.true, v.mean, v.sd, v.optimism, v.pooled)),
            f"{v.shared} of {v.tested}",
        )
        for v in verdicts
    ]  # fmt: skip
    return Sheet(caption, columns, rows)


def _plain(v: Verdict) -> dict[str, Any]:
    more = {"optimism": v.optimism, "inflated": v.inflated, "leaks": v.leaks, "sentence": v.sentence}
    return {k: _known(x) if isinstance(x, float) else x for k, x in (asdict(v) | more).items()}


def _known(x: float) -> float | None:
    return None if x != x else x
