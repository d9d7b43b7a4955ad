"""Out-of-fold scores are out of fold: nothing that is fitted sees a test row, whatever the number of jobs."""

from __future__ import annotations

import multiprocessing
import os
import tracemalloc
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from rows import Rows
from sklearn.metrics import roc_auc_score

from heads.base import HEADS, Capabilities
from heads.boosted import Boosted
from heads.crossfit import FoldScores, cross_fit, cross_fit_and_refit, patient_weights, refit
from heads.dense import Dense
from heads.folds import Fold, RowSplit, patient_folds, row_splits, slice_split
from heads.logistic import Logistic
from heads.standardise import Standardiser

LABELS = {f"{i:03}": int(i % 2) for i in range(24)}
QUICK: dict[str, Any] = {
    "logistic": Logistic(C=1.0),
    "boosted": Boosted(rounds=20),
    "dense": Dense(hidden=(8, 4), epochs=3),
}


def table(sequence: str = "FLAIR", seed: int = 0, views: int = 1, slices: int = 6) -> Rows:
    """Rows that look like their patient and say nothing of the label."""
    rng = np.random.default_rng(seed)
    patient = np.repeat(np.array(sorted(LABELS), object), slices)
    look = rng.normal(size=(24, 40)).repeat(slices, axis=0)
    X = (look + 0.1 * rng.normal(size=look.shape)).astype(np.float32)
    return Rows(sequence, X, patient, np.tile(np.arange(slices) % views, 24).astype(np.int16))


def splits_of(t: Rows, folds: int = 4, repeats: int = 1) -> list[RowSplit]:
    return row_splits(patient_folds(LABELS, folds=folds, repeats=repeats, seed=0)[0], t.patient, t.view)


@dataclass
class SpyHead:
    """Remembers what it is given; its scores are the row numbers that the test wrote into column 0."""

    name: str = "spy"
    capabilities: Capabilities = Capabilities()
    calls: list[dict[str, Any]] = field(default_factory=list)

    def fit(self, X: Any, y: Any, weight: Any, *, patient: Any, seed: int, view: Any, validation: Any = None) -> Any:
        rows = np.asarray(X)[:, 0].astype(int)
        self.calls.append(
            {"rows": rows, "y": y, "weight": weight, "patient": patient, "seed": seed, "view": view, "val": validation}
        )
        return self, []

    def scores(self, X: Any) -> Any:
        return np.asarray(X)[:, 0].astype(float)


def spied(t: Rows, splits: list[RowSplit], head: SpyHead) -> list[FoldScores]:
    t.X[:, 0] = np.arange(len(t.X))
    return cross_fit([head], [t], LABELS, {t.sequence: splits}, seed=0)


def test_a_head_sees_the_training_rows_and_scores_the_test_rows() -> None:
    t, head = table(views=2), SpyHead()
    splits = splits_of(t, repeats=2)
    results = spied(t, splits, head)
    assert len(results) == len(head.calls) == 8
    for split, call, result in zip(splits, head.calls, results, strict=True):
        assert call["rows"].tolist() == split.train.tolist()
        assert call["y"].tolist() == [LABELS[p] for p in t.patient[split.train]]
        assert call["patient"].tolist() == t.patient[split.train].tolist()
        assert call["view"].tolist() == t.view[split.train].tolist()
        assert np.array_equal(call["weight"], np.full(len(split.train), 1 / 6))
        assert call["val"] is None
        assert (result.head, result.sequence, result.repeat, result.fold) == ("spy", "FLAIR", split.repeat, split.fold)
        assert result.rows.tolist() == split.test.tolist() == result.scores.tolist()
    assert len({call["seed"] for call in head.calls}) == 8, "each fit draws from a seed of its own"


def test_rows_that_the_split_reserves_go_to_heads_that_stop_early_alone() -> None:
    t = table()
    split = slice_split(t.view, np.arange(len(t.view)).astype(str))
    assert split.validation is not None
    dense, other = SpyHead("watcher", Capabilities(early_stopping=True)), SpyHead("other")
    spied(t, [split], dense)
    spied(t, [split], other)
    assert other.calls[0]["rows"].tolist() == split.train.tolist()
    rows = dense.calls[0]["rows"]
    assert rows[dense.calls[0]["val"]].tolist() == split.validation.tolist()
    assert np.delete(rows, dense.calls[0]["val"]).tolist() == split.train.tolist()


def test_a_fold_without_rows_in_this_sequence_is_passed_over() -> None:
    t, head = table(), SpyHead()
    folds = [Fold(0, 0, ("999",)), Fold(0, 1, ("000", "001"))]
    assert [r.fold for r in spied(t, row_splits(folds, t.patient, t.view), head)] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["logistic", "boosted"])
def test_null_labels_are_at_chance_out_of_fold_and_known_in_fold(name: str) -> None:
    """Patients are easily told apart here, so a head that has met them knows their label by heart."""
    head = {"logistic": Logistic(C=10.0), "boosted": Boosted(rounds=60)}[name]

    def mean_auc(t: Rows, splits: list[RowSplit]) -> float:
        (scored,) = [cross_fit([head], [t], LABELS, {t.sequence: splits}, seed=0)]
        return float(np.mean([roc_auc_score([LABELS[p] for p in t.patient[r.rows]], r.scores) for r in scored]))

    tables = [table(seed=s) for s in range(4)]
    honest = np.mean([mean_auc(t, splits_of(t)) for t in tables])
    leaking = np.mean([mean_auc(t, [slice_split(t.view, np.arange(len(t.view)).astype(str))]) for t in tables])
    assert 0.3 < honest < 0.7
    assert leaking > 0.95


def test_scaling_and_imputation_know_nothing_of_the_test_rows() -> None:
    t = table()
    t.X[::7, 3] = np.nan
    splits = splits_of(t)
    plain = cross_fit([QUICK["logistic"]], [t], LABELS, {"FLAIR": splits}, seed=0)
    for split, before in zip(splits, plain, strict=True):
        changed = table()
        changed.X[:] = t.X
        others = split.test[1:]
        changed.X[others] = 1e6  # every test row of this fold but one
        (after,) = cross_fit([QUICK["logistic"]], [changed], LABELS, {"FLAIR": [split]}, seed=0)
        assert after.scores[0] == before.scores[0]
        w = patient_weights(t.patient[split.train])
        fitted, _ = QUICK["logistic"].fit(
            t.X[split.train], np.array([LABELS[p] for p in t.patient[split.train]]), w, patient=None, seed=0
        )
        assert np.array_equal(fitted.standardise.mean, Standardiser.fit(t.X[split.train], w).mean)
        assert np.array_equal(before.scores, fitted.scores(t.X[split.test]))


def results_of(
    names: list[str], jobs: int, order: int = 1, sequences: tuple[str, ...] = ("FLAIR", "T2w")
) -> list[tuple[Any, ...]]:
    tables = [table(q, seed=i) for i, q in enumerate(sequences)][::order]
    splits = {t.sequence: splits_of(t, folds=2) for t in tables}
    scored = cross_fit([QUICK[n] for n in names], tables, LABELS, splits, seed=5, jobs=jobs)
    return sorted((r.head, r.sequence, r.repeat, r.fold, r.rows.tolist(), r.scores.tolist(), r.curve) for r in scored)


def refitted(names: list[str], jobs: int) -> list[list[float]]:
    t = table()
    fitted = refit([QUICK[n] for n in names], [t], LABELS, seed=5, jobs=jobs)
    return [fitted[n, "FLAIR"].scores(t.X).tolist() for n in names]


@pytest.mark.parametrize("name", ["logistic", "boosted"])
def test_results_do_not_depend_on_jobs_or_on_what_else_is_trained(name: str) -> None:
    one = results_of([name], jobs=1)
    assert one == results_of([name], jobs=2)
    assert one == results_of([name], jobs=1, order=-1)
    assert one == [r for r in results_of(["logistic", "boosted"], jobs=1) if r[0] == name]
    assert refitted([name], 1) == refitted([name], 2)


def compare_dense_jobs() -> tuple[list[Any], list[Any], bool]:
    from joblib.externals.loky import get_reusable_executor

    try:
        one, two = (results_of(["dense"], jobs, sequences=("FLAIR",)) for jobs in (1, 2))
        return one, two, refitted(["dense"], 1) == refitted(["dense"], 2)
    finally:
        get_reusable_executor().shutdown()  # else this process waits 300 s for its idle workers


@pytest.mark.slow
def test_dense_results_do_not_depend_on_jobs() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as child:
        one, two, same_refit = child.submit(compare_dense_jobs).result()
    assert len(one) == 2
    assert all(len(r[-1]) == 3 for r in one), "each fold has its training curve"
    assert one == two
    assert same_refit


def test_the_seed_reaches_the_fits() -> None:
    t = table()
    scores = [
        cross_fit([QUICK["boosted"]], [t], LABELS, {"FLAIR": splits_of(t)}, seed=s)[0].scores.tolist() for s in (0, 1)
    ]
    assert scores[0] != scores[1]


@pytest.mark.parametrize("jobs", [1, 2])
def test_one_class_in_training_is_said_clearly(jobs: int) -> None:
    t = table()
    odd = tuple(p for p in LABELS if LABELS[p])
    folds = [Fold(0, 0, odd), Fold(0, 1, tuple(p for p in LABELS if not LABELS[p]))]
    splits = {"FLAIR": row_splits(folds, t.patient, t.view)}
    with pytest.raises(
        ValueError, match=r"logistic on FLAIR: the training patients \(00[01], 00[23], .* all have one label"
    ):
        cross_fit([QUICK["logistic"]], [t], LABELS, splits, seed=0, jobs=jobs)


def test_a_fit_that_warns_does_not_pass_unseen() -> None:
    class Warner(SpyHead):
        def fit(self, *args: Any, **options: Any) -> Any:
            import warnings

            warnings.warn("did not converge", RuntimeWarning, stacklevel=1)

    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(ValueError, match=r"spy on FLAIR: the fit warns \(RuntimeWarning: did not converge\)"):
            spied(table(), splits_of(table()), Warner())


def test_the_refit_is_on_every_row_and_every_pair() -> None:
    tables = [table("FLAIR", views=2), table("T2w")]
    for t in tables:
        t.X[:, 0] = np.arange(len(t.X))
    head = SpyHead()
    fitted = refit([head, QUICK["logistic"]], tables, LABELS, seed=0)
    assert set(fitted) == {("spy", "FLAIR"), ("spy", "T2w"), ("logistic", "FLAIR"), ("logistic", "T2w")}
    assert [call["rows"].tolist() for call in head.calls] == [list(range(len(tables[0].X)))] * 2


def test_folds_and_refit_together_are_what_they_are_apart() -> None:
    tables, heads = [table("FLAIR"), table("T2w", seed=1)], [QUICK["logistic"], QUICK["boosted"]]
    splits = {t.sequence: splits_of(t, folds=2) for t in tables}
    scored, fitted = cross_fit_and_refit(heads, tables, LABELS, splits, seed=5, jobs=2)
    apart, whole = (
        cross_fit(heads, tables, LABELS, splits, seed=5),
        refit(heads, tables, LABELS, seed=5),
    )
    assert [(r.head, r.sequence, r.fold, r.scores.tolist()) for r in scored] == [
        (r.head, r.sequence, r.fold, r.scores.tolist()) for r in apart
    ]
    assert len(scored) == 8
    assert list(fitted) == list(whole)
    for key, head in fitted.items():
        assert np.array_equal(head.scores(tables[0].X), whole[key].scores(tables[0].X))


def test_patients_weigh_the_same() -> None:
    patient = np.array(["b", "a", "b", "1", "b", "b"], object)
    assert patient_weights(patient).tolist() == [0.25, 1, 0.25, 1, 0.25, 0.25]
    assert patient_weights(np.array([], object)).tolist() == []


def test_the_heads_go_by_the_names_they_are_asked_for_with() -> None:
    assert list(HEADS) == ["dense", "logistic", "boosted"]
    assert all(head.name == name for name, head in HEADS.items())


def test_the_machine_is_not_changed_by_a_fit() -> None:
    before = dict(os.environ)
    np.random.seed(3)  # noqa: NPY002
    state = np.random.get_state()[1].tolist()  # type: ignore[index, union-attr] # noqa: NPY002
    results_of(["logistic", "boosted"], jobs=1)
    assert dict(os.environ) == before
    assert np.random.get_state()[1].tolist() == state  # type: ignore[index, union-attr] # noqa: NPY002


def test_folds_of_a_large_table_share_it_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heads.logistic.AT_HAND", 0)
    t = table()
    t = Rows("FLAIR", t.X.repeat(100, axis=0), t.patient.repeat(100), t.view.repeat(100))
    heads = [QUICK["logistic"]]
    cross_fit(heads, [table()], LABELS, {"FLAIR": splits_of(table())}, seed=0)  # imports are not to be counted
    tracemalloc.start()
    try:
        cross_fit(heads, [t], LABELS, {"FLAIR": splits_of(t)}, seed=0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < t.X.nbytes
