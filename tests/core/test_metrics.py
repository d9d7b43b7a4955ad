"""Every metric against scikit-learn, with ties and with weights; weights are repeated rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from sklearn import metrics as sk

from core import metrics
from core.metrics import METRICS, confusion, ones, youden_threshold


def at(threshold: float, function: Callable[..., float], **options: float) -> Callable[..., float]:
    return lambda y, s, sample_weight: function(y, s >= threshold, sample_weight=sample_weight, **options)


def reference(threshold: float) -> dict[str, Callable[..., float]]:
    return {
        "auc": sk.roc_auc_score,
        "average_precision": sk.average_precision_score,
        "accuracy": at(threshold, sk.accuracy_score),
        "balanced_accuracy": at(threshold, sk.balanced_accuracy_score),
        "sensitivity": at(threshold, sk.recall_score),
        "specificity": at(threshold, sk.recall_score, pos_label=0),
        "f1": at(threshold, sk.f1_score, zero_division=0),
        "brier": sk.brier_score_loss,
        "log_loss": sk.log_loss,
    }


def compute(name: str, y: np.ndarray, s: np.ndarray, W: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    function, needs_threshold = METRICS[name].function, METRICS[name].needs_threshold
    return function(y, s, W, threshold) if needs_threshold else function(y, s, W)


def sample(ties: bool, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    s = rng.integers(1, 10, n) / 10 if ties else rng.uniform(0.01, 0.99, n)
    return rng.integers(0, 2, n), s, rng.integers(0, 5, (7, n)).astype(float)


@pytest.mark.parametrize("threshold", [0.5, 0.3, 0.999])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("name", METRICS)
def test_metrics_are_scikit_learns(name: str, ties: bool, threshold: float) -> None:
    y, s, W = sample(ties)
    expected = [reference(threshold)[name](y, s, sample_weight=w) for w in W]
    assert compute(name, y, s, W, threshold) == pytest.approx(expected, abs=1e-12)
    assert compute(name, y, s, ones(len(y)), threshold) == pytest.approx(
        [reference(threshold)[name](y, s, sample_weight=None)], abs=1e-12
    )


@pytest.mark.parametrize("name", METRICS)
def test_a_weight_is_a_repeated_row(name: str) -> None:
    y, s, W = sample(ties=True)
    again = np.repeat(np.arange(len(y)), W[0].astype(int))
    assert compute(name, y, s, W[:1]) == pytest.approx(compute(name, y[again], s[again], ones(len(again))), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_the_order_of_rows_is_of_no_account(name: str) -> None:
    y, s, W = sample(ties=True)
    order = np.random.default_rng(0).permutation(len(y))
    assert compute(name, y, s, W) == pytest.approx(compute(name, y[order], s[order], W[:, order]), abs=1e-12)


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_gives_nan_where_the_metric_needs_both(label: int) -> None:
    y, s = np.full(4, label), np.array([0.2, 0.4, 0.6, 0.8])
    undefined = {name for name in METRICS if np.isnan(compute(name, y, s, ones(4))).all()}
    assert undefined == {
        "auc",
        "balanced_accuracy",
        *(("specificity",) if label else ("sensitivity", "average_precision")),
    }
    mixed = np.array([0, 1, 0, 1])
    W = np.array([[1, 0, 1, 0], [1, 1, 1, 1]], float) if label == 0 else np.array([[0, 1, 0, 1], [1, 1, 1, 1]], float)
    assert np.isnan(metrics.auc(mixed, s, W)).tolist() == [True, False]


def test_all_scores_equal_is_half() -> None:
    assert metrics.auc(np.array([0, 1, 1]), np.full(3, 0.7), ones(3)).tolist() == [0.5]


def test_the_threshold_itself_is_called_positive() -> None:
    y, s = np.array([1, 0, 0, 1]), np.array([0.5, 0.5, 0.4999, 0.3])
    assert [float(c[0]) for c in confusion(y, s, ones(4))] == [1, 1, 1, 1]


def test_each_row_may_have_its_own_threshold() -> None:
    y, s = np.array([1, 0, 1, 0]), np.array([0.3, 0.6, 0.3, 0.6])
    cut = np.array([0.2, 0.7, 0.4, 0.5])
    assert [float(c[0]) for c in confusion(y, s, ones(4), cut)] == [1, 1, 1, 1]
    assert metrics.accuracy(y, s, ones(4), cut).tolist() == [0.5]


def test_certain_and_wrong_is_finite() -> None:
    loss = metrics.log_loss(np.array([1, 0]), np.array([0.0, 1.0]), ones(2))
    assert loss == pytest.approx([-np.log(1e-7)], rel=1e-6)


@pytest.mark.parametrize(
    ("y", "s", "expected"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.6, 0.9], 0.4),  # midway between the classes
        ([0, 1, 0, 1], [0.1, 0.3, 0.5, 0.7], 0.2),  # gains 0, .5, 0, .5: the lower of equals
        ([1, 1, 0, 0], [0.1, 0.2, 0.6, 0.9], 0.1),  # worse than chance: everything is called
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4], 0.4),
        ([0, 0, 1, 1], [0.3, 0.3, 0.3, 0.8], 0.55),  # ties stay together
    ],
)
def test_youden_by_hand(y: list[int], s: list[float], expected: float) -> None:
    assert youden_threshold(np.array(y), np.array(s)) == pytest.approx(expected)


@pytest.mark.parametrize("ties", [False, True])
def test_youden_gains_what_scikit_learns_curve_can(ties: bool) -> None:
    y, s, _ = sample(ties)
    fpr, tpr, _ = sk.roc_curve(y, s)
    called = s >= youden_threshold(y, s)
    assert called[y == 1].mean() - called[y == 0].mean() == pytest.approx((tpr - fpr).max(), abs=1e-12)


def test_youden_holds_the_slices_of_a_whole_challenge() -> None:
    rng = np.random.default_rng(0)
    y, s = rng.integers(0, 2, 50_000), rng.random(50_000)
    tracemalloc.start()
    youden_threshold(y, s)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 50e6, "a table of slices x cuts would take 2.5 GB"
