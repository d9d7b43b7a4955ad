"""Whose slide is it."""

from __future__ import annotations

import pytest

from evaluation.audit.file_words import tied_sentence
from evaluation.audit.files.ids import Way, alike, barcode, slides_to_patients, tie, without_suffix


@pytest.mark.parametrize(("name", "expected"), [
    ("TCGA-02-0001", "TCGA-02-0001"), ("TCGA-02-0001-01Z-00-DX1.svs", "TCGA-02-0001"), ("tcga-ab-c123_x", "TCGA-AB-C123"),
    ("TCGA-02-00011", None), ("xTCGA-02-0001", None), ("TCGA-2-0001", None), ("00042", None),
])  # fmt: skip
def test_a_barcode_names_the_patient(name: str, expected: str | None) -> None:
    assert barcode(name) == expected


@pytest.mark.parametrize("name", ["s.1.svs", "s.1.h5", "s.1.TIFF", "s.1.nii.gz", "s.1"])
def test_suffixes_of_files_go(name: str) -> None:
    assert without_suffix(name) == "s.1"


def test_each_way_is_used_and_told(snapshot) -> None:
    known = {"anna", "00042", "TCGA-02-0001", "7", "007"}
    ids = ["anna", "s1.svs", "TCGA-02-0001-01A", "42", "BraTS2021_00042", "new", "07", "5", "00005"]
    tied = tie(ids, known, {"s1": "anna"})
    assert tied.patients == {
        "anna": "anna", "s1.svs": "anna", "TCGA-02-0001-01A": "TCGA-02-0001", "42": "00042", "BraTS2021_00042": "00042",
        "new": "new", "07": "07", "5": "5", "00005": "5",
    }  # fmt: skip
    assert {way: len(names) for way, names in tied.ways.items()} == {
        Way.WRITTEN: 1, Way.SLIDE: 1, Way.BARCODE: 1, Way.NUMBER: 2, Way.ELSEWHERE: 0, Way.APART: 4,
    }  # fmt: skip
    assert tied_sentence(tied) == snapshot


def test_barcodes_that_are_not_predicted_still_name_patients(snapshot) -> None:
    tied = tie(["TCGA-02-0001-01A", "TCGA-02-0001-02B"], {"x"}, {})
    assert set(tied.patients.values()) == {"TCGA-02-0001"}
    assert len(tied.ways[Way.ELSEWHERE]) == 2
    assert tied_sentence(tied) == snapshot


def test_a_table_may_hold_barcodes_and_patients_without_predictions() -> None:
    slides = {"s1": "TCGA-02-0001-01A", "s2": "bert"}
    tied = tie(["s1", "s2.svs"], {"TCGA-02-0001"}, slides)
    assert tied.patients == {"s1": "TCGA-02-0001", "s2.svs": "bert"}
    assert (tied.ways[Way.SLIDE], tied.ways[Way.ELSEWHERE]) == (["s1"], ["s2.svs"])


def test_a_slide_has_one_patient() -> None:
    assert slides_to_patients([("s.svs", "a"), ("s.h5", "a"), ("", "b"), ("t", "")], "x") == {"s": "a"}
    with pytest.raises(ValueError, match="table.csv: the slide 's.svs' has two patients, 'a' and 'b'"):
        slides_to_patients([("s", "a"), ("s.svs", "b")], "table.csv")


def test_ids_that_may_be_one_patient() -> None:
    groups = alike({"3", "00003", "4", "BraTS2021_00005", "5.0", "x"})
    assert sorted(groups) == [["00003", "3"], ["5.0", "BraTS2021_00005"]]
