"""Pooled figures against scikit-learn, thresholds that never see the fold they judge, and patients as the unit."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, precision_recall_curve, roc_auc_score

from core.metrics import METRICS, metric, youden_threshold
from core.predictions import Scored
from evaluation.statistics.assess import assess, fold_thresholds
from evaluation.statistics.curves import GRID, _on_grid, _vertices
from evaluation.statistics.intervals import bootstrap_weights


def scored(n: int = 40, repeats: int = 1, slices: int = 1, seed: int = 0, folds: int = 4, shift: float = 1.0) -> Scored:
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.arange(n), slices)
    y = (np.arange(n) % 2)[patient]
    look = rng.normal(size=(repeats, n))[:, patient] + 0.1 * rng.normal(size=(repeats, n * slices))
    score = 1 / (1 + np.exp(-(look + shift * (y - 0.5))))
    fold = np.stack([rng.permutation(np.arange(n) // 2 % folds) for _ in range(repeats)])[:, patient]
    units = [f"{p:03}/{i}" for i, p in enumerate(patient)]
    return Scored(
        "run", "head", "FLAIR", units, [f"{p:03}" for p in range(n)], patient, y, score, fold, np.full(n * slices, 9)
    )


def values(s: Scored, **options: Any) -> dict[str, float]:
    a = assess(s, level="patient", **{"replicates": 50, **options})
    return {name: v["estimate"] for name, v in a.values.items()}


def test_pooled_estimates_are_scikit_learns_over_all_folds() -> None:
    s = scored()
    y, score = s.y, s.scores[0]
    tn, fp, fn, tp = confusion_matrix(y, score >= 0.5).ravel().tolist()
    a = assess(s, level="patient", replicates=50, curves=True)
    expected = {
        "auc": roc_auc_score(y, score),
        "average_precision": average_precision_score(y, score),
        "accuracy": (tp + tn) / 40,
        "sensitivity": tp / 20,
        "specificity": tn / 20,
        "balanced_accuracy": (tp / 20 + tn / 20) / 2,
        "f1": 2 * tp / (2 * tp + fp + fn),
        "brier": np.mean((score - y) ** 2),
        "log_loss": log_loss(y, score),
    }
    assert {k: v["estimate"] for k, v in a.values.items()} == pytest.approx(expected, abs=1e-12)
    assert a.confusion == {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    assert (a.run, a.head, a.sequence, a.level, a.threshold) == ("run", "head", "FLAIR", "patient", "0.5")
    assert (a.n_patients, a.n_units, a.n_positive, a.n_repeats, a.n_folds, a.replicates) == (40, 40, 20, 1, 4, 50)


def test_every_estimate_lies_in_its_interval_and_the_seed_decides() -> None:
    a, same, other = (assess(scored(), level="patient", replicates=300, seed=s) for s in (0, 0, 1))
    for v in a.values.values():
        assert v["low"] < v["estimate"] < v["high"]
    assert a == same
    assert a.values != other.values


def test_repeats_are_averaged_and_not_pooled() -> None:
    s = scored(repeats=3)
    each = [values(replace(s, scores=s.scores[[r]], fold=s.fold[[r]])) for r in range(3)]
    assert values(s) == pytest.approx({name: np.mean([e[name] for e in each]) for name in METRICS}, abs=1e-12)
    assert assess(s, level="patient", replicates=10).n_repeats == 3


def test_repeating_the_validation_does_not_make_patients() -> None:
    s = scored()
    one = assess(s, level="patient", replicates=500)
    thrice = assess(replace(s, scores=s.scores[[0, 0, 0]], fold=s.fold[[0, 0, 0]]), level="patient", replicates=500)
    assert thrice.values == {k: pytest.approx(v) for k, v in one.values.items()}


def test_patients_that_a_repeat_did_not_test_are_left_out_of_it() -> None:
    s = scored()
    s.scores[0, [0, 7]], s.fold[0, [0, 7]] = np.nan, -1
    known = np.delete(np.arange(40), [0, 7])
    assert values(s)["auc"] == pytest.approx(roc_auc_score(s.y[known], s.scores[0][known]))
    assert sum(assess(s, level="patient", replicates=20, curves=True).confusion.values()) == 38


def test_aucs_by_fold() -> None:
    s = scored(repeats=2)
    s.fold[0, :3] = [8, 8, 9]  # fold 9 has one class only
    expected = [
        roc_auc_score(s.y[row == f], score[row == f])
        for score, row in zip(s.scores, s.fold, strict=True)
        for f in np.unique(row)
        if len(set(s.y[row == f])) == 2
    ]
    a = assess(s, level="patient", replicates=20)
    assert a.fold_auc == pytest.approx(expected, abs=1e-12)
    assert a.mean_fold_auc == pytest.approx(np.mean(expected))
    assert a.n_folds == 4 + 2 + 4


def test_the_pooled_auc_mixes_folds_and_the_mean_does_not() -> None:
    """Two folds that rank perfectly on scales of their own."""
    s = scored(n=8, folds=2)
    s.fold[0] = [0, 0, 0, 0, 1, 1, 1, 1]
    s.scores[0] = [0.1, 0.2, 0.1, 0.2, 0.8, 0.9, 0.8, 0.9]
    a = assess(s, level="patient", replicates=20)
    assert a.fold_auc == [1, 1]
    assert a.values["auc"]["estimate"] == 0.75


def test_youden_is_chosen_on_the_other_folds() -> None:
    s = scored(repeats=2)
    cuts = fold_thresholds(s, "youden")
    for r in range(2):
        for f in range(4):
            others = s.fold[r] != f
            assert set(cuts[r, ~others]) == {youden_threshold(s.y[others], s.scores[r, others])}


@pytest.mark.parametrize("fold", range(4))
def test_a_folds_own_scores_and_labels_do_not_move_its_threshold(fold: int) -> None:
    s = scored()
    before = fold_thresholds(s, "youden")
    own = s.fold[0] == fold
    changed = replace(s, scores=s.scores.copy(), y=s.y.copy())
    changed.scores[0, own] = 0.5
    changed.y[own] = 1
    after = fold_thresholds(changed, "youden")
    assert np.array_equal(before[0, own], after[0, own])
    assert not np.array_equal(before[0, ~own], after[0, ~own]), "the test can tell"


def test_another_repeat_does_not_move_a_threshold() -> None:
    s = scored(repeats=2)
    before = fold_thresholds(s, "youden")
    s.scores[1] = 0.9
    assert np.array_equal(fold_thresholds(s, "youden")[0], before[0])


def test_youden_judges_each_patient_by_its_folds_threshold() -> None:
    s = scored()
    called = s.scores[0] >= fold_thresholds(s, "youden")[0]
    a = assess(s, level="patient", threshold="youden", replicates=20, curves=True)
    assert a.values["accuracy"]["estimate"] == pytest.approx(np.mean(called == (s.y == 1)))
    assert a.confusion["tp"] == int((called & (s.y == 1)).sum())
    assert a.values["auc"] == assess(s, level="patient", replicates=20).values["auc"]


@pytest.mark.parametrize("case", ["one fold", "one class elsewhere"])
def test_youden_without_other_folds_is_refused(case: str) -> None:
    s = scored()
    s.fold[0] = 0 if case == "one fold" else 1 - s.y
    with pytest.raises(ValueError, match="youden is chosen on the other folds, and run has none"):
        assess(s, level="patient", threshold="youden", replicates=5)


def test_slices_come_along_with_their_patient() -> None:
    """Ten copies of every slice are no new evidence: the interval must not shrink."""
    one = scored(slices=1)
    again = np.repeat(np.arange(40), 10)
    ten = replace(
        one, units=[f"{u}#{i}" for i, u in enumerate(np.array(one.units)[again])], patient=one.patient[again],
        y=one.y[again], scores=one.scores[:, again], fold=one.fold[:, again],
    )  # fmt: skip
    a, b = (assess(s, level="slice", replicates=400) for s in (one, ten))
    assert (b.n_units, b.n_patients, b.n_positive) == (400, 40, 200)
    for name in METRICS:
        assert b.values[name] == pytest.approx(a.values[name], abs=1e-9)


@pytest.mark.slow
def test_many_slices_are_drawn_in_blocks_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    s = scored(slices=3)
    whole = assess(s, level="slice", replicates=2000)
    monkeypatch.setattr("evaluation.statistics.assess._BLOCK", 7 * len(s.units))
    blocks = assess(s, level="slice", replicates=2000)
    for name in METRICS:
        assert blocks.values[name] == pytest.approx(whole.values[name], abs=0.02)


@pytest.mark.parametrize("flip", [False, True])
def test_the_majority_baseline(flip: bool) -> None:
    s = scored()
    s.y[:] = np.arange(40) < 12
    if flip:
        s.y[:] = 1 - s.y
    assert assess(s, level="patient", replicates=5).majority_accuracy == pytest.approx(28 / 40)


@pytest.mark.parametrize("ties", [False, True])
def test_the_roc_encloses_the_auc_and_pr_is_scikit_learns(ties: bool) -> None:
    s = scored()
    if ties:
        s.scores = np.round(s.scores, 1)
    a = assess(s, level="patient", replicates=50, curves=True)
    assert np.trapezoid(a.roc["y"], a.roc["x"]) == pytest.approx(a.values["auc"]["estimate"], abs=1e-12)
    assert (a.roc["x"][0], a.roc["y"][0], a.roc["x"][-1], a.roc["y"][-1]) == (0, 0, 1, 1)
    precision, recall, _ = precision_recall_curve(s.y, s.scores[0])
    assert a.pr["y"][1:] == pytest.approx(precision[-2::-1].tolist())
    assert a.pr["x"][1:] == pytest.approx(recall[-2::-1].tolist())


def test_bands_are_as_wide_as_the_grid_and_hold_the_curve() -> None:
    a = assess(scored(n=200), level="patient", replicates=400, curves=True)
    for curve in (a.roc, a.pr):
        low, high = np.array(curve["low"]), np.array(curve["high"])
        assert curve["grid"] == GRID.tolist()
        assert len(low) == len(high) == 101
        assert (low <= high).all()
        assert low.min() >= 0
        assert high.max() <= 1
    on_roc = np.interp(GRID[5:], a.roc["x"], a.roc["y"])
    assert np.mean((a.roc["low"][5:] <= on_roc + 1e-9) & (on_roc <= np.array(a.roc["high"][5:]) + 1e-9)) > 0.95


@pytest.mark.parametrize("n", [20, 600])
def test_the_bands_of_a_perfect_head_are_one(n: int) -> None:
    s = scored(n=n)
    s.scores[0] = s.y * 0.5 + np.linspace(0, 0.4, n)
    a = assess(s, level="patient", replicates=50, curves=True)
    for curve in (a.roc, a.pr):
        assert curve["low"] == pytest.approx([1.0] * 101)
        assert curve["high"] == pytest.approx([1.0] * 101)


def test_patients_that_were_not_drawn_leave_no_trace_in_a_curve() -> None:
    y, score = np.array([0, 1, 1, 0, 1, 0]), np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4])
    w = np.array([0.0, 2, 0, 1, 1, 2])
    again = np.repeat(np.arange(6), w.astype(int))
    for ours, theirs in zip(
        _on_grid(*_vertices(y, score, w)),
        _on_grid(*_vertices(y[again], score[again], np.ones(len(again)))),
        strict=True,
    ):
        assert ours == pytest.approx(theirs)
    tpr, precision = _on_grid(*_vertices(y, score, w))
    # drawn, from the top: 1, 1 (tied), 0, 1, 0, 0
    assert tpr[0] == pytest.approx(2 / 3)
    assert precision[[0, 66, 67, 100]] == pytest.approx([1, 1, 3 / 4, 3 / 4])


def test_one_class_gives_no_number_and_no_curve() -> None:
    s = scored(n=6)
    s.y[:] = 1
    a = assess(s, level="patient", replicates=20, curves=True)
    assert np.isnan(a.values["auc"]["estimate"])
    assert (a.roc, a.pr, a.fold_auc, a.majority_accuracy) == ({}, {}, [], 1)
    text = json.dumps(a.as_dict(), allow_nan=False)
    back = json.loads(text)
    assert back["values"]["auc"] == {"estimate": None, "low": None, "high": None}
    assert back["mean_fold_auc"] is None
    assert back["values"]["accuracy"]["estimate"] == a.values["accuracy"]["estimate"]


def test_an_assessment_is_json() -> None:
    a = assess(scored(repeats=2), level="patient", replicates=20, curves=True)
    back = json.loads(json.dumps(a.as_dict(), allow_nan=False))
    assert back["values"] == a.values
    assert back["roc"] == a.roc
    assert back["confusion"] == a.confusion


@pytest.mark.slow
def test_the_interval_is_the_bootstrap_of_patients() -> None:
    s = scored()
    draws = []
    for w in bootstrap_weights(s.y, 300, np.random.default_rng(4)):
        again = np.repeat(np.arange(40), w.astype(int))
        draws.append(roc_auc_score(s.y[again], s.scores[0][again]))
    auc = assess(s, level="patient", replicates=300, seed=4).values["auc"]
    assert [auc["low"], auc["high"]] == pytest.approx(np.quantile(draws, [0.025, 0.975]).tolist(), abs=1e-12)


@pytest.mark.parametrize(("n", "few"), [(60, False), (18, True)])
def test_with_few_patients_of_a_class_there_are_estimates_alone(n: int, few: bool) -> None:
    for level in ("patient", "slice"):
        a = assess(scored(n=n), level=level, replicates=20, curves=True)
        assert (a.few, a.smaller_class) == (few, n // 2)
        ends = [v[end] for v in (*a.values.values(), a.roc, a.pr) for end in ("low", "high")]
        if level == "patient":
            ends += [v[end] for v in (a.by_fold, a.fold_auc_interval, a.delong) for end in ("low", "high")]
            ends.append(a.by_fold["p"])
            assert (a.power["half_width"] is None) == (a.power["patients_needed"] is None and few) == few
            assert np.isfinite([a.by_fold["estimate"], a.by_fold["u"]]).all()
        assert all(np.isnan(end).all() == few for end in ends)
        assert all(np.isfinite(v["estimate"]) for v in a.values.values())


def test_a_metric_from_outside_is_computed_with_its_interval() -> None:
    @metric("positives", "Share of positives")
    def positives(y: np.ndarray, score: np.ndarray, W: np.ndarray) -> np.ndarray:
        return (W @ (y == 1)) / W.sum(axis=1)

    ids = [f"p{i:02d}" for i in range(40)]
    y, fold = np.arange(40) % 4 // 2, np.arange(40)[None] % 5
    scores = np.random.default_rng(0).random((1, 40))
    s = Scored("run", "h", "FLAIR", ids, ids, np.arange(40), y, scores, fold, np.ones(40, int))
    try:
        found = assess(s, level="patient", replicates=50).values
    finally:
        METRICS.unregister("positives")
    assert found["positives"]["estimate"] == 0.5
    assert found["positives"]["low"] < 0.5 < found["positives"]["high"]
    assert found["auc"] == assess(s, level="patient", replicates=50).values["auc"], "others stay as they were"
    assert "positives" not in list(METRICS)
