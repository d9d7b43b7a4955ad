"""Whose slide is it."""

from __future__ import annotations

import pytest

from core.ids import patient_number
from evaluation.audit.ids import alike, barcode, slides_to_patients, tie, tied_sentence, without_suffix


@pytest.mark.parametrize(("name", "expected"), [
    ("TCGA-02-0001", "TCGA-02-0001"), ("TCGA-02-0001-01Z-00-DX1.svs", "TCGA-02-0001"), ("tcga-ab-c123_x", "TCGA-AB-C123"),
    ("TCGA-02-00011", None), ("xTCGA-02-0001", None), ("TCGA-2-0001", None), ("00042", None),
])  # fmt: skip
def test_a_barcode_names_the_patient(name: str, expected: str | None) -> None:
    assert barcode(name) == expected


@pytest.mark.parametrize("name", ["s.1.svs", "s.1.h5", "s.1.TIFF", "s.1.nii.gz", "s.1"])
def test_suffixes_of_files_go(name: str) -> None:
    assert without_suffix(name) == "s.1"


def test_each_way_is_used_and_told() -> None:
    known = {"anna", "00042", "TCGA-02-0001", "7", "007"}
    ids = ["anna", "s1.svs", "TCGA-02-0001-01A", "42", "BraTS2021_00042", "new", "07", "5", "00005"]
    patients, ways = tie(ids, known, {"s1": "anna"}, patient_number)
    assert patients == {
        "anna": "anna", "s1.svs": "anna", "TCGA-02-0001-01A": "TCGA-02-0001", "42": "00042", "BraTS2021_00042": "00042",
        "new": "new", "07": "07", "5": "5", "00005": "5",
    }  # fmt: skip
    assert {way: len(names) for way, names in ways.items()} == {
        "written": 1, "slide": 1, "barcode": 1, "number": 2, "elsewhere": 0, "apart": 4,
    }  # fmt: skip
    text = tied_sentence(patients, ways)
    assert "1 as written; 1 by the patient of their slide ('s1.svs' is 'anna')" in text
    assert "2 by number ('42' is '00042')" in text
    assert "4 are not among the predictions" in text and "'new'" in text and "--slides" in text


def test_barcodes_that_are_not_predicted_still_name_patients() -> None:
    patients, ways = tie(["TCGA-02-0001-01A", "TCGA-02-0001-02B"], {"x"}, {}, patient_number)
    assert set(patients.values()) == {"TCGA-02-0001"}
    assert len(ways["elsewhere"]) == 2
    text = tied_sentence(patients, ways)
    assert "None is among the predictions. 2 name patients that are not among the predictions." in text
    assert "--slides" not in text


def test_a_table_may_hold_barcodes_and_patients_without_predictions() -> None:
    slides = {"s1": "TCGA-02-0001-01A", "s2": "bert"}
    patients, ways = tie(["s1", "s2.svs"], {"TCGA-02-0001"}, slides, patient_number)
    assert patients == {"s1": "TCGA-02-0001", "s2.svs": "bert"}
    assert (ways["slide"], ways["elsewhere"]) == (["s1"], ["s2.svs"])


def test_a_slide_has_one_patient() -> None:
    assert slides_to_patients([("s.svs", "a"), ("s.h5", "a"), ("", "b"), ("t", "")], "x") == {"s": "a"}
    with pytest.raises(ValueError, match="table.csv: the slide 's.svs' has two patients, 'a' and 'b'"):
        slides_to_patients([("s", "a"), ("s.svs", "b")], "table.csv")


def test_ids_that_may_be_one_patient() -> None:
    groups = alike({"3", "00003", "4", "BraTS2021_00005", "5.0", "x"}, patient_number)
    assert sorted(groups) == [["00003", "3"], ["5.0", "BraTS2021_00005"]]
