"""Damaged files of every kind end in slices or in a reason."""

import pytest

from benchmarks.faults.fuzz_inputs import fuzz


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Invalid value")  # the lies that are written on purpose
def test_every_mutant_ends_in_slices_or_in_a_reason() -> None:
    for kind, outcome in fuzz(340, seed=20).items():
        assert outcome.wrong == [], kind
        assert outcome.gave > 0, kind
        assert outcome.gave + sum(outcome.reasons.values()) >= outcome.tried == 340, kind
        assert outcome.hung == 0, kind
