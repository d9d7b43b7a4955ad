"""Class activation maps as a page: what they mean in words, a table of scores and a figure of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from core.documents import Document, Known
from core.question import LabelQuestion
from core.system.files import write_text
from core.text import counted, interval_text, number
from evaluation.report.figures import Drawing, canvas, drawn
from evaluation.report.section import Section, Sheet
from evaluation.statistics.activation_maps import Explanation
from evaluation.statistics.assess import Assessment

_UP, _DOWN = (
    "#ff7f2a",
    "#3fa0ff",
)  # bright beside the black of an image's background, and told apart by the colour-blind
MEANING = (
    "A map shows what this head uses, not where the tumour is. Orange cells push the score up, blue cells push it down, and the mean of "
    "a map is the logit of its slice, exactly; nothing is approximated. A cell is drawn as a square but sees far beyond it (with VGG16 "
    "212 of the 224 pixels of a side). Cells of both signs cancel, so that a single cell says little. Slices stand in the order of how "
    "much they carry; each figure has a colour scale of its own. Images are shown as in radiology, the patient's left on the right "
    "(sagittal images face left), where their files tell how they lie."
)
OUT_OF_FOLD = "Every score here is out of fold: it comes from the head of the fold that held the patient back, not from one that trained on the patient."


def explain_section(
    explanations: Sequence[Explanation], assessments: Sequence[Assessment], question: LabelQuestion
) -> Section:
    """One figure per explanation, and what the maps mean in words.

    Parameters
    ----------
    explanations : at least one, of one run
    assessments : how good the out-of-fold scores of each explained head and sequence are
    question : what labels 1 and 0 stand for
    """
    titles = ["Patient, head and sequence", "Label", "Repeat", "Fold", "Patient score", "Slices", "Slice scores"]
    rows = [
        (e.name, e.label, e.repeat, e.fold, e.score, len(e.slices), f"{e.scores.min():.3f} to {e.scores.max():.3f}")
        for e in explanations
    ]
    of = {(a.head, a.sequence): a for a in assessments}
    keys = dict.fromkeys((e.head, e.sequence) for e in explanations)
    most = max((a.n_repeats for a in assessments), default=1)
    one = (
        f"What is explained is the first of {most} repeats, one head of one fold each; the report's patient table shows the mean over repeats, so "
        "that its score of a patient differs."
    )
    words = [f"{MEANING} Up is towards label 1, {question.outcome}.", OUT_OF_FOLD]
    if most > 1:
        words.append(one)
    words += [_worth(of[key]) for key in keys]
    data = {"question": str(question), "explanations": [_data(e) for e in explanations]}
    drawings = [drawing(e) for e in explanations]
    return Section(
        "explain", "What the head uses", words, [Sheet("Scores explained", titles, rows)], drawings, data=data
    )


def drawing(e: Explanation) -> Drawing:
    """The slices that carry the score, plain above and under their maps below, on one scale of logits centred on 0."""
    shown = e.carrying()
    limit = float(np.abs(e.maps[shown]).max()) or 1.0
    with canvas(1.55 * max(len(shown), 4) + 0.9, 4.0) as fig:
        axes = fig.subplots(2, len(shown), squeeze=False)
        height, width = e.images.shape[1:]
        whole = (-0.5, width - 0.5, height - 0.5, -0.5)
        scale = {"cmap": _colours(), "vmin": -limit, "vmax": limit, "extent": whole, "interpolation": "nearest"}
        for (above, below), k in zip(axes.T, shown, strict=True):
            for ax in (above, below):
                ax.imshow(e.images[k], cmap="gray", vmin=0, vmax=255)
                ax.set_axis_off()
            above.set_title(f"{_short(e.slices[k])}\nscore {e.scores[k]:.2f}", fontsize=8.5)
            below.set_title(f"logit {e.logits[k]:+.2f}", fontsize=8.5)
            overlay = below.imshow(e.maps[k], **scale)
        bar = fig.colorbar(overlay, ax=axes, shrink=0.9, aspect=30, pad=0.01)
        bar.ax.set_facecolor("black")
        bar.set_label("logit of a cell, over black")
        fig.suptitle(
            f"{e.name}, label {e.label}, repeat {e.repeat}, fold {e.fold}: score {e.score:.2f}, {_how(e)}", fontsize=10
        )
        listed = "; ".join(f"{e.slices[k]} score {e.scores[k]:.3f}" for k in shown)
        alt = (
            f"{e.name}, label {e.label}, repeat {e.repeat}, fold {e.fold}, patient score {number(e.score)}, {_how(e)}. Each slice in grey, and under it "
            f"the same slice with its 7 x 7 class activation map, orange above 0 and blue below, up to {limit:.2f}: {listed}."
        ).replace("7 x 7", " x ".join(map(str, e.maps.shape[1:])))
        return drawn(fig, f"{e.patient}-{e.head}-{e.sequence}", e.name, alt)


def write_explanation(path: Path, section: Section, run: str, provenance: Known) -> None:
    """explain.json: what the figures show, for programs."""
    content = {
        "format": "mgmt-radiogenomics/explanation", "format_version": 1, "run": run, "words": section.words, **section.data,
        "provenance": dict(provenance),
    }  # fmt: skip
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def _colours() -> Any:
    """Blue below 0, orange above, clear at 0, so that a cell without weight leaves the image as it is."""
    from matplotlib.colors import LinearSegmentedColormap, to_rgba

    ends = [to_rgba(_DOWN, 0.85), to_rgba(_DOWN, 0), to_rgba(_UP, 0), to_rgba(_UP, 0.85)]
    return LinearSegmentedColormap.from_list("logit", list(zip((0, 0.5, 0.5, 1), ends, strict=True)))


def _how(e: Explanation) -> str:
    """How the score comes from the slices, and how many of them are shown."""
    n, shown = len(e.slices), len(e.carrying())
    made = "from the mean logit" if e.pooled else f"{e.aggregate} of the scores"
    return f"{made} of {counted(n, 'slice')}" + (f"; the {shown} that carry it most" if shown < n else "")


def _worth(a: Assessment) -> str:
    """Whether there is anything but noise to be explained."""
    name, positive = f"{a.head} on {a.sequence}", a.n_positive
    if a.few:
        return (
            f"{name}: with {positive} positive and {a.n_patients - positive} negative patients nobody can say whether it is better than "
            "chance. Take its maps for maps of noise until more patients say otherwise."
        )
    auc = f"{name}: its AUC by fold, {interval_text(a.by_fold)},"
    if not a.by_fold["low"] > 0.5:
        return f"{auc} has not been shown to be above chance; its maps may explain nothing but noise."
    return f"{auc} is above chance; whether by anatomy or by a shortcut, a map cannot tell."


def _short(slice_id: str) -> str:
    """A slice as a title has room for it: its number, or its file where it has none."""
    source, instance = slice_id.rsplit("#", 1)
    return PurePosixPath(source).stem if instance == "-1" else f"slice {instance}"


def _data(e: Explanation) -> Document:
    shown = set(e.carrying())
    slices = [
        {"slice": s, "logit": z, "score": p, "map": m.tolist() if i in shown else None}
        for i, (s, z, p, m) in enumerate(zip(e.slices, e.logits.tolist(), e.scores.tolist(), e.maps, strict=True))
    ]
    plain = ("patient", "label", "head", "sequence", "repeat", "fold", "score", "aggregate", "pooled")
    return {**{name: getattr(e, name) for name in plain}, "slices": slices}
