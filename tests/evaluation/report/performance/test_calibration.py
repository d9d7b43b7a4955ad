"""What the report says of calibration and use, in words that fit the figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from core.predictions import Scored
from evaluation.report.performance.calibration import _window, calibration_section, interval
from evaluation.statistics.assess import without_nan


def result(head: str, scale: float, *, n: int = 400, run: str = "run", seed: int = 0) -> Scored:
    """Labels from true log odds x; the scores' log odds are scale * x, or noise where scale is 0."""
    rng = np.random.default_rng(seed)
    x, noise = rng.normal(0, 1.5, (2, n))
    y = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(int)
    scores = 1 / (1 + np.exp(-(scale * x if scale else noise)))
    ids = [f"{i:04d}" for i in range(n)]
    return Scored(run, head, "T1wCE", ids, ids, np.arange(n), y, scores[None], np.arange(n)[None] % 5, np.ones(n, int))


def test_each_result_is_put_under_what_its_slope_says(tmp_path: Path) -> None:
    results = [result("fine", 1.0), result("bold", 2.5), result("timid", 0.4), result("blind", 0.0, seed=1)]
    section = calibration_section(results, tmp_path, replicates=150)
    words = section.words[0]
    found = {part.split(" on ")[0].split(": ")[-1]: part for part in words.split(". ")}
    assert found["bold"].startswith("Scores too extreme")
    assert found["timid"].startswith("Scores too timid")
    assert found["fine"].startswith("Slope not told from 1")
    assert found["blind"].startswith("No relation of score and label")
    assert interval(section.data["results"][1]["values"]["slope"]) in words
    assert section.words[1].startswith("No result is detectably too low")
    useful = section.words[2]
    assert "nobody: 3 of 4, at the thresholds given: fine on T1wCE (" in useful
    assert "blind" not in useful
    assert any("A slope below 1 means that scores are too extreme" in w for w in section.words)
    assert any("With an AUC at chance the slope is near 0" in w for w in section.words)


def test_few_positives_are_said_to_tell_little(tmp_path: Path) -> None:
    many = calibration_section([result("a", 1.0, n=400)], tmp_path, replicates=20)
    few = calibration_section([result("a", 1.0, n=150)], tmp_path, replicates=20)
    assert not any("cannot tell" in w for w in many.words)
    n = min(few.data["results"][0]["positive"], 150 - few.data["results"][0]["positive"])
    assert sum(w.startswith(f"What {n} patients in the smaller class cannot tell") for w in few.words) == 1


def test_scores_that_are_too_low_on_the_whole_are_said_to_be(tmp_path: Path) -> None:
    low = result("low", 1.0)
    low.scores[:] = low.scores / 3
    words = calibration_section([low], tmp_path, replicates=50).words
    assert words[1].startswith("Scores too low on the whole (interval of the intercept at slope 1): low on T1wCE 1.")


@pytest.mark.parametrize(
    ("points", "window"),
    [([0.0, 0.03, 0.19], (0, 0.2)), ([0.0, 0.6], (0, 1)), ([0.82, 1.0], (0.8, 1)), ([0.0, 0.5], (0, 0.5))],
)
def test_a_rare_class_is_drawn_where_its_scores_are(points: list[float], window: tuple[float, float]) -> None:
    assert _window(np.array(points)) == pytest.approx(window)


def test_tables_and_data_hold_the_same_figures(tmp_path: Path) -> None:
    section = calibration_section([result("a", 1.0), result("b", 1.0, run="other")], tmp_path, replicates=50)
    assert section.key == "calibration"
    line, brier = section.sheets
    values = section.data["results"][0]["values"]
    assert line.rows[0] == ("run: a on T1wCE", *(interval(values[k]) for k in ("slope", "intercept", "in_the_large")))
    assert brier.columns == ["Result", "Brier score", "Reliability", "Resolution", "Uncertainty", "Within bins"]
    assert brier.rows[1][0] == "other: b on T1wCE"
    decision = section.data["results"][0]["decision"]
    assert {len(v) for v in decision.values()} == {91}
    json.dumps(without_nan(section.data), allow_nan=False)


def test_the_figure_is_narrow_and_says_what_it_shows(tmp_path: Path) -> None:
    (drawing,) = calibration_section([result("a", 1.0)], tmp_path, replicates=50).drawings
    assert (tmp_path / f"{drawing.name}.svg").exists()
    width = int.from_bytes(drawing.png[16:20], "big")
    assert width <= 6.4 * 130
    assert "Reliability curve of 10 bins" in drawing.alt
    assert "above both at 0." in drawing.alt
    assert drawing.title == "a on T1wCE: calibration and decision curve"


def test_recalibrated_scores_are_labelled_everywhere(tmp_path: Path) -> None:
    bold = result("bold", 2.5)
    plain = calibration_section([bold], tmp_path, replicates=50)
    section = calibration_section([bold], tmp_path, replicates=50, recalibration="platt")
    assert section.words[0].startswith("RECALIBRATED: every score here went through a line on the log odds (Platt)")
    assert "cross-fitted, not nested" in section.words[0]
    assert not any("RECALIBRATED" in w for w in plain.words)
    assert all(s.caption.endswith("(recalibrated)") for s in section.sheets)
    assert ", recalibrated" in section.drawings[0].title
    assert section.data["recalibration"] == "platt"
    slopes = [s.data["results"][0]["values"]["slope"]["estimate"] for s in (plain, section)]
    assert slopes[0] < 0.6 < 0.85 < slopes[1] < 1.15


def test_few_patients_get_no_figures(tmp_path: Path) -> None:
    few, enough = result("few", 1.0, n=400), result("enough", 1.0)
    nine = np.flatnonzero(few.y == 1)[9:]
    few.y[nine] = 0
    section = calibration_section([few, enough], tmp_path, replicates=20)
    assert section.words[0] == "Nothing can be said of 1 of 2 results here: fewer than 10 patients in a class."
    assert [r["head"] for r in section.data["results"]] == ["enough"]
    alone = calibration_section([few], tmp_path, replicates=20)
    assert (len(alone.words), alone.sheets, alone.drawings) == (1, [], [])
    nothing = calibration_section([], tmp_path, recalibration="platt")
    assert nothing.words == [
        "No run here tested patients that its heads had not seen, so there is nothing to calibrate."
    ]


def test_a_result_without_a_slope_is_said_to_have_none(tmp_path: Path) -> None:
    apart = result("apart", 1.0)
    apart.scores[0] = 0.1 + 0.8 * apart.y
    section = calibration_section([apart], tmp_path, replicates=20)
    assert section.words[0] == "No slope (scores without spread, or classes that they separate): apart on T1wCE n/a."
    assert section.sheets[0].rows[0][1:3] == ("n/a", "n/a")


def test_a_result_of_one_fold_cannot_be_recalibrated(tmp_path: Path) -> None:
    one = result("a", 1.0)
    one.fold[:] = 0
    with pytest.raises(ValueError, match="learns from the other folds"):
        calibration_section([one], tmp_path, replicates=20, recalibration="isotonic")


def test_an_interval_has_no_negative_zero() -> None:
    assert interval({"estimate": -0.001, "low": -0.12, "high": 0.004}) == "0.00 (-0.12 to 0.00)"
    assert interval({"estimate": 0.5, "low": float("nan"), "high": float("nan")}) == "n/a"
