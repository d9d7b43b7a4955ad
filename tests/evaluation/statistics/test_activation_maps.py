"""A map's mean is the logit of the head; which slices carry a score; scores that the images do not give are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from evaluation.statistics.activation_maps import Explanation, activation_map, check_scores, logistic


def explanation(logits: list[float], score: float, **changes: Any) -> Explanation:
    """Slices whose maps have the given means, each with one cell far above them."""
    maps = np.zeros((len(logits), 7, 7))
    maps[:, 2, 3] = 49 * np.array(logits)
    images = np.zeros((len(logits), 224, 224), np.uint8)
    slices = [f"00011/FLAIR/Image-{k}.dcm#{k}" for k in range(len(logits))]
    return replace(
        Explanation("00011", 1, "logistic", "FLAIR", 0, 2, score, "mean", False, slices, images, maps), **changes
    )


def test_the_mean_of_a_map_is_what_scikit_learn_says_of_the_pooled_vector() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    maps = rng.gamma(0.3, 2, (30, 7, 7, 12)).astype(np.float32)
    X, y = maps.mean(axis=(1, 2), dtype=np.float64), np.arange(30) % 2
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.5)).fit(X, y)
    scaler, head = model[0], model[1]
    found = activation_map(maps, head.coef_[0], scaler.mean_, scaler.scale_, float(head.intercept_[0]))
    assert found.shape == (30, 7, 7) and found.dtype == np.float64
    np.testing.assert_allclose(found.mean(axis=(1, 2)), model.decision_function(X), atol=1e-12)
    np.testing.assert_allclose(logistic(found.mean(axis=(1, 2))), model.predict_proba(X)[:, 1], atol=1e-12)


def test_a_map_by_hand() -> None:
    maps = np.zeros((1, 2, 2, 3))
    maps[0, 0, 1] = [4, 8, 100]
    coef, mean, scale = (
        np.array([3.0, -1, 5]),
        np.array([1.0, 2, 7]),
        np.array([2.0, 4, np.inf]),
    )  # the last is constant
    found = activation_map(maps, coef, mean, scale, 0.25)
    empty = 0.25 - 1.5 * 1 + 0.25 * 2
    assert found.tolist() == [[[empty, empty + 1.5 * 4 - 0.25 * 8], [empty, empty]]]


@pytest.mark.parametrize(
    ("score", "changes", "strongest"),
    [
        (0.7, {}, [2, 0]),
        (0.3, {}, [3, 1]),
        (0.3, {"aggregate": "max"}, [2, 0]),  # the highest slice made the score, low as it is
        (0.3, {"aggregate": "topk"}, [2, 0]),
        (0.3, {"aggregate": "max", "pooled": True}, [3, 1]),  # pooled vectors are not aggregated
    ],
)
def test_the_slices_that_carry_a_score(score: float, changes: dict[str, Any], strongest: list[int]) -> None:
    e = explanation([0.2, -0.1, 0.9, -0.5], score, **changes)
    assert e.carrying()[:2] == strongest
    assert len(explanation([0.1] * 9, 0.6).carrying()) == 6


def test_scores_that_the_images_do_not_give_are_refused() -> None:
    e = explanation([0.0, 2.0], 0.69)
    known = dict(zip(e.slices, (0.5, 1 / (1 + np.exp(-2))), strict=True))
    check_scores(e, known, 1e-9)
    with pytest.raises(
        ValueError, match=r"score 0.8700 for 00011/FLAIR/Image-1.dcm#1, and its image gives 0.8808 \(1 of 2"
    ):
        check_scores(e, {**known, e.slices[1]: 0.87}, 2e-3)
    pooled = replace(e, pooled=True)
    check_scores(pooled, {"00011": 1 / (1 + np.exp(-1))}, 1e-9)
    with pytest.raises(ValueError, match="do not belong together"):
        check_scores(pooled, {"00011": 0.69}, 2e-3)
    with pytest.raises(ValueError, match="do not belong together"):
        check_scores(pooled, {"00011": float("nan")}, 2e-3)
