"""Fingerprints: what they keep of a slice, exactly as FORMATS.md says, and what two of them tell."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from features.copies.fingerprint import Fingerprint, fingerprint, from_arrays, to_arrays
from features.table import Table


def table(X: np.ndarray, patient: list[str], digest: list[str] | None = None) -> Table:
    names = np.array(patient, object)
    marks = digest or [hashlib.md5(f"{p}{i}".encode()).hexdigest() for i, p in enumerate(patient)]
    view = np.zeros(len(X), np.int16)
    return Table("FLAIR", X.astype(np.float32), names, view, names.copy(), digest=np.array(marks, "S32"))


def signs(f: Fingerprint) -> np.ndarray:
    """(n, 256) of +-1: the sketches unpacked."""
    return 2 * np.unpackbits(f.sketch, axis=1).astype(np.float32) - 1


def test_slices_are_grouped_by_patient_without_blank_ones_and_views() -> None:
    X = np.random.default_rng(0).normal(size=(6, 70))
    t = table(X, ["b", "a", "b", "a", "b", "a"], ["1" * 32, "2" * 32, "", "4" * 32, "5" * 32, "6" * 32])
    t.view[5] = 1
    f = fingerprint(t)
    assert f.patients.tolist() == ["a", "b"]
    assert f.owner.tolist() == [0, 0, 1, 1]
    assert f.digest.tolist() == [int(c * 16, 16) for c in "2415"]
    assert (f.sketch.shape, f.sketch.dtype, f.digest.dtype) == ((4, 32), np.uint8, np.uint64)


def test_the_first_half_of_a_digest_is_what_is_kept() -> None:
    f = fingerprint(table(np.ones((2, 3)), ["a", "b"], ["0" * 15 + "1" + "2" * 16, "f" * 16 + "3" * 16]))
    assert f.digest.tolist() == [1, 2**64 - 1]
    assert f.sketch.shape == (2, 0), "three values make no sketch"


def test_a_sketch_is_what_the_format_says() -> None:
    """Bit by bit in plain integers: SHAKE-256, most significant bit first, row after row; 1 is +1 and 0 is -1."""
    X = np.random.default_rng(1).normal(size=(5, 64))
    f = fingerprint(table(X, ["a"] * 5))
    stream = hashlib.shake_256(b"mgmt-radiogenomics/sketch").digest(64 * 32)
    plus = [[(stream[(row * 256 + k) // 8] >> (7 - k % 8)) & 1 for k in range(256)] for row in range(64)]
    centred = X - X.mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0))
    assert f.scale == pytest.approx(scale, rel=1e-5)
    for i, k in ((0, 0), (0, 7), (2, 8), (3, 100), (4, 255)):
        total = sum(centred[i, row] / scale[row] * (1 if plus[row][k] else -1) for row in range(64))
        assert signs(f)[i, k] == np.sign(total)
        assert (f.sketch[i, k // 8] >> (7 - k % 8)) & 1 == (total > 0)


def test_a_sketch_tells_the_angle_of_two_vectors() -> None:
    """Charikar 2002: two signs differ with probability angle / pi; 256 of them, so within 4 standard deviations."""
    x = np.random.default_rng(0).normal(size=(30, 512))
    x[1::2] = 0.7 * x[::2] + 0.3 * x[1::2]
    f = fingerprint(table(x, ["a"] * 30))
    z = (x - x.mean(axis=0)) / f.scale
    norm = np.linalg.norm(z, axis=1)
    angle = np.arccos(np.clip(z @ z.T / np.outer(norm, norm), -1, 1)) / np.pi
    differ = (1 - signs(f) @ signs(f).T / 256) / 2
    assert np.abs(differ - angle).max() < 4 * 0.5 / 16
    assert angle[0, 1] < 0.2 < 0.4 < angle[0, 2]


def test_a_column_that_never_changes_does_no_harm() -> None:
    x = np.random.default_rng(0).normal(size=(9, 80))
    x[:, 3] = 7
    f = fingerprint(table(x, ["a"] * 9))
    assert f.scale[3] == pytest.approx(0.1 * np.sqrt(np.square(f.scale).mean()), rel=1e-2), "no column counts for more"
    assert np.unpackbits(f.sketch).mean() == pytest.approx(0.5, abs=0.1)


def test_new_series_are_scaled_as_those_of_the_training() -> None:
    x = np.random.default_rng(0).normal(size=(9, 80))
    old = fingerprint(table(x, ["a"] * 9))
    stretched = x * np.linspace(1, 5, 80)
    assert (fingerprint(table(stretched, ["b"] * 9)).sketch == old.sketch).all()
    new = fingerprint(table(stretched, ["b"] * 9), old.scale)
    assert new.scale is old.scale
    assert (new.sketch != old.sketch).any()


def test_rows_of_a_table_are_known_by_their_values() -> None:
    X = np.tile(np.arange(12, dtype=np.float32), (4, 1))
    X[1, 0], X[2, 0], X[3, :3] = -0.0, np.nan, np.nan
    names = np.array(list("abcd"), object)
    t = Table("table", X, names, np.zeros(4, np.int16), names, columns=[f"c{i}" for i in range(12)])
    f = fingerprint(t)
    assert f.patients.tolist() == ["a", "b", "c"], "nine values say nothing"
    assert f.digest[0] == f.digest[1] != f.digest[2]


def test_arrays_there_and_back() -> None:
    f = fingerprint(table(np.random.default_rng(0).normal(size=(4, 80)), ["a", "a", "b", "b"]))
    arrays = to_arrays({"FLAIR": f, "T2w": f})
    assert set(arrays) == {f"{q}/{name}" for q in ("FLAIR", "T2w") for name in Fingerprint.__dataclass_fields__}
    back = from_arrays(arrays, "T2w")
    assert back is not None
    assert all(np.array_equal(getattr(back, name), value) for name, value in vars(f).items())
    assert from_arrays(arrays, "T1w") is None


@pytest.mark.parametrize("owner", [[1, 0, 0], [0, 0, -1], [0, 1, 2], [0, 0, 2**30], [0, 0]])
def test_a_fingerprint_of_a_file_whose_rows_are_out_of_order_is_refused(owner: list[int]) -> None:
    f = fingerprint(table(np.random.default_rng(0).normal(size=(3, 80)), ["a", "a", "b"]))
    arrays = to_arrays({"FLAIR": f})
    assert from_arrays(arrays, "FLAIR") is not None
    arrays["FLAIR/owner"] = np.array(owner, np.int32)
    with pytest.raises(ValueError, match="fingerprint of FLAIR is damaged"):
        from_arrays(arrays, "FLAIR")
