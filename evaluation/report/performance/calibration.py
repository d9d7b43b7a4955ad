"""Calibration and decision curves as a part of the report: words, tables and one figure per result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from core.predictions import Scored, head_on
from core.text import number
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet
from evaluation.report.verdict import unsaid
from evaluation.statistics.calibration import Calibration, calibrate, recalibrate
from evaluation.statistics.decision_curve import DecisionCurve, decision_curve
from evaluation.statistics.power import few

NOTHING = "No run here tested patients that its heads had not seen, so there is nothing to calibrate."
MEANING = (
    "Calibration asks whether a score of 0.7 is right for 70 patients of 100. Slope and intercept are those of the label's log odds "
    "on the score's: 1 and 0 where scores are probabilities. A slope below 1 means that scores are too extreme, as those of a head "
    "that fits its training patients too closely are; a slope above 1 means that they are too timid. The intercept at slope 1 is above 0 "
    "where scores are too low on the whole. With an AUC at chance the slope is near 0, no score can be right but the share of positives, "
    "and calibration is about nothing else."
)
PARTS = (
    "The Brier score (lower is better) is reliability - resolution + uncertainty + what lies within bins. Uncertainty is the Brier score of "
    "always saying the share of positives: a head above it does worse than that. With few patients in a bin reliability and resolution are both too large."
)
SURE = (
    "Intervals: 95 %, bootstrap over patients whatever their label; of the shares in the figures, Wilson's. They take the fold models as "
    "given, though another cohort would have made others, and are too narrow for that reason."
)
MANY = 100  # patients in the smaller class below which the words say how little the data can tell
SMALL = (
    "What {n} patients in the smaller class cannot tell: whether these scores are probabilities. That takes about {many} of each class, "
    "a curve about 200 (Collins, Ogundimu and Altman, Statistics in Medicine 2016; Van Calster et al., Journal of Clinical Epidemiology "
    "2016). Every slope inside an interval above fits these data as well as the estimate does, and an interval that contains 1 is no "
    "sign that scores are right; each point of a reliability curve rests on few positives."
)
NET_BENEFIT = (
    "A decision curve counts what acting on a score is worth: true positives per patient, less the false positives at the odds of the "
    "threshold. It helps only where it lies above both treating everybody and treating nobody. Where one class is rare, thresholds run "
    "from a quarter of its share to five times it, since the decision is taken near that share."
)
RECALIBRATED = {"platt": "a line on the log odds (Platt)", "isotonic": "a rising step function (isotonic regression)"}
_LINE = {"slope": "Slope", "intercept": "Intercept", "in_the_large": "Intercept at slope 1"}
_BRIER = {
    "brier": "Brier score", "reliability": "Reliability", "resolution": "Resolution", "uncertainty": "Uncertainty",
    "within": "Within bins",
}  # fmt: skip


@dataclass
class _Result:
    scored: Scored
    calibration: Calibration
    curve: DecisionCurve
    name: str


def calibration_section(
    results: Sequence[Scored], folder: Path, *, replicates: int = 2000, seed: int = 0, recalibration: str = "none"
) -> Section:
    """Calibration and decision curve of every patient-level result that has ten patients in each class.

    results : of runs that do not leak; folder : where the figures go; recalibration : see `recalibrate`, on which all
    figures here are then based. Raises ValueError where a result cannot be recalibrated.
    """
    many = len({s.run for s in results}) > 1
    enough = [s for s in results if not few(s.y)]
    shown = []
    for s in enough:
        scored = recalibrate(s, recalibration)
        options = {"replicates": replicates, "seed": seed}
        name = f"{s.run}: " * many + head_on(s.head, s.sequence)
        shown.append(_Result(scored, calibrate(scored, **options), decision_curve(scored, **options), name))
    words = []
    if not results:
        words.append(NOTHING)
    elif recalibration != "none":
        words.append(
            f"RECALIBRATED: every score here went through {RECALIBRATED[recalibration]}, fitted for each fold on the scores of the other "
            "folds. No patient's own label was used for its score; but the other folds' scores come from heads that were trained on that "
            "patient, so the map is cross-fitted, not nested. The scores elsewhere in this report are as the heads gave them."
        )
    if len(enough) < len(results):
        words.append(unsaid(len(results) - len(enough), len(results)))
    if shown:
        fewest = min(min(r.calibration.n_positive, r.calibration.n_patients - r.calibration.n_positive) for r in shown)
        small = [SMALL.format(n=fewest, many=MANY)] * (fewest < MANY)
        words += [_calibrated(shown), _on_the_whole(shown), *small, _useful(shown), MEANING, PARTS, NET_BENEFIT, SURE]
    after = " (recalibrated)" * (recalibration != "none")
    sheets = [
        Sheet(
            f"{caption}, with 95 % intervals{after}",
            ["Result", *titles.values()],
            [(r.name, *(interval(r.calibration.values[k], digits) for k in titles)) for r in shown],
        )
        for caption, titles, digits in (("Calibration line", _LINE, 2), ("Brier score in parts", _BRIER, 3))
        if shown
    ]
    drawings = [drawing(r.name, r.scored, r.calibration, r.curve, folder, recalibration) for r in shown]
    data = {"recalibration": recalibration, "results": [_data(r) for r in shown]}
    return Section("calibration", "Calibration and use", words, sheets, drawings, data)


def interval(value: dict[str, float], digits: int = 2) -> str:
    """'-0.12 (-0.29 to 0.04)'; 'n/a' where there is no interval."""
    if value["low"] != value["low"]:
        return "n/a"
    middle, low, high = (
        number(round(value[k], digits) + 0.0, digits) for k in ("estimate", "low", "high")
    )  # no '-0.00'
    return f"{middle} ({low} to {high})"


def _calibrated(shown: Sequence[_Result]) -> str:
    """Which results are too extreme, too timid, or neither, by the interval of the slope."""
    groups: dict[str, list[str]] = {}
    for r in shown:
        slope = r.calibration.values["slope"]
        low, high = slope["low"], slope["high"]
        if not np.isfinite([low, high]).all():
            kind = "No slope (scores without spread, or classes that they separate)"
        elif low <= 0:
            kind = "No relation of score and label shown (the interval of the slope reaches 0)"
        elif high < 1:
            kind = "Scores too extreme (interval of the slope below 1)"
        elif low > 1:
            kind = "Scores too timid (interval of the slope above 1)"
        else:
            kind = "Slope not told from 1, where scores would be right (its interval contains 1, not 0)"
        groups.setdefault(kind, []).append(f"{r.name} {interval(slope)}")
    return " ".join(f"{kind}: {'; '.join(names)}." for kind, names in groups.items())


def _on_the_whole(shown: Sequence[_Result]) -> str:
    """Which results are too low or too high on the whole, by the interval of the intercept at slope 1."""
    groups: dict[str, list[str]] = {"too low": [], "too high": []}
    for r in shown:
        value = r.calibration.values["in_the_large"]
        if value["low"] > 0 or value["high"] < 0:
            groups["too low" if value["low"] > 0 else "too high"].append(f"{r.name} {interval(value)}")
    said = [
        f"Scores {kind} on the whole (interval of the intercept at slope 1): {'; '.join(names)}."
        for kind, names in groups.items()
        if names
    ]
    return " ".join(said) or "No result is detectably too low or too high on the whole (intercept at slope 1)."


def _useful(shown: Sequence[_Result]) -> str:
    """Where decision curves beat both baselines, over all thresholds at once."""
    clear = [f"{r.name} ({r.curve.ranges})" for r in shown if r.curve.clear.any()]
    count = (
        f"Decision curves detectably above both treating everybody and treating nobody: {len(clear)} of {len(shown)}"
    )
    if not clear:
        spans = " or ".join(dict.fromkeys(r.curve.span for r in shown))
        return f"{count}. Acting on these scores has not been shown to be worth anything at any threshold from {spans}."
    return (
        f"{count}, at the thresholds given: {'; '.join(clear)}. All thresholds are judged together here; the bands drawn hold at "
        "one threshold each."
    )


def drawing(
    name: str, scored: Scored, calibration: Calibration, curve: DecisionCurve, folder: Path, recalibration: str
) -> Drawing:
    """The reliability curve above a histogram of the scores, and the decision curve with its band."""
    bins = calibration.bins
    score, share, low, high = (np.array([b[k] for b in bins]) for k in ("score", "share", "low", "high"))
    base = calibration.n_positive / calibration.n_patients
    left, right = _window(np.concatenate([score, low, high]))
    again = ", recalibrated" * (recalibration != "none")
    repeats = len(scored.scores)
    whole = (
        f"{scored.run}: {head_on(scored.head, scored.sequence, ', ')}{again}{f', {repeats} repeats' * (repeats > 1)}"
    )
    with canvas(5.4, 3.5) as fig:
        fig.suptitle("\n".join(wrap(whole, 70)), fontsize=10)
        axes = fig.subplot_mosaic([["reliability", "decision"], ["scores", "decision"]], height_ratios=[3, 1])
        ax = axes["reliability"]
        ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
        ax.axhline(base, color=GREY, lw=1, ls=":")
        ax.errorbar(score, share, [share - low, high - share], fmt="o-", color=BLUE, ms=4, lw=1.2, elinewidth=1)
        edge = 0.02 * (right - left)
        limits = (left - edge, right + edge)
        ticks = [left, (left + right) / 2, right]
        ax.set(xlim=limits, ylim=limits, xticks=ticks, ylabel="Share of positives", title="Reliability")
        ax.tick_params(labelbottom=False)
        ax = axes["scores"]
        for label, colour in ((0, GREY), (1, ORANGE)):
            mine = scored.scores[:, scored.y == label]
            mine = mine[np.isfinite(mine)]
            weights = np.full(len(mine), 1 / max(1, len(mine)))  # of its label, so that a rare one can be seen
            ax.hist(
                mine, np.linspace(left, right, 41), weights=weights, color=colour, alpha=0.65, label=f"label {label}"
            )
        beyond = ((scored.scores < left) | (scored.scores > right)).any(axis=0).sum()
        outside = f" ({beyond} patients reach beyond)" if beyond else ""
        ax.set(xlim=limits, xlabel=f"Score{outside}", xticks=ticks, yticks=[])
        ax.set_ylim(top=1.6 * ax.get_ylim()[1])
        ax.legend(fontsize=8, loc="upper center", ncols=2, handlelength=1)
        ax = axes["decision"]
        ax.axhline(0, color=GREY, lw=1, label="nobody")
        ax.plot(curve.thresholds, curve.treat_all, color=ORANGE, lw=1.2, ls="--", label="everybody")
        ax.fill_between(curve.thresholds, curve.low, curve.high, color=BLUE, alpha=0.18, lw=0)
        ax.plot(curve.thresholds, curve.net_benefit, color=BLUE, lw=1.6, label="by score")
        ax.set(
            xlim=(curve.thresholds[0], curve.thresholds[-1]) if right - left < 1 else (0, 1),
            ylim=(-0.6 * base, 1.25 * base),
            xlabel="Threshold",
            ylabel="Net benefit",
            title="Decision curve",
        )
        ax.legend(fontsize=8, loc="upper right")
        slope = calibration.values["slope"]
        clear = f"above both at {curve.ranges}" if curve.clear.any() else "nowhere detectably above both"
        alt = (
            f"{name}{again}. Reliability curve of {len(bins)} bins, mean score and share of positives: "
            + "; ".join(f"{number(s, 2)} and {number(p, 2)}" for s, p in zip(score, share, strict=True))
            + f". Slope {interval(slope)}. Histogram of scores by label. Decision curve with its band against treating everybody and nobody: {clear}."
        )
        where = f"calibration-{scored.run}-{scored.head}-{scored.sequence}"
        return save_figure(fig, folder, where, f"{name}{again}: calibration and decision curve", alt)


def _window(points: Any) -> tuple[float, float]:
    """The part of 0 to 1 that a reliability curve is drawn in: all of it, or the half or less of a rare class."""
    for end in (0.1, 0.2, 0.3, 0.4, 0.5):
        if points.max() <= end:
            return 0.0, end
        if points.min() >= 1 - end:
            return 1 - end, 1.0
    return 0.0, 1.0


def _data(r: _Result) -> dict[str, Any]:
    run, head, sequence = r.scored.key
    curve: dict[str, Any] = {
        k: getattr(r.curve, k).tolist() for k in ("thresholds", "net_benefit", "low", "high", "treat_all", "clear")
    }
    return {
        "run": run, "head": head, "sequence": sequence, "patients": r.calibration.n_patients, "positive": r.calibration.n_positive,
        "values": r.calibration.values, "bins": r.calibration.bins, "decision": curve,
    }  # fmt: skip
