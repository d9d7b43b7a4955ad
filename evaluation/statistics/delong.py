"""The variance of the AUC without assumptions on its distribution, and the paired test (DeLong et al. 1988).

Computed by midranks in O(n log n) (Sun and Xu 2014). Rows are independent patients, one score each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.metrics import Array, Labels


@dataclass
class Difference:
    """Two AUCs of the same patients: `difference` a - b, its standard error, z and two-sided p-value."""

    auc_a: float
    auc_b: float
    difference: float
    se: float
    z: float
    p: float


def delong(y: Labels, scores: Array) -> tuple[Array, Array]:
    """AUCs (k,) and their covariance (k, k) from scores (k, n) of the same n patients with labels (n,) 0/1.

    Raises ValueError with fewer than two patients in a class: there is no variance to estimate then.
    """
    scores = np.atleast_2d(np.asarray(scores, float))
    positive = np.asarray(y) == 1
    m, n = int(positive.sum()), int((~positive).sum())
    if min(m, n) < 2:
        raise ValueError(f"{m} positive and {n} negative patients; DeLong's variance needs two of each")
    a, b = scores[:, positive], scores[:, ~positive]
    over = (_midranks(scores)[:, positive] - _midranks(a)) / n  # share of negatives below each positive
    under = 1 - (_midranks(scores)[:, ~positive] - _midranks(b)) / m  # share of positives above each negative
    return over.mean(axis=1), np.atleast_2d(np.cov(over) / m + np.cov(under) / n)


def delong_interval(y: Labels, scores: Array, level: float = 0.95) -> tuple[float, float, float]:
    """AUC and its normal interval, cut to 0 ... 1; of the mean AUC where scores are (k, n), one row a repeat."""
    from scipy.stats import norm

    auc, covariance = delong(y, scores)
    estimate = float(auc.mean())
    half = float(norm.ppf((1 + level) / 2) * np.sqrt(max(float(covariance.mean()), 0.0)))
    return estimate, max(0.0, estimate - half), min(1.0, estimate + half)


def delong_test(y: Labels, a: Array, b: Array) -> Difference:
    """Whether two scores of the same patients have the same AUC. p is 1 where they rank the patients alike."""
    from scipy.stats import norm

    auc, covariance = delong(y, np.stack([a, b]))
    difference = float(auc[0] - auc[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    se = float(np.sqrt(max(variance, 0.0)))
    if se < 1e-12:
        same = abs(difference) < 1e-12
        z, p = (0.0, 1.0) if same else (float("inf"), 0.0)
        return Difference(auc_a=float(auc[0]), auc_b=float(auc[1]), difference=difference, se=0.0, z=z, p=p)
    z = difference / se
    p = float(2 * norm.sf(abs(z)))
    return Difference(auc_a=float(auc[0]), auc_b=float(auc[1]), difference=difference, se=se, z=z, p=p)


def _midranks(rows: Array) -> NDArray[np.float64]:
    """Ranks within each row from 1, ties sharing their mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(rows, axis=1), float)
