"""What the report says of calibration and use, in words that fit the figures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from report_material import context
from syrupy.assertion import SnapshotAssertion

from core.predictions import Scored
from core.text import signed_interval
from evaluation.report.performance.calibration import _window, calibration_section
from evaluation.report.section import Section
from evaluation.statistics.assess import without_nan


def result(head: str, scale: float, *, n: int = 400, run: str = "run", seed: int = 0) -> Scored:
    """Labels from true log odds x; the scores' log odds are scale * x, or noise where scale is 0."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(0, 1.5, (2, n))
    y = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    scores = 1 / (1 + np.exp(-(scale * x if scale else noise)))
    ids = [f"{i:04d}" for i in range(n)]
    return Scored(run, head, "T1wCE", ids, ids, np.arange(n), y, scores[None], np.arange(n)[None] % 5, np.ones(n, int))


def said(*results: Scored, replicates: int = 50, recalibrate: str = "none") -> Section:
    return calibration_section(context(scored=list(results), replicates=replicates, recalibrate=recalibrate))


@pytest.mark.slow
def test_each_result_is_put_under_what_its_slope_says(snapshot: SnapshotAssertion) -> None:
    results = [result("fine", 1.0), result("bold", 2.5), result("timid", 0.4), result("blind", 0.0, seed=1)]
    section = said(*results, replicates=150)
    assert section.words == snapshot
    slopes = [(r["head"], r["values"]["slope"]) for r in section.data["results"]]
    assert [name for name, slope in slopes if slope["high"] < 1 and slope["low"] > 0] == ["bold"]
    assert [name for name, slope in slopes if slope["low"] > 1] == ["timid"]
    assert [name for name, slope in slopes if slope["low"] <= 0] == ["blind"]
    assert signed_interval(slopes[1][1]) in section.words[0]


@pytest.mark.slow
def test_few_positives_are_said_to_tell_little() -> None:
    many = said(result("a", 1.0, n=400), replicates=20)
    few = said(result("a", 1.0, n=150), replicates=20)
    assert not any("cannot tell" in w for w in many.words)
    n = min(few.data["results"][0]["positive"], 150 - few.data["results"][0]["positive"])
    assert sum(w.startswith(f"What {n} patients in the smaller class cannot tell") for w in few.words) == 1


@pytest.mark.slow
def test_scores_that_are_too_low_on_the_whole_are_said_to_be(snapshot: SnapshotAssertion) -> None:
    low = result("low", 1.0)
    low.scores[:] = low.scores / 3
    words = said(low, replicates=50).words
    assert words[1] == snapshot


@pytest.mark.parametrize(
    ("points", "window"),
    [([0.0, 0.03, 0.19], (0, 0.2)), ([0.0, 0.6], (0, 1)), ([0.82, 1.0], (0.8, 1)), ([0.0, 0.5], (0, 0.5))],
)
def test_a_rare_class_is_drawn_where_its_scores_are(points: list[float], window: tuple[float, float]) -> None:
    assert _window(np.array(points)) == pytest.approx(window)


@pytest.mark.slow
def test_tables_and_data_hold_the_same_figures() -> None:
    section = said(result("a", 1.0), result("b", 1.0, run="other"), replicates=50)
    assert section.key == "calibration"
    line, brier = section.sheets
    values = section.data["results"][0]["values"]
    assert line.rows[0] == (
        "run: a on T1wCE",
        *(signed_interval(values[k]) for k in ("slope", "intercept", "in_the_large")),
    )
    assert brier.columns == ["Result", "Brier score", "Reliability", "Resolution", "Uncertainty", "Within bins"]
    assert brier.rows[1][0] == "other: b on T1wCE"
    decision = section.data["results"][0]["decision"]
    assert {len(v) for v in decision.values()} == {91}
    json.dumps(without_nan(section.data), allow_nan=False)


@pytest.mark.slow
def test_the_figure_is_narrow_and_says_what_it_shows(snapshot: SnapshotAssertion) -> None:
    (drawing,) = said(result("a", 1.0), replicates=50).drawings
    width = int.from_bytes(drawing.png[16:20], "big")
    assert width <= 6.4 * 130
    assert drawing.alt == snapshot
    assert drawing.title == "a on T1wCE: calibration and decision curve"


@pytest.mark.slow
def test_recalibrated_scores_are_labelled_everywhere(snapshot: SnapshotAssertion) -> None:
    bold = result("bold", 2.5)
    plain = said(bold, replicates=50)
    section = said(bold, replicates=50, recalibrate="platt")
    assert section.words[0] == snapshot
    assert section.words[0] not in plain.words
    assert all(s.caption.endswith("(recalibrated)") for s in section.sheets)
    assert ", recalibrated" in section.drawings[0].title
    assert section.data["recalibration"] == "platt"
    slopes = [s.data["results"][0]["values"]["slope"]["estimate"] for s in (plain, section)]
    assert slopes[0] < 0.6 < 0.85 < slopes[1] < 1.15


@pytest.mark.slow
def test_few_patients_get_no_figures(snapshot: SnapshotAssertion) -> None:
    few, enough = result("few", 1.0, n=400), result("enough", 1.0)
    nine = np.flatnonzero(few.y == 1)[9:]
    few.y[nine] = 0
    section = said(few, enough, replicates=20)
    assert section.words[0] == snapshot(name="one of two")
    assert [r["head"] for r in section.data["results"]] == ["enough"]
    alone = said(few, replicates=20)
    assert (len(alone.words), alone.sheets, alone.drawings) == (1, [], [])
    nothing = said(recalibrate="platt")
    assert nothing.words == snapshot(name="none")


@pytest.mark.slow
def test_a_result_without_a_slope_is_said_to_have_none(snapshot: SnapshotAssertion) -> None:
    apart = result("apart", 1.0)
    apart.scores[0] = 0.1 + 0.8 * apart.y
    section = said(apart, replicates=20)
    assert section.words[0] == snapshot
    assert section.sheets[0].rows[0][1:3] == ("n/a", "n/a")


def test_a_result_of_one_fold_cannot_be_recalibrated() -> None:
    one = result("a", 1.0)
    one.fold[:] = 0
    with pytest.raises(ValueError, match="learns from the other folds"):
        said(one, replicates=20, recalibrate="isotonic")


def test_an_interval_has_no_negative_zero() -> None:
    assert signed_interval({"estimate": -0.001, "low": -0.12, "high": 0.004}) == "0.00 (-0.12 to 0.00)"
    assert signed_interval({"estimate": 0.5, "low": float("nan"), "high": float("nan")}) == "n/a"
