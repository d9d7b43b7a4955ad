"""Scores -> figures: every metric with its interval, pooled over folds and fold by fold; ROC and PR with bands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core import metrics
from core.metrics import METRICS, Array
from core.predictions import Scored
from evaluation.statistics.delong import delong_interval
from evaluation.statistics.intervals import (
    bootstrap_weights,
    cross_validated_auc,
    fold_auc,
    fold_power,
    percentile_interval,
)
from evaluation.statistics.power import FEW_PATIENTS

GRID = np.linspace(0, 1, 101)  # false positive rate, or recall, where curves are averaged
STRATIFIED = ("auc",)  # the bootstrap draws within each class, as pROC does
_BLOCK = 4_000_000  # weights held at once


@dataclass
class Assessment:
    """What is known of one head on one sequence at one level ('patient' or 'slice').

    smaller_class : patients in it; below FEW_PATIENTS there are estimates alone, see `few`
    values : {metric: {estimate, low, high}}, of the pooled scores; fold_auc : AUC of each test fold with both classes
    by_fold : {estimate, low, high, p, u} of their mean, which the report leads with, see `intervals.fold_auc`
    fold_auc_interval : {low, high} of the same mean with the fold models taken as given (LeDell et al. 2015)
    delong : {low, high} of the pooled AUC
    first_repeat : {auc, average_precision} of repeat 0, which the curves show; thresholds : every one in use
    power : {half_width, detectable, patients_needed}; these four at patient level only
    roc, pr : {x, y} the empirical curve, {low, high} its band on `grid`; confusion : {tp, fp, tn, fn}, of repeat 0
    """

    run: str
    head: str
    sequence: str
    level: str
    n_patients: int
    n_units: int
    n_positive: int
    n_repeats: int
    threshold: str
    replicates: int
    majority_accuracy: float
    values: dict[str, dict[str, float]]
    fold_auc: list[float]
    mean_fold_auc: float
    n_folds: int
    smaller_class: int
    by_fold: dict[str, float] = field(default_factory=dict)
    fold_auc_interval: dict[str, float] = field(default_factory=dict)
    delong: dict[str, float] = field(default_factory=dict)
    power: dict[str, float | None] = field(default_factory=dict)
    roc: dict[str, list[float]] = field(default_factory=dict)
    pr: dict[str, list[float]] = field(default_factory=dict)
    confusion: dict[str, int] = field(default_factory=dict)
    first_repeat: dict[str, float] = field(default_factory=dict)
    thresholds: list[float] = field(default_factory=list)

    @property
    def few(self) -> bool:
        """Whether a class has too few patients for an interval, a p-value or a power line to mean anything; these are NaN then."""
        return self.smaller_class < FEW_PATIENTS

    def as_dict(self) -> dict[str, Any]:
        """For report.json; NaN becomes None."""
        return {k: without_nan(v) for k, v in vars(self).items()}


def assess(
    scored: Scored,
    *,
    level: str,
    threshold: str = "0.5",
    replicates: int = 2000,
    seed: int = 0,
    curves: bool = False,
    chosen: Mapping[tuple[int, int], float] | None = None,
) -> Assessment:
    """Every metric of the pooled out-of-fold scores, averaged over repeats, with a patient-bootstrap 95 % interval.

    A replicate draws patients with replacement, for the AUC within each class, else from all, since other metrics depend on how
    many are positive; their slices and repeats come along. No interval with 0
    replicates, nor with fewer than FEW_PATIENTS in a class. `threshold` is '0.5', or 'youden': the best threshold on the other folds' scores of the same repeat, never the reported one.
    `chosen` : {(index of the repeat, fold): threshold} from inner folds, which youden then takes instead. Raises ValueError for youden where there are no other folds.
    """
    thresholds = fold_thresholds(scored, threshold, chosen)
    patient_y = np.full(len(scored.patients), -1)
    patient_y[scored.patient] = scored.y
    smaller_class = int(min((patient_y == 1).sum(), (patient_y == 0).sum()))
    replicates = replicates if smaller_class >= FEW_PATIENTS else 0
    rng = np.random.default_rng(seed)
    estimates = _all_metrics(scored, metrics.ones(len(patient_y)), thresholds)
    draws: dict[str, list[Array]] = {name: [] for name in METRICS}
    done = 0
    while done < replicates:
        n = min(replicates - done, max(1, _BLOCK // max(1, len(scored.units))))
        for strata, names in (
            (patient_y, STRATIFIED),
            (np.zeros_like(patient_y), [m for m in METRICS if m not in STRATIFIED]),
        ):
            for name, drawn in _all_metrics(scored, bootstrap_weights(strata, n, rng), thresholds, names).items():
                draws[name].append(drawn)
        done += n
    values: dict[str, dict[str, float]] = {}
    for name in METRICS:
        low, high = percentile_interval(np.concatenate([np.empty(0), *draws[name]]))
        values[name] = {"estimate": float(estimates[name][0]), "low": low, "high": high}
    fold_auc = metrics.fold_aucs(scored.y, scored.scores, scored.fold, metrics.ones(len(scored.y)))[:, 0].tolist()
    in_use = sorted({float(t) for t in thresholds[np.isfinite(scored.scores)]})
    majority = max(scored.y.mean(), 1 - scored.y.mean())
    result = Assessment(
        *scored.key, level, len(scored.patients), len(scored.units), int((scored.y == 1).sum()), len(scored.scores),
        threshold, replicates, float(majority), values, fold_auc,
        float(np.mean(fold_auc)) if fold_auc else float("nan"), len({(r, f) for r, row in enumerate(scored.fold) for f in row if f >= 0}),
        smaller_class,
    )  # fmt: skip
    result.thresholds = in_use
    if level == "patient":
        _add_patient_statistics(result, scored)
    if curves:
        result.roc, result.pr = _curves(scored, patient_y, np.random.default_rng(seed), min(replicates, 500))
        known = np.isfinite(scored.scores[0])
        y, s, w = scored.y[known], scored.scores[0][known], metrics.ones(int(known.sum()))
        result.first_repeat = {name: float(METRICS[name][1](y, s, w)[0]) for name in ("auc", "average_precision")}
        cells = metrics.confusion(
            scored.y[known], scored.scores[0][known], metrics.ones(int(known.sum())), thresholds[0][known]
        )
        result.confusion = {k: int(c[0]) for k, c in zip(("tp", "fp", "tn", "fn"), cells, strict=True)}
    return result


def _add_patient_statistics(result: Assessment, scored: Scored) -> None:
    """DeLong and influence-curve intervals and the power line; they need independent rows, so patients."""
    positives, negatives = result.n_positive, result.n_patients - result.n_positive
    lead = fold_auc(scored.y, scored.scores, scored.fold)
    result.by_fold = {"estimate": lead.auc, "low": lead.low, "high": lead.high, "p": lead.p, "u": lead.u}
    result.fold_auc_interval, result.delong = ({"low": float("nan"), "high": float("nan")} for _ in range(2))
    result.power = dict.fromkeys(("half_width", "detectable", "patients_needed"))
    if result.few:
        result.by_fold |= dict.fromkeys(("low", "high", "p"), float("nan"))
        return
    _, low, high = cross_validated_auc(scored.y, scored.scores, scored.fold)
    result.fold_auc_interval = {"low": low, "high": high}
    if np.isfinite(scored.scores).all():
        result.delong["low"], result.delong["high"] = delong_interval(scored.y, scored.scores)[1:]
    result.power.update(vars(fold_power(lead, result.n_folds / result.n_repeats, positives, negatives)))


def fold_thresholds(scored: Scored, threshold: str, chosen: Mapping[tuple[int, int], float] | None = None) -> Array:
    """(R, n) the threshold that each unit is judged by; see `assess`."""
    if threshold != "youden":
        return np.full(scored.scores.shape, float(threshold))
    out = np.full(scored.scores.shape, np.nan)
    for r, (score, fold) in enumerate(zip(scored.scores, scored.fold, strict=True)):
        for f in np.unique(fold[fold >= 0]):
            if chosen:
                out[r, fold == f] = chosen[r, int(f)]
                continue
            others = (fold >= 0) & (fold != f)
            if len(np.unique(scored.y[others])) < 2:
                raise ValueError(
                    f"--threshold youden is chosen on the other folds, and {scored.run} has none with both classes "
                    f"beside fold {f}; use --threshold 0.5"
                )
            out[r, fold == f] = metrics.youden_threshold(scored.y[others], score[others])
    return out


def _all_metrics(
    scored: Scored, patient_weights: Array, thresholds: Array, names: Collection[str] = tuple(METRICS)
) -> dict[str, Array]:
    """Each metric for each row of (B, patients) weights, averaged over repeats."""
    totals: dict[str, list[Array]] = {name: [] for name in names}
    W = patient_weights[:, scored.patient]
    for score, cut in zip(scored.scores, thresholds, strict=True):
        known = np.isfinite(score)
        y, s, w = scored.y[known], score[known], W if known.all() else W[:, known]
        for name in names:
            _, function, needs_threshold = METRICS[name]
            totals[name].append(function(y, s, w, cut[known]) if needs_threshold else function(y, s, w))
    return {name: np.mean(values, axis=0) for name, values in totals.items()}


def _curves(
    scored: Scored, patient_y: Any, rng: np.random.Generator, replicates: int
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """ROC and PR of repeat 0, with pointwise 95 % patient-bootstrap bands on GRID."""
    known = np.isfinite(scored.scores[0])
    y, s, owner = scored.y[known], scored.scores[0][known], scored.patient[known]
    if len(np.unique(y)) < 2:
        return {}, {}
    drawn = [_on_grid(*_vertices(y, s, w[owner])) for w in bootstrap_weights(patient_y, replicates, rng)]
    nothing = np.full((2, len(GRID)), np.nan)
    bands = [np.quantile([row[k] for row in drawn], [0.025, 0.975], axis=0) if drawn else nothing for k in (0, 1)]
    fpr, tpr, precision = _vertices(y, s, np.ones(len(y)))
    roc, pr = (
        {"x": x.tolist(), "y": line.tolist(), "grid": GRID.tolist(), "low": low.tolist(), "high": high.tolist()}
        for x, line, (low, high) in zip((fpr, tpr), (tpr, precision), bands, strict=True)
    )
    return roc, pr


def _vertices(y: Any, s: Array, w: Array) -> tuple[Array, Array, Array]:
    """False positive rate, true positive rate and precision as the threshold falls past each distinct score."""
    drawn = w > 0
    y, s, w = y[drawn], s[drawn], w[drawn]
    order = np.argsort(-s, kind="stable")
    last = np.r_[s[order][1:] != s[order][:-1], True]
    tp, fp = (np.cumsum(w[order] * (y[order] == label))[last] for label in (1, 0))
    precision = tp / np.maximum(tp + fp, 1e-12)
    return np.r_[0, fp / fp[-1]], np.r_[0, tp / tp[-1]], np.r_[precision[0], precision]


def _on_grid(fpr: Array, tpr: Array, precision: Array) -> tuple[Array, Array]:
    """True positive rate at each false positive rate of GRID, and precision at each recall."""
    rising = fpr + 1e-9 * np.arange(len(fpr)) / len(fpr)  # so that a vertical step keeps both its ends
    at_recall = np.minimum(np.searchsorted(tpr, GRID - 1e-12), len(precision) - 1)
    return np.interp(GRID + 1e-9, rising, tpr), precision[at_recall]


def without_nan(value: Any) -> Any:
    """A copy for JSON in which NaN and infinity are None."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
