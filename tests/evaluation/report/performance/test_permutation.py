"""Results against shuffled labels: p, the band, the highest of several, and the words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from evaluation.read_run import Run
from evaluation.report.performance.permutation import (
    FILE,
    Shuffled,
    highest,
    mean_fold_auc,
    permutation_section,
    read,
    rows_of,
)

KEY = ("run", "logistic", "FLAIR")


def run(rows: list[tuple[str, str, int, float]], name: str = "run") -> Run:
    table = [
        {"run": name, "head": head, "sequence": sequence, "permutation": str(k), "auc": str(auc)}
        for head, sequence, k, auc in rows
    ]
    return Run(Path(name), name, {}, [], [], [], {FILE: table} if rows else {})


def test_p_counts_the_result_itself_and_the_band_is_central() -> None:
    t = Shuffled(KEY, 0.7, np.linspace(0.3, 0.7, 99))
    assert t.p == pytest.approx(2 / 100)  # the highest shuffle ties with the result
    assert Shuffled(KEY, 0.9, np.linspace(0.3, 0.7, 99)).p == pytest.approx(0.01)
    assert Shuffled(KEY, 0.1, np.linspace(0.3, 0.7, 99)).p == 1
    assert t.band == pytest.approx((0.31, 0.69))
    assert t.said == ("p = 0.020", "one-sided, over 99 shuffles of the labels")
    least, _ = Shuffled(KEY, 0.9, np.linspace(0.3, 0.7, 99)).said
    assert least == "p = 0.010 (the least that they can give)"


def test_the_highest_is_held_against_the_highest_of_the_same_shuffle() -> None:
    rng = np.random.default_rng(0)
    null = rng.normal(0.5, 0.05, (10, 500))
    tests = [Shuffled((KEY[0], KEY[1], str(i)), 0.5 + 0.01 * i, row) for i, row in enumerate(null)]
    assert highest(tests) == pytest.approx((1 + (null.max(axis=0) >= 0.59).sum()) / 501)
    assert tests[-1].p < 0.1 < highest(tests)


def test_the_mean_fold_auc_is_that_of_the_folds_with_both_classes() -> None:
    rng = np.random.default_rng(1)
    y, fold = rng.integers(0, 2, 40), np.arange(40)[None] % 4
    scores = rng.random((1, 40))
    scores[0, :2] = np.nan
    known = np.isfinite(scores[0])
    expected = [roc_auc_score(y[i], scores[0, i]) for f in range(4) for i in [known & (fold[0] == f)]]
    assert mean_fold_auc(y, scores, fold) == pytest.approx(np.mean(expected), abs=1e-12)
    assert np.isnan(mean_fold_auc(np.zeros(40, int), scores, fold))


def test_rows_are_read_back_as_tests() -> None:
    y, fold = np.tile([0, 1], 10), np.arange(20)[None] // 10
    draws = [(y, np.linspace(0, 1, 20)[None], fold), (y, y[None] * 1.0, fold), (1 - y, y[None] * 1.0, fold)]
    rows = [(head, sequence, k, auc) for _, head, sequence, k, auc in rows_of(*KEY, draws)]
    (t,) = read([run(rows)])
    assert t.key == KEY
    assert t.auc == pytest.approx(0.6)  # of ten patients in turn, 15 of 25 pairs are in order
    assert t.null.tolist() == [1.0, 0.0]
    assert read([run([])]) == []


def test_the_section_says_whether_the_choice_explains_the_best(tmp_path: Path) -> None:
    null = np.random.default_rng(2).normal(0.5, 0.03, (2, 99))
    rows = [
        ("logistic", q, k, float(v))
        for q, row in zip(("FLAIR", "T2w"), null, strict=True)
        for k, v in enumerate(row, 1)
    ]
    good = permutation_section([run([*rows, ("logistic", "FLAIR", 0, 0.7), ("logistic", "T2w", 0, 0.5)])], tmp_path, {})
    assert good is not None
    assert "the highest of these 2 results, logistic on FLAIR, reaches 0.700" in good.words[1]
    assert "p = 0.010 (one-sided), so this is more than chance and the choice explain" in good.words[1]
    assert good.sheets[0].rows[0][4] == "0.010"
    assert good.data["tests"][1]["p"] > 0.2
    assert (tmp_path / "permutations.svg").exists()
    assert "p = 0.010" in good.drawings[0].alt
    poor = permutation_section(
        [run([*rows, ("logistic", "FLAIR", 0, 0.52), ("logistic", "T2w", 0, 0.5)])], tmp_path, {}
    )
    assert poor is not None
    assert "so this is no more than chance and the choice explain" in poor.words[1]


def test_few_patients_have_p_over_shuffles_too_and_nothing_without_shuffles(tmp_path: Path) -> None:
    rows = [("logistic", "FLAIR", k, 0.5 + k / 100) for k in range(5)]
    assert permutation_section([run([])], tmp_path, {}) is None
    few, enough = (permutation_section([run(rows)], tmp_path, {"run": x}) for x in (True, False))
    assert few is not None and enough is not None
    assert few.sheets == enough.sheets
    assert "run: no intervals with fewer than 10 patients in a class, but p over shuffled labels" in few.words[1]
    assert few.words[2:] == enough.words[1:]
