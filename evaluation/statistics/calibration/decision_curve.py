"""Decision curves: what acting on a score is worth, against treating everybody and treating nobody."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics import Array, ones
from core.predictions import Scored
from evaluation.statistics.calibration.reliability import patient_draws
from evaluation.statistics.intervals import LEVEL

THRESHOLDS = np.linspace(0.05, 0.95, 91)  # where neither class is rare, see `thresholds_for`
_RARE = (0.25, 5.0)  # the range in shares of the rarer class: from a quarter of it to five times it


@dataclass
class DecisionCurve:
    """Net benefit at each of T thresholds, in true positives per patient, with pointwise 95 % bands over patients.

    thresholds, net_benefit, low, high, treat_all : (T,); treating nobody has net benefit 0
    clear : (T,) where acting on the score beats both treating everybody and treating nobody, see `decision_curve`
    """

    thresholds: Array
    net_benefit: Array
    low: Array
    high: Array
    treat_all: Array
    clear: NDArray[np.bool_]

    @property
    def span(self) -> tuple[float, float]:
        """The lowest and the highest threshold that were looked at."""
        return float(self.thresholds[0]), float(self.thresholds[-1])

    @property
    def ranges(self) -> list[tuple[float, float]]:
        """The first and last threshold of each stretch where it is clear; both are one where the stretch is."""
        at = np.flatnonzero(self.clear)
        pieces = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1) if len(at) else []
        return [(float(self.thresholds[p[0]]), float(self.thresholds[p[-1]])) for p in pieces]

    @property
    def step(self) -> float:
        """From one threshold to the next."""
        return float(self.thresholds[1] - self.thresholds[0])


def thresholds_for(share: float) -> Array:
    """91 thresholds for a cohort with this share of positives.

    From 0.05 to 0.95 where both classes have a fifth or more. A decision about a rare class is taken near its share, where
    treating everybody and treating nobody are worth the same: there from a quarter of the share to five times it.
    """
    rare = min(share, 1 - share)
    low, high = min(THRESHOLDS[0], _RARE[0] * rare), min(THRESHOLDS[-1], _RARE[1] * rare)
    return np.linspace(low, high, len(THRESHOLDS)) if share <= 0.5 else np.linspace(1 - high, 1 - low, len(THRESHOLDS))


def net_benefit(scored: Scored, W: Array, thresholds: Array = THRESHOLDS) -> tuple[Array, Array]:
    """Net benefit of treating who scores at least t, and of treating everybody: (B, T) each (Vickers and Elkin 2006).

    True positives per patient, minus false positives per patient times t / (1 - t), the odds at which a false positive
    is worth a true one; averaged over repeats, for each row of (B, n) weights.
    """
    odds = thresholds / (1 - thresholds)
    known = np.isfinite(scored.scores)
    called = (
        (scored.scores[:, :, None] >= thresholds).sum(axis=0).astype(float)
    )  # (n, T), over repeats; NaN is not called
    tested = known.sum(axis=0).astype(float)
    worth = np.where(scored.y[:, None] == 1, 1.0, -odds)
    n = (W @ tested)[:, None]
    return W @ (called * worth) / n, W @ (tested[:, None] * worth) / n


def decision_curve(scored: Scored, *, replicates: int = 2000, seed: int = 0) -> DecisionCurve:
    """The decision curve of patient scores (R, n), with a bootstrap over patients, whatever their label.

    The band of the drawing is pointwise. `clear` looks at all thresholds, so that it must not be fooled by one of them: the
    score's lead over treating everybody and over treating nobody has to be above 0 by more standard errors than the largest
    deviation of any lead at any threshold in 97.5 % of the draws (a simultaneous band).
    """
    thresholds = thresholds_for(float((scored.y == 1).mean()))
    worth, everybody = (v[0] for v in net_benefit(scored, ones(len(scored.y)), thresholds))
    draws = [net_benefit(scored, W, thresholds) for W in patient_draws(len(scored.y), replicates, seed)]
    drawn, drawn_all = (np.concatenate([d[k] for d in draws]) for k in (0, 1))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    lead = np.stack([worth - everybody, worth])  # (2, T)
    deviation = np.stack([drawn - drawn_all, drawn], axis=1) - lead  # (B, 2, T)
    error = deviation.std(axis=0)
    error[error < 1e-12] = np.inf  # the same calls in every draw: no lead to speak of
    reach = np.quantile((deviation / error).max(axis=(1, 2)), (1 + LEVEL) / 2)
    clear = (lead / error > reach).all(axis=0)
    return DecisionCurve(thresholds=thresholds, net_benefit=worth, low=low, high=high, treat_all=everybody, clear=clear)
