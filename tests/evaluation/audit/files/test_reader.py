"""Reading somebody else's predictions: columns by their usual names, and files as people have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.ids import column_key
from core.question import LabelQuestion
from evaluation.audit.files.columns import Named
from evaluation.audit.files.foreign import Foreign, Warned
from evaluation.audit.files.reader import read_predictions

CLAM = ",slide_id,Y,Y_hat,p_0,p_1\n0,s1,1.0,0.0,0.7,0.3\n1,s2,0.0,1.0,0.2,0.8\n"
STAMP = "PATIENT,isMSIH,pred,isMSIH_MSIH,isMSIH_nonMSIH,loss\nA,MSIH,MSIH,0.9,0.1,0.1\nB,nonMSIH,MSIH,0.6,0.4,0.9\n"


def read(folder: Path, text: str, *, encoding="utf-8", slides=None, **named: str | None) -> Foreign:
    path = folder / "p.csv"
    path.write_text(text, encoding=encoding)
    return read_predictions(path, Named(**named), slides)


def test_clam_as_it_is(tmp_path: Path) -> None:
    f = read(tmp_path, CLAM)
    assert f.columns == {"slides": "slide_id", "labels": "Y", "scores": "p_1"}
    assert (f.patient, f.y.tolist(), f.score.tolist(), f.own_slides) == (["s1", "s2"], [1, 0], [0.3, 0.8], 2)


@pytest.mark.parametrize(("positive", "expected"), [("MSIH", [0.9, 0.6]), ("nonMSIH", [0.1, 0.4])])
def test_stamp_takes_the_score_of_the_positive_class(positive: str, expected: list[float], tmp_path: Path) -> None:
    f = read(tmp_path, STAMP, positive=positive)
    assert (f.columns["labels"], f.columns["scores"]) == ("isMSIH", f"isMSIH_{positive}")
    assert f.score.tolist() == expected
    assert f.y.tolist() == [int(positive == "MSIH"), int(positive == "nonMSIH")]


def test_labels_as_words_need_a_positive_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'isMSIH', row 2: label 'MSIH'.*--positive VALUE"):
        read(tmp_path, STAMP)


def test_a_file_from_a_spreadsheet(tmp_path: Path) -> None:
    text = "Patient ID;MGMT;Score\n3;Methylated;0.2\n\n00004;unmethylated;\n5;;0.4\n6;Methylated;nan\n"
    f = read(tmp_path, text, encoding="utf-8-sig")
    assert f.patient == ["3", "00004", "5", "6"]
    assert f.y.tolist() == [1, 0, -1, 1]
    assert f.score[[0, 2]].tolist() == [0.2, 0.4]
    assert np.isnan(f.score[[1, 3]]).all()


def test_own_predictions_of_this_project(tmp_path: Path) -> None:
    f = read(
        tmp_path,
        "run,head,sequence,repeat,fold,patient_id,label,score,n_slices\nr,logistic,T2w,0,3,p,1,0.5,8\nr,boosted,T2w,1,2,q,0,0.1,8\n",
    )
    assert f.model == ["r, logistic, T2w", "r, boosted, T2w"]
    assert (f.repeat, f.fold, f.part, f.slide) == (["0", "1"], ["3", "2"], ["", ""], ["", ""])
    assert f.columns["models"] == "run and head and sequence"


def test_apostrophes_that_this_project_wrote_are_taken_off_again(tmp_path: Path) -> None:
    from core.tables import neutral

    ids = ["=1+1", "+1", "-7", "@SUM(1)", "'=1", "'quoted'", "00002"]
    rows = [f"r,{neutral(i)},{k % 2},0.5" for k, i in enumerate(ids)]
    assert read(tmp_path, "\n".join(["run,patient_id,label,score", *rows])).patient == ids


def test_apostrophes_of_others_stay(tmp_path: Path) -> None:
    f = read(tmp_path, "model,patient,label,score\n'm',-7,1,0.5\n'm','-7,0,-0.5\n'm','=x,0,0.1\n")
    assert f.patient == ["-7", "'-7", "'=x"]
    assert f.model == ["'m'"] * 3


@pytest.mark.parametrize(("column", "cells", "part", "fold"), [
    ("split", ["Train", "validation", "test"], ["train", "val", "test"], ["", "", ""]),
    ("fold", ["train", "val", ""], ["train", "val", ""], ["", "", ""]),
    ("set", ["0", "1", "1"], ["", "", ""], ["0", "1", "1"]),
])  # fmt: skip
def test_a_column_says_parts_or_numbers_folds(column: str, cells, part, fold, tmp_path: Path) -> None:
    rows = "".join(f"p{i},1,0.5,{c}\n" for i, c in enumerate(cells))
    f = read(tmp_path, f"patient,label,score,{column}\n{rows}")
    assert (f.part, f.fold) == (part, fold)


def test_fold_and_part_side_by_side(tmp_path: Path) -> None:
    f = read(tmp_path, "patient,label,score,fold,split\np,1,0.5,0,train\nq,0,0.5,1,test\n")
    assert (f.part, f.fold) == (["train", "test"], ["0", "1"])


@pytest.mark.parametrize(("parts", "expected"), [
    ("train test val", "test"), ("train val", "val"), ("train", "train"), ("val nothing", "test"),
])  # fmt: skip
def test_which_part_the_figures_are_about(parts: str, expected: str, tmp_path: Path) -> None:
    rows = "".join(f"p{i},1,0.5,{p.replace('nothing', '')}\n" for i, p in enumerate(parts.split()))
    assert read(tmp_path, f"patient,label,score,split\n{rows}").reported == expected


def test_slides_become_patients_by_a_table_or_a_barcode(tmp_path: Path) -> None:
    text = "slide_id,label,score\ns1.svs,1,0.5\nTCGA-02-0001-01Z-00-DX1,0,0.5\ntcga-02-0001-01A,0,0.5\nother,0,0.4\n"
    f = read(tmp_path, text, slides={"s1": "anna"})
    assert f.patient == ["anna", "TCGA-02-0001", "TCGA-02-0001", "other"]
    assert (f.own_slides, f.shortened) == (1, 2)


def test_what_is_odd_is_counted(tmp_path: Path) -> None:
    f = read(tmp_path, "patient,slide,label,score\np,a,1,0.5\np,a,1,0.5\np,b,0,0.5\nq,a,0,0.1\nq,c,,0.1\n")
    assert f.copies == 1
    assert f.contradictory == ["p"]
    assert f.whose_slides == {"b": "p", "c": "q"}, "a belongs to two patients, so it is a number of a slice"


def test_names_are_compared_without_case_and_signs() -> None:
    assert column_key(" Patient-ID ") == column_key("patient_id") == "patient_id"
    assert column_key("isMSIH_non MSI") == "ismsih_non_msi"


def test_options_name_columns(tmp_path: Path) -> None:
    text = "patient,who,label,truth,score,logit\np,q,1,0,0.9,-4\n"
    f = read(tmp_path, text, patient="who", label="truth", score="logit")
    assert (f.patient, f.y.tolist(), f.score.tolist()) == (["q"], [0], [-4.0])


@pytest.mark.parametrize(("text", "options", "message"), [
    ("a,label,score\n1,1,1\n", {}, "no column of patient ids.*--patient-column.*it has a, label, score"),
    ("patient,b,score\n1,1,1\n", {}, "no column of labels.*--label-column"),
    ("patient,label,pred\n1,1,1\n", {}, "no column of scores.*--score-column"),
    ("patient,label,score\n1,1,1\n", {"score": "x"}, "no column 'x' \\(--score-column\\)"),
    ("patient,label,score\n1,1,1\n", {"label": "x"}, "no column 'x' \\(--label-column\\)"),
    ("slice,label,score\n1,1,0\n1,0,0\n2,1,0\n", {}, "no column of patients; 'slice' has 2 values in 3 rows, 1 of them with both labels"),
    ("slice,label,score\n" + "".join(f"{i % 2},{i % 2},{i}\n" for i in range(22)), {}, "'slice' has 2 values in 22 rows and cannot"),
    ("patient,label,score\n1,1,1\n", {"fold": "x"}, "no column 'x' \\(--fold-column\\)"),
    ("patient,label,score\n,1,1\n", {}, "row 2: the patient id is blank"),
    ("slide,label,score\n,1,1\n", {}, "row 2: the slide id is blank"),
    ("patient;label;score\n1;1;0,5\n", {}, "row 2: the score '0,5'.*decimals with a point"),
    ("patient,label,score\n1,1,high\n", {}, "row 2: the score 'high'.*--score-column"),
    ("patient,label,score\n1,1,inf\n", {}, "'inf'.*no finite number"),
    ("patient,label,score\n1,2,0.5\n", {}, "label '2'.*--positive"),
])  # fmt: skip
def test_errors_say_what_to_do(text: str, options, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text, **options)


def test_slides_that_models_and_folds_repeat_stay_patients(tmp_path: Path) -> None:
    rows = "".join(f"s{i},m{m},{f},{i % 2},0.5\n" for m in range(4) for f in range(5) for i in range(3))
    f = read(tmp_path, "slide_id,model,fold,label,score\n" + rows)
    assert (f.own_slides, f.units, len(set(f.patient))) == (60, "slides", 3)
    rows = "slice,label,score\n" + "s,1,0.5\n" * 30 + "t,0,0.5\n"
    assert read(tmp_path, rows).units == "slices", "rows that are written again count once"
    named = read(tmp_path, rows + "s,0,0.5\n", patient="slice")
    assert named.patient[0] == "s", "who names the column knows what it holds"


def test_what_was_not_read_is_told_and_a_column_of_folds_can_be_named(tmp_path: Path) -> None:
    text = "patient,label,score,Cross-Val Fold,n\np,1,0.5,3,9\n"
    assert read(tmp_path, text).unused == ("Cross-Val Fold", "n")
    f = read(tmp_path, text, fold="Cross-Val Fold")
    assert (f.fold, f.columns["fold"], f.unused) == (["3"], "Cross-Val Fold", ("n",))


def test_the_word_that_was_taken_for_positive_is_kept(tmp_path: Path) -> None:
    f = read(tmp_path, "patient,label,score\np,Methylated,0.5\nq,unmethylated,0.5\nr,methylated,1\n")
    assert f.question == LabelQuestion("label", "'Methylated' or 'methylated'", "'unmethylated'")
    assert f.positive_assumed
    f = read(tmp_path, "patient,label,score\np,1,0.5\nq,0.0,0.5\n")
    assert (f.question, f.positive_assumed) == (LabelQuestion("label"), False)
    f = read(tmp_path, STAMP, positive="MSIH")
    assert (f.question, f.positive_assumed) == (LabelQuestion("isMSIH", "'MSIH'", "'nonMSIH'"), False)


def test_a_leak_that_the_file_tells_of_is_a_fact(tmp_path: Path) -> None:
    text = (
        "patient,label,score,warning\np,1,0.5,LEAKS: 2 of 2\nq,0,0.5,LEAKS: 2 of 2\nr,0,0.5,\ns,0,0.5,TRAINED ON: 1\n"
    )
    assert read(tmp_path, text).warnings == (Warned("LEAKS: 2 of 2", True), Warned("TRAINED ON: 1", False))
