"""Calibration and decision curves as a part of the report: words, tables and one figure per result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from core.documents import Document
from core.metrics import Array
from core.predictions import Scored
from core.text import number, range_text, signed_interval
from evaluation.report.context import ReportContext
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, drawn
from evaluation.report.section import Section, Sheet, section, with_run
from evaluation.report.words import unsaid
from evaluation.statistics.calibration.decision_curve import DecisionCurve, decision_curve
from evaluation.statistics.calibration.reliability import Calibration, calibrate, recalibrate
from evaluation.statistics.power import few

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
RECALIBRATION = (
    "RECALIBRATED: every score here went through {map}, fitted for each fold on the scores of the other "
    "folds. No patient's own label was used for its score; but the other folds' scores come from heads that were trained on that "
    "patient, so the map is cross-fitted, not nested. The scores elsewhere in this report are as the heads gave them."
)
REPLICATES = 500  # at most
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


@section(order=110)
def calibration_section(context: ReportContext) -> Section:
    """Calibration and decision curve of every honest result that has ten patients in each class.

    With --recalibrate all figures here are based on the recalibrated scores. Raises ValueError where a result cannot be
    recalibrated.
    """
    results, how = context.honest, context.options.recalibrate
    # each replicate is a regression
    sampling = {"replicates": min(context.options.replicates, REPLICATES), "seed": context.options.seed}
    several = len({s.run for s in results}) > 1
    enough = [s for s in results if not few(s.y)]
    shown = []
    for s in enough:
        scored = recalibrate(s, how)
        name = with_run(s.run, s.key.label(), several=several)
        shown.append(_Result(scored, calibrate(scored, **sampling), decision_curve(scored, **sampling), name))
    words = []
    if not results:
        words.append(NOTHING)
    elif how != "none":
        words.append(RECALIBRATION.format(map=RECALIBRATED[how]))
    if len(enough) < len(results):
        words.append(unsaid(len(results) - len(enough), len(results)))
    if shown:
        words += [
            _calibrated(shown),
            _on_the_whole(shown),
            *_small(shown),
            _useful(shown),
            MEANING,
            PARTS,
            NET_BENEFIT,
            SURE,
        ]
    drawings = [drawing(r, recalibrated=how != "none") for r in shown]
    data = {"recalibration": how, "results": [_data(r) for r in shown]}
    return Section("calibration", "Calibration and use", words, _sheets(shown, how), drawings, data=data)


def _sheets(shown: Sequence[_Result], how: str) -> list[Sheet]:
    if not shown:
        return []
    after = "" if how == "none" else " (recalibrated)"
    return [
        Sheet(
            f"{caption}, with 95 % intervals{after}",
            ["Result", *titles.values()],
            [(r.name, *(signed_interval(r.calibration.values[k], digits) for k in titles)) for r in shown],
        )
        for caption, titles, digits in (("Calibration line", _LINE, 2), ("Brier score in parts", _BRIER, 3))
    ]


def _small(shown: Sequence[_Result]) -> list[str]:
    """How little the patients of the smallest class can tell."""
    fewest = min(min(r.calibration.n_positive, r.calibration.n_patients - r.calibration.n_positive) for r in shown)
    return [SMALL.format(n=fewest, many=MANY)] if fewest < MANY else []


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
        groups.setdefault(kind, []).append(f"{r.name} {signed_interval(slope)}")
    return " ".join(f"{kind}: {'; '.join(names)}." for kind, names in groups.items())


def _on_the_whole(shown: Sequence[_Result]) -> str:
    """Which results are too low or too high on the whole, by the interval of the intercept at slope 1."""
    groups: dict[str, list[str]] = {"too low": [], "too high": []}
    for r in shown:
        value = r.calibration.values["in_the_large"]
        if value["low"] > 0 or value["high"] < 0:
            groups["too low" if value["low"] > 0 else "too high"].append(f"{r.name} {signed_interval(value)}")
    said = [
        f"Scores {kind} on the whole (interval of the intercept at slope 1): {'; '.join(names)}."
        for kind, names in groups.items()
        if names
    ]
    return " ".join(said) or "No result is detectably too low or too high on the whole (intercept at slope 1)."


def _useful(shown: Sequence[_Result]) -> str:
    """Where decision curves beat both baselines, over all thresholds at once."""
    clear = [f"{r.name} ({_ranges(r.curve)})" for r in shown if r.curve.clear.any()]
    count = (
        f"Decision curves detectably above both treating everybody and treating nobody: {len(clear)} of {len(shown)}"
    )
    if not clear:
        spans = " or ".join(dict.fromkeys(_stretch(r.curve, *r.curve.span) for r in shown))
        return f"{count}. Acting on these scores has not been shown to be worth anything at any threshold from {spans}."
    return (
        f"{count}, at the thresholds given: {'; '.join(clear)}. All thresholds are judged together here; the bands drawn hold at "
        "one threshold each."
    )


def _ranges(curve: DecisionCurve) -> str:
    """Where a decision curve is clear: '0.30 to 0.42, 0.50'."""
    return ", ".join(_stretch(curve, *ends) for ends in curve.ranges)


def _stretch(curve: DecisionCurve, low: float, high: float) -> str:
    """Thresholds, with as many digits as tell one from the next."""
    digits = 2 if curve.step > 0.005 else 3
    return number(low, digits) if low == high else range_text(low, high, digits, " to ")


def drawing(r: _Result, *, recalibrated: bool) -> Drawing:
    """The reliability curve above a histogram of the scores, and the decision curve with its band."""
    scored, bins = r.scored, r.calibration.bins
    share, low, high = (np.array([b[k] for b in bins]) for k in ("share", "low", "high"))
    score = np.array([b["score"] for b in bins])
    window = _window(np.concatenate([score, low, high]))
    again = ", recalibrated" if recalibrated else ""
    repeats = f", {len(scored.scores)} repeats" if len(scored.scores) > 1 else ""
    with canvas(5.4, 3.5) as fig:
        fig.suptitle("\n".join(wrap(f"{scored.run}: {scored.key.label(', ')}{again}{repeats}", 70)), fontsize=10)
        axes = fig.subplot_mosaic([["reliability", "decision"], ["scores", "decision"]], height_ratios=[3, 1])
        _draw_reliability(axes["reliability"], r.calibration, window)
        _draw_scores(axes["scores"], scored, window)
        _draw_decision(axes["decision"], r, window)
        clear = f"above both at {_ranges(r.curve)}" if r.curve.clear.any() else "nowhere detectably above both"
        listed = "; ".join(f"{number(s, 2)} and {number(p, 2)}" for s, p in zip(score, share, strict=True))
        alt = (
            f"{r.name}{again}. Reliability curve of {len(bins)} bins, mean score and share of positives: {listed}. Slope "
            f"{signed_interval(r.calibration.values['slope'])}. Histogram of scores by label. Decision curve with its band against "
            f"treating everybody and nobody: {clear}."
        )
        name = f"calibration-{scored.run}-{scored.head}-{scored.sequence}"
        return drawn(fig, name, f"{r.name}{again}: calibration and decision curve", alt)


def _axis(window: tuple[float, float]) -> tuple[tuple[float, float], list[float]]:
    """Limits and ticks of an axis of scores."""
    left, right = window
    edge = 0.02 * (right - left)
    return (left - edge, right + edge), [left, (left + right) / 2, right]


def _draw_reliability(ax: Axes, calibration: Calibration, window: tuple[float, float]) -> None:
    score, share, low, high = (np.array([b[k] for b in calibration.bins]) for k in ("score", "share", "low", "high"))
    limits, ticks = _axis(window)
    ax.plot([0, 1], [0, 1], color=GREY, lw=1, ls="--")
    ax.axhline(calibration.n_positive / calibration.n_patients, color=GREY, lw=1, ls=":")
    ax.errorbar(score, share, [share - low, high - share], fmt="o-", color=BLUE, ms=4, lw=1.2, elinewidth=1)
    ax.set(xlim=limits, ylim=limits, xticks=ticks, ylabel="Share of positives", title="Reliability")
    ax.tick_params(labelbottom=False)


def _draw_scores(ax: Axes, scored: Scored, window: tuple[float, float]) -> None:
    """The scores of each label, as shares of it, so that a rare one can be seen."""
    left, right = window
    limits, ticks = _axis(window)
    for label, colour in ((0, GREY), (1, ORANGE)):
        mine = scored.scores[:, scored.y == label]
        mine = mine[np.isfinite(mine)]
        weights = np.full(len(mine), 1 / max(1, len(mine)))
        ax.hist(
            mine,
            np.linspace(left, right, 41).tolist(),
            weights=weights,
            color=colour,
            alpha=0.65,
            label=f"label {label}",
        )
    beyond = ((scored.scores < left) | (scored.scores > right)).any(axis=0).sum()
    outside = f" ({beyond} patients reach beyond)" if beyond else ""
    ax.set(xlim=limits, xlabel=f"Score{outside}", xticks=ticks, yticks=[])
    ax.set_ylim(top=1.6 * ax.get_ylim()[1])
    ax.legend(fontsize=8, loc="upper center", ncols=2, handlelength=1)


def _draw_decision(ax: Axes, r: _Result, window: tuple[float, float]) -> None:
    curve, base = r.curve, r.calibration.n_positive / r.calibration.n_patients
    ax.axhline(0, color=GREY, lw=1, label="nobody")
    ax.plot(curve.thresholds, curve.treat_all, color=ORANGE, lw=1.2, ls="--", label="everybody")
    ax.fill_between(curve.thresholds, curve.low, curve.high, color=BLUE, alpha=0.18, lw=0)
    ax.plot(curve.thresholds, curve.net_benefit, color=BLUE, lw=1.6, label="by score")
    ax.set(
        xlim=curve.span if window[1] - window[0] < 1 else (0, 1),
        ylim=(-0.6 * base, 1.25 * base),
        xlabel="Threshold",
        ylabel="Net benefit",
        title="Decision curve",
    )
    ax.legend(fontsize=8, loc="upper right")


def _window(points: Array) -> tuple[float, float]:
    """The part of 0 to 1 that a reliability curve is drawn in: all of it, or the half or less of a rare class."""
    for end in (0.1, 0.2, 0.3, 0.4, 0.5):
        if points.max() <= end:
            return 0.0, end
        if points.min() >= 1 - end:
            return 1 - end, 1.0
    return 0.0, 1.0


def _data(r: _Result) -> Document:
    curve: Document = {
        k: getattr(r.curve, k).tolist() for k in ("thresholds", "net_benefit", "low", "high", "treat_all", "clear")
    }
    return {
        **r.scored.key._asdict(), "patients": r.calibration.n_patients, "positive": r.calibration.n_positive,
        "values": r.calibration.values, "bins": r.calibration.bins, "decision": curve,
    }  # fmt: skip
