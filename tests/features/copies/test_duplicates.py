"""Copies of a patient are found by pixels and by features; different patients are left alone."""

from __future__ import annotations

import hashlib
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from syrupy.assertion import SnapshotAssertion

from features.copies.duplicates import (
    TEST,
    Pair,
    describe,
    duplicate_patients,
    group_patients,
    known_patients,
    lines,
    sentences,
)
from features.copies.fingerprint import Fingerprint, fingerprint, to_arrays
from features.extraction import extract
from features.scans.find import find_scans
from features.table import Table, load_table, open_source

SLICES = 12


def vectors(seed: int, n: int = SLICES, dim: int = 128) -> np.ndarray:
    """A series of non-negative vectors that share a mean, as those of VGG16 do: raw cosines above 0.8."""
    return 5 + np.random.default_rng(seed).gamma(2, 1, (n, dim))


def table(series: dict[str, np.ndarray], digests: dict[str, list[str]] | None = None, sequence: str = "FLAIR") -> Table:
    """Every slice has pixels of its own unless `digests` says otherwise; "" is a blank slice."""
    patient = np.array([p for p, x in series.items() for _ in x], object)
    names = [
        (digests or {}).get(p, [hashlib.md5(f"{p}{i}".encode()).hexdigest() for i in range(len(x))])
        for p, x in series.items()
    ]
    X = np.concatenate(list(series.values())).astype(np.float32)
    digest = np.array([d for own in names for d in own], "S32")
    return Table(sequence, X, patient, np.zeros(len(X), np.int16), patient.copy(), digest=digest)


def found(t: Table) -> list[Pair]:
    return duplicate_patients({t.sequence: fingerprint(t)})


def copy_of(x: np.ndarray, noise: float, seed: int = 99) -> np.ndarray:
    """The same vectors with noise, in units of the spread within the series."""
    return x + noise * x.std(axis=0) * np.random.default_rng(seed).normal(size=x.shape)


# --- exact copies --------------------------------------------------------------------------------------


def test_slices_with_the_same_pixels_are_counted_without_blank_ones_and_views() -> None:
    one, two = ([f"{i:016x}" + "0" * 16 for i in numbers] for numbers in ((1, 2, 3, 4, 5), (3, 9, 5, 5)))
    t = table({"a": vectors(0, 7), "b": vectors(1, 6), "c": vectors(2, 2)}, {"a": [*one, "", ""], "b": [*two, "", ""], "c": ["", ""]})  # fmt: skip
    assert found(t) == [Pair("a", "b", "FLAIR", "exact", 2, 3)], "slices 3 and 5 of 5 and of 3 different ones"
    t.view[[2, 4]] = 1
    assert found(t) == []


# --- near copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["as it was", "backwards", "every second slice"])
@pytest.mark.parametrize("change", ["noise", "noise and a common shift", "noise and a gain"])
def test_near_copies_are_found(order: str, change: str) -> None:
    series = {f"p{i}": vectors(i, 24) for i in range(6)}
    step = {"as it was": 1, "backwards": -1, "every second slice": 2}[order]
    x = copy_of(series["p2"], 0.5)[::step]
    series["zz"] = {"noise": x, "noise and a common shift": x + 3, "noise and a gain": 1.2 * x}[change]
    (pair,) = found(table(series))
    assert (pair.a, pair.b, pair.how, pair.of) == ("p2", "zz", "near", len(x))
    assert pair.n > 0.8 * pair.of


@pytest.mark.parametrize("noise", [0.3, 0.6, 2.0, 4.0])
def test_near_copies_are_those_of_the_cosines_themselves(noise: float) -> None:
    """Against the full matrix of cosines, no sketches: partners are each other's nearest, above 0.6."""
    a = vectors(0, 40, 512)
    b = copy_of(a, noise)
    centred = [x - x.mean(axis=0) for x in (a, b)]
    scale = np.sqrt((np.concatenate(centred) ** 2).mean(axis=0))
    unit = [c / scale / np.linalg.norm(c / scale, axis=1, keepdims=True) for c in centred]
    cosine = unit[0] @ unit[1].T
    partners = sum(
        cosine[i].argmax() == j and cosine[:, j].argmax() == i and cosine[i, j] > 0.6
        for i in range(40)
        for j in range(40)
    )
    pairs = found(table({"a": a, "b": b}))
    assert [p.n for p in pairs] == ([partners] if partners > 20 else [])
    assert partners in (0, 40), "far from the threshold on either side, so that sketches must agree"


def test_different_patients_are_left_alone_in_many_pairs() -> None:
    assert found(table({f"p{i:02}": vectors(i) for i in range(70)})) == []


def test_a_copy_is_found_among_many_patients() -> None:
    series = {f"p{i:02}": vectors(i) for i in range(70)}
    series["copy"] = copy_of(series["p69"], 0.3)
    assert [(p.a, p.b) for p in found(table(series))] == [("copy", "p69")]


def test_slices_in_which_there_is_nearly_nothing_do_not_make_a_copy() -> None:
    """The ends of two series look alike; four of twelve slices are no majority."""
    one, two = vectors(0), vectors(1)
    two[:4] = one[:4]
    assert found(table({"a": one, "b": two})) == []
    two[:8] = one[:8]
    assert [p.n for p in found(table({"a": one, "b": two}))] == [8]


@pytest.mark.parametrize(("n", "dim"), [(7, 128), (SLICES, 63)])
def test_few_slices_or_short_vectors_say_nothing_of_near_copies(n: int, dim: int) -> None:
    x = vectors(0, n, dim)
    assert found(table({"a": x, "b": x})) == []
    assert found(table({"a": vectors(0, 8, 64), "b": vectors(0, 8, 64)}))[0].how == "near"


def test_one_identical_slice_does_not_hide_a_near_copy() -> None:
    x = vectors(0, 24)
    digests = {p: [f"{k:016x}".ljust(32, "0") for k in range(first, first + 24)] for p, first in (("a", 0), ("b", 100))}
    digests["b"][5] = digests["a"][5]
    (pair,) = found(table({"a": x, "b": copy_of(x, 0.3)}, digests))
    assert (pair.how, pair.of) == ("near", 24)
    assert pair.n > 20
    digests["b"] = digests["a"]
    assert found(table({"a": x, "b": copy_of(x, 0.3)}, digests)) == [Pair("a", "b", "FLAIR", "exact", 24, 24)]


def test_what_is_silent_in_few_patients_does_not_hide_a_copy_that_stirs_it() -> None:
    """Half of the columns are constant in training, and a copy changes them by a hundredth of the others' spread."""
    series = {f"p{k}": vectors(k, 24) for k in range(3)}
    for x in series.values():
        x[:, ::2] = 0
    series["p0"][0, ::2] = 1e-4
    stirred = copy_of(series["p1"], 0.1)
    stirred[:, ::2] = 0.02 * np.random.default_rng(5).random((24, 64))
    arrays = to_arrays({"FLAIR": fingerprint(table(series))})
    assert [(p.a, p.b, p.how) for p in known_patients([table({"new": stirred})], arrays)] == [("new", "p1", "near")]


def test_sequences_are_compared_each_with_itself() -> None:
    prints = {q: fingerprint(table({p: vectors(7)}, sequence=q)) for q, p in (("FLAIR", "a"), ("T2w", "b"))}
    assert duplicate_patients(prints) == []


def test_an_empty_table_has_no_copies() -> None:
    assert found(table({"a": vectors(0)}).take(np.zeros(SLICES, bool))) == []


# --- tables of features --------------------------------------------------------------------------------


def csv_table(rows: dict[str, Any]) -> Table:
    names = np.array(list(rows), object)
    X = np.array(list(rows.values()), np.float32)
    return Table("table", X, names, np.zeros(len(X), np.int16), names, columns=[f"c{i}" for i in range(X.shape[1])])  # fmt: skip


def test_equal_rows_of_a_table_are_copies() -> None:
    row = np.arange(12.0)
    gap, zero, other = row.copy(), row.copy(), row.copy()
    gap[3], zero[0], other[11] = np.nan, -0.0, 11.0001
    t = csv_table({"a": row, "b": other, "c": zero, "d": gap, "e": gap})
    assert [(p.a, p.b, p.how, str(p)) for p in found(t)] == [
        ("a", "c", "row", "all values equal"),
        ("d", "e", "row", "all values equal"),
    ]


def test_rows_of_few_values_are_equal_by_chance() -> None:
    short, long = [1.0] * 9 + [np.nan] * 3, [1.0] * 10 + [np.nan] * 2
    assert found(csv_table({"a": short, "b": short})) == []
    assert len(found(csv_table({"a": long, "b": long}))) == 1


# --- what is made of pairs -----------------------------------------------------------------------------


def test_patients_linked_through_others_are_one_group() -> None:
    pairs = [Pair(a, b, "FLAIR", "near", 9, 9) for a, b in (("c", "d"), ("x", "y"), ("b", "c"), ("a", "d"))]
    assert group_patients(pairs) == {"a": "a", "b": "a", "c": "a", "d": "a", "x": "x", "y": "x"}
    assert group_patients([]) == {}


def test_what_is_said(snapshot: SnapshotAssertion) -> None:
    pairs = [Pair("a", "b", "FLAIR", "exact", 9, 10), Pair("a", "b", "T2w", "near", 7, 10), Pair("a", "c", "T2w", "near", 8, 9)]  # fmt: skip
    labels = {"a": 1, "b": 1, "c": 0}
    assert sentences(pairs) == snapshot(name="by pair")
    printed = lines(pairs, labels, 1.23)
    assert printed == snapshot(name="two pairs")
    assert sum("CONFLICT" in line for line in printed) == 1
    picture = [Pair(f"a{k}", f"b{k}", "FLAIR", "exact", 1, 9) for k in range(20)]
    printed = lines(picture, {f"{c}{k}": int(c == "a") for k in range(20) for c in "ab"}, 1)
    assert sum("LABEL CONFLICT:" in line for line in printed) == 8
    assert printed[-1] == snapshot(name="many conflicts")
    assert lines([], labels, 0) == snapshot(name="no pair")
    many = [Pair("a", f"b{k}", "FLAIR", "near", 9, 9) for k in range(10)]
    printed = lines(many, {"a": 1} | {p.b: 1 for p in many}, 1)
    assert len(printed) == 10
    assert printed[-1] == snapshot(name="many pairs")
    about = describe(pairs, labels)
    assert (about["test"], about["conflicts"]) == (TEST, [["a", "c"]])
    assert about["pairs"][0] == {"a": "a", "b": "b", "sequence": "FLAIR", "how": "exact", "n": 9, "of": 10}


def test_new_patients_are_compared_with_the_fingerprint_of_a_training() -> None:
    training = table({f"p{i}": vectors(i) for i in range(5)})
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **to_arrays({"FLAIR": fingerprint(training)}))
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        arrays = dict(archive)
    same = training.take(training.patient == "p4")
    new = table({"new": vectors(50), "near": copy_of(vectors(3), 0.4), "p1": vectors(1)})
    pairs = known_patients([new], arrays)
    assert [(p.a, p.b, p.how) for p in pairs] == [("near", "p3", "near")], "p1 is known by its id"
    same.patient[:] = "other"
    assert known_patients([same], arrays) == [Pair("other", "p4", "FLAIR", "exact", SLICES, SLICES)]
    assert known_patients([table({"x": vectors(3)}, sequence="T2w")], arrays) == []
    assert set(arrays) == {f"FLAIR/{name}" for name in Fingerprint.__dataclass_fields__}


# --- the real network ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_changed_copies_of_a_real_patient_are_found_and_others_are_not(shared: Path, tmp_path: Path) -> None:
    """2 % noise and a shift by 3 pixels; mirrored; against another patient of the same plane."""
    import pydicom

    from features.backbones.keras_applications import Embedder

    cohort, rng = tmp_path / "cohort", np.random.default_rng(0)
    for name in ("00002", "00005", "noisy", "mirrored"):
        (cohort / name / "FLAIR").mkdir(parents=True)
    for patient in ("00002", "00005"):
        for path in sorted((shared / "data/rsna_like_tcia/train" / patient / "FLAIR").iterdir())[::2]:
            shutil.copy(path, cohort / patient / "FLAIR")
    for name in ("noisy", "mirrored"):
        for path in sorted((cohort / "00002" / "FLAIR").iterdir()):
            ds = pydicom.dcmread(path)
            x = ds.pixel_array
            noisy = np.roll(x, (3, 3), axis=(0, 1)) * (1 + rng.uniform(-0.02, 0.02, x.shape))
            ds.PixelData = (noisy if name == "noisy" else x[:, ::-1]).astype(x.dtype).tobytes()
            ds.save_as(cohort / name / "FLAIR" / path.name)
    embed = Embedder(weights=str(shared / "weights/vgg16_imagenet_notop.h5"), say=lambda _: None)
    extract(find_scans([cohort]), tmp_path / "f.h5", embed=embed, workers=0)
    real = found(load_table(open_source(tmp_path / "f.h5"), "FLAIR"))
    assert [(p.a, p.b, p.how) for p in real if p.a == "00002"] == [("00002", "mirrored", "near"), ("00002", "noisy", "near")]  # fmt: skip
    assert "00005" not in group_patients(real)
