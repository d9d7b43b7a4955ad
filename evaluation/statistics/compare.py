"""Which of two results is better: paired tests over the same patients, corrected for the number of pairs.

The test that leads compares the mean AUC by fold and allows for other training patients (see `evaluation.statistics.intervals`), which
DeLong's does not. Beside it stand DeLong's test of the pooled AUC, a paired bootstrap, and Nadeau and Bengio's over folds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from core import metrics
from core.metrics import Array, Labels
from core.predictions import ResultKey, Scored
from evaluation.statistics.delong import delong
from evaluation.statistics.intervals import bootstrap_weights, inflation, influence, percentile_interval, training_noise
from evaluation.statistics.power import few

ALPHA = 0.05
Part = tuple[Labels, Array, Labels]  # y (n,), scores (R, n), fold (R, n) of the common patients


@dataclass
class Comparison:
    """Results a and b, (run, head, sequence) each, on the `n_patients` that both have scores for.

    difference : AUC a - AUC b by fold, averaged over repeats, with 95 % interval and two-sided p; p_holm : corrected over
    all pairs. With the fold models taken as given: p_delong, of the pooled AUC; bootstrap_low, bootstrap_high : 95 %
    percentile interval of `difference` over patients drawn within their class. p_folds : Nadeau and Bengio's corrected
    resampled t-test over folds, None where folds are not shared.
    """

    a: ResultKey
    b: ResultKey
    n_patients: int
    difference: float
    low: float
    high: float
    p: float
    p_delong: float
    bootstrap_low: float
    bootstrap_high: float
    p_folds: float | None
    p_holm: float = float("nan")

    @property
    def different(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.p_holm < ALPHA

    @property
    def better(self) -> ResultKey | None:
        """The result that ranks patients detectably better, None where neither does."""
        if not self.different:
            return None
        return self.a if self.difference > 0 else self.b


def compare_all(
    results: Sequence[Scored], questions: Mapping[str, str] | None = None, *, replicates: int = 500, seed: int = 0
) -> list[Comparison]:
    """Every pair of patient-level results that answer one question, smallest corrected p first.

    `questions` : {run: what its label stands for}. Pairs with fewer than ten common patients in a class are left out:
    the normal approximation does not hold for them.
    """
    of = questions or {}
    alike = [(a, b) for a, b in combinations(results, 2) if of.get(a.run) == of.get(b.run)]
    pairs = [c for a, b in alike if (c := compare(a, b, replicates=replicates, seed=seed)) is not None]
    for c, p in zip(pairs, holm([c.p for c in pairs]), strict=True):
        c.p_holm = p
    return sorted(pairs, key=lambda c: (c.p_holm, c.p))


def compare(a: Scored, b: Scored, *, replicates: int = 500, seed: int = 0) -> Comparison | None:
    """One pair, uncorrected.

    Parameters
    ----------
    a, b : scores of patients; those who have both are compared
    replicates, seed : of the bootstrap over patients

    Returns
    -------
    The comparison; None with too few common patients, in all or in a fold.

    Raises
    ------
    ValueError : a patient has two labels
    """
    from scipy.stats import norm

    common = sorted(set(a.units) & set(b.units))
    ia, ib = ([s.units.index(u) for u in common] for s in (a, b))
    y = a.y[ia]
    if not np.array_equal(y, b.y[ib]):
        raise ValueError(
            f"{tuple(a.key)} and {tuple(b.key)} give patients different labels; they answer different questions"
        )
    if few(y):
        return None
    parts = [(y, s.scores[:, i], s.fold[:, i]) for s, i in ((a, ia), (b, ib))]
    if not all(np.isfinite(scores).all() for _, scores, _ in parts):
        return None
    (aucs_a, psi_a), (aucs_b, psi_b) = (influence(*part) for part in parts)
    if not (aucs_a and aucs_b):
        return None
    difference = float(np.mean(aucs_a) - np.mean(aucs_b))
    se = _standard_error(parts, psi_a, psi_b)
    if np.isnan(se):
        return None
    p = float(2 * norm.sf(abs(difference) / se)) if se > 1e-12 else float(abs(difference) < 1e-12)
    half = float(norm.ppf(1 - ALPHA / 2)) * se
    W = bootstrap_weights(y, replicates, np.random.default_rng(seed))
    low, high = percentile_interval(_mean_fold_aucs(*parts[0], W) - _mean_fold_aucs(*parts[1], W))
    return Comparison(
        a=a.key,
        b=b.key,
        n_patients=len(common),
        difference=difference,
        low=difference - half,
        high=difference + half,
        p=p,
        p_delong=_delong_p(parts),
        bootstrap_low=low,
        bootstrap_high=high,
        p_folds=_fold_p(a, b, ia, ib),
    )


def _standard_error(parts: Sequence[Part], psi_a: Array, psi_b: Array) -> float:
    """Of the difference by fold. The noise that the two models share is taken to be that of the noisier one."""
    repeats = min(len(psi_a), len(psi_b))
    folds = float(np.mean([len(np.unique(row)) for _, _, fold in parts for row in fold]))
    u = max(training_noise(*part) for part in parts)
    plain = float(np.square(psi_a.mean(axis=0) - psi_b.mean(axis=0)).sum())
    if folds < 2:
        return float(np.sqrt(plain))
    averaged = 1 - u / folds * (1 - 1 / repeats)  # what averaging over repeats has already taken away
    return float(np.sqrt(plain * inflation(u, folds, repeats) / averaged))


def _mean_fold_aucs(y: Labels, scores: Array, fold: Labels, W: Array) -> Array:
    """(B,) mean AUC by fold for each row of (B, n) weights; folds that lack a class in a replicate are left out of it."""
    aucs = metrics.fold_aucs(y, scores, fold, W)
    known = np.isfinite(aucs)
    total = np.where(known, aucs, 0).sum(axis=0)
    return np.asarray(np.divide(total, known.sum(axis=0), out=np.full(len(W), np.nan), where=known.any(axis=0)))


def _delong_p(parts: Sequence[Part]) -> float:
    """DeLong's paired test of the pooled AUCs, averaged over repeats."""
    from scipy.stats import norm

    (y, a, _), (_, b, _) = parts
    auc, covariance = delong(y, np.concatenate([a, b]))
    contrast = np.r_[np.full(len(a), 1 / len(a)), np.full(len(b), -1 / len(b))]
    difference = float(contrast @ auc)
    se = float(np.sqrt(max(float(contrast @ covariance @ contrast), 0.0)))
    return float(2 * norm.sf(abs(difference) / se)) if se > 1e-12 else float(abs(difference) < 1e-12)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (Scandinavian Journal of Statistics 1979), in the order given."""
    order = np.argsort(p)
    out = np.empty(len(p))
    worst = 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        out[i] = worst
    return [float(x) for x in out]


def corrected_t_test(differences: Array, test_share: float) -> float:
    """Two-sided p of Nadeau and Bengio's corrected resampled t-test (Machine Learning 2003).

    `differences` : one per fold and repeat; `test_share` : test patients per training patient. Folds share training
    patients, so the plain t-test is far too sure; the variance is raised by `test_share`.
    """
    from scipy.stats import t

    n = len(differences)
    variance = float(np.var(differences, ddof=1)) * (1 / n + test_share)
    if variance <= 0:
        return float(np.all(differences == 0))
    return float(2 * t.sf(abs(float(np.mean(differences))) / np.sqrt(variance), n - 1))


def _fold_p(a: Scored, b: Scored, ia: list[int], ib: list[int]) -> float | None:
    folds = a.fold[:, ia]
    if folds.shape != b.fold[:, ib].shape or not np.array_equal(folds, b.fold[:, ib]) or len(np.unique(folds)) < 2:
        return None
    y, differences, shares = a.y[ia], [], []
    for r, row in enumerate(folds):
        for f in np.unique(row):
            inside = row == f
            if len(np.unique(y[inside])) < 2:
                continue
            w = metrics.ones(int(inside.sum()))
            pair = [float(metrics.auc(y[inside], s.scores[r, i][inside], w)[0]) for s, i in ((a, ia), (b, ib))]
            differences.append(pair[0] - pair[1])
            shares.append(inside.sum() / (~inside).sum())
    return corrected_t_test(np.array(differences), float(np.mean(shares))) if len(differences) > 1 else None
