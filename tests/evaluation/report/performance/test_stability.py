"""What the report says of how far repeats agree, and what it says where nothing can be said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from report_material import context
from stability_material import patients, slices
from syrupy.assertion import SnapshotAssertion

from core.predictions import Scored
from evaluation.report.performance.stability import stability_section
from evaluation.report.section import Section


def said(*scored: Scored, by_slice: tuple[Scored, ...] = ()) -> Section:
    return stability_section(context(scored=list(scored), slices=list(by_slice)))


def test_the_section_ranks_results_and_draws_them(snapshot: SnapshotAssertion) -> None:
    rng = np.random.default_rng(1)
    base = rng.random(24)
    steady = patients([base, base, base])
    loose = patients(rng.random((3, 24)), head="boosted")
    owner = list(np.repeat(np.arange(24), 4))
    section = said(steady, loose, by_slice=(slices(rng.random((3, 96)), owner),))
    assert section.key == "stability"
    assert section.words == snapshot
    first, second = section.data["results"]
    assert first["patient_scores"] == pytest.approx({"mean": 1, "lowest": 1, "highest": 1})
    assert abs(first["within_patient"]["mean"]) < 0.3
    assert second["slice_scores"] is None
    assert second["patient_scores"]["lowest"] <= second["patient_scores"]["mean"] <= second["patient_scores"]["highest"]
    json.dumps(section.data, allow_nan=False)
    assert section.sheets[0].rows[0][:4] == ["logistic, FLAIR", 24, 3, "1.00 (1.00 to 1.00)"]
    assert section.sheets[0].rows[1][-1] == "n/a"
    assert section.drawings[0].alt == snapshot(name="figure")


def test_one_repeat_says_what_is_needed(snapshot: SnapshotAssertion) -> None:
    section = said(patients([np.linspace(0, 1, 24)]))
    assert section.words == snapshot
    assert (section.sheets, section.drawings, section.data) == ([], [], {"results": []})


def test_few_patients_get_words_instead_of_figures(snapshot: SnapshotAssertion) -> None:
    section = said(patients([np.linspace(0, 1, 24)] * 2, [1] * 9 + [0] * 15))
    assert section.words == snapshot
    assert section.drawings == []


def test_constant_scores_are_not_given_a_figure(snapshot: SnapshotAssertion) -> None:
    section = said(patients(np.full((2, 24), 0.5)))
    assert section.words[0] == snapshot
    assert section.data["results"][0]["patient_scores"] is None
    assert section.sheets[0].rows[0][3] == "n/a"
