"""Are patient scores probabilities? Calibration line, reliability by bins, the Brier score in parts, and recalibration."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from core.metrics import Array, ones
from core.predictions import Scored
from evaluation.options import RECALIBRATIONS
from evaluation.statistics.calibration.logistic_recalibration import cox_line, fit_line, log_odds
from evaluation.statistics.intervals import LEVEL, bootstrap_weights, percentile_interval

PER_BIN, MOST_BINS = 10, 10
_BLOCK = 200_000  # weights at once, so that they stay in the processor's cache
_LACKING = 0.01  # share of draws without a number up to which an interval is given
_BIASED = ("reliability", "resolution")


@dataclass
class Calibration:
    """The calibration of one result over its patients, averaged over repeats.

    values : {statistic: {estimate, low, high}}, NaN where there is no number:
        slope, intercept : of the label's log odds on the score's (Cox 1958); in_the_large : the intercept at slope 1
        brier = reliability - resolution + uncertainty + within (Murphy 1973 on bins; `within` is what the spread of scores
        inside bins adds, the two extra components of Stephenson, Coelho and Jolliffe 2008)
    bins : one per bin of equal counts, {score, share, low, high, patients}: mean score, share of positives with Wilson's
        95 % interval, and patients (on average over repeats)
    """

    n_patients: int
    n_positive: int
    values: dict[str, dict[str, float]]
    bins: list[dict[str, float]]


def calibrate(scored: Scored, *, replicates: int = 2000, seed: int = 0) -> Calibration:
    """Calibration of (R, n) patient scores with 95 % intervals from a bootstrap over patients, all repeats coming along.

    Patients are drawn whatever their label, since the share of positives is part of what is estimated. Intervals are
    percentiles, but for reliability and resolution, which grow with the noise in the bins and grow again in each draw:
    theirs are reversed (Davison and Hinkley 1997, section 5.2) and cut at 0. Bins stay those of the sample. Where more
    than one draw in a hundred has no number (separated classes have no slope) there is no interval.
    """
    sums = _bin_sums(scored)
    estimates = _statistics(scored, ones(len(scored.y)), sums)
    drawn = [_statistics(scored, W, sums) for W in patient_draws(len(scored.y), replicates, seed)]
    values: dict[str, dict[str, float]] = {}
    for name, estimate in estimates.items():
        low, high = _interval(np.concatenate([d[name] for d in drawn]))
        if name in _BIASED:
            low, high = max(0.0, 2 * float(estimate[0]) - high), max(0.0, 2 * float(estimate[0]) - low)
        values[name] = {"estimate": float(estimate[0]), "low": low, "high": high}
    count, score, positive = (part / len(scored.scores) for part in sums.sum(axis=0)[:3])
    low_high = zip(*wilson(positive, count), strict=True)
    bins = [
        {"score": float(s / n), "share": float(p / n), "low": float(low), "high": float(high), "patients": float(n)}
        for n, s, p, (low, high) in zip(count, score, positive, low_high, strict=True)
    ]
    return Calibration(len(scored.y), int((scored.y == 1).sum()), values, bins)


def patient_draws(n: int, replicates: int, seed: int) -> list[Array]:
    """Weights of `replicates` draws of n patients with replacement, whatever their label: blocks of (b, n)."""
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // n)
    alike = np.zeros(n, int)
    return [bootstrap_weights(alike, min(step, replicates - done), rng) for done in range(0, replicates, step)]


def _statistics(scored: Scored, W: Array, sums: Array) -> dict[str, Array]:
    """Each statistic for each row of (B, n) weights; `sums` as from `_bin_sums`."""
    lines = []
    for score in scored.scores:
        known = np.isfinite(score)
        x, y, w = log_odds(score[known]), scored.y[known], W[:, known]
        lines.append((*cox_line(x, y, w), cox_line(x, y, w, slope=1.0)[0]))
    intercept, slope, in_the_large = np.mean(lines, axis=0)
    count, f, o, ff, fo = np.moveaxis(np.tensordot(W, sums, axes=1), 1, 0)  # (B, bins) each
    n = count.sum(axis=1)
    share = o.sum(axis=1) / n
    inside = np.maximum(count, 1e-300)  # a bin that was not drawn adds 0
    reliability = ((f - o) ** 2 / inside).sum(axis=1) / n
    resolution = ((o - count * share[:, None]) ** 2 / inside).sum(axis=1) / n
    within = (ff - f**2 / inside - 2 * (fo - f * o / inside)).sum(axis=1) / n
    brier = (ff - 2 * fo + o).sum(axis=1) / n
    return {
        "slope": slope, "intercept": intercept, "in_the_large": in_the_large, "brier": brier, "reliability": reliability,
        "resolution": resolution, "uncertainty": share * (1 - share), "within": within,
    }  # fmt: skip


def _bin_sums(scored: Scored) -> Array:
    """(n, 5, bins): what each patient adds to the count, score, label, squared score and score times label of each bin.

    Bins have equal counts over all repeats; equal scores stay together, so that there may be fewer bins.
    """
    known = np.isfinite(scored.scores)
    wanted = int(np.clip(len(scored.y) // PER_BIN, 2, MOST_BINS))
    edges = np.unique(np.quantile(scored.scores[known], np.arange(1, wanted) / wanted))
    at = np.searchsorted(edges, scored.scores, side="right")
    used, at = np.unique(np.where(known, at, at[known][0]), return_inverse=True)
    inside = (at.reshape(known.shape)[:, :, None] == np.arange(len(used))) & known[:, :, None]  # (R, n, bins)
    f, o = np.where(known, scored.scores, 0.0), np.broadcast_to(scored.y, known.shape)
    columns = np.stack([np.ones_like(f), f, o, f * f, f * o])  # (5, R, n)
    return np.asarray(np.einsum("crn,rnk->nck", columns, inside.astype(float)))


def wilson(positive: Array, n: Array) -> tuple[Array, Array]:
    """Wilson's 95 % score interval (1927) of shares positive / n."""
    from scipy.stats import norm

    z = norm.ppf((1 + LEVEL) / 2)
    p = positive / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(middle - half, 0, p), np.clip(middle + half, p, 1)  # rounding puts neither beyond the share itself


def _interval(draws: Array) -> tuple[float, float]:
    if np.isfinite(draws).mean() < 1 - _LACKING:
        return float("nan"), float("nan")
    return percentile_interval(draws)


def recalibrate(scored: Scored, how: str) -> Scored:
    """The same result with its scores mapped to probabilities: 'platt' (on log odds), 'isotonic', or 'none'.

    The map of each fold is fitted on the scores and labels of the other folds of the same repeat, never on the fold itself.
    Those scores come from models that trained on the fold: the map is cross-fitted, not nested. A map never turns the order
    round; where the other folds' scores point the wrong way, all scores become the share of positives there. Both maps
    aim at Platt's targets (1999), which stay off 0 and 1. Raises ValueError where there are no other folds with both classes.
    """
    if how not in RECALIBRATIONS:
        raise ValueError(f"--recalibrate {how!r}; expected one of {', '.join(RECALIBRATIONS)}")
    if how == "none":
        return scored
    fit = _platt if how == "platt" else _isotonic
    out = np.full(scored.scores.shape, np.nan)
    for r, (score, fold) in enumerate(zip(scored.scores, scored.fold, strict=True)):
        for f in np.unique(fold[fold >= 0]):
            others = (fold >= 0) & (fold != f)
            y = scored.y[others]
            if len(np.unique(y)) < 2:
                raise ValueError(
                    f"--recalibrate {how} learns from the other folds, and {scored.run} has none with both classes beside "
                    f"fold {f}; leave it out"
                )
            target = np.where(y == 1, (y.sum() + 1) / (y.sum() + 2), 1 / ((1 - y).sum() + 2))
            out[r, fold == f] = fit(score[others], target)(score[fold == f])
    return replace(scored, scores=out)


def _platt(score: Array, target: Array) -> Callable[[Array], Array]:
    a, b = 0.0, 0.0
    if np.ptp(score) > 0:
        a, b = (float(v[0]) for v in fit_line(log_odds(score), target, ones(len(score))))
    share = float(target.mean())

    def line(s: Array) -> Array:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * (a + b * log_odds(s))))) if b > 0 else np.full(s.shape, share)

    return line


def _isotonic(score: Array, target: Array) -> Callable[[Array], Array]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(score, target)

    def steps(s: Array) -> Array:
        return np.asarray(model.predict(s))

    return steps
