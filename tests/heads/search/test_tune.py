"""Everything is chosen on inner folds: the reported fold has no part in it, and so the best of many is not optimistic."""

from __future__ import annotations

import warnings
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from rows import Slices
from sklearn.metrics import log_loss, roc_auc_score

from core.aggregate import AGGREGATORS, aggregate
from heads.boosted import Boosted
from heads.crossfit import cross_fit
from heads.folds import Fold, patient_folds, row_splits
from heads.logistic import FittedLogistic, Logistic
from heads.search.tune import EVERYBODY, Choice, Trial, best_heads, tune
from heads.standardise import Standardiser

LABELS = {f"{i:03}": i % 2 for i in range(30)}
FOLDS, _ = patient_folds(LABELS, folds=3, repeats=2, seed=4)


@dataclass(frozen=True)
class Means(Logistic):
    """Ranks by the difference of the class means: as quick as a head can be. `C` scales its scores."""

    def fit(self, X: Any, y: Any, weight: Any, **_: Any) -> tuple[FittedLogistic, list[dict[str, float]]]:
        Z = np.asarray(X, float)
        coef = self.C * (np.average(Z[y == 1], 0, weight[y == 1]) - np.average(Z[y == 0], 0, weight[y == 0]))
        return FittedLogistic(
            Standardiser(np.zeros(X.shape[1], np.float32), np.ones(X.shape[1], np.float32)), coef, 0.0
        ), []


def rows(sequence: str, effect: float, seed: int, slices: int = 3, without: tuple[str, ...] = ()) -> Slices:
    """Slices of patients of whom the first column says the label, as far as `effect` goes."""
    rng = np.random.default_rng(seed)
    patients = [p for p in LABELS if p not in without]
    patient = np.repeat(np.array(patients, object), slices)
    X = (rng.normal(size=(len(patients), 6)).repeat(slices, axis=0) + 0.3 * rng.normal(size=(len(patient), 6))).astype(
        np.float32
    )
    X[:, 0] += effect * np.array([2 * LABELS[p] - 1 for p in patient])
    ids = np.array([f"{sequence}/{p}#{i}" for i, p in enumerate(patient)], object)
    return Slices(sequence, X, patient, np.zeros(len(patient), np.int16), ids)


def cohort(effects: dict[str, float], seed: int = 0, **options: Any) -> dict[tuple[str, str], Any]:
    return {(q, "all"): rows(q, e, 100 * seed + i, **options) for i, (q, e) in enumerate(effects.items())}


def choices(tables: Any, heads: Any = (Means(C=1.0),), labels: Any = LABELS, **options: Any) -> list[Choice]:
    given = {"draws": 6, "seed": 0, **options}
    return tune(
        list(heads), tables, labels, given.pop("folds", FOLDS), given.pop("aggregators", ["mean", "max"]), **given
    )


def test_nothing_of_the_reported_fold_has_a_part_in_the_choice() -> None:
    tables = cohort({"FLAIR": 0.2, "T1w": 0.3, "T2w": 0.3})
    changed = cohort({"FLAIR": 0.2, "T1w": 0.3, "T2w": 0.3})
    test = set(FOLDS[0].test)
    for table in changed.values():
        inside = np.isin(table.patient.astype(str), list(test))
        table.X[inside] = 1e3 * np.random.default_rng(9).normal(size=table.X[inside].shape)
    flipped = {p: 1 - y if p in test else y for p, y in LABELS.items()}
    heads = [Means(C=1.0), Logistic()]
    before = choices(tables, heads, folds=FOLDS[:1])
    after = choices(changed, heads, flipped, folds=FOLDS[:1])
    for a, b in zip(before, after, strict=True):
        if a.fold == EVERYBODY.fold:
            assert a.trials != b.trials  # here they take part, so the comparison above can fail
            continue
        assert a.trials == b.trials and a.best == b.best
        fitted = [c.scores[0][1].fitted for c in (a, b)]
        assert all(np.array_equal(x, y) for x, y in zip(*(f.arrays().values() for f in fitted if f), strict=True))
        assert [p for p, *_ in a.patients] == [p for p, *_ in b.patients] == sorted(test)
        assert [s for _, s, *_ in a.patients] != [s for _, s, *_ in b.patients]


def test_a_trial_is_judged_by_the_training_patients_alone_and_at_patient_level(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[Any, Any]] = []

    def spy(scores: Any, patient: Any, how: str) -> list[tuple[str, float, int]]:
        seen.append((set(patient), aggregate(scores, patient, how)))
        return seen[-1][1]

    monkeypatch.setattr("heads.search.tune.aggregate", spy)
    (choice, _) = choices(cohort({"FLAIR": 0.4}), folds=FOLDS[:1], draws=1)
    *inner, (outer, _) = seen[:4]
    assert outer == set(FOLDS[0].test)
    assert set.union(*(patients for patients, _ in inner)) == set(LABELS) - outer
    assert sum(len(patients) for patients, _ in inner) == len(LABELS) - len(outer), "each is tested once"
    parts = [([LABELS[p] for p, *_ in joined], [s for _, s, _ in joined]) for _, joined in inner]
    y, s = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    (trial,) = choice.trials
    assert trial.auc == pytest.approx(np.mean([roc_auc_score(*part) for part in parts]), abs=1e-12)
    assert trial.log_loss == pytest.approx(log_loss(y, s), abs=1e-12)
    gains = [(s[y == 1] >= t).mean() - (s[y == 0] >= t).mean() for t in s]
    at_threshold = (s[y == 1] >= trial.threshold).mean() - (s[y == 0] >= trial.threshold).mean()
    assert at_threshold == pytest.approx(max(gains))


@pytest.mark.parametrize("aggregators", [["mean"], list(AGGREGATORS)])
def test_the_sequence_that_carries_the_signal_is_chosen_in_every_fold(aggregators: list[str]) -> None:
    tables = cohort({"FLAIR": 0.0, "T1w": 0.0, "T1wCE": 2.5, "T2w": 0.0})
    made = choices(tables, aggregators=aggregators, draws=9)
    assert len(made) == len(FOLDS) + 1
    assert {c.chosen.configuration.sequence for c in made} == {"T1wCE"}
    for c in made[:-1]:
        assert roc_auc_score([LABELS[p] for p, *_ in c.patients], [s for _, s, *_ in c.patients]) > 0.9
    assert made[-1].fitted is not None and made[-1].patients == []


@pytest.mark.slow
def test_the_best_of_many_is_optimistic_and_the_nested_choice_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 cohorts of 30 patients with five sequences of noise."""
    monkeypatch.setattr(
        "threadpoolctl.threadpool_limits", nullcontext
    )  # to look for thread pools takes longer than these fits
    folds = FOLDS[:3]
    best_of_all, picked, nested = [], [], []
    for seed in range(60):
        tables = cohort(dict.fromkeys("ABCDE", 0.0), seed=seed + 1, slices=1)
        table_auc = []
        for t in tables.values():
            scored = cross_fit([Means()], [t], LABELS, {t.sequence: row_splits(folds, t.patient, t.view)}, seed=0)
            table_auc.append(np.mean([roc_auc_score([LABELS[p] for p in t.patient[r.rows]], r.scores) for r in scored]))
        best_of_all.append(max(table_auc))
        made = choices(tables, draws=6, folds=folds, aggregators=["mean"], seed=seed)[:-1]
        picked.append(np.mean([c.chosen.auc for c in made]))
        nested.append(
            np.mean([roc_auc_score([LABELS[p] for p, *_ in c.patients], [s for _, s, *_ in c.patients]) for c in made])
        )
    error = np.std(nested) / 60**0.5
    assert np.mean(best_of_all) > 0.6, "picked on the reported folds"
    assert np.mean(picked) > 0.6, "picked on the inner folds, and read there"
    assert abs(np.mean(nested) - 0.5) < 3 * error
    assert error < 0.03


@pytest.mark.slow
def test_the_first_configuration_is_the_untuned_run() -> None:
    tables = cohort({"FLAIR": 0.5, "T2w": 1.0})
    t = tables["FLAIR", "all"]
    heads = [Logistic(C=0.1), Boosted(rounds=10)]
    plain = cross_fit(heads, [t], LABELS, {"FLAIR": row_splits(FOLDS, t.patient, t.view)}, seed=3)
    tuned = [c for c in choices(tables, heads, draws=1, seed=3) if c.fold != EVERYBODY.fold]
    for c, r in zip(tuned, plain, strict=True):
        assert (c.head, c.repeat, c.fold) == (r.head, r.repeat, r.fold)
        assert [(p, s, n) for p, s, n, _ in c.patients] == aggregate(r.scores, t.patient[r.rows], "mean")


@pytest.mark.slow
def test_results_do_not_depend_on_jobs_or_on_what_else_is_trained() -> None:
    tables = cohort({"FLAIR": 0.5, "T2w": 0.5})
    heads = [Logistic(), Boosted(rounds=5)]
    one, two = (choices(tables, heads, folds=FOLDS[:2], draws=3, jobs=n) for n in (1, 2))
    alone = choices(tables, heads[1:], folds=FOLDS[:2], draws=3)
    for a, b in zip([*one, *one[3:]], [*two, *alone], strict=True):
        assert (a.head, a.fold, a.trials, a.best, a.patients) == (b.head, b.fold, b.trials, b.best, b.patients)
    assert one[0].trials != choices(tables, heads, folds=FOLDS[:2], draws=3, seed=1)[0].trials
    assert one[0].trials[1].configuration != one[1].trials[1].configuration, "each fold draws anew"


def test_better_is_higher_auc_then_lower_log_loss_then_earlier() -> None:
    c: Any = None
    trials = [
        Trial(c),
        Trial(c, 0.7, 0.6, 0.5),
        Trial(c, 0.7, 0.5, 0.5),
        Trial(c, 0.6, 0.1, 0.5),
        Trial(c, 0.7, 0.5, 0.1),
    ]
    assert sorted(range(5), key=lambda i: (trials[i].rank, i)) == [2, 4, 1, 3, 0]
    assert Trial(c, 0.1 + 0.2, 0.6).rank > Trial(c, 0.3, 0.5).rank, "0.1 + 0.2 is no higher than 0.3"
    a, b = Choice("a", 0, 0, trials, 1), Choice("b", 0, 0, trials, 2)
    tie = Choice("c", 0, 0, trials, 4)
    other = Choice("b", 0, 1, trials, 3)
    assert best_heads([a, b, tie, other]) == [b, other]


def test_a_patient_without_the_chosen_sequence_is_scored_by_one_that_is_there() -> None:
    lone = FOLDS[0].test[0]
    tables = cohort({"FLAIR": 0.0, "T2w": 3.0})
    tables["T2w", "all"] = rows("T2w", 3.0, 1, without=(lone,))
    (choice, _) = choices(tables, folds=FOLDS[:1])
    assert choice.chosen.configuration.sequence == "T2w"
    assert {p: q for p, _, _, q in choice.patients} == {p: "FLAIR" if p == lone else "T2w" for p in FOLDS[0].test}
    stand_in, scores = choice.scores[1]
    of_flair = [t for t in choice.trials if t.configuration.sequence == "FLAIR"]
    assert stand_in == min(of_flair, key=lambda t: t.rank).configuration
    assert set(tables["FLAIR", "all"].patient[scores.rows]) == {lone}


def test_a_sequence_that_was_never_drawn_can_stand_in() -> None:
    lone = FOLDS[0].test[0]
    tables = {("T2w", "all"): rows("T2w", 3.0, 1, without=(lone,)), ("FLAIR", "all"): rows("FLAIR", 0.0, 2)}
    (choice, _) = choices(tables, folds=FOLDS[:1], draws=1)
    assert len(choice.trials) == 1
    assert [q for p, _, _, q in choice.patients if p == lone] == ["FLAIR"]


def test_what_cannot_be_fitted_is_not_chosen() -> None:
    positives = tuple(p for p, y in LABELS.items() if y)
    tables = {("FLAIR", "all"): rows("FLAIR", 0.0, 0, without=positives), ("T2w", "all"): rows("T2w", 0.5, 1)}
    (choice, _) = choices(tables, folds=FOLDS[:1])
    assert "have one label" in choice.trials[0].problem and np.isnan(choice.trials[0].auc)
    assert choice.chosen.configuration.sequence == "T2w"
    del tables["T2w", "all"]
    with pytest.raises(
        ValueError, match=r"no configuration of logistic .* \(repeat 0, fold 0\); the first: .* one label"
    ):
        choices(tables, folds=FOLDS[:1])


def test_a_configuration_that_warns_is_not_chosen_and_its_warning_is_kept() -> None:
    class Warner(Means):
        def fit(self, *_: Any, **__: Any) -> Any:
            warnings.warn("did not converge", RuntimeWarning, stacklevel=1)

    with pytest.raises(ValueError, match=r"no configuration of logistic .*; the first: did not converge$"):
        choices({("FLAIR", "all"): rows("FLAIR", 0.5, 0)}, heads=(Warner(C=1.0),), folds=FOLDS[:1])


def test_too_few_patients_for_inner_folds_are_said_clearly() -> None:
    fold = Fold(1, 2, tuple(p for p, y in LABELS.items() if y)[1:])
    with pytest.raises(
        ValueError, match=r"--tune needs inner folds .*\(repeat 1, fold 2\): 1 positive and 15 negative"
    ):
        choices(cohort({"FLAIR": 0.0}), folds=[fold])


def test_inner_folds_keep_groups_together(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[set[str]] = []

    def spy(scores: Any, patient: Any, how: str) -> list[tuple[str, float, int]]:
        seen.append(set(patient))
        return aggregate(scores, patient, how)

    a, b = (next(p for p in LABELS if p not in FOLDS[0].test and LABELS[p] == y) for y in (0, 1))
    monkeypatch.setattr("heads.search.tune.aggregate", spy)
    for seed in range(8):
        options = {"folds": FOLDS[:1], "draws": 1, "seed": seed}
        choices(cohort({"FLAIR": 0.0}), **options)
        apart = any((a in patients) != (b in patients) for patients in seen)
        seen.clear()
        choices(cohort({"FLAIR": 0.0}), groups={a: "twins", b: "twins"}, **options)
        assert all((a in patients) == (b in patients) for patients in seen)
        seen.clear()
        if apart:
            return
    raise AssertionError("without groups they were never apart, so nothing was shown")
