"""What a linear head on averaged activations saw where: exact class activation maps.

Zhou et al., Learning Deep Features for Discriminative Localization, CVPR 2016. There the map leaves out the bias; here bias and
standardisation are folded in, so that the mean of a map is the logit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics import Array
from core.predictions import ResultKey
from evaluation.read_run import Run

SHOWN = 6  # slices in a figure

Floats = NDArray[np.floating]


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


def activation_map(maps: NDArray[np.floating], coef: Floats, mean: Floats, scale: Floats, intercept: float) -> Array:
    """The class activation maps of a logistic head on averaged activations.

    With x the mean of the activations, the logit is sum(coef (x - mean) / scale) + intercept; each cell has the same sum over
    its own activations.

    Parameters
    ----------
    maps : (n, h, w, d) activations before pooling
    coef, intercept : (d,) of a head on columns standardised by mean, scale : (d,); a scale of infinity is a constant column,
        which no head sees

    Returns
    -------
    (n, h, w) float64 in logit units, whose mean over h and w is the logit of the image.
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
    key = ResultKey(run.name, head, sequence)
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
