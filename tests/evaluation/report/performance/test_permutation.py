"""What the report says of results against shuffled labels."""

from __future__ import annotations

import numpy as np
import pytest
from report_material import a_run, context
from syrupy.assertion import SnapshotAssertion

from core.predictions import ResultKey
from evaluation.report.performance.permutation import permutation_section
from evaluation.report.section import Section
from evaluation.statistics.controls.permutation import PermutationTest


def held_against(sequence: str, auc: float, null: np.ndarray, run: str = "run") -> PermutationTest:
    return PermutationTest(ResultKey(run, "logistic", sequence), auc, {k: float(v) for k, v in enumerate(null, 1)})


def said(*tests: PermutationTest, n: int = 40) -> Section | None:
    return permutation_section(context(a_run("run", n=n), permutations=list(tests)))


@pytest.mark.slow
def test_the_section_says_whether_the_choice_explains_the_best(snapshot: SnapshotAssertion) -> None:
    flair, t2w = np.random.default_rng(2).normal(0.5, 0.03, (2, 99))
    good = said(held_against("FLAIR", 0.7, flair), held_against("T2w", 0.5, t2w))
    assert good is not None
    assert good.words == snapshot(name="good")
    assert good.sheets[0].rows[0][4] == "0.010"
    assert good.data["highest"] == {"run": 0.01}
    assert good.data["tests"][1]["p"] > 0.2
    assert good.drawings[0].alt == snapshot(name="figure")
    poor = said(held_against("FLAIR", 0.52, flair), held_against("T2w", 0.5, t2w))
    assert poor is not None
    assert poor.words[1:] == snapshot(name="poor")
    one = said(held_against("FLAIR", 0.7, flair))
    assert one is not None
    assert one.words[1:] == snapshot(name="one result")


def test_few_patients_have_p_over_shuffles_too_and_nothing_without_shuffles(snapshot: SnapshotAssertion) -> None:
    t = held_against("FLAIR", 0.5, np.array([0.51, 0.52, 0.53, 0.54]))
    assert said() is None
    few, enough = said(t, n=16), said(t)
    assert few is not None and enough is not None
    assert few.sheets == enough.sheets
    assert few.words[1] == snapshot
    assert few.words[2:] == enough.words[1:]
