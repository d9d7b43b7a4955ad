"""The benchmark of copies: what it changes, whom it makes up, and what it counts."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.evidence import copies
from features.copies.fingerprint import fingerprint


def series(seed: int, n: int = 30) -> np.ndarray:
    """Each slice goes half with the one before it."""
    steps = np.random.default_rng(seed).normal(size=(n + 1, 64))
    return np.asarray(5 + steps[1:] + steps[:-1], np.float32)


def test_a_change_gives_other_images_of_the_same_shape_type_and_brightness() -> None:
    images = np.zeros((3, 224, 224), np.uint8)
    images[:, 60:150, 80:170] = np.random.default_rng(0).integers(1, 255, (3, 90, 90))
    for what, change in copies.changes().items():
        after = change(images)
        assert (after.shape, after.dtype) == (images.shape, images.dtype), what
        assert (after != images).any(axis=(1, 2)).all(), what
        assert abs(after.mean() - images.mean()) < 7, what


def test_made_up_patients_are_no_copies_of_anyone_and_copies_are_counted_by_change() -> None:
    real = {f"{k} FLAIR": series(k) for k in range(6)}
    noisy = {f"mirrored: {name}": x[::2] + np.float32(0.1) for name, x in list(real.items())[:2]}
    one = real["4 FLAIR"]
    f = fingerprint(copies.table({**real, **noisy, "gamma 0.9: 5 FLAIR": real["5 FLAIR"], "7 FLAIR": one}))
    others = copies.Others(list(real.values()), f.scale)
    many = copies.among(f, others, 250)
    assert len(many.patients) == len(f.patients) + 250
    assert (np.diff(many.owner) >= 0).all(), "rows stay grouped by patient"
    assert (np.bincount(many.owner)[-250:] == copies.LENGTH).all()
    assert copies.found(many) == ({"mirrored": 2, "gamma 0.9": 1}, 1), "4 and 7 are no copy that was made here"


@pytest.mark.slow
def test_the_table_counts_what_was_found(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    made = {f"{k} FLAIR": series(k) for k in range(4)}
    made |= {f"{what}: {name}": x[::2] for name, x in list(made.items())[:3] for what in copies.changes()}
    made["mirrored: 0 FLAIR"] = series(99, 15)
    monkeypatch.setattr(copies, "vectors", lambda *_: made)
    monkeypatch.setattr(copies, "OTHERS", (0, 20))
    monkeypatch.setenv("MGMT_COHORT", "somewhere")
    copies.main()
    printed = capsys.readouterr().out.splitlines()
    assert "| mirrored | 2 of 3 | 2 of 3 |" in printed
    assert "| gamma 0.9 | 3 of 3 | 3 of 3 |" in printed
    assert [line.partition(",")[0] for line in printed[:2]] == ["real patients", "made-up patients"]
    assert printed[2] == "copies recognised by trainings of 1 of the patients: 26 of 27"
    assert printed[5].startswith("525 slices: ") and printed[5].endswith(" 0 pairs that are no copies")


def test_the_nearest_slices_of_two_patients_are_compared_without_their_means() -> None:
    x = series(0)
    assert copies.nearest([x, 2 * x + 5]) == pytest.approx((1, 1))
    median, above = copies.nearest([series(0), series(1)])
    assert 0.1 < median < 0.6
    assert above == 0
