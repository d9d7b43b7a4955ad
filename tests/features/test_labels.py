"""Labels and ids: every spelling that people use, and refusal where it could be read two ways."""

import gzip
from pathlib import Path
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from core.ids import match_ids
from core.tables import read_csv
from features.labels import join, read_labels
from heads.training.record_words import join_lines


def save(tmp_path: Path, text: str | bytes, name: str = "labels.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def labels(tmp_path: Path, text: str | bytes, **options: Any) -> Any:
    return read_labels(save(tmp_path, text), **options)


# --- the file ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "BraTS21ID,MGMT_value\n00002,1\n00005,0\n",
        b"\xef\xbb\xbfBraTS21ID,MGMT_value\r\n00002,1\r\n00005,0\r\n",
        "BraTS21ID;MGMT_value\n00002;1\n00005;0",
        "BraTS21ID\tMGMT_value\n00002\t1\n00005\t0\n",
        "brats21id , mgmt_value \n\n 00002 , 1.0 \n,\n00005,0.0\n",
        '"BraTS21ID","MGMT_value"\n"00002","methylated"\n"00005","Unmethylated"\n',
        "age,MGMT_value,BraTS21ID\n60,1,00002\n61,0,00005\n",
        "id,label\n00002,1\n00005,0\n00002,1\n",
    ],
    ids=["plain", "BOM and CRLF", "semicolons", "tabs", "blanks", "words", "other columns", "the same row twice"],
)
def test_ways_to_write_the_same_labels(tmp_path: Path, text: str | bytes) -> None:
    assert labels(tmp_path, text).values == {"00002": 1, "00005": 0}


def test_gzip(tmp_path: Path) -> None:
    path = save(tmp_path, gzip.compress(b"id,label\n1,1\n"), "l.csv.gz")
    assert read_labels(path).values == {"1": 1}
    path.write_bytes(path.read_bytes()[:15] + b"\xff" + path.read_bytes()[16:])
    with pytest.raises(ValueError, match="is not a readable UTF-8 CSV file"):
        read_labels(path)


@pytest.mark.parametrize("word", ["", "NA", "n/a", "NaN", "null", "None", "Not Available", "unknown", "missing"])
def test_missing_words(tmp_path: Path, word: str) -> None:
    found = labels(tmp_path, f"id,label\n1,{word}\n2,1\n")
    assert found.values == {"1": None, "2": 1}
    assert found.other == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,label\n1,1\n1,0\n", "row 3: patient '1' has two different labels; keep one"),
        ("id,label\n1,1\n1,\n", "row 3: patient '1' has two different labels; keep one"),
        ("id,label\n1,1\n,0\n", "row 3: the patient id is blank"),
        ("id,label\n1,2\n", "column 'label', row 2: label '2'; expected 0, 1 or nothing, or say --positive VALUE"),
        ("id,label\n1,yes\n", "label 'yes'; expected 0, 1 or nothing"),
        ("id,label\n1,1,5\n", "row 2: 3 cells; the header has 2"),
        ("id,label\n1\n", "row 2: 1 cells; the header has 2"),
        ("id,label,id\n1,1,2\n", "has the column 'id' twice"),
        ("id,label\n", "holds 1 lines; expected a header and at least one row"),
        ("", "holds 0 lines"),
        (
            "name,label\n1,1\n",
            "has none of the columns BraTS21ID, .*name one with --patient-column .it has name, label",
        ),
        (
            "id,value\n1,1\n",
            "has none of the columns MGMT_value, MGMT, label, MGMT_status, .* name one with --label-column",
        ),
        ('id,label\n"1,1\n', "is not well-formed CSV"),
        ("id,label\n1,1\n".encode("utf-16"), "is not a readable UTF-8 CSV file .UnicodeDecodeError"),
    ],
)
def test_messages(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labels(tmp_path, text)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.csv' does not exist; expected a CSV file"):
        read_labels(tmp_path / "no.csv")
    with pytest.raises(ValueError, match="is not a readable"):
        read_labels(tmp_path)


def test_read_csv_gives_stripped_cells(tmp_path: Path) -> None:
    assert read_csv(save(tmp_path, 'a, "b"\n 1 ,"x, y"\n'))[1] == [(2, ["1", "x, y"])]


# --- which value is the positive one -------------------------------------------------------------------

STATUS = "who;idh\na;Mutant\nb;WT\nc;NOS\nd;\ne;WT\n"
NAMED = {"patient_column": "who", "label_column": "idh"}


def test_positive_and_negative_values(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    found = labels(tmp_path, STATUS, **NAMED, positive="Mutant", negative="WT")
    assert found.values == {"a": 1, "b": 0, "c": None, "d": None, "e": 0}
    assert found.other == {"NOS": 1}
    assert str(found.question) == snapshot(name="three values")
    two = labels(tmp_path, STATUS.replace("c;NOS\n", ""), **NAMED, positive="WT")
    assert two.values == {"a": 0, "b": 1, "d": None, "e": 1}
    assert str(two.question) == snapshot(name="two values")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positive": "Mutant"}, "besides 'Mutant' there are 'NOS', 'WT'; say which .* --negative"),
        ({"positive": "mutant"}, "--positive 'mutant' does not occur; found 'Mutant', 'NOS', 'WT'"),
        ({"positive": "Mutant", "negative": "wt"}, "--negative 'wt' does not occur; found 'NOS', 'WT'"),
        ({"negative": "WT"}, "--negative needs --positive"),
        ({"label_column": "grade"}, r"has no column 'grade' \(--label-column\); it has who, idh"),
        ({"patient_column": "id"}, r"has no column 'id' \(--patient-column\)"),
        ({"positive": ">1"}, "row 2: 'Mutant' is no number to compare with >1"),
    ],
)
def test_values_and_columns_that_do_not_occur(tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        labels(tmp_path, STATUS, **{**NAMED, **options})


@pytest.mark.parametrize(
    ("positive", "expected"),
    [
        (">63", {"a": 0, "b": 1, "c": 0, "d": None}),
        (">=63", {"a": 1, "b": 1, "c": 0, "d": None}),
        ("<63", {"a": 0, "b": 0, "c": 1, "d": None}),
        ("<= 63", {"a": 1, "b": 0, "c": 1, "d": None}),
        (">-0.5", {"a": 1, "b": 1, "c": 0, "d": None}),
    ],
)
def test_comparisons(tmp_path: Path, positive: str, expected: Any) -> None:
    found = labels(tmp_path, "id,age\na,63\nb,63.5\nc,-7\nd,NA\n", label_column="age", positive=positive)
    assert found.values == expected
    assert str(found.question) == f"age {positive} against the rest"


# --- ids -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patient", "name"),
    [
        ("00002", "00002"), ("00002", "2"), ("2", "00002"), ("BraTS2021_00002", "2"), ("00002", "BraTS2021_00002"),
        ("2", "2.0"), ("brats21-00002", "BraTS2021_00002"),
    ],
)  # fmt: skip
def test_spellings_of_one_patient(patient: str, name: str) -> None:
    assert match_ids([patient], [name, "7"], "labels") == {patient: name}


@pytest.mark.parametrize(
    ("patient", "name"),
    [
        ("UPENN-GBM-00001_11", "00001"), ("UPENN-GBM-00001_11", "11"), ("UPENN-GBM-00001_11", "UPENN-GBM-00001_21"),
        ("20", "2"), ("TCGA-02-0006", "6"), ("2a", "2"), ("", "0"), ("2.5", "2"),
    ],
)  # fmt: skip
def test_ids_that_only_look_alike_are_not_joined(patient: str, name: str) -> None:
    assert match_ids([patient], [name], "labels") == {}


@pytest.mark.parametrize(
    ("patients", "names", "message"),
    [
        (["BraTS2021_00002"], ["2", "00002"], r"number 2 is ambiguous: .* among the features, \['2', '00002'\] in x"),
        (["2", "002"], ["00002"], r"number 2 is ambiguous: \['2', '002'\] among the features"),
        (["2", "00002"], ["00002"], "number 2 is ambiguous"),
    ],
)
def test_ambiguous_numbers_are_refused(patients: list[str], names: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        match_ids(patients, names, "x")


def test_ids_as_written_are_never_ambiguous() -> None:
    assert match_ids(["2", "00002"], ["00002", "2"], "x") == {"2": "2", "00002": "00002"}


def test_join_counts_and_names_everybody(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    found = labels(tmp_path, "id,label\n1,1\n00002,0\n3,\n5,1\n6,\n")
    joined = join(["1", "2", "3", "4"], found)
    assert joined.labels == {"1": 1, "2": 0}
    assert (joined.unlabelled, joined.without_row, joined.without_scans) == (["3"], ["4"], ["5"])
    assert join_lines(joined) == snapshot


def test_join_names_other_values_and_shortens_long_lists(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    text = "id,label\n" + "".join(f"p{k},{'ABC'[k % 3]}\n" for k in range(30))
    joined = join([f"p{k}" for k in range(3)], labels(tmp_path, text, positive="A", negative="B"))
    assert joined.labels == {"p0": 1, "p1": 0}
    assert join_lines(joined) == snapshot


def test_join_without_one_common_patient_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no patient of the features .*features: a, b; labels: 1.*check --patient-co"):
        join(["a", "b"], labels(tmp_path, "id,label\n1,1\n"))


def test_the_real_label_files(shared: Path) -> None:
    real = read_labels(shared / "data/rsna_like_tcia/train_labels.csv")
    assert real.values == {"00002": 0, "00005": 0, "00011": 1, "00014": 1, "00017": 1, "00026": 0}
    assert (real.column, str(real.question)) == ("MGMT_value", "MGMT_value 1 against 0")


def test_row_numbers_in_messages_count_blank_lines(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 5: label 'x'"):
        read_labels(save(tmp_path, "id,label\n1,0\n\n\n2,x\n"))


def test_a_comparison_takes_no_negative(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="leave --negative out"):
        read_labels(save(tmp_path, "id,label\n1,64\n"), positive=">63", negative="12")


def test_a_cache_in_the_place_of_labels_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "f.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match="looks like a cache; features come first, then labels"):
        read_labels(tmp_path / "f.h5")


@pytest.mark.parametrize("column", ["subject_id", "Participant ID", "PatientID", "case"])
def test_the_usual_names_of_the_audit_are_usual_here_too(tmp_path: Path, column: str) -> None:
    assert labels(tmp_path, f"age,{column},label\n3,a,1\n4,b,0\n").values == {"a": 1, "b": 0}


def test_a_bare_id_is_the_last_that_is_taken_for_the_patient(tmp_path: Path) -> None:
    assert labels(tmp_path, "id,case_id,label\n1,a,1\n2,b,0\n").values == {"a": 1, "b": 0}
