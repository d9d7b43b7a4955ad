"""What a training says as it goes on."""

from __future__ import annotations

from pathlib import Path

from cli.telling import words
from core.question import LabelQuestion
from features.labels import Join
from heads.folds import FewerFolds
from heads.training.events import (
    Compared,
    Demonstrating,
    DrawingCurve,
    Event,
    Fitting,
    FittingAcquisition,
    Joined,
    Separated,
    Shuffling,
    WithoutSlices,
)

LABELS = {"a": 1, "b": 0}
EVENTS: list[Event] = [
    Joined(
        Join(LabelQuestion("MGMT_value"), LABELS, as_written=[("a", "a")], by_number=[("b", "0b")], unlabelled=["c"])
    ),
    WithoutSlices("FLAIR", [f"p{i}" for i in range(10)]),
    Compared([], LABELS, 0.25, of_rows=False),
    Compared([], LABELS, 0.25, of_rows=True),
    FewerFolds(asked=5, used=3, grouped=False),
    FewerFolds(asked=5, used=3, grouped=True),
    Separated(Path("folds.csv"), ["a", "b"]),
    Fitting(12, ["logistic", "dense"], ["FLAIR", "T2w"]),
    Fitting(90, ["logistic"], ["FLAIR"], configurations=6),
    FittingAcquisition(10, ["logistic", "boosted"]),
    DrawingCurve(4, ["logistic"], ["FLAIR"]),
    Shuffling(200, ["logistic"], slow=False),
    Shuffling(50, ["logistic", "dense"], slow=True),
    Demonstrating(["logistic"], ["FLAIR"], 20),
]


def test_every_event_has_its_words(snapshot) -> None:
    assert "\n".join(map(words, EVENTS)) == snapshot
