"""Points, gains and trends of a learning curve, by an interval that knows that folds share patients."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.statistics.compare import corrected_t_test
from evaluation.statistics.controls.learning_curve import Trend, corrected_interval, read_lines


def rows(gain: float, *, heads: tuple[str, ...] = ("logistic",), sequences: tuple[str, ...] = ("FLAIR",)) -> list:
    """Ten folds, sizes of 50 and 100 patients; the AUC is gain higher with 100."""
    noise = np.random.default_rng(0).normal(0, 0.01, (2, 10))
    return [
        {
            "run": "r", "head": head, "sequence": sequence, "share": str(share), "patients": str(patients), "tested": "25",
            "repeat": "0", "fold": str(k), "auc": str(0.6 + (gain + noise[1, k] if share == 1 else noise[0, k])),
        }
        for head in heads for sequence in sequences for share, patients in ((0.5, 50), (1.0, 100)) for k in range(10)
    ]  # fmt: skip


def test_the_interval_is_the_corrected_t_test_inverted() -> None:
    values = np.random.default_rng(1).normal(0.05, 0.1, 10)
    for share in (0.0, 0.25):
        low, high = corrected_interval(values, share)
        assert (low + high) / 2 == pytest.approx(values.mean())
        assert corrected_t_test(values - low, share) == pytest.approx(0.05, abs=1e-9)
        assert corrected_t_test(values - high, share) == pytest.approx(0.05, abs=1e-9)
    assert np.isnan(corrected_interval(values[:1], 0.25)).all()


def test_lines_hold_means_by_size_and_the_paired_gain() -> None:
    table = rows(0.1)
    (line,) = read_lines(table)
    aucs = np.array([float(r["auc"]) for r in table]).reshape(2, 10)
    assert [p.auc for p in line.points] == pytest.approx(aucs.mean(axis=1))
    assert [(p.share, p.patients) for p in line.points] == [(0.5, 50), (1.0, 100)]
    assert line.gain == pytest.approx((aucs[1] - aucs[0]).mean())
    assert (line.low, line.high) == pytest.approx(corrected_interval(aucs[1] - aucs[0], 0.25))
    assert (line.points[0].low, line.points[0].high) == pytest.approx(corrected_interval(aucs[0], 0.25))


def test_folds_that_lack_a_class_are_left_out() -> None:
    table = rows(0.1)
    for r in table:
        if r["fold"] == "3":
            r["auc"] = ""
    (line,) = read_lines(table)
    kept = [float(r["auc"]) for r in table if r["fold"] != "3" and r["share"] == "1.0"]
    assert line.points[1].auc == pytest.approx(np.mean(kept))


@pytest.mark.parametrize(("gain", "trend"), [(0.1, Trend.RISING), (-0.1, Trend.FALLING), (0.0, Trend.UNCLEAR)])
def test_the_end_of_the_curve(gain: float, trend: Trend) -> None:
    (line,) = read_lines(rows(gain))
    assert line.trend is trend
