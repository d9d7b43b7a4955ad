"""The power line against published figures and against itself by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.statistics.delong import delong_interval
from evaluation.statistics.power import power_line, standard_error


def test_standard_errors_are_those_of_hanley_and_mcneil() -> None:
    # Hanley and McNeil, Radiology 1982, worked example: area 0.893, 51 abnormal, 58 normal, SE 0.0322 (exponential model).
    assert standard_error(0.893, 51, 58) == pytest.approx(0.032, abs=0.0006)
    # Under chance the variance is that of the Mann-Whitney statistic, (m + n + 1) / 12 m n.
    assert standard_error(0.5, 30, 50) == pytest.approx(np.sqrt(81 / (12 * 30 * 50)), rel=1e-12)


def test_more_patients_detect_less() -> None:
    lines = [power_line(0.6, n, n) for n in (10, 50, 250, 1000)]
    assert all(a.detectable > b.detectable > 0.5 for a, b in zip(lines, lines[1:], strict=False))
    assert all(a.half_width > b.half_width for a, b in zip(lines, lines[1:], strict=False))


def test_the_patients_needed_make_the_auc_just_detectable() -> None:
    needed = power_line(0.62, 150, 100).patients_needed
    assert needed is not None
    assert power_line(0.62, round(0.6 * needed), round(0.4 * needed)).detectable == pytest.approx(0.62, abs=0.001)
    assert power_line(0.5, 100, 100).patients_needed is None
    assert power_line(0.4, 100, 100).patients_needed is None


@pytest.mark.slow
def test_the_detectable_auc_is_detected_four_times_in_five() -> None:
    from scipy.stats import norm

    rng = np.random.default_rng(1)
    positives, negatives = 60, 60
    shift = np.sqrt(2) * norm.ppf(power_line(0.6, positives, negatives).detectable)
    y = np.r_[np.ones(positives), np.zeros(negatives)]
    found = sum(delong_interval(y, rng.normal(size=120) + shift * y)[1] > 0.5 for _ in range(600)) / 600
    assert 0.74 < found < 0.88


def test_too_few_patients_detect_nothing() -> None:
    assert np.isnan(power_line(0.6, 1, 2).detectable)
    with pytest.raises(ValueError, match="an AUC needs both"):
        power_line(0.6, 0, 5)
