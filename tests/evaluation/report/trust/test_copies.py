"""The disjointness gate from end to end: one patient under two names in training, in the report and at evaluation."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from report_material import context
from syrupy.assertion import SnapshotAssertion

import evaluate
import train_head
from evaluation.read_run import Run
from evaluation.report.trust.copies import disjoint_section
from features.extraction import extract
from features.scans.find import find_scans
from heads import bundle

PATIENTS = 16


def scan(patient: int) -> np.ndarray:
    """(4, 32, 32) uint16: an object whose brightness tells the label, under noise; the first slice is blank."""
    image = np.random.default_rng(patient).integers(200, 900, (4, 32, 32)).astype(np.uint16)
    image[:, 8:24, 8:24] += np.uint16(400 * (patient % 2))
    image[0] = 0
    return image


@pytest.fixture
def cohort(tmp_path: Path, write_dicom, cheap_embedder):
    """`cohort(name, {id: number of the scan})` writes name.h5 and name.csv, the label by the scan's number."""

    def make(name: str, patients: dict[str, int], wrong: tuple[str, ...] = ()) -> tuple[str, str]:
        for patient, number in patients.items():
            for k, pixels in enumerate(scan(number)):
                write_dicom(
                    tmp_path / name / patient / "FLAIR" / f"Image-{k}.dcm", pixels, InstanceNumber=k,
                    ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, 3 * k], PixelSpacing=[1, 1],
                )  # fmt: skip
        extract(find_scans([tmp_path / name]), tmp_path / f"{name}.h5", embed=cheap_embedder, workers=0)
        rows = [f"{p},{(number + (p in wrong)) % 2}" for p, number in patients.items()]
        (tmp_path / f"{name}.csv").write_text("\n".join(["id,label", *rows]) + "\n")
        return str(tmp_path / f"{name}.h5"), str(tmp_path / f"{name}.csv")

    return make


def saying(text: str, word: str) -> list[str]:
    """The lines of `text` that hold `word`, without the times that they end with."""
    return [re.sub(r"\d+\.\d s\b", "<time>", line) for line in text.splitlines() if word in line]


def train(files: tuple[str, str], out: Path, *options: str) -> dict:
    options = ("--head", "logistic", "--jobs", "1", "--permutations", "0", "--no-shortcuts", *options)
    assert train_head.main([*files, *options, "--out", str(out)]) == 0
    return json.loads((out / "run.json").read_text())


def ids(n: int = PATIENTS, first: int = 0) -> dict[str, int]:
    return {f"{i:05}": i for i in range(first, first + n)}


@pytest.mark.slow
def test_copies_inside_a_cohort_are_told_and_kept_in_one_fold(
    cohort, tmp_path: Path, capsys, snapshot: SnapshotAssertion
) -> None:
    about = train(cohort("c", {**ids(), "x1": 3, "x2": 3}), tmp_path / "r", "--folds", "4", "--repeats", "3")
    told = [(p["a"], p["b"], p["how"], p["n"], p["of"]) for p in about["duplicates"]["pairs"]]
    assert told == [("00003", "x1", "exact", 3, 3), ("00003", "x2", "exact", 3, 3), ("x1", "x2", "exact", 3, 3)]
    same = {"00003", "x1", "x2"}
    assert len(about["folds"]) == 12
    assert [len(same & set(f["test"])) for f in about["folds"] if same & set(f["test"])] == [3, 3, 3]
    assert saying(capsys.readouterr().out, "identical") == snapshot(name="printed")
    assert evaluate.main([str(tmp_path / "r"), "--out", str(tmp_path / "o"), "--replicates", "50"]) == 0
    page = (tmp_path / "o" / "report.html").read_text()
    section = json.loads((tmp_path / "o" / "report.json").read_text())["sections"]["duplicates"]
    assert section["words"] == snapshot(name="in the report")
    assert section["words"][0] in page
    assert "CONFLICT" not in page


@pytest.mark.slow
def test_copies_with_different_labels_are_shouted(cohort, tmp_path: Path, capsys, snapshot: SnapshotAssertion) -> None:
    about = train(cohort("c", {**ids(), "x": 3}, wrong=("x",)), tmp_path / "r")
    assert about["duplicates"]["conflicts"] == [["00003", "x"]]
    assert saying(capsys.readouterr().out, "CONFLICT") == snapshot(name="at training")
    assert evaluate.main([str(tmp_path / "r"), "--out", str(tmp_path / "o"), "--replicates", "50"]) == 0
    assert saying(capsys.readouterr().out, "CONFLICT") == snapshot(name="in the verdict")


@pytest.mark.slow
def test_a_cohort_without_copies_says_by_which_test(
    cohort, tmp_path: Path, capsys, snapshot: SnapshotAssertion
) -> None:
    about = train(cohort("c", ids()), tmp_path / "r")
    assert about["duplicates"]["pairs"] == about["duplicates"]["conflicts"] == about["duplicates"]["separated"] == []
    assert saying(capsys.readouterr().out, "copy") == snapshot


@pytest.mark.slow
def test_a_split_file_that_parts_copies_is_shouted(cohort, tmp_path: Path, capsys, snapshot: SnapshotAssertion) -> None:
    files = cohort("c", {**ids(), "x": 3})
    rows = [f"{p},{k % 4}" for k, p in enumerate([*ids(), "x"])]  # 00003 is in fold 3, x in fold 0
    (tmp_path / "split.csv").write_text("\n".join(["patient_id,fold", *rows]) + "\n")
    about = train(files, tmp_path / "r", "--split-file", str(tmp_path / "split.csv"))
    assert about["duplicates"]["separated"] == ["00003", "x"]
    assert saying(capsys.readouterr().out.replace(str(tmp_path), "<tmp>"), "different folds") == snapshot


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("--unit", "patient"), ("--slices", "first")])
def test_patients_of_the_training_are_refused_under_other_names(
    cohort, tmp_path: Path, capsys, options: tuple[str, ...], snapshot: SnapshotAssertion
) -> None:
    train(cohort("c", ids()), tmp_path / "r", *options)
    new, _ = cohort("new", {**ids(4, first=50), "x": 3})
    score = [str(tmp_path / "r"), "--cache", new, "--out", str(tmp_path / "o")]
    assert evaluate.main(score) == 2
    assert capsys.readouterr().err.splitlines() == snapshot(name="refused")
    assert not (tmp_path / "o" / "scores.csv").exists()
    assert evaluate.main([*score, "--allow-trained"]) == 0
    assert saying(capsys.readouterr().out, "warning") == snapshot(name="allowed")
    with (tmp_path / "o" / "scores.csv").open(newline="") as f:
        assert {r["warning"] for r in csv.DictReader(f)} == snapshot(name="at every score")


@pytest.mark.slow
def test_new_patients_are_scored(cohort, tmp_path: Path, capsys) -> None:
    train(cohort("c", ids()), tmp_path / "r")
    new, _ = cohort("new", ids(4, first=50))
    capsys.readouterr()
    assert evaluate.main([str(tmp_path / "r"), "--cache", new, "--out", str(tmp_path / "o")]) == 0
    assert "warning" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_head_without_a_fingerprint_says_that_only_ids_were_compared(
    cohort, tmp_path: Path, capsys, snapshot: SnapshotAssertion
) -> None:
    train(cohort("c", ids()), tmp_path / "r")
    path = tmp_path / "r" / "heads" / "logistic-FLAIR.npz"
    old = bundle.load_bundle(path)
    path.unlink()
    bundle.save_bundle(path, bundle.Bundle(old.fitted, old.about))
    new, _ = cohort("new", {"x": 3, "y": 60})
    assert evaluate.main([str(tmp_path / "r"), "--cache", new, "--out", str(tmp_path / "o")]) == 0
    assert saying(capsys.readouterr().out, "fingerprint") == snapshot


# --- the section of the report -------------------------------------------------------------------------


def run(duplicates: dict | None, split: str = "patient") -> Run:
    about = {"patients": {"labels": {"a": 1, "b": 0, "c": 0}}, "split": split, "duplicates": duplicates}
    return Run(Path("r"), "r", about, [], [], [])


def test_the_section_shows_pairs_conflicts_and_copies_put_apart(snapshot: SnapshotAssertion) -> None:
    pairs = [
        {"a": "a", "b": "b", "sequence": "T2w", "how": "near", "n": 7, "of": 9},
        {"a": "b", "b": "c", "sequence": "table", "how": "row", "n": 1, "of": 1},
    ]
    found = {"test": "How.", "pairs": pairs, "conflicts": [["a", "b"]], "separated": ["a", "b"]}
    section = disjoint_section(context(run(found, "file")))
    assert section.sheets[0].rows == [
        ("a", "b", "T2w", "nearly identical", "7 of 9", "1, 0", "r"),
        ("b", "c", "table", "all values equal", "", "0, 0", "r"),
    ]
    assert section.words == snapshot
    assert section.words[1:] == section.data["findings"] == section.findings
    assert (section.data["runs"], section.folded) == ({"r": found}, False)


def test_the_section_without_copies_and_of_an_older_run(snapshot: SnapshotAssertion) -> None:
    none = {"test": "How.", "pairs": [], "conflicts": [], "separated": []}
    section = disjoint_section(context(run(none), run(None)))
    assert (section.sheets, section.folded, section.data["findings"]) == ([], True, [])
    assert section.words == snapshot
