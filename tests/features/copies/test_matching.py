"""Near copies are found among many series as a comparison of all slices with all would, without making it."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from features.copies import matching
from features.copies.fingerprint import Fingerprint
from features.copies.matching import LEAST_SLICES, NEXT, SHARE, near_copies


def sketch(rng: np.random.Generator, n: int) -> np.ndarray:
    """(n, 256) bits; each slice differs from the one before it in a fifth of them, as neighbours in a series do."""
    turned = rng.random((n, 256)) < np.where(np.arange(n) == 0, 0.5, 0.2)[:, None]
    return np.logical_xor.accumulate(turned, axis=0)


def changed(bits: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    return bits ^ (rng.random(bits.shape) < share)


def prints(series: dict[str, np.ndarray]) -> Fingerprint:
    owner = np.repeat(np.arange(len(series)), [len(x) for x in series.values()]).astype(np.int32)
    packed = np.packbits(np.concatenate(list(series.values())), axis=1)
    return Fingerprint(
        np.array(list(series)), owner, np.arange(len(owner), dtype=np.uint64), packed, np.ones(512, "f4")
    )


def exhaustive(a: Fingerprint, b: Fingerprint) -> dict[tuple[int, int], tuple[int, int]]:
    """By the definition alone: every slice of every series with every slice of every other."""
    out = {}
    bits = [np.unpackbits(f.sketch, axis=1).astype(int) for f in (a, b)]
    for i in range(len(a.patients)):
        for j in range(i + 1 if a is b else 0, len(b.patients)):
            x, y = bits[0][a.owner == i], bits[1][b.owner == j]
            differ = np.array([[(p != q).sum() for q in y] for p in x])
            mutual = [(k, m) for k, m in enumerate(differ.argmin(1)) if differ.argmin(0)[m] == k and differ[k, m] <= 75]
            if len(mutual) > SHARE * min(differ.shape) and min(differ.shape) >= LEAST_SLICES:
                out[i, j] = len(mutual), min(differ.shape)
    return out


def cohort(seed: int = 0, n: int = 24) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    series = {f"p{k:02}": sketch(rng, int(rng.integers(8, 30))) for k in range(n)}
    for k, share in enumerate((0.02, 0.1, 0.15, 0.2)):
        series[f"z{k}"] = changed(series[f"p{k:02}"], share, rng)
    series["half"] = series["p05"][::2]
    return series


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_is_found_is_what_all_comparisons_would_find(seed: int) -> None:
    f = prints(cohort(seed))
    expected = exhaustive(f, f)
    assert near_copies(f, f) == expected
    names = {tuple(f.patients[list(pair)]) for pair in expected}
    assert {("p00", "z0"), ("p01", "z1"), ("p02", "z2"), ("p03", "z3")} <= names


def test_two_sets_find_what_they_have_in_common_and_nothing_within_one() -> None:
    series = cohort()
    rng = np.random.default_rng(9)
    known = prints(series)
    new = prints({"other": sketch(rng, 20), "p02 again": changed(series["p02"], 0.1, rng), "twin": series["p07"]})
    assert near_copies(new, known) == exhaustive(new, known)
    found = {(str(new.patients[i]), str(known.patients[j])) for i, j in near_copies(new, known)}
    assert {("p02 again", "p02"), ("p02 again", "z2"), ("twin", "p07")} <= found
    twins = prints({"a": series["p07"], "b": series["p07"]})
    assert near_copies(twins, prints({"c": sketch(rng, 20)})) == {}


def test_the_copy_of_a_short_series_is_found_among_two_thousand_others() -> None:
    rng = np.random.default_rng(1)
    series = {f"p{k:04}": sketch(rng, 12) for k in range(2000)}
    series["copy"] = changed(series["p1234"], 0.2, rng)
    assert list(near_copies(f := prints(series), f)) == [(1234, 2000)]


@pytest.mark.slow
def test_the_edges_of_blocks_hide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    f = prints(cohort(4))
    whole = [matching._meetings(f.sketch, matching._words(f.sketch), f.owner, k) for k in range(32)]
    monkeypatch.setattr(matching, "_BLOCK", 7)
    cut = [matching._meetings(f.sketch, matching._words(f.sketch), f.owner, k) for k in range(32)]
    for one, other in zip(whole, cut, strict=True):
        assert sorted(map(tuple, one.T)) == sorted(map(tuple, other.T))
    assert sum(len(one.T) for one in whole) > 100


def test_slices_are_not_compared_with_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of comparisons is bounded by the slices, not by their square."""
    counted: Counter[str] = Counter()
    differences = matching._differences

    def counting(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        out = differences(mine, theirs)
        counted["comparisons"] += out.size
        return out

    monkeypatch.setattr(matching, "_differences", counting)
    rng = np.random.default_rng(2)
    f = prints({f"p{k:04}": sketch(rng, 20) for k in range(500)})
    assert near_copies(f, f) == {}
    assert counted["comparisons"] <= 32 * NEXT * len(f.owner)
    assert 32 * NEXT * len(f.owner) < len(f.owner) ** 2 / 2


def test_equal_slices_everywhere_are_no_copies_and_take_no_longer() -> None:
    """Fifty series of one and the same slice: only one of them can have a mutual partner in another."""
    one = sketch(np.random.default_rng(3), 1)
    f = prints({f"p{k}": np.repeat(one, 40, axis=0) for k in range(50)})
    assert near_copies(f, f) == {}


def test_many_copies_of_one_patient_are_all_found_with_another() -> None:
    rng = np.random.default_rng(4)
    original = sketch(rng, 30)
    f = prints({f"p{k}": changed(original, 0.03, rng) for k in range(40)})
    assert {k for pair in near_copies(f, f) for k in pair} == set(range(40))


def test_a_few_alike_slices_are_not_enough_to_compare_series() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random((2, 40, 256)) < 0.5
    for length, n, expected in ((40, 3, []), (40, 4, [(0, 1)]), (20, 2, []), (20, 3, [(0, 1)])):
        other = b[:length].copy()
        other[:n] = a[:n]
        f = prints({"a": a[:length], "b": other})
        assert matching._alike(f, f, matching._words(f.sketch)) == expected, f"{n} of {length}"
        assert near_copies(f, f) == {}


def test_without_sketches_there_is_nothing_to_find() -> None:
    f = prints({"a": np.ones((9, 256), bool)})
    f.sketch = f.sketch[:, :0]
    assert near_copies(f, f) == {}
