"""What a number of patients can show: the power line beside an AUC.

Variance of the AUC after Hanley and McNeil (Radiology 1982, exponential model); sample size after Obuchowski (Radiology
1997 style normal approximation): an AUC A is told from 0.5 with the given power where
A - 0.5 >= z(1 - alpha / 2) se(0.5) + z(power) se(A). Cross-validation widens both errors, see `evaluation.statistics.intervals`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

ALPHA, POWER = 0.05, 0.8
FEW_PATIENTS = 10  # in a class, below which there are no intervals and the verdict says nothing


def few(y: Any) -> bool:
    """Whether a class of the patients' labels (n,) 0/1 has fewer than FEW_PATIENTS."""
    return bool(min((y == 1).sum(), (y == 0).sum()) < FEW_PATIENTS)


@dataclass
class PowerLine:
    """half_width : of the 95 % interval around this AUC; detectable : the smallest AUC told from 0.5 at 80 % power;
    patients_needed : to tell this AUC from 0.5 at the same share of positives, None where it is not above 0.5 by 0.005."""

    half_width: float
    detectable: float
    patients_needed: int | None


def standard_error(auc: float, positives: float, negatives: float) -> float:
    """Hanley and McNeil's standard error of an AUC with so many patients in each class."""
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = (auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)) / (
        positives * negatives
    )
    return float(np.sqrt(max(variance, 0.0)))


def power_line(auc: float, positives: int, negatives: int, *, at_chance: float = 1.0, at_auc: float = 1.0) -> PowerLine:
    """The power line of an AUC; its standard errors are `at_chance` and `at_auc` times those of a head trained elsewhere.

    Raises ValueError with no patient in a class."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    if min(positives, negatives) < 1:
        raise ValueError(f"{positives} positive and {negatives} negative patients; an AUC needs both")
    z_alpha, z_power = norm.ppf(1 - ALPHA / 2), norm.ppf(POWER)

    def surplus(a: float, p: float, n: float) -> float:
        at_half, at_a = at_chance * standard_error(0.5, p, n), at_auc * standard_error(a, p, n)
        return float(a - 0.5 - z_alpha * at_half - z_power * at_a)

    detectable = (
        brentq(surplus, 0.5, 1 - 1e-9, (positives, negatives))
        if surplus(1 - 1e-9, positives, negatives) > 0
        else np.nan
    )
    needed: int | None = None
    if auc > 0.505:
        share = positives / (positives + negatives)
        low, high = 2.0, 1e9
        if surplus(auc, share * high, (1 - share) * high) > 0:
            while high - low > 0.5:
                middle = (low + high) / 2
                low, high = (low, middle) if surplus(auc, share * middle, (1 - share) * middle) > 0 else (middle, high)
            needed = int(np.ceil(high))
    half = float(z_alpha * at_auc * standard_error(auc, positives, negatives))
    return PowerLine(half, float(detectable), needed)
