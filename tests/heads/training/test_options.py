"""One dataclass of options: what the command line asks for is what run.json keeps and what Python passes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from cli.train import asked
from core.options import options_of
from heads.boosted import Boosted
from heads.dense import Dense
from heads.logistic import Logistic
from heads.training.options import TrainOptions, head_parameters

FILES = ("f.h5", "l.csv", "--out", "runs/r")


def options(**given: object) -> TrainOptions:
    return TrainOptions(features=Path("f.h5"), labels=Path("l.csv"), out=Path("runs/r"), **given)  # type: ignore[arg-type]


def test_a_bare_command_is_the_defaults() -> None:
    assert asked(FILES).arguments() == options().arguments()
    assert asked(FILES).heads() == options().heads() == [Dense(), Logistic(), Boosted()]


def test_the_arguments_of_a_run_are_those_of_before_there_was_a_dataclass(snapshot) -> None:
    given = dataclasses.replace(options(), jobs=1)
    assert json.dumps(given.arguments(), indent=1, sort_keys=True) == snapshot


def test_hyper_parameters_reach_their_heads() -> None:
    command = (*FILES, "--head", "dense", "logistic", "--C", "3", "--hidden", "8", "4", "--learning-rate", "0.1")
    assert asked(command).heads() == [Dense(hidden=(8, 4), learning_rate=0.1), Logistic(C=3.0)]
    assert options(head=["logistic"], parameters={"C": 3.0}).heads() == [Logistic(C=3.0)]
    assert asked(command).arguments()["hidden"] == [8, 4]


@pytest.mark.parametrize(
    ("given", "trained", "curve"),
    [
        ({}, ["dense", "logistic", "boosted"], []),
        ({"demonstrate_leak": 3}, ["logistic"], []),
        ({"learning_curve": True}, ["dense", "logistic", "boosted"], ["logistic"]),
        ({"learning_curve": True, "head": ["dense", "boosted"]}, ["dense", "boosted"], ["boosted"]),
        ({"learning_curve": True, "head": ["dense"]}, ["dense"], ["dense"]),
    ],
)
def test_which_heads_are_trained_where(given: dict, trained: list[str], curve: list[str]) -> None:
    made = options(**given)
    assert (made.head_names, made.curve_names) == (trained, curve)
    assert made.arguments()["learning_curve"] == (curve or False)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"fuse": "features"}, "add --unit patient"),
        ({"demonstrate_leak": 3, "tune": 2}, "--demonstrate-leak runs both splits over slices"),
        ({"split": "slice", "unit": "patient"}, "does not go with --unit patient"),
        ({"split": "slice", "folds": 3}, "takes no --folds"),
        ({"tune": 3, "fuse": "scores"}, "it takes no --split slice or --fuse scores"),
        ({"learning_curve": True, "tune": 3}, "it takes no --split slice, --tune or --demonstrate-leak"),
        ({"split_file": Path("x"), "repeats": 3}, "it takes no --folds or --repeats"),
        ({"head": ["svm"]}, "--head 'svm'; expected one of dense, logistic, boosted"),
        ({"split": "slcie"}, "--split 'slcie'; expected one of patient, slice"),
        ({"head": "logistic"}, "--head 'logistic'; expected a list of values"),
        ({"tune": -2}, "--tune: expected a whole number of at least 1, got '-2'"),
        ({"permutations": -5}, "--permutations: expected a whole number of at least 0, got '-5'"),
        ({"jobs": 0}, "--jobs: expected a whole number of at least 1, got '0'"),
        ({"parameters": {"C": "a"}}, "--C: expected a number above 0, got 'a'"),
        ({"parameters": {"C": -1}}, "--C: expected a number above 0, got '-1'"),
        ({"parameters": {"hidden": (8, 0)}}, "--hidden: expected a whole number of at least 1, got '0'"),
        ({"parameters": {"trees": 3}}, "no head has trees; expected some of C, batch_size"),
    ],
)
def test_contradictions_are_said(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        options(**given).check()


def test_values_within_the_limits_pass() -> None:
    options(permutations=0, tune=None, jobs=1, parameters={"C": np.float64(1e-5), "hidden": [8, 4]}).check()


def test_every_option_is_explained() -> None:
    for cls in (TrainOptions, head_parameters()):
        assert all(about.words() for _, about in options_of(cls))
