"""The figures of an audit against scikit-learn, closed cases and exact enumeration."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom
from sklearn.metrics import roc_auc_score

from core.question import LabelQuestion
from evaluation.audit.files.foreign import Foreign
from evaluation.audit.results.best import best_of
from evaluation.audit.results.measures import figures
from evaluation.audit.results.scores import NoFolds, Scores, scores_of


def foreign(patient, y, score, *, model=None, repeat=None, fold=None, part=None) -> Foreign:
    n = len(patient)
    blank = [""] * n
    return Foreign(
        name="p",
        columns={},
        question=LabelQuestion("q"),
        patient=[str(p) for p in patient],
        slide=blank,
        model=model or blank,
        repeat=repeat or blank,
        fold=fold or blank,
        part=part or blank,
        y=np.asarray(y, int),
        score=np.asarray(score, float),
    )


def cohort(n: int, seed: int = 0, effect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    return y, rng.normal(size=n) + effect * y


def test_rows_and_patients_as_scikit_learn_has_them() -> None:
    rng = np.random.default_rng(3)
    y, base = cohort(40)
    patient = np.repeat(np.arange(40), 5)
    score = base[patient] + rng.normal(size=200)
    (s,) = scores_of(foreign(patient, y[patient], score))
    f = figures(s, replicates=50)
    assert (f.rows, f.patients, f.positives, f.repeats) == (200, 40, 20, 1)
    assert f.row_auc == pytest.approx(roc_auc_score(y[patient], score), abs=1e-12)
    assert f.auc == pytest.approx(roc_auc_score(y, score.reshape(40, 5).mean(axis=1)), abs=1e-12)
    assert f.low <= f.auc <= f.high and f.row_low <= f.row_auc <= f.row_high


@pytest.mark.parametrize("copies", [1, 4, 25])
def test_rows_counted_as_patients_are_too_narrow_by_the_root_of_their_number(copies: int) -> None:
    y, score = cohort(100)
    patient = np.repeat(np.arange(100), copies)
    (s,) = scores_of(foreign(patient, y[patient], score[patient]))
    f = figures(s, replicates=2000)
    assert f.too_narrow == pytest.approx(np.sqrt(copies), rel=0.08)
    assert f.row_auc == pytest.approx(f.auc, abs=1e-12)
    assert (f.row_low, f.row_high) == pytest.approx((f.low, f.high), abs=1e-12), "copies tell nothing new"


def test_independent_rows_are_not_too_narrow() -> None:
    rng = np.random.default_rng(0)
    patient = np.repeat(np.arange(100), 10)
    (s,) = scores_of(foreign(patient, patient % 2, rng.normal(size=1000)))
    assert figures(s, replicates=1000).too_narrow == pytest.approx(1, abs=0.12)


def test_repeats_are_averaged_and_not_joined() -> None:
    y, a = cohort(40, 1)
    b = cohort(40, 2)[1]
    f = foreign([*range(40)] * 2, [*y, *y], [*a, *b], repeat=["0"] * 40 + ["1"] * 40)
    (s,) = scores_of(f)
    expected = (roc_auc_score(y, a) + roc_auc_score(y, b)) / 2
    assert figures(s, replicates=10).auc == pytest.approx(expected, abs=1e-12)


def test_auc_by_fold_where_each_patient_has_one() -> None:
    y, score = cohort(40)
    fold = np.arange(40) // 8
    one, both = [str(k) for k in fold], ["0"] * 40
    known = figures(scores_of(foreign(range(40), y, score, fold=one))[0], replicates=10)
    assert known.fold_auc == pytest.approx(
        np.mean([roc_auc_score(y[fold == k], score[fold == k]) for k in range(5)]), abs=1e-12
    )
    twice = foreign([*range(40)] * 2, [*y, *y], [*score, *score], fold=one + both)
    assert np.isnan(figures(scores_of(twice)[0], replicates=10).fold_auc)


def test_rows_that_cannot_count_are_left_out() -> None:
    y, score = cohort(40)
    score[0], labels = np.nan, y.copy()
    labels[1] = -1
    part = ["test"] * 39 + ["train"]
    f = foreign([*range(40), "2"], [*labels, 1], [*score, 0.0], part=[*part, "test"])
    (s,) = scores_of(f)
    assert f.contradictory == ["2"]
    assert set(s.patients) == {str(i) for i in range(3, 39)}


def test_few_patients_get_no_figures() -> None:
    y, score = cohort(19)  # 9 positive
    f = figures(scores_of(foreign(range(19), y, score))[0], replicates=10)
    assert (f.patients, f.positives, f.smaller_class) == (19, 9, 9)
    assert np.isnan([f.auc, f.low, f.row_auc, f.naive_low, f.too_narrow, f.fold_auc]).all()


def models(scores: list[np.ndarray], y: np.ndarray) -> list[Scores]:
    n = len(y)
    f = foreign(
        [*range(n)] * len(scores), np.tile(y, len(scores)), np.concatenate(scores), model=[str(k) for k in range(len(scores)) for _ in range(n)]
    )  # fmt: skip
    return scores_of(f)


@pytest.mark.slow
def test_the_best_of_many_against_every_permutation() -> None:
    y = np.array([1, 1, 1, 0, 0, 0, 0])
    scores = [np.random.default_rng(k).normal(size=7) for k in range(3)]
    highest = []
    for positives in combinations(range(7), 3):
        shuffled = np.isin(np.arange(7), positives).astype(int)
        highest.append(max(roc_auc_score(shuffled, s) for s in scores))
    observed = max(roc_auc_score(y, s) for s in scores)
    best = best_of(models(scores, y), permutations=20_000)
    assert best.auc == pytest.approx(observed, abs=1e-12)
    assert best.expected == pytest.approx(np.mean(highest), abs=0.004)
    assert best.p == pytest.approx(np.mean(np.array(highest) >= observed - 1e-9), abs=0.015)


def test_copies_of_a_model_are_one_look() -> None:
    y, score = cohort(60, effect=0)
    one, ten = best_of(models([score], y)), best_of(models([score] * 10, y))
    assert ten.results == 10
    assert (ten.expected, ten.upper, ten.p) == (one.expected, one.upper, one.p)
    assert one.expected == pytest.approx(0.5, abs=0.01)
    fresh = best_of(models([cohort(60, k, 0)[1] for k in range(10)], y))
    assert fresh.expected > 0.58


@pytest.mark.slow
def test_p_is_uniform_where_there_is_nothing() -> None:
    p = [
        best_of(
            models([cohort(30, 100 * k + j, 0)[1] for j in range(4)], np.arange(30) % 2), permutations=200, seed=k
        ).p
        for k in range(120)
    ]
    assert binom.cdf((np.array(p) <= 0.1).sum(), 120, 0.1) < 0.999
    assert 0.4 < np.mean(p) < 0.6


def test_an_effect_is_more_than_luck_and_the_seed_decides() -> None:
    y, strong = cohort(80, effect=2)
    many = [cohort(80, k, 0)[1] for k in range(1, 6)]
    best = best_of(models([*many, strong], y), seed=1)
    assert (best.model, best.results) == ("5", 6)
    assert best.p == 1 / 1001
    assert best == best_of(models([*many, strong], y), seed=1)
    assert best.expected != best_of(models([*many, strong], y), seed=2).expected


def test_models_of_different_patients_share_the_shuffled_labels() -> None:
    y, a = cohort(60, 1, 0)
    b = cohort(60, 2, 0)[1]
    f = foreign([*range(60), *range(20)], [*y, *y[:20]], [*a, *b[:20]], model=["a"] * 60 + ["b"] * 20)
    best = best_of(scores_of(f))
    assert best.auc == pytest.approx(max(roc_auc_score(y, a), roc_auc_score(y[:20], b[:20])), abs=1e-12)


def test_row_figures_stay_within_each_repeat() -> None:
    y, a = cohort(40, 1)
    b = cohort(40, 2)[1] + 5  # the second repeat scores higher, which is no ranking of patients
    patient = np.repeat(np.arange(40), 3)
    noise = np.random.default_rng(0).normal(size=(2, 120))
    first, second = a[patient] + noise[0], b[patient] + noise[1]
    f = foreign([*patient] * 2, [*y[patient]] * 2, [*first, *second], repeat=["9"] * 120 + ["10"] * 120)
    (s,) = scores_of(f)
    expected = (roc_auc_score(y[patient], first) + roc_auc_score(y[patient], second)) / 2
    found = figures(s, replicates=200)
    assert found.row_auc == pytest.approx(expected, abs=1e-12)
    assert found.row_low < found.row_auc < found.row_high
    assert (found.most_rows, found.rows, s.row_repeat[0]) == (3, 240, 0), "repeats stand in the order of their numbers"


def test_scores_that_are_no_probabilities_keep_their_auc_by_fold() -> None:
    y, score = cohort(40)
    fold = [str(k) for k in np.arange(40) // 8]
    two = foreign([*range(40)] * 2, [*y, *y], [*score, *(score + 0.3)], fold=fold * 2, repeat=["0"] * 40 + ["1"] * 40)
    found = figures(scores_of(two)[0], replicates=10)
    once = figures(scores_of(foreign(range(40), y, score, fold=fold))[0], replicates=10)
    assert found.fold_auc == pytest.approx(once.fold_auc, abs=1e-12)
    assert found.fold_low < found.fold_auc < found.fold_high
    assert found.lead == (found.fold_auc, found.fold_low, found.fold_high)
    assert figures(scores_of(foreign(range(40), y, score))[0], replicates=10).lead[0] == pytest.approx(found.auc)


@pytest.mark.parametrize(("fold", "reason"), [
    (["0"] * 40, NoFolds.NOT_TWO),
    ([str(i % 2) for i in range(40)], NoFolds.ONE_CLASS),
    ([str(i // 8) for i in range(40)], None),
])  # fmt: skip
def test_why_there_is_no_auc_by_fold(fold: list[str], reason: NoFolds | None) -> None:
    y, score = cohort(40)
    (s,) = scores_of(foreign(range(40), y, score, fold=fold))
    found = figures(s, replicates=10)
    assert (found.no_folds, np.isnan(found.fold_auc)) == (reason, reason is not None)
    (twice,) = scores_of(foreign([*range(40), 0], [*y, 0], [*score, 0.0], fold=[*fold, "x"]))
    assert twice.no_folds is NoFolds.SEVERAL_EACH


def test_the_best_by_fold_is_the_auc_by_fold_and_ties_count_as_reached() -> None:
    y, a = cohort(40, effect=0)
    fold = [str(i // 8) for i in range(40)]
    pair = scores_of(foreign([*range(40)] * 2, [*y, *y], [*a, *-a], model=["a"] * 40 + ["b"] * 40, fold=fold * 2))
    best = best_of(pair, permutations=200)
    assert best.by_fold and best.auc == pytest.approx(max(figures(s, replicates=5).fold_auc for s in pair), abs=1e-12)
    assert best.p == (best.reached + 1) / 201
    small = foreign(
        [*range(6)] * 2, [0, 1, 0, 0, 1, 0] * 2, [0, 1, 0, 0, 1, 0] * 2, model=[*"aaaaaabbbbbb"], fold=[*"001122"] * 2
    )
    assert best_of(scores_of(small), permutations=50).auc == 1, "some shuffles leave both positives in one fold"
    constant = best_of(models([np.zeros(20)] * 2, np.arange(20) % 2), permutations=50)
    assert (constant.auc, constant.reached, constant.p) == (0.5, 50, 1.0)
