"""The growth benchmark runs every part on a few slices, and its constants are those of the times that it was given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import growth
from features.cache.reader import Cache
from heads.crossfit import patient_weights


@pytest.mark.slow
def test_every_part_does_its_work_on_a_few_slices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: None)
    growth.make_cohort(tmp_path / "cohort", 11)
    for name in ("extract", "publish", "verify", "load", "copies"):
        growth.part(name, tmp_path, 11 * growth.SERIES)
    with Cache(tmp_path / "e.h5") as extracted, Cache(tmp_path / "f.h5") as made:
        assert (extracted.n, extracted.dim) == (made.n, made.dim) == (825, 512)
        X = made.features()
        patient = made.column("patient")
        assert np.unique(extracted.features()[:75], axis=0).shape == (75, 512)
    assert 0.4 < (X == 0).mean() < 0.6, "about half, as behind a ReLU"
    assert (patient_weights(patient) == 1 / 75).all()
    assert (tmp_path / "labels.csv").read_text().splitlines()[1:3] == ["000000,0", "000001,1"]


def test_constants_are_those_that_made_the_times() -> None:
    n = np.array([10_000, 40_000, 100_000, 400_000])
    assert growth.line(n, 0.5 + 2e-5 * n) == pytest.approx((2e-5, 0.5), rel=1e-6)
    row = growth._constants("verify", [(int(k), 2 + 3e-5 * k, 50 + k / 1024) for k in n])
    assert row.ours == pytest.approx(3.0)
    assert row.note == "2.00 s + 3.00 s per 100,000 rows, at most 0 % off; 50 MiB + 1.00 KiB a row"
    row = growth._constants("dense", [(int(k), 2 + 3e-5 * k + 4e-10 * k**2, 50) for k in n])
    off = int(row.note.partition("at most ")[2].partition(" %")[0])
    assert off > 5, "what grows with the square is told"
