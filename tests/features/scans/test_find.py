"""Finding patients, sequences and files; what is left out is recorded with a reason."""

import os
from pathlib import Path

import pytest

from core.ids import natural_key
from features.scans.find import Skipped, find_scans, kind_of, match_sequence


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return root


@pytest.mark.parametrize(
    ("name", "sequence"),
    [
        ("FLAIR", "FLAIR"), ("flair", "FLAIR"), ("T2-FLAIR", "FLAIR"), ("t2f", "FLAIR"),
        ("T1w", "T1w"), ("T1", "T1w"), ("t1n", "T1w"), ("T1 pre", "T1w"),
        ("T1wCE", "T1wCE"), ("T1Gd", "T1wCE"), ("t1_Gd", "T1wCE"), ("T1CE", "T1wCE"), ("T1c", "T1wCE"),
        ("T2w", "T2w"), ("T2", "T2w"),
        ("T2star", None), ("DWI", None), ("", None), ("T1wCE2", None),
    ],
)  # fmt: skip
def test_usual_names_of_the_sequences(name: str, sequence: str | None) -> None:
    assert match_sequence(name) == sequence


def test_leading_zeros_natural_order_and_relative_names(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{p}/FLAIR/Image-{k}.dcm" for p in ("00010", "00002") for k in (10, 9, 100)))
    scans = find_scans([tmp_path])
    assert scans.patients == ["00002", "00010"]
    assert [(s.patient, s.sequence) for s in scans.series] == [("00002", "FLAIR"), ("00010", "FLAIR")]
    assert scans.series[0].files == tuple(f"00002/FLAIR/Image-{k}.dcm" for k in (9, 10, 100))
    assert scans.skipped == []


def test_natural_key_is_a_total_order() -> None:
    names = ["a10", "a2", "a02", "a", "10", "9"]
    assert sorted(names, key=natural_key) == sorted(set(names), key=natural_key)
    assert sorted(names, key=natural_key) == ["9", "10", "a", "a02", "a2", "a10"]


@pytest.mark.parametrize(
    ("file", "sequence"),
    [
        ("P1_flair.nii.gz", "FLAIR"), ("P1_t1.nii.gz", "T1w"), ("P1_t1ce.nii", "T1wCE"), ("P1_t2.nii.gz", "T2w"),
        ("P1_t1_gd.nii.gz", "T1wCE"), ("P1-t1c.nii.gz", "T1wCE"), ("P1_T2_FLAIR.NII.GZ", "FLAIR"), ("T2.nii", "T2w"),
    ],
)  # fmt: skip
def test_nifti_files_in_brats_style(tmp_path: Path, file: str, sequence: str) -> None:
    touch(tmp_path, f"P1/{file}", "P1/P1_seg.nii.gz")
    scans = find_scans([tmp_path])
    assert [(s.sequence, s.files) for s in scans.series] == [(sequence, (f"P1/{file}",))]
    assert scans.skipped == [Skipped("P1", "", "P1/P1_seg.nii.gz", "the file's name is none of the known sequences")]


def test_missing_unknown_and_empty_are_recorded(tmp_path: Path) -> None:
    touch(tmp_path, "1/FLAIR/a.dcm", "1/DWI/a.dcm", "1/T2w/notes.txt", "2/T1/a.dcm", "2/T1/Thumbs.db")
    (tmp_path / "1/T1CE").mkdir()
    (tmp_path / "3").mkdir()
    scans = find_scans([tmp_path])
    assert scans.patients == ["1", "2", "3"]
    assert scans.missing(["FLAIR", "T1w"]) == {"FLAIR": ["2", "3"], "T1w": ["1", "3"]}
    assert {(s.source, s.reason) for s in scans.skipped} == {
        ("1/DWI", "the folder's name is none of the known sequences"),
        ("1/T1CE", "the folder is empty"),
        ("1/T2w/notes.txt", "not a DICOM, PNG, JPEG or NIfTI file"),
        ("2/T1/Thumbs.db", "not a DICOM, PNG, JPEG or NIfTI file"),
    }


def test_nobody_lacks_anything() -> None:
    assert find_scans([]).missing(["FLAIR"]) == {}


def test_exclude_and_sequence_select(tmp_path: Path) -> None:
    touch(tmp_path, "1/FLAIR/a.dcm", "1/T2/a.dcm", "00109/FLAIR/a.dcm")
    scans = find_scans([tmp_path], sequences=["T2w"], exclude=["00109", "404"])
    assert (scans.patients, scans.excluded) == (["1"], ["00109"])
    assert [s.sequence for s in scans.series] == ["T2w"]
    assert (scans.never_met, scans.skipped) == (["404"], [])


def test_unknown_sequence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown sequence 'DWI'; expected some of FLAIR, T1w, T1wCE, T2w"):
        find_scans([tmp_path], sequences=["FLAIR", "DWI"])


def test_two_folders_for_one_sequence_are_refused_by_name(tmp_path: Path) -> None:
    touch(tmp_path, "1/T1c/a.dcm", "1/T1Gd/a.dcm", "1/FLAIR/a.dcm")
    scans = find_scans([tmp_path])
    assert [s.sequence for s in scans.series] == ["FLAIR"]
    assert scans.skipped == [
        Skipped("1", "T1wCE", "1", "2 entries are all named for T1wCE (T1Gd, T1c); keep one of them")
    ]


def test_one_patient_in_two_cohorts_is_refused_unless_excluded(tmp_path: Path) -> None:
    touch(tmp_path, "a/1/FLAIR/a.dcm", "a/2/FLAIR/a.dcm", "b/1/FLAIR/a.dcm", "b/3/FLAIR/a.dcm")
    cohorts = [tmp_path / "a", tmp_path / "b"]
    with pytest.raises(ValueError, match=r"patient '1' is in two cohorts, .*a' and .*b'; rename .* or --exclude"):
        find_scans(cohorts)
    assert find_scans(cohorts, exclude=["1"]).patients == ["2", "3"]


def test_parent_folder_gets_a_hint(tmp_path: Path) -> None:
    touch(tmp_path, "train/1/FLAIR/a.dcm", "docs/readme.txt")
    with pytest.raises(ValueError, match=r"found 'docs', 'train'\).*did you mean '.*train'\?"):
        find_scans([tmp_path])
    with pytest.raises(ValueError, match="no series of a known sequence") as caught:
        find_scans([tmp_path / "docs"])
    assert "did you mean" not in str(caught.value)


def test_a_file_is_no_cohort(tmp_path: Path) -> None:
    touch(tmp_path, "x.dcm")
    with pytest.raises(ValueError, match=r"x\.dcm' is not a folder"):
        find_scans([tmp_path / "x.dcm"])


def test_symlink_loops_end_and_links_to_patients_are_followed(tmp_path: Path) -> None:
    touch(tmp_path, "store/p/FLAIR/a.dcm")
    cohort = tmp_path / "cohort"
    cohort.mkdir()
    (cohort / "1").symlink_to(tmp_path / "store/p")
    (tmp_path / "store/p/FLAIR/up").symlink_to(tmp_path / "store/p")
    (cohort / "self").symlink_to(cohort / "self")
    scans = find_scans([cohort])
    assert [(s.patient, s.files) for s in scans.series] == [("1", ("1/FLAIR/a.dcm",))]


def test_hidden_files_and_folders_are_passed_over_in_silence(tmp_path: Path) -> None:
    touch(tmp_path, ".cache/FLAIR/a.dcm", "1/.DS_Store", "1/FLAIR/._a.dcm", "1/FLAIR/a.dcm", "1/FLAIR/.thumbs/a.png")
    scans = find_scans([tmp_path])
    assert scans.patients == ["1"]
    assert scans.series[0].files == ("1/FLAIR/a.dcm",)
    assert scans.skipped == []


def test_files_in_nested_folders_belong_to_the_sequence(tmp_path: Path) -> None:
    touch(tmp_path, "1/FLAIR/s2/a.dcm", "1/FLAIR/s10/a.dcm")
    assert find_scans([tmp_path]).series[0].files == ("1/FLAIR/s2/a.dcm", "1/FLAIR/s10/a.dcm")


def test_kind_by_suffix_or_by_the_dicom_mark(tmp_path: Path) -> None:
    names = {"a.DCM": "dicom", "a.ima": "dicom", "a.PNG": "image", "a.jpeg": "image", "a.nii.gz": "nifti"}
    assert {n: kind_of(tmp_path / n) for n in names} == names
    (tmp_path / "a.txt").write_text("hello")
    (tmp_path / "IM_0001").write_bytes(bytes(128) + b"DICM")
    assert kind_of(tmp_path / "a.txt") is None
    assert kind_of(tmp_path / "IM_0001") == "dicom"


def test_fingerprint_sees_size_name_and_loss_but_not_the_cohort_folder(tmp_path: Path) -> None:
    def fingerprint(cohort: str = "c") -> str:
        return find_scans([tmp_path / cohort]).series[0].fingerprint()

    touch(tmp_path / "c", "1/FLAIR/a.dcm", "1/FLAIR/b.dcm")
    seen = [fingerprint()]
    touch(tmp_path / "moved", "1/FLAIR/a.dcm", "1/FLAIR/b.dcm")
    assert fingerprint("moved") == seen[0]
    file = tmp_path / "c/1/FLAIR/a.dcm"
    file.write_bytes(b"longer")
    seen.append(fingerprint())
    file.rename(file.with_name("c.dcm"))
    seen.append(fingerprint())
    file.with_name("c.dcm").unlink()
    seen.append(fingerprint())
    assert len(set(seen)) == 4


def test_names_that_are_no_utf8_survive(tmp_path: Path) -> None:
    odd = os.fsdecode(b"p\xff \xc3\xa9")
    touch(tmp_path, f"{odd}/FLAIR/a b.dcm")
    series = find_scans([tmp_path]).series[0]
    assert (series.patient, series.files) == (odd, (f"{odd}/FLAIR/a b.dcm",))
    assert len(series.fingerprint()) == 32


def test_the_real_cohort(shared: Path) -> None:
    scans = find_scans([shared / "data/rsna_like_tcia/train", shared / "data/rsna_like_tcia/test"])
    assert scans.patients == ["00002", "00005", "00011", "00014", "00017", "00026", "00030", "00035"]
    assert len(scans.series) == 31
    assert scans.missing(["FLAIR", "T1w", "T1wCE", "T2w"]) == {"T2w": ["00017"]}
    assert scans.skipped == []
    assert scans.series[0].files[0] == "00002/FLAIR/Image-129.dcm"


def test_excluded_ids_join_by_number(tmp_path: Path) -> None:
    for patient in ("00109", "BraTS2021_00123", "00709", "00110"):
        touch(tmp_path, f"{patient}/T2w/a.dcm")
    scans = find_scans([tmp_path], exclude=["109", "00123", "709"])
    assert (scans.patients, scans.never_met) == (["00110"], [])
    assert scans.excluded == ["00109", "00709", "BraTS2021_00123"]


def test_one_patient_given_as_a_cohort_is_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "scans/00002/T2w/a.dcm")
    with pytest.raises(ValueError, match="this looks like one patient, give the folder above it, '.*scans'"):
        find_scans([tmp_path / "scans" / "00002"])


def test_a_sequence_that_nobody_has_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    for patient in ("00001", "00002"):
        (tmp_path / patient / "FLAIR").mkdir(parents=True)
        (tmp_path / patient / "FLAIR" / "a.png").write_bytes(b"x")
    with pytest.raises(ValueError, match="has no T2w; its 2 patients have FLAIR"):
        find_scans([tmp_path], sequences=["T2w"])
