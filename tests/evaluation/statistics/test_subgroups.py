"""Strata by hand, and their AUC against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from subgroup_material import cohort, run_of, scored, series

from evaluation.statistics.subgroups import overlap, strata, subgroup_aucs


def test_strata_of_a_single_sequence_by_hand() -> None:
    there = {
        "a": {"FLAIR": series(1), "T1w": series(), "T2w": series()}, "b": {"FLAIR": series(2, "coronal"), "T1w": series()},
        "c": {"FLAIR": series(3), "T1w": series(plane="sagittal"), "T2w": series()}, "d": {"FLAIR": series(3, "coronal")},
        "e": {"T1w": series(9)}, "f": {},
    }  # fmt: skip
    about = run_of(there, {}).about
    found = {
        factor: {name: "".join(p for p, inside in zip("abcdef", mask, strict=True) if inside) for name, mask in groups.items()}
        for factor, groups in strata("FLAIR", list("abcdef"), about).items()
    }  # fmt: skip
    assert found == {
        "sequences": {"all": "ac", "none": "f", "without T2w": "b", "without 2 of 3": "de"},
        "plane": {"axial": "ac", "coronal": "bd", "none": "ef"},
        "slices": {"0 to 0": "ef", "1 to 2": "ab", "3 to 3": "cd"},
    }


def test_a_fusion_has_the_planes_and_slices_of_all_its_sequences() -> None:
    there = {
        "a": {"FLAIR": series(5), "T2w": series(5)}, "b": {"FLAIR": series(6), "T2w": series(7, "coronal")},
        "c": {"T1w": series(100, "coronal")},
    }  # fmt: skip
    found = strata("mean(FLAIR+T1w+T2w)", ["a", "b", "c"], run_of(there, {}).about)
    assert {name: mask.tolist() for name, mask in found["plane"].items()} == {
        "axial": [True, False, False], "coronal": [False, False, True], "several planes": [False, True, False]
    }  # fmt: skip
    assert list(found["slices"]) == ["10 to 10", "13 to 13", "100 to 100"]


def test_each_patient_is_in_one_stratum_of_a_factor() -> None:
    y, _, there, labels = cohort()
    for groups in strata("FLAIR", sorted(labels), run_of(there, labels).about).values():
        assert np.array_equal(np.sum(list(groups.values()), axis=0), np.ones(len(y)))
    thirds = strata("FLAIR", sorted(labels), run_of(there, labels).about)["slices"]
    assert [int(mask.sum()) for mask in thirds.values()] == [27, 26, 27]


def test_the_auc_of_a_stratum_is_that_of_its_patients() -> None:
    y, scores, there, labels = cohort()
    both = np.stack([scores, np.random.default_rng(5).uniform(size=len(y))])
    found = subgroup_aucs(scored(both, y), run_of(there, labels).about, replicates=200, seed=0)
    sagittal = np.arange(len(y)) % 4 < 2
    expected = np.mean([roc_auc_score(y[sagittal], row[sagittal]) for row in both])
    one = next(f for f in found if f.stratum == "sagittal")
    assert (one.patients, one.positive) == (40, 20)
    assert one.auc is not None
    assert one.auc["estimate"] == pytest.approx(expected, abs=1e-12)
    assert one.auc["low"] < expected < one.auc["high"]


def test_strata_that_differ_lie_apart_and_others_do_not() -> None:
    y, scores, there, labels = cohort()
    about = run_of(there, labels).about
    found = overlap(subgroup_aucs(scored(scores, y), about, replicates=200, seed=0))
    assert [(a.stratum, b.stratum) for a, b in found.apart] == [("axial", "sagittal")]
    assert found.pairs == 5
    flat = scored(np.random.default_rng(3).uniform(size=len(y)), y)
    assert overlap(subgroup_aucs(flat, about, replicates=200, seed=0)).apart == []
