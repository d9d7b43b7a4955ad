"""Paired comparisons agree with DeLong's test, hold their level, and say so in words."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from core.predictions import Prediction, Scored, group_results
from evaluation.statistics.compare import compare, compare_all, corrected_t_test, holm
from evaluation.statistics.delong import delong_test


def scored(name: str, scores: np.ndarray, y: np.ndarray, *, first: int = 0, folds: int = 5) -> Scored:
    """Scores (R, n) of patients first, first + 1 ...; patient i is in fold i % folds."""
    predictions = [
        Prediction("run", name, "FLAIR", r, i % folds, f"{i + first:04d}", int(y[i]), float(row[i]), 1)
        for r, row in enumerate(np.atleast_2d(scores))
        for i in range(len(y))
    ]
    return group_results(predictions)[0]


def sample(n: int, shift_a: float, shift_b: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = (np.arange(n) // 2) % 2
    a, b = (stats.norm.cdf(rng.normal(size=n) + shift * (y - 0.5)) for shift in (shift_a, shift_b))
    return y, a, b


def test_one_repeat_holds_delongs_test() -> None:
    y, a, b = sample(120, 1.5, 0.4)
    c, expected = compare(scored("a", a, y), scored("b", b, y)), delong_test(y, a, b)
    assert c is not None
    assert c.p_delong == pytest.approx(expected.p, abs=1e-12)
    assert c.p > expected.p  # the training sample counts too


def test_heads_that_were_trained_on_others_are_compared_as_delong_does() -> None:
    y, a, b = sample(400, 1.0, 0.6)
    c, expected = compare(scored("a", a, y, folds=1), scored("b", b, y, folds=1)), delong_test(y, a, b)
    assert c is not None
    assert c.difference == pytest.approx(expected.difference, abs=1e-12)
    assert c.p == pytest.approx(expected.p, rel=0.03)  # DeLong's variance counts the interaction twice
    assert (c.high - c.low) / 2 == pytest.approx(1.959964 * expected.se, rel=0.01)
    assert (c.bootstrap_low, c.bootstrap_high) == pytest.approx((c.low, c.high), abs=0.02)


def test_the_difference_by_fold_is_that_of_the_mean_fold_aucs() -> None:
    y, a, b = sample(120, 1.5, 0.4)
    c = compare(scored("a", a, y), scored("b", b, y))
    assert c is not None
    folds = [np.arange(120) % 5 == f for f in range(5)]
    means = [np.mean([roc_auc_score(y[i], s[i]) for i in folds]) for s in (a, b)]
    assert c.difference == pytest.approx(means[0] - means[1], abs=1e-12)


def test_only_common_patients_count() -> None:
    y, a, b = sample(120, 1.5, 0.4)
    c = compare(scored("a", a, y), scored("b", b[40:], y[40:], first=40))
    assert c is not None
    assert c.n_patients == 80
    assert c.p_delong == pytest.approx(delong_test(y[40:], a[40:], b[40:]).p, abs=1e-12)


def test_repeats_share_their_patients() -> None:
    y, a, b = sample(120, 1.5, 0.4)
    once, thrice = (compare(scored("a", np.tile(a, (r, 1)), y), scored("b", np.tile(b, (r, 1)), y)) for r in (1, 3))
    assert once is not None
    assert thrice is not None
    assert thrice.p == pytest.approx(once.p, rel=1e-9)  # the same scores three times are no new evidence
    assert thrice.p_delong == pytest.approx(once.p_delong, rel=1e-9)


def test_holm_by_hand_and_in_any_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_corrected_t_test_is_the_t_test_with_more_variance() -> None:
    d = np.random.default_rng(1).normal(0.2, 1, 30)
    assert corrected_t_test(d, 0.0) == pytest.approx(stats.ttest_1samp(d, 0).pvalue, rel=1e-12)
    t = stats.ttest_1samp(d, 0).statistic * np.sqrt((1 / 30) / (1 / 30 + 0.25))
    assert corrected_t_test(d, 0.25) == pytest.approx(2 * stats.t.sf(t, 29), rel=1e-12)
    assert corrected_t_test(np.zeros(5), 0.25) == 1.0


def test_equal_results_show_no_detectable_difference() -> None:
    y, a, _ = sample(60, 1.0, 1.0)
    (c,) = compare_all([scored("a", a, y), scored("b", a, y)])
    assert (c.difference, c.p, c.p_folds, c.better) == (0.0, 1.0, 1.0, None)


def test_a_better_head_is_named_and_pairs_are_corrected() -> None:
    y, a, b = sample(300, 2.5, 0.0)
    pairs = compare_all([scored("good", a, y), scored("bad", b, y), scored("copy", b, y)])
    assert [{c.a[1], c.b[1]} for c in pairs[:2]] == [{"good", "bad"}, {"good", "copy"}]
    assert pairs[0].better == ("run", "good", "FLAIR")
    assert pairs[0].p_holm == pytest.approx(3 * pairs[0].p)
    assert pairs[0].p_folds is not None
    assert pairs[0].p_folds < 0.05
    assert pairs[-1].better is None


@pytest.mark.slow
def test_under_no_difference_one_pair_in_twenty_is_significant() -> None:
    p = [c.p for seed in range(400) if (c := compare(*_null_pair(seed))) is not None]
    assert 0.02 < np.mean(np.array(p) < 0.05) < 0.09


def _null_pair(seed: int) -> tuple[Scored, Scored]:
    y, a, b = sample(60, 0.8, 0.8, seed)
    return scored("a", a, y, folds=1), scored("b", b, y, folds=1)


def test_folds_that_differ_are_not_tested_by_fold() -> None:
    y, a, b = sample(60, 1.0, 1.0)
    c = compare(scored("a", a, y), scored("b", b, y, folds=3))
    assert c is not None
    assert c.p_folds is None


def test_folds_without_two_of_a_class_are_not_compared() -> None:
    y, a, b = sample(60, 1.0, 1.0)
    assert compare(scored("a", a, y, folds=4), scored("b", b, y, folds=4)) is None  # each fold holds one class
    assert compare(scored("a", a, y, folds=29), scored("b", b, y, folds=29)) is None


def test_too_few_patients_are_not_compared_and_other_labels_are_refused() -> None:
    y, a, b = sample(60, 1.0, 1.0)
    for n, compared in ((19, False), (20, True)):  # nine or ten positives
        assert (compare(scored("a", a[:n], y[:n]), scored("b", b[:n], y[:n])) is not None) == compared
    with pytest.raises(ValueError, match="they answer different questions"):
        compare(scored("a", a, y), scored("b", b, 1 - y))


def test_results_of_other_questions_are_not_paired() -> None:
    y, a, b = sample(60, 1.0, 1.0)
    pairs = compare_all([scored("a", a, y), scored("b", b, y)], {"run": "MGMT"})
    assert len(pairs) == 1
    other = scored("c", b, 1 - y)
    other.run = "idh"
    assert compare_all([scored("a", a, y), other], {"run": "MGMT", "idh": "IDH1"}) == []
