"""Slice scores become patient scores as worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.aggregate import AGGREGATORS, aggregate
from core.predictions import Prediction, Predictions, ResultKey, fuse_scores, fused_name

SCORES = [0.1, 0.9, 0.2, 0.6, 0.5, 0.7, 0.3]


@pytest.mark.parametrize(
    ("how", "scores", "expected"),
    [
        ("mean", SCORES, 3.3 / 7),
        ("median", SCORES, 0.5),
        ("median", [0.2, 0.6], 0.4),
        ("max", SCORES, 0.9),
        ("topk", SCORES, (0.9 + 0.7 + 0.6 + 0.5 + 0.3) / 5),
        ("topk", [0.2, 0.4], 0.3),
        ("noisy-or", [0.5, 0.5, 0.2], 1 - 0.5 * 0.5 * 0.8),
        ("logit-mean", [0.5, 0.8], 1 / (1 + math.exp(-math.log(4) / 2))),
        ("logit-mean", [0.1, 0.9], 0.5),
    ],
)
def test_each_aggregator_by_hand(how: str, scores: list[float], expected: float) -> None:
    assert aggregate(np.array(scores), np.full(len(scores), "p"), how) == [("p", pytest.approx(expected), len(scores))]


@pytest.mark.parametrize("how", AGGREGATORS)
def test_the_extremes_stay_in_bounds_and_apart(how: str) -> None:
    values = [AGGREGATORS[how](np.full(150, s)) for s in (0.0, 1.0)]
    assert values == pytest.approx([0, 1], abs=2e-5)
    assert all(0 <= v <= 1 for v in values)
    assert AGGREGATORS[how](np.array([0.3])) == pytest.approx(0.3)


def test_one_certain_slice_is_enough_for_noisy_or_and_cancels_in_logit_mean() -> None:
    both = np.array([0.0, 1.0])
    assert AGGREGATORS["noisy-or"](both) == pytest.approx(1, abs=1e-6)
    assert AGGREGATORS["logit-mean"](both) == pytest.approx(0.5)


def test_slices_go_to_their_own_patient_wherever_they_stand() -> None:
    patient = np.array(["b", "00010", "b", "2", "b", "00010"], object)
    scores = np.array([0.1, 0.5, 0.2, 0.9, 0.6, 0.7])
    assert aggregate(scores, patient, "mean") == [
        ("00010", pytest.approx(0.6), 2),
        ("2", pytest.approx(0.9), 1),
        ("b", pytest.approx(0.3), 3),
    ]


def test_no_slices_no_patients() -> None:
    assert aggregate(np.array([]), np.array([], object), "mean") == []


def test_an_unknown_aggregator_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown aggregator 'mode'; expected one of mean, median, max"):
        aggregate(np.array([0.5]), np.array(["p"]), "mode")


def prediction(sequence: str, patient: str, score: float, head: str = "h", fold: int = 0) -> Prediction:
    return Prediction("run", head, sequence, 0, fold, patient, 1, score, 10)


def test_fusion_averages_what_is_there() -> None:
    given = [
        prediction("FLAIR", "a", 0.2), prediction("T2w", "a", 0.6), prediction("T1w", "a", 0.99),
        prediction("T2w", "b", 0.7, fold=1),
        prediction("FLAIR", "a", 0.5, head="other"), prediction("T2w", "a", 0.9, head="other"),
    ]  # fmt: skip
    fused = fuse_scores(given, ["FLAIR", "T2w"])
    assert [(p.head, p.patient_id, p.fold, p.n_slices) for p in fused] == [
        ("h", "a", 0, 20),
        ("h", "b", 1, 10),
        ("other", "a", 0, 20),
    ]
    assert [p.score for p in fused] == pytest.approx([0.4, 0.7, 0.7])
    assert {(p.sequence, p.label, p.run) for p in fused} == {("mean(FLAIR+T2w)", 1, "run")}


def test_fusion_keeps_runs_and_repeats_apart() -> None:
    a = Prediction("r1", "h", "FLAIR", 0, 0, "p", 1, 0.1, 1)
    others = [
        Prediction("r2", "h", "FLAIR", 0, 0, "p", 1, 0.5, 1),
        Prediction("r1", "h", "FLAIR", 1, 0, "p", 1, 0.9, 1),
    ]
    assert [p.score for p in fuse_scores([a, *others], ["FLAIR"])] == [0.1, 0.5, 0.9]
    assert fused_name(["FLAIR"]) == "mean(FLAIR)"


def test_predictions_are_a_sequence_that_knows_its_results() -> None:
    given = Predictions([prediction("FLAIR", "a", 0.2), prediction("T2w", "a", 0.6), prediction("T2w", "b", 0.7)])
    assert (len(given), given[1].score, len(given[1:]), list(given)[0].patient_id) == (3, 0.6, 2, "a")
    assert given.result_keys() == [("run", "h", "FLAIR"), ("run", "h", "T2w")]
    both = given + given.fused(["FLAIR", "T2w"])
    assert [key.label() for key in both.result_keys()] == ["h on FLAIR", "h on T2w", "h on mean(FLAIR+T2w)"]
    assert [s.patients for s in both.grouped()] == [["a"], ["a", "b"], ["a", "b"]]
    assert {p.run for p in given.renamed("other")} == {"other"} and given[0].run == "run"
    assert given.to_frame().score.tolist() == [0.2, 0.6, 0.7]


def test_a_name_that_is_no_utf8_is_kept_in_a_frame() -> None:
    assert Predictions([prediction("FLAIR", "a\udcff", 0.5)]).to_frame().patient_id[0] == "a\udcff"


def test_the_table_of_heads_without_scans_needs_no_sequence() -> None:
    assert (ResultKey("r", "h", "table").label(), ResultKey("r", "h", "T2w").label(" / ")) == ("h", "h / T2w")
