"""Simulated cohorts with a known truth, sent through the real folds, heads, interval and test code.

The truth of a cohort is the mean AUC that its own fold models reach on new patients: in closed form for the logistic head on
patients, on many new patients otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kstest, norm

from core import metrics
from core.aggregate import aggregate
from core.predictions import Prediction, Predictions, ResultKey, Scored, group_results
from evaluation.statistics.compare import compare
from evaluation.statistics.controls.leak_demo import flag, measure
from evaluation.statistics.controls.permutation import PermutationTest
from evaluation.statistics.delong import delong_interval
from evaluation.statistics.intervals import bootstrap_weights, cross_validated_auc, fold_auc, percentile_interval
from heads.boosted import Boosted
from heads.controls.leak_demo import demonstrate
from heads.controls.permutation import Draw, batched_scores, shuffled_labels
from heads.crossfit import cross_fit, patient_weights
from heads.folds import fold_matrix, patient_folds, row_splits
from heads.logistic import Logistic
from heads.search.nested import nested_predictions
from heads.search.space import Key
from heads.search.tune import tune

COLUMNS, REPLICATES = 20, 400
NEW_PATIENTS = 6000
INTERVALS = ("interval", "influence_curve", "bootstrap_pooled", "delong_pooled")


@dataclass(frozen=True)
class Cell:
    """Cohorts of one kind: patients, share of positives, slices of each, distance of the classes, head, repeats."""

    patients: int
    effect: float
    head: str = "logistic"
    slices: int = 1
    share: float = 0.5
    repeats: int = 2


@dataclass
class Cohort:
    """Rows X (n, d) of patients with labels; `patient` (n,) str."""

    X: NDArray[np.float32]
    patient: NDArray[Any]
    view: NDArray[np.int16]
    labels: dict[str, int]
    sequence: str = "simulated"
    slice_id: NDArray[Any] = field(default_factory=lambda: np.empty(0, object))


def draw(cell: Cell, rng: np.random.Generator, patients: int | None = None, columns: int = COLUMNS) -> Cohort:
    """Normal columns, the first of which tells the classes apart; slices of a patient share half of their variance."""
    n = patients or cell.patients
    y = (np.arange(n) < round(cell.share * n)).astype(int)
    own = rng.normal(size=(n, columns))
    own[:, 0] += cell.effect * (y - 0.5)
    X = np.repeat(own, cell.slices, axis=0)
    if cell.slices > 1:
        X += rng.normal(size=X.shape)
    names = np.array([f"{i:05d}" for i in range(n)], object)
    rows = np.repeat(names, cell.slices)
    labels = dict(zip(names, y.tolist(), strict=True))
    slice_id = np.array([f"{p}#{i}" for i, p in enumerate(rows)], object)
    return Cohort(X.astype(np.float32), rows, np.zeros(len(rows), np.int16), labels, slice_id=slice_id)


def cross_validate(cell: Cell, cohort: Cohort, seed: int, new: Cohort | None) -> tuple[Scored, float]:
    """Out-of-fold scores of a cohort, and the mean true AUC of its fold models."""
    head = Logistic() if cell.head == "logistic" else Boosted(rounds=50)
    folds, _ = patient_folds(cohort.labels, folds=5, repeats=cell.repeats, seed=seed)
    y = np.array([cohort.labels[p] for p in cohort.patient])
    predictions, truths = [], []
    for s in row_splits(folds, cohort.patient, cohort.view):
        own = cohort.patient[s.train]
        fitted, _ = head.fit(cohort.X[s.train], y[s.train], patient_weights(own), patient=own, seed=seed)
        pooled = aggregate(fitted.scores(cohort.X[s.test]), cohort.patient[s.test], "mean")
        predictions += [
            Prediction(
                run="simulated",
                head=cell.head,
                sequence="simulated",
                repeat=s.repeat,
                fold=s.fold,
                patient_id=p,
                label=cohort.labels[p],
                score=score,
                n_slices=n,
            )
            for p, score, n in pooled
        ]
        truths.append(_true_auc(fitted, cell, new))
    return group_results(predictions)[0], float(np.mean(truths))


def _true_auc(fitted: Any, cell: Cell, new: Cohort | None) -> float:
    if new is None:
        w = fitted.coef / fitted.standardise.scale
        return float(norm.cdf(cell.effect * w[0] / np.linalg.norm(w) / np.sqrt(2)))
    y = np.array(list(new.labels.values()))
    return float(metrics.auc(y, fitted.scores(new.X).reshape(len(y), -1).mean(axis=1), metrics.ones(len(y)))[0])


def one_cohort(cell: Cell, seed: int, new: Cohort | None) -> dict[str, Any]:
    """The estimates and intervals of one cohort with its truth; intervals are (low, high)."""
    scored, truth = cross_validate(cell, draw(cell, np.random.default_rng([1, seed])), seed, new)
    lead = fold_auc(scored.y, scored.scores, scored.fold)
    pooled, *delong = delong_interval(scored.y, scored.scores)
    W = bootstrap_weights(scored.y, REPLICATES, np.random.default_rng(seed))
    drawn = np.mean([metrics.auc(scored.y, row, W) for row in scored.scores], axis=0)
    return {
        "truth": truth,
        "by_fold": lead.auc,
        "pooled": pooled,
        "u": lead.u,
        "p": lead.p,
        "interval": (lead.low, lead.high),
        "influence_curve": cross_validated_auc(scored.y, scored.scores, scored.fold)[1:],
        "bootstrap_pooled": percentile_interval(drawn),
        "delong_pooled": tuple(delong),
    }


def coverage(cell: Cell, cohorts: int, jobs: int = -1) -> dict[str, Any]:
    """Means of the estimates, shares of 95 % intervals that contain the truth, and whether p is uniform (KS) under no effect."""
    closed = cell.head == "logistic" and cell.slices == 1
    new = None if closed else draw(cell, np.random.default_rng(9), NEW_PATIENTS)
    found = _parallel(one_cohort, [(cell, seed, new) for seed in range(cohorts)], jobs)
    p = np.array([f["p"] for f in found])
    return {
        **vars(cell),
        "cohorts": cohorts,
        **{k: float(np.mean([f[k] for f in found])) for k in ("truth", "by_fold", "pooled", "u")},
        **{k: float(np.mean([f[k][0] <= f["truth"] <= f[k][1] for f in found])) for k in INTERVALS},
        "ks_p": float(kstest(p, "uniform").pvalue) if cell.effect == 0 else None,
        "rejected": float(np.mean(p < 0.05)),
    }


def permutation_p(cell: Cell, seed: int, permutations: int) -> float:
    """p of one cohort over shuffled labels, by the code of `train_head.py --permutations`."""
    cohort = draw(cell, np.random.default_rng([2, seed]))
    patients = sorted(cohort.labels)
    labels = [cohort.labels, *shuffled_labels(cohort.labels, permutations, seed)]
    draws = [Draw(d, patient_folds(d, folds=5, repeats=cell.repeats, seed=seed)[0]) for d in labels]
    scores = batched_scores(Logistic(), cohort, draws, patients, lambda s: s.mean(axis=0))
    aucs = [
        metrics.mean_fold_auc(np.array([d.labels[p] for p in patients]), s, fold_matrix(d.folds, patients))
        for d, s in zip(draws, scores, strict=True)
    ]
    return PermutationTest(ResultKey("", "", ""), aucs[0], dict(enumerate(aucs[1:], 1))).p


def permutations(cell: Cell, cohorts: int, shuffles: int = 99, jobs: int = -1) -> dict[str, Any]:
    """Whether p over shuffled labels is uniform where there is no effect; ties of p are broken at random for KS."""
    p = np.array(_parallel(permutation_p, [(cell, seed, shuffles) for seed in range(cohorts)], jobs))
    smooth = p - np.random.default_rng(0).random(len(p)) / (shuffles + 1)
    ks = float(kstest(smooth, "uniform").pvalue) if cell.effect == 0 else None
    return {**vars(cell), "cohorts": cohorts, "shuffles": shuffles, "ks_p": ks, "rejected": float(np.mean(p <= 0.05))}


def one_pair(cell: Cell, seed: int) -> tuple[Any, float]:
    """Two heads on columns of their own for the same patients and folds, and the true difference."""
    rng = np.random.default_rng([3, seed])
    (a, true_a), (b, true_b) = (cross_validate(cell, draw(cell, rng), seed, None) for _ in range(2))
    b.sequence = "other"
    return compare(a, b, replicates=200), true_a - true_b


def comparisons(cell: Cell, cohorts: int, jobs: int = -1) -> dict[str, Any]:
    """How often two heads of equal merit are called different, and intervals contain the true difference."""
    found = _parallel(one_pair, [(cell, seed) for seed in range(cohorts)], jobs)
    return {
        **vars(cell),
        "cohorts": cohorts,
        "interval": float(np.mean([c.low <= t <= c.high for c, t in found])),
        "rejected": float(np.mean([c.p < 0.05 for c, _ in found])),
        "rejected_delong": float(np.mean([c.p_delong < 0.05 for c, _ in found])),
        "rejected_folds": float(np.mean([c.p_folds < 0.05 for c, _ in found])),
        "bootstrap": float(np.mean([c.bootstrap_low <= t <= c.bootstrap_high for c, t in found])),
    }


def one_selection(patients: int, sequences: int, effect: float, seed: int) -> tuple[float, float, float]:
    """AUC by fold of the best of several sequences, of the nested choice among them, and the mean of all."""
    cell, rng = Cell(patients, effect), np.random.default_rng([4, seed])
    tables = {f"S{k}": draw(cell, rng) for k in range(sequences)}
    for name, table in tables.items():
        table.sequence = name
    labels = tables["S0"].labels
    folds, _ = patient_folds(labels, folds=5, repeats=1, seed=seed)
    splits = {q: row_splits(folds, t.patient, t.view) for q, t in tables.items()}
    results = cross_fit([Logistic()], list(tables.values()), labels, splits, seed=seed)
    plain = Predictions.from_folds("simulated", results, tables, labels, "mean")
    aucs = [fold_auc(s.y, s.scores, s.fold).auc for s in group_results(plain)]
    keys = {Key(q, "all"): t for q, t in tables.items()}
    choices = tune([Logistic()], keys, labels, folds, ["mean"], draws=2 * sequences, seed=seed)
    nested = nested_predictions("simulated", choices, labels).grouped()[0]
    return max(aucs), fold_auc(nested.y, nested.scores, nested.fold).auc, float(np.mean(aucs))


def selection(patients: int, sequences: int, effect: float, cohorts: int, jobs: int = -1) -> dict[str, Any]:
    """The mean AUC that is reported for the best of several results, and for the choice on inner folds."""
    found = np.array(_parallel(one_selection, [(patients, sequences, effect, seed) for seed in range(cohorts)], jobs))
    names = ("best", "nested", "mean")
    return {
        **{"patients": patients, "sequences": sequences, "effect": effect, "cohorts": cohorts},
        **dict(zip(names, found.mean(axis=0).tolist(), strict=True)),
        "standard_error": float(found[:, 1].std(ddof=1) / np.sqrt(cohorts)),
    }


def one_demonstration(seed: int) -> dict[str, bool]:
    """Whether each split is called inflated on a cohort of patients with alike slices and nothing to find."""
    cohort = draw(Cell(24, 0.0, slices=6), np.random.default_rng([5, seed]))
    trials = demonstrate([Logistic()], [cohort], cohort.labels, draws=10, folds=4, seed=seed)
    return {v.split: v.inflated for v in flag(measure(trials, {cohort.sequence: cohort}, "mean"))}


def demonstrations(cohorts: int, jobs: int = -1) -> dict[str, Any]:
    """How often the leak demonstrator calls the slice split and the patient split inflated."""
    found = _parallel(one_demonstration, [(seed,) for seed in range(cohorts)], jobs)
    return {"cohorts": cohorts, **{split: float(np.mean([f[split] for f in found])) for split in found[0]}}


def _parallel(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], jobs: int) -> list[Any]:
    from joblib import Parallel, delayed

    return list(Parallel(n_jobs=jobs)(delayed(_single)(function, *task) for task in tasks))


def _single(function: Callable[..., Any], *task: Any) -> Any:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return function(*task)
