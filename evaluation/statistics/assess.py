"""Scores -> figures: every metric with its interval, pooled over folds and fold by fold; ROC and PR with bands."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from core.documents import Document
from core.metrics import METRICS, Array, Labels, confusion, fold_aucs, ones, youden_threshold
from core.predictions import ResultKey, Scored
from evaluation.statistics.curves import roc_and_pr
from evaluation.statistics.delong import delong_interval
from evaluation.statistics.intervals import (
    bootstrap_weights,
    cross_validated_auc,
    fold_auc,
    fold_power,
    percentile_interval,
)
from evaluation.statistics.power import FEW_PATIENTS

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
    def key(self) -> ResultKey:
        """(run, head, sequence)."""
        return ResultKey(self.run, self.head, self.sequence)

    @property
    def few(self) -> bool:
        """Whether a class has too few patients for an interval, a p-value or a power line to mean anything; these are NaN then."""
        return self.smaller_class < FEW_PATIENTS

    def as_dict(self) -> Document:
        """For report.json; NaN becomes None."""
        return {f.name: without_nan(getattr(self, f.name)) for f in fields(self)}


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
    """Every registered metric of the pooled out-of-fold scores, averaged over repeats, with a patient-bootstrap 95 % interval.

    A replicate draws patients with replacement, for the AUC within each class, else from all, since other metrics depend on
    how many are positive; their slices and repeats come along. There is no interval with fewer than FEW_PATIENTS in a class.

    Parameters
    ----------
    scored : scores (R, n) of one result; level : 'patient' or 'slice'
    threshold : '0.5', or 'youden': the best threshold on the other folds' scores of the same repeat, never the reported one
    replicates, seed : of the bootstrap; no interval with 0 replicates
    curves : whether ROC, precision-recall and the confusion matrix of repeat 0 are wanted
    chosen : {(index of the repeat, fold): threshold} from inner folds, which youden then takes instead

    Returns
    -------
    The assessment; what cannot be told is NaN or empty.

    Raises
    ------
    ValueError : youden is asked for where there are no other folds with both classes
    """
    thresholds = fold_thresholds(scored, threshold, chosen)
    patient_y = np.full(len(scored.patients), -1)
    patient_y[scored.patient] = scored.y
    smaller_class = int(min((patient_y == 1).sum(), (patient_y == 0).sum()))
    replicates = replicates if smaller_class >= FEW_PATIENTS else 0
    by_fold = fold_aucs(scored.y, scored.scores, scored.fold, ones(len(scored.y)))[:, 0].tolist()
    result = Assessment(
        run=scored.run,
        head=scored.head,
        sequence=scored.sequence,
        level=level,
        n_patients=len(scored.patients),
        n_units=len(scored.units),
        n_positive=int((scored.y == 1).sum()),
        n_repeats=len(scored.scores),
        threshold=threshold,
        replicates=replicates,
        majority_accuracy=float(max(scored.y.mean(), 1 - scored.y.mean())),
        values=_with_intervals(scored, patient_y, thresholds, replicates, seed),
        fold_auc=by_fold,
        mean_fold_auc=float(np.mean(by_fold)) if by_fold else float("nan"),
        n_folds=len({(r, f) for r, row in enumerate(scored.fold) for f in row if f >= 0}),
        smaller_class=smaller_class,
        thresholds=sorted({float(t) for t in thresholds[np.isfinite(scored.scores)]}),
    )
    if level == "patient":
        _add_patient_statistics(result, scored)
    if curves:
        _add_curves(result, scored, patient_y, thresholds, seed)
    return result


def _with_intervals(
    scored: Scored, patient_y: Labels, thresholds: Array, replicates: int, seed: int
) -> dict[str, dict[str, float]]:
    """{metric: {estimate, low, high}}; replicates are drawn in blocks, so that their weights fit into memory."""
    rng = np.random.default_rng(seed)
    estimates = _all_metrics(scored, ones(len(patient_y)), thresholds, METRICS)
    draws: dict[str, list[Array]] = {name: [] for name in METRICS}
    within = [m for m in METRICS if m in STRATIFIED]
    drawn_from = ((patient_y, within), (np.zeros_like(patient_y), [m for m in METRICS if m not in STRATIFIED]))
    done = 0
    while done < replicates:
        n = min(replicates - done, max(1, _BLOCK // max(1, len(scored.units))))
        for strata, names in drawn_from:
            for name, drawn in _all_metrics(scored, bootstrap_weights(strata, n, rng), thresholds, names).items():
                draws[name].append(drawn)
        done += n
    out = {}
    for name in METRICS:
        low, high = percentile_interval(np.concatenate([np.empty(0), *draws[name]]))
        out[name] = {"estimate": float(estimates[name][0]), "low": low, "high": high}
    return out


def _add_curves(result: Assessment, scored: Scored, patient_y: Labels, thresholds: Array, seed: int) -> None:
    """What the figures of a result show, of repeat 0."""
    rng = np.random.default_rng(seed)
    result.roc, result.pr = roc_and_pr(scored, patient_y, rng, min(result.replicates, 500))
    known = np.isfinite(scored.scores[0])
    y, s, w = scored.y[known], scored.scores[0][known], ones(int(known.sum()))
    result.first_repeat = {name: float(METRICS[name].function(y, s, w)[0]) for name in ("auc", "average_precision")}
    cells = confusion(y, s, w, thresholds[0][known])
    result.confusion = {k: int(c[0]) for k, c in zip(("tp", "fp", "tn", "fn"), cells, strict=True)}


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
    line = fold_power(lead, result.n_folds / result.n_repeats, positives, negatives)
    result.power.update(asdict(line))


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
            out[r, fold == f] = youden_threshold(scored.y[others], score[others])
    return out


def _all_metrics(scored: Scored, patient_weights: Array, thresholds: Array, names: Collection[str]) -> dict[str, Array]:
    """Each metric for each row of (B, patients) weights, averaged over repeats."""
    totals: dict[str, list[Array]] = {name: [] for name in names}
    W = patient_weights[:, scored.patient]
    for score, cut in zip(scored.scores, thresholds, strict=True):
        known = np.isfinite(score)
        y, s, w = scored.y[known], score[known], W if known.all() else W[:, known]
        for name in names:
            metric = METRICS[name]
            judged = metric.function(y, s, w, cut[known]) if metric.needs_threshold else metric.function(y, s, w)
            totals[name].append(judged)
    return {name: np.mean(values, axis=0) for name, values in totals.items()}


def without_nan(value: Any) -> Any:
    """A copy for JSON in which NaN and infinity are None."""
    if isinstance(value, dict):
        return {k: without_nan(v) for k, v in value.items()}
    if isinstance(value, list):
        return [without_nan(v) for v in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
