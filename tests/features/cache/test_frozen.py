"""Old files open forever: one frozen file per format version, never written again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.cache.checks import verify
from features.cache.reader import Cache
from features.table import load_table, open_source
from heads import bundle

FROZEN = Path(__file__).parents[2] / "frozen"


def test_a_cache_of_version_1_opens() -> None:
    path = FROZEN / "features-v1.h5"
    assert verify(path) == []
    with Cache(path) as cache:
        assert (cache.n, cache.dim) == (7, 4)
        assert cache.settings["weights"] == "imagenet"
        assert list(zip(cache.series["patient"], cache.series["sequence"], cache.series["n_rows"], strict=True)) == [
            ("00002", "FLAIR", 3),
            ("00002", "T2w", 2),
            ("00011", "FLAIR", 2),
        ]
        assert [s.source for s in cache.skipped] == ["00011/DWI", "00011/FLAIR/bad.dcm"]
        assert cache.column("position").tolist() == [-10.0, -7.0, -4.0, -10.0, -7.0, -10.0, -7.0]
        assert cache.column("source")[4] == "00002/T2w/Image-2.dcm"
        assert np.isnan(cache.column("spacing_column")).all()
    table = load_table(open_source(path), "FLAIR")
    assert table.slice_id.tolist() == [
        "00002/FLAIR/Image-2.dcm#2",
        "00002/FLAIR/Image-3.dcm#3",
        "00011/FLAIR/Image-2.dcm#2",
    ]
    assert table.X.tolist() == [[1.5, 1.625, 1.75, 1.875], [2.0, 2.125, 2.25, 2.375], [100.5, 100.625, 100.75, 100.875]]


def test_a_head_of_version_1_scores() -> None:
    b = bundle.load_bundle(FROZEN / "head-v1.npz")
    assert (b.about["head"], b.about["train_patients"]) == ("logistic", ["00002", "00011"])
    assert b.fingerprint == {}, "fingerprints came later"
    # Standardised (1, 2, 0, 1), weighted 0.5 - 0.5 + 0 + 1, intercept -0.125: the logistic function of 0.875.
    scores = b.fitted.scores(np.array([[2.0, 3.0, 3.0, 5.0]], np.float32))
    assert scores == pytest.approx([1 / (1 + np.exp(-0.875))], abs=1e-15)


@pytest.mark.slow
def test_a_boosted_head_of_version_1_scores() -> None:
    b = bundle.load_bundle(FROZEN / "boosted-v1.npz")
    assert b.about["train_patients"] == ["00002", "00011"]
    # Standardised (9, 0.5), (2, 1), (2.5, 1); leaves -1, 0.5 and 2, and 0.25 of the second tree.
    scores = b.fitted.scores(np.array([[10, 3], [3, 4], [3.5, 4]], np.float32))
    assert scores == pytest.approx(1 / (1 + np.exp([0.75, -0.75, -2.25])), abs=1e-15)
