"""Option types refuse what cannot be meant."""

from __future__ import annotations

from pathlib import Path

import pytest

import evaluate
import extract_features
import train_head
from core.options import above_zero, at_least
from features.options import ExtractOptions


@pytest.mark.parametrize("text", ["-1", "1", "2.5", "x", ""])
def test_whole_numbers_below_the_lowest_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"at least 2, got '{text}'"):
        at_least(2)(text)


def test_numbers_that_fit_pass() -> None:
    assert at_least(0)("0") == 0
    assert at_least(2)("12") == 12
    assert above_zero("1e-3") == 0.001


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "x"])
def test_numbers_not_above_zero_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        above_zero(text)


@pytest.mark.parametrize(
    ("door", "arguments"),
    [
        (extract_features, ["c", "--out", "x", "--batch", "0"]),
        (extract_features, ["c", "--out", "x", "--augment", "-1"]),
        (extract_features, ["c", "--out", "x", "--workers", "-1"]),
        (train_head, ["f", "l", "--out", "x", "--jobs", "0"]),
        (train_head, ["f", "l", "--out", "x", "--epochs", "0"]),
        (train_head, ["f", "l", "--out", "x", "--batch-size", "0"]),
        (train_head, ["f", "l", "--out", "x", "--hidden", "0"]),
        (train_head, ["f", "l", "--out", "x", "--folds", "1"]),
        (train_head, ["f", "l", "--out", "x", "--repeats", "0"]),
        (train_head, ["f", "l", "--out", "x", "--C", "0"]),
        (train_head, ["f", "l", "--out", "x", "--learning-rate", "nan"]),
        (evaluate, ["r", "--replicates", "0"]),
    ],
)
def test_the_doors_refuse_numbers_that_cannot_be_meant(door, arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit):
        door.main(arguments)
    assert "expected a" in capsys.readouterr().err


def test_python_holds_the_limits_of_the_command_line() -> None:
    with pytest.raises(ValueError, match="--workers: expected a whole number of at least 0, got '-1'"):
        ExtractOptions(cohort=[Path("c")], out=Path("x.h5"), workers=-1)
