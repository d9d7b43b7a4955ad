"""What a linear head on averaged activations saw where: exact class activation maps, and their figures.

Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016. There the map leaves out the bias; here bias and
standardisation are folded in, so that the mean of a map is the logit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.files import write_text
from core.metrics import Array
from core.text import interval_text, number
from evaluation.read_run import Run
from evaluation.report.figures import Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet, positive
from evaluation.statistics.assess import Assessment

SHOWN = 6  # slices in a figure
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


@dataclass
class Explanation:
    """The out-of-fold score of one patient by one linear head, slice by slice.

    score : of the patient, 0 ... 1; slices : n ids `source#instance`; images : (n, h, w) uint8
    maps : (n, 7, 7) float64, logit units, see `activation_map`
    pooled : whether the head saw the mean of the slices' vectors, else one slice at a time, joined by `aggregate`
    """

    patient: str
    label: int
    head: str
    sequence: str
    repeat: int
    fold: int
    score: float
    aggregate: str
    pooled: bool
    slices: Sequence[str]
    images: NDArray[np.uint8]
    maps: Array

    @property
    def logits(self) -> Array:
        """(n,) the logit of each slice; of a pooled patient, whose logit is their mean, what each contributes."""
        return np.asarray(self.maps.mean(axis=(1, 2)))

    @property
    def scores(self) -> Array:
        """(n,) the logits as scores, 0 ... 1."""
        return logistic(self.logits)

    @property
    def name(self) -> str:
        """'00011: logistic on FLAIR'."""
        return f"{self.patient}: {self.head} on {self.sequence}"

    def carrying(self) -> list[int]:
        """The slices that carry the score, strongest first: the highest of a high score, the lowest of a low one.

        An aggregate that looks at the highest slices alone is carried by them, whatever the score.
        """
        upwards = self.score >= 0.5 or (not self.pooled and self.aggregate in ("max", "topk", "noisy-or"))
        return [int(i) for i in np.argsort(-self.logits if upwards else self.logits, kind="stable")[:SHOWN]]


def activation_map(
    maps: NDArray[np.floating], coef: NDArray[Any], mean: NDArray[Any], scale: NDArray[Any], intercept: float
) -> Array:
    """(n, h, w, d) activations before pooling -> (n, h, w) float64 whose mean over h and w is the logit of the image.

    coef : (d,) of a logistic head on columns standardised by mean, scale : (d,); a scale of infinity is a constant column,
    which no head sees. With x the mean of the activations, the logit is sum(coef (x - mean) / scale) + intercept; each
    cell has the same sum over its own activations.
    """
    weight = coef.astype(np.float64) / scale
    return np.asarray(maps.astype(np.float64) @ weight + (intercept - weight @ mean))


def logistic(z: Array) -> Array:
    """Logit -> 0 ... 1."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * z)))


def known_scores(run: Run, head: str, sequence: str, repeat: int, patient: str) -> tuple[float, dict[str, float]]:
    """What the run says: the score of a patient in one repeat, and those of its slices by id.

    Where the head saw pooled vectors, the patient is the only slice, under its own name.
    """
    row = sorted({fold["repeat"] for fold in run.about["folds"]}).index(repeat)
    key = run.name, head, sequence
    whole, parts = (next(s for s in scored if s.key == key) for scored in (run.scored, run.slices))
    own = parts.patient == parts.patients.index(patient)
    ids = [u.removeprefix(f"{patient}/") for u, mine in zip(parts.units, own, strict=True) if mine]
    slices = dict(zip(ids, parts.scores[row, own].tolist(), strict=True))
    return float(whole.scores[row, whole.units.index(patient)]), slices


def check_scores(e: Explanation, known: Mapping[str, float], tolerance: float) -> None:
    """Raise ValueError naming the first score, computed again from the images, that is not the `known` one of the run."""
    found = {e.patient: float(logistic(e.logits.mean()))} if e.pooled else dict(zip(e.slices, e.scores, strict=True))
    wrong = [name for name, score in found.items() if not abs(score - known[name]) <= tolerance]
    if wrong:
        raise ValueError(
            f"{e.name}: the run has the score {known[wrong[0]]:.4f} for {wrong[0]}, and its image gives {found[wrong[0]]:.4f} "
            f"({len(wrong)} of {len(found)} differ); cohort and run do not belong together, give the folder that the features were "
            "extracted from"
        )


def explain_section(
    explanations: Sequence[Explanation], assessments: Mapping[tuple[str, str], Assessment], question: str, folder: Path
) -> Section:
    """One figure per explanation, written to `folder`, and what the maps mean in words.

    `assessments` : {(head, sequence): how good its out-of-fold scores are}; `question` : what 1 and 0 stand for.
    """
    titles = ["Patient, head and sequence", "Label", "Repeat", "Fold", "Patient score", "Slices", "Slice scores"]
    rows = [
        (e.name, e.label, e.repeat, e.fold, e.score, len(e.slices), f"{e.scores.min():.3f} to {e.scores.max():.3f}")
        for e in explanations
    ]
    keys = dict.fromkeys((e.head, e.sequence) for e in explanations)
    most = max((a.n_repeats for a in assessments.values()), default=1)
    one = (
        f"What is explained is the first of {most} repeats, one head of one fold each; the report's patient table shows the mean over repeats, so "
        "that its score of a patient differs."
    )
    worth = [_worth(assessments[key]) for key in keys]
    ends = f"Up is towards label 1, {positive(question)}."
    words = [f"{MEANING} {ends}", OUT_OF_FOLD, *[one] * (most > 1), *worth]
    data = {"question": question, "explanations": [_data(e) for e in explanations]}
    drawings = [drawing(e, folder) for e in explanations]
    return Section("explain", "What the head uses", words, [Sheet("Scores explained", titles, rows)], drawings, data)


def drawing(e: Explanation, folder: Path) -> Drawing:
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
        return save_figure(fig, folder, f"{e.patient}-{e.head}-{e.sequence}", e.name, alt)


def write_json(path: Path, section: Section, run: str, provenance: Mapping[str, Any]) -> None:
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
    return f"{made} of {n} slice{'s' * (n > 1)}" + (f"; the {shown} that carry it most" if shown < n else "")


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


def _data(e: Explanation) -> dict[str, Any]:
    shown = set(e.carrying())
    slices = [
        {"slice": s, "logit": z, "score": p, "map": m.tolist() if i in shown else None}
        for i, (s, z, p, m) in enumerate(zip(e.slices, e.logits.tolist(), e.scores.tolist(), e.maps, strict=True))
    ]
    plain = ("patient", "label", "head", "sequence", "repeat", "fold", "score", "aggregate", "pooled")
    return {**{name: getattr(e, name) for name in plain}, "slices": slices}
