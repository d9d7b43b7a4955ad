"""The verdict on a split flags every planted leak and, within its error rate, nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from rows import Slices

from evaluation.statistics.controls.leak_demo import LEAK_COLUMNS, Row, SplitVerdict, csv_rows, flag, measure
from heads.controls.leak_demo import demonstrate
from heads.logistic import Logistic


@dataclass
class Centroids:
    """A quick head: the nearer of the two class means."""

    name: str = "centroids"

    def fit(self, X: Any, y: Any, weight: Any, **_: Any) -> Any:
        self.axis = X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0)
        self.middle = (X[y == 1].mean(axis=0) + X[y == 0].mean(axis=0)) / 2
        return self, []

    def scores(self, X: Any) -> Any:
        return 0.5 + 0.5 * np.tanh(((X - self.middle) @ self.axis).astype(float))


def cohort(
    patients: int = 12, slices: int = 10, *, identity: float, d: int = 30, seed: int = 0
) -> tuple[Slices, dict[str, int]]:
    """Slices that look like their patient (`identity` standard deviations) and know nothing of the label."""
    rng = np.random.default_rng(seed)
    looks = identity * rng.normal(size=(patients, d))
    X = (looks.repeat(slices, axis=0) + rng.normal(size=(patients * slices, d))).astype(np.float32)
    patient = np.repeat(np.array([f"{i:02}" for i in range(patients)], object), slices)
    ids = np.array([f"{p}#{i}" for i, p in enumerate(patient)], object)
    labels = {f"{i:02}": i % 2 for i in range(patients)}
    return Slices("FLAIR", X, patient, np.zeros(len(X), np.int16), ids), labels


def judge(
    table: Slices, labels: dict[str, int], head: Any = None, level: str = "patient", **options: Any
) -> dict[str, SplitVerdict]:
    settings = {"draws": 12, "folds": 3, "seed": 0, **options}
    trials = demonstrate([head or Logistic(C=1.0)], [table], labels, **settings)
    return {v.split: v for v in flag(measure(trials, {"FLAIR": table}, "mean"), level)}


def row(auc: float, draw: int, split: str = "patient", head: str = "h", shared: int = 0, level: str = "patient") -> Row:
    return Row(head, "FLAIR", split, "shuffled" if draw else "true", draw, level, auc, auc, shared, 12, "")


@pytest.mark.slow
def test_a_planted_leak_is_flagged_and_the_honest_split_of_the_same_slices_is_not() -> None:
    for seed in range(4):
        verdicts = judge(*cohort(identity=2.0, slices=6, seed=seed), seed=20 * seed)
        assert verdicts["slice"].mean > 0.95
        assert verdicts["slice"].inflated and verdicts["slice"].leaks
        assert (verdicts["slice"].shared, verdicts["slice"].tested) == (12, 12)
        assert abs(verdicts["patient"].optimism) < 0.2
        assert not verdicts["patient"].inflated and not verdicts["patient"].leaks
        assert verdicts["patient"].shared == 0


@pytest.mark.slow
def test_slices_that_do_not_give_their_patient_away_leak_by_count_alone() -> None:
    v = judge(*cohort(identity=0.0, slices=6))["slice"]
    assert abs(v.optimism) < 0.15
    assert not v.inflated
    assert v.leaks
    assert (v.shared, v.tested) == (12, 12)


@pytest.mark.slow
def test_a_patient_under_two_ids_is_flagged_once_the_ids_are_known_to_be_one() -> None:
    table, labels = cohort(patients=8, slices=3, identity=2.0)
    twin = np.array([f"{p}x" for p in table.patient], object)
    both = Slices(
        "FLAIR",
        np.concatenate([table.X, table.X + 0.01]),
        np.concatenate([table.patient, twin]),
        np.zeros(2 * len(twin), np.int16),
        np.concatenate([table.slice_id, np.array([f"x{s}" for s in table.slice_id], object)]),
    )
    labels |= {f"{p}x": y for p, y in labels.items()}
    known = judge(both, labels, persons={f"{p}x": p for p in set(table.patient)}, draws=20)
    assert known["id"].inflated and known["id"].shared > 0
    assert not known["patient"].leaks
    unknown = judge(both, labels, draws=20)
    assert set(unknown) == {"slice", "patient"}
    assert not unknown["patient"].leaks, "ids that are shuffled apart cannot show it"


@pytest.mark.slow
def test_at_most_one_clean_demonstration_in_twenty_is_called_inflated() -> None:
    alarms = 0
    for seed in range(100):
        table, labels = cohort(patients=8, slices=2, identity=1.0, d=3, seed=seed)
        alarms += judge(table, labels, Centroids(), draws=5, folds=2, seed=1000 * seed)["patient"].inflated
    assert alarms <= 5


@pytest.mark.slow
def test_the_error_rate_holds_for_the_whole_table() -> None:
    rng = np.random.default_rng(0)
    alarms = 0
    for _ in range(300):
        rows = [row(a, k + 1, head=f"h{h}") for h in range(8) for k, a in enumerate(rng.normal(0.5, 0.15, 10))]
        alarms += any(v.inflated for v in flag(rows))
    assert 0.005 < alarms / 300 < 0.05, "8 tests at 2.5 % each would flag a fifth of the tables"


@pytest.mark.parametrize(
    ("draws", "low", "inflated"),
    [
        ([0.65, 0.7, 0.75], 0.7 - 4.3027 * 0.05 / 3**0.5, True),  # the 97.5 % quantile of t with 2 degrees of freedom
        ([0.6, 0.7, 0.8], 0.7 - 4.3027 * 0.1 / 3**0.5, False),
        ([1.0, 1.0, 1.0], 1.0, True),
        ([0.5, 0.5, 0.5], 0.5, False),
    ],
)
def test_the_rule_in_closed_cases(draws: list[float], low: float, inflated: bool) -> None:
    (v,) = flag([row(0.9, 0), *(row(a, k + 1) for k, a in enumerate(draws)), row(0.0, 1, level="slice")])
    assert v.low == pytest.approx(low, abs=1e-4)
    assert v.inflated is v.leaks is inflated
    assert (v.true, v.draws) == (0.9, 3)
    assert v.mean == pytest.approx(np.mean(draws))


def test_an_overlap_in_one_draw_is_a_leak_and_a_single_draw_is_no_evidence() -> None:
    (v,) = flag([row(0.5, 0), row(0.5, 1), row(0.5, 2, shared=1)])
    assert v.leaks and not v.inflated
    (v,) = flag([row(0.9, 0), row(1.0, 1), row(float("nan"), 2)])
    assert not v.inflated
    assert np.isnan(v.low)


@dataclass
class Fold:
    rows: Any
    scores: Any


@dataclass
class Fake:
    scores: list[Fold]
    labels: dict[str, int]
    persons: dict[str, str] = field(default_factory=lambda: {p: p for p in "abcd"})
    head: str = "h"
    sequence: str = "FLAIR"
    split: str = "patient"
    draw: int = 0
    shared: int = 0
    tested: int = 4
    warning: str = ""


def test_auc_by_fold_and_pooled_at_both_levels_by_hand() -> None:
    """Two folds, each in perfect order by patient, the second one far below the first."""
    patient = np.array(["a", "a", "b", "b", "c", "c", "d", "d"], object)
    folds = [
        Fold(np.arange(4), np.array([0.9, 0.5, 0.6, 0.7])),  # a above b on average; as slices 2 of 4 pairs
        Fold(np.arange(4, 8), np.array([0.3, 0.3, 0.1, 0.1])),
    ]
    trial = Fake(folds, {"a": 1, "b": 0, "c": 1, "d": 0})
    by_patient, by_slice = measure([trial], {"FLAIR": type("T", (), {"patient": patient})}, "mean")
    assert (by_patient.level, by_patient.auc, by_patient.auc_pooled) == ("patient", 1.0, 0.75)
    assert (by_slice.level, by_slice.auc, by_slice.auc_pooled) == ("slice", 0.75, (4 + 2 + 2 + 2) / 16)
    assert measure([trial], {"FLAIR": type("T", (), {"patient": patient})}, "max")[0].auc == 1.0
    assert (by_patient.labels, by_patient.draw) == ("true", 0)


def test_a_slice_split_pools_a_patient_over_the_folds_that_tested_it() -> None:
    patient = np.array(["a", "a", "b", "b"], object)
    folds = [Fold(np.array([0, 2]), np.array([0.9, 0.2])), Fold(np.array([1, 3]), np.array([0.1, 0.6]))]
    (v, _) = measure([Fake(folds, {"a": 1, "b": 0})], {"FLAIR": type("T", (), {"patient": patient})}, "mean")
    assert v.auc == 0.5  # right in one fold, wrong in the other
    assert v.auc_pooled == 1.0  # 0.5 against 0.4


def test_a_fold_with_one_class_is_passed_over_and_no_auc_is_blank() -> None:
    patient = np.array(["a", "b", "c"], object)
    tables = {"FLAIR": type("T", (), {"patient": patient})}
    folds = [Fold(np.array([0, 1]), np.array([0.9, 0.2])), Fold(np.array([2]), np.array([0.1]))]
    assert measure([Fake(folds, {"a": 1, "b": 0, "c": 1})], tables, "mean")[0].auc == 1.0
    lines = csv_rows(measure([Fake(folds, {"a": 1, "b": 1, "c": 1})], tables, "mean"))
    assert lines[0] == LEAK_COLUMNS
    assert [dict(zip(LEAK_COLUMNS, r, strict=True))["auc"] for r in lines[1:]] == ["", ""]


@pytest.mark.slow
def test_pooled_scores_are_biased_low_where_there_is_nothing_to_find_and_folds_are_not() -> None:
    cohorts = [cohort(patients=10, slices=1, identity=1.0, seed=s) for s in range(5)]
    verdicts = [judge(*c, Logistic(), folds=4, seed=50 * s)["patient"] for s, c in enumerate(cohorts)]
    assert np.mean([v.mean for v in verdicts]) == pytest.approx(0.5, abs=0.05)
    assert np.mean([v.pooled for v in verdicts]) < 0.42, "10 patients in 4 folds: some hold back two positives"


def test_a_split_leaks_by_count_or_by_inflation() -> None:
    leaking = [row(0.94 + 0.01 * k, k, "slice", shared=12) for k in range(5)]
    strange = [row(0.9 + 0.01 * k, k, "id") for k in range(5)]
    honest = [row(0.3 + 0.1 * k, k) for k in range(5)]
    verdicts = flag([*leaking, *strange, *honest])
    found = [(v.split, v.shared, v.inflated, v.leaks) for v in verdicts]
    assert found == [("slice", 12, True, True), ("id", 0, True, True), ("patient", 0, False, False)]
    assert verdicts[0].optimism == pytest.approx(0.465)  # 0.95, 0.96, 0.97 and 0.98 on average, less 0.5
    margin = 3.1824 * np.std([0.4, 0.5, 0.6, 0.7], ddof=1) / 2  # the 97.5 % quantile of t with 3 degrees of freedom
    assert verdicts[2].mean - verdicts[2].low == pytest.approx(margin, rel=1e-4)
