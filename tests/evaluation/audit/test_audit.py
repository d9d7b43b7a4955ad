"""An audit as a user runs it: `evaluate.py --audit`, on files with planted leaks and on the nasty ones people have."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evaluate
import train_head

ROWS = 6  # rows per patient in `slices`


@pytest.fixture
def audit(tmp_path: Path, capsys, monkeypatch):
    """`audit(text, *arguments)` writes p.csv and audits it: (what was printed, audit.json). Other files lie beside it."""
    monkeypatch.chdir(tmp_path)

    def run(text: str, *arguments: str, encoding: str = "utf-8") -> tuple[str, dict[str, Any]]:
        Path("p.csv").write_text(text, encoding=encoding)
        status = evaluate.main(["--audit", "p.csv", "--out", "out", "--replicates", "200", *arguments])
        printed = capsys.readouterr()
        assert status == 0, printed.err

        def refuse(name: str) -> None:
            raise AssertionError(name)

        return printed.out, json.loads(Path("out/audit.json").read_text(), parse_constant=refuse)

    return run


def alarms() -> list[str]:
    """What the page shows as alarms."""
    return re.findall(r'role="alert">(.*?)</p>', Path("out/audit.html").read_text())


def slices(n: int = 40, planted: int = 0, columns: str = "patient_id,slice,fold,label,score") -> str:
    """n patients with ROWS slices each, folds by patient; of `planted` patients one slice lies in another fold."""
    rng = np.random.default_rng(0)
    out = [columns]
    for i in range(n):
        for k in range(ROWS):
            fold = (i + (i < planted and k == 0)) % 5
            out.append(f"{i:05d},{i}/{k},{fold},{i % 2},{rng.random() + 0.3 * (i % 2):.6f}")
    return "\n".join(out) + "\n"


@pytest.mark.slow
@pytest.mark.parametrize("planted", [1, 13])
def test_a_slice_split_is_flagged_with_the_right_counts(planted: int, audit, snapshot) -> None:
    out, found = audit(slices(planted=planted))
    assert out == snapshot
    assert found["leaks"]["leaks"] is True
    assert found["leaks"]["in_training"] == [f"{i:05d}" for i in range(planted)]
    assert len(alarms()) == 1
    assert "Rows against patients" in Path("out/audit.html").read_text()
    assert Path("out/figures/audit.svg").exists()


@pytest.mark.slow
def test_what_is_left_without_the_leaking_patients(audit, snapshot) -> None:
    out, found = audit(slices(n=60, planted=13))
    assert out == snapshot
    assert alarms() == found["leaks"]["findings"]
    (whole,), (clean,) = found["figures"]["results"], found["figures"]["without_leaking_patients"]
    assert (whole["patients"], clean["patients"]) == (60, 47)
    header, *rows = slices(n=60).splitlines()
    others = "\n".join([header, *(row for row in rows if int(row[:5]) >= 13)]) + "\n"
    assert audit(others)[1]["figures"]["results"][0]["auc"] == pytest.approx(clean["auc"])
    out, found = audit(slices(n=40, planted=40))
    assert out == snapshot
    assert found["figures"]["without_leaking_patients"] == []


@pytest.mark.slow
def test_a_clean_file_is_not(audit, snapshot) -> None:
    out, found = audit(slices())
    assert out == snapshot
    assert found["figures"]["without_leaking_patients"] is None
    assert alarms() == []
    assert (found["leaks"]["leaks"], found["leaks"]["training_known"]) == (False, True)
    assert (found["rows"]["rows"], found["rows"]["patients"]) == (240, 40)


@pytest.mark.slow
def test_without_splits_nothing_is_ruled_out(audit, snapshot) -> None:
    text = re.sub(r",fold|(?<=/\d),\d", "", slices())
    out, found = audit(text)
    assert out == snapshot
    assert (found["leaks"]["leaks"], found["leaks"]["training_known"]) == (False, False)


def test_what_a_leaking_run_of_this_project_says_of_itself_is_heard(audit, snapshot) -> None:
    out, found = audit("patient,label,score,warning\np,1,0.5,LEAKS: 3 of 3 test patients\n")
    assert out == snapshot
    assert found["leaks"]["leaks"] is True


@pytest.mark.slow
def test_repeats_without_a_number_are_not_called_a_leak(audit, snapshot) -> None:
    rows = [f"{i},{(i * 7 + r * (i // 5)) % 5},{i % 2},0.{i + 10}" for r in range(2) for i in range(40)]
    out, found = audit("patient,fold,label,score\n" + "\n".join(rows) + "\n")
    assert out == snapshot
    assert found["leaks"]["leaks"] is False


PARTS = ["train", "train", "train", "test", "val"]


def parts(n: int = 40, whole: int = 40) -> str:
    """n patients with 5 rows; `whole` of them lie in one fold, the rows of the others in all; folds 0-2 train, 3 tests, 4 validates."""
    rows = [(i, i % 5 if i < whole else k, k) for i in range(n) for k in range(5)]
    lines = [f"{i:05d},{fold},{PARTS[fold]},{i % 2},0.{(37 * i + k) % 90 + 10}" for i, fold, k in rows]
    return "\n".join(["patient_id,fold,split,label,score", *lines]) + "\n"


@pytest.mark.slow
def test_folds_that_are_parts_are_one_split(audit, snapshot) -> None:
    out, found = audit(parts(whole=21))
    assert out == snapshot
    assert (found["leaks"]["leaks"], found["leaks"]["training_known"]) == (True, True)
    assert [(s["train"], s["val"], s["test"]) for s in found["leaks"]["folds"]] == [(32, 23, 23)]
    assert any(w.startswith("19 validation patients are also in training (") for w in found["leaks"]["findings"])
    out, found = audit(parts())
    assert out == snapshot
    assert (found["leaks"]["leaks"], found["leaks"]["training_known"]) == (False, True)


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["train", "test"])
def test_one_part_alone_rules_nothing_out(kept: str, audit, snapshot) -> None:
    text = "\n".join(line for line in parts(whole=0).splitlines() if "split" in line or f",{kept}," in line)
    out, found = audit(text)
    assert out == snapshot
    assert found["leaks"]["training_known"] is False


def test_splits_of_other_patients_rule_nothing_out(audit, snapshot) -> None:
    Path("splits.json").write_text(json.dumps({"splits": [{"train_patients": ["a"], "test_patients": ["b"]}]}))
    out, found = audit("patient,label,score\np,1,0.5\nq,0,0.5\n", "--splits", "splits.json")
    assert out == snapshot
    assert found["leaks"]["training_known"] is False


def test_patients_that_the_splits_leave_out_are_counted(audit, snapshot) -> None:
    Path("splits.json").write_text(json.dumps({"splits": [{"train_patients": ["a"], "test_patients": ["p"]}]}))
    out, _ = audit("patient,label,score\np,1,0.5\nq,0,0.5\n", "--splits", "splits.json")
    assert out == snapshot


def test_a_slice_run_of_this_project_says_enough_of_itself(audit, snapshot) -> None:
    out, found = audit("patient,fold,label,score,warning\np,0,1,0.5,LEAKS: 2 of 2\nq,0,0,0.5,LEAKS: 2 of 2\n")
    assert out == snapshot
    assert (found["leaks"]["leaks"], found["leaks"]["training_known"]) == (True, True)


def test_slice_numbers_are_no_patients(audit, capsys) -> None:
    rows = "".join(f"{i % 8},{'train' if i % 3 else 'test'},{i // 8 % 2},0.{i % 90 + 10}\n" for i in range(310))
    with pytest.raises(
        AssertionError, match="no column of patients; 'slice' has 8 values in 310 rows, 8 of them with both"
    ):
        audit("slice,split,label,score\n" + rows)
    assert not Path("out").exists()


CLAM = "".join(f"{i},patient_{i // 2:03d}_node_{i % 2},{i // 2 % 2}.0,1.0,0.5,0.{i + 100}\n" for i in range(40))
CLAM = ",slide_id,Y,Y_hat,p_0,p_1\n" + CLAM


def clam_split(train: list[str], test: list[str]) -> str:
    length = max(len(train), len(test))
    padded = zip(range(length), train + [""] * (length - len(train)), test + [""] * (length - len(test)), strict=True)
    return ",train,val,test\n" + "".join(f"{n},{a},,{b}\n" for n, a, b in padded)


@pytest.mark.slow
def test_clam_with_two_slides_of_a_patient_on_both_sides(audit, snapshot) -> None:
    tested = [f"patient_{i // 2:03d}_node_{i % 2}" for i in range(40)]
    others = [f"patient_{i // 2:03d}_node_{i % 2}" for i in range(40, 60)]
    Path("splits_0.csv").write_text(clam_split([tested[39], *others], tested[:39]))
    Path("slides.csv").write_text("case_id,slide_id\n" + "".join(f"{s[:11]},{s}\n" for s in tested + others))
    out, found = audit(CLAM, "--splits", "splits_0.csv", "--slides", "slides.csv")
    assert out == snapshot
    assert found["rows"]["patients"] == 20
    out, _ = audit(CLAM, "--splits", "splits_0.csv")
    assert out == snapshot


@pytest.mark.slow
def test_patients_that_only_trained_are_in_no_figure(audit) -> None:
    trained = [f"P{i:03d},{i % 2},{0.9 if i % 2 else 0.1}" for i in range(60)]
    tested = [f"P{i:03d},{i % 2},{0.5 + 0.01 * (i % 7)}" for i in range(60, 90)]
    ids = [row[:4] for row in trained + tested]
    Path("splits.json").write_text(json.dumps({"splits": [{"train_patients": ids[:60], "test_patients": ids[60:]}]}))
    text = "\n".join(["patient_id,label,score", *trained, *tested]) + "\n"
    _, found = audit(text, "--splits", "splits.json")
    (result,) = found["figures"]["results"]
    assert (result["patients"], result["positives"]) == (30, 15)
    assert "60 patients of the predictions are in training or validation" in Path("out/audit.html").read_text()
    assert audit(text)[1]["figures"]["results"][0]["auc"] > result["auc"] + 0.2


def test_stamp_with_a_patient_on_both_sides(audit, snapshot) -> None:
    rows = "".join(f"TCGA-02-{i:04d},{'MSIH' if i % 2 else 'MSS'},MSS,0.{i + 100},0.5\n" for i in range(40))
    ids = [f"TCGA-02-{i:04d}" for i in range(60)]
    split = {"splits": [{"train_patients": [f"{p}-01Z-00-DX1" for p in ids[38:]], "test_patients": ids[:40]}]}
    Path("splits.json").write_text(json.dumps(split))
    text = "PATIENT,isMSIH,pred,isMSIH_MSIH,isMSIH_MSS\n" + rows
    out, found = audit(text, "--positive", "MSIH", "--splits", "splits.json")
    assert out == snapshot
    assert found["rows"]["columns"]["scores"] == "isMSIH_MSIH"


def test_a_file_from_a_spreadsheet_with_lost_zeros(audit, snapshot) -> None:
    rows = "".join(f"{i};{'Methylated' if i % 2 else 'Unmethylated'};0.{(i * 37) % 90 + 10}\n" for i in range(40))
    rows += "00003;Unmethylated;0.5\n3;Unmethylated;0.5\n3;Unmethylated;0.5\n39;Methylated;\n\n"
    Path("folds.csv").write_text("patient_id,fold\n" + "".join(f"{i:05d},{i % 4}\n" for i in range(40) if i != 3))
    out, found = audit("ID;MGMT;Score\n" + rows, "--splits", "folds.csv", encoding="utf-8-sig")
    assert out == snapshot
    assert found["figures"]["results"][0]["patients"] == 40, "39 with one label, and 00003"


@pytest.mark.slow
def test_validation_that_is_the_test(audit, snapshot) -> None:
    rows = "".join(
        f"p{i},{part},{i % 2},0.{i + 10}\n" for i in range(60) for part in (("train",) if i < 30 else ("val", "test"))
    )
    out, _ = audit("patient,split,label,score\n" + rows)
    assert out == snapshot
    out, _ = audit("patient,split,label,score\n" + re.sub("p[0-9]+,test.*\n", "", rows))
    assert out == snapshot


@pytest.mark.slow
def test_the_best_of_many_models_with_nothing_to_find(audit, snapshot) -> None:
    rng = np.random.default_rng(4)
    rows = "".join(f"p{i},m{m},{i % 2},{rng.random():.6f}\n" for m in range(20) for i in range(60))
    out, found = audit("patient,model,label,score\n" + rows)
    assert out == snapshot
    best = found["best"]
    aucs = {r["model"]: r["auc"] for r in found["figures"]["results"]}
    assert (best["results"], best["auc"], best["model"]) == (20, max(aucs.values()), max(aucs, key=lambda m: aucs[m]))
    assert 0.6 < best["expected"] < 0.7


def test_few_patients_get_words_instead_of_figures(audit, snapshot) -> None:
    out, found = audit(slices(n=12))
    assert out == snapshot
    assert found["figures"]["results"][0]["auc"] is None


def test_scores_that_are_calls_or_of_the_other_class(audit, snapshot) -> None:
    rows = "".join(f"p{i},{i % 2},{1 - i % 2 if i % 9 else i % 2}\n" for i in range(60))
    out, _ = audit("patient,label,score\n" + rows)
    assert out == snapshot


def test_no_row_with_a_label(audit, snapshot) -> None:
    out, found = audit("patient,label,score\na,,0.5\nb,1,\n")
    assert out == snapshot
    assert found["figures"]["results"] == []


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "no runs; name the folders that train_head.py wrote, or --audit"),
    (["run", "--audit", "p.csv"], "--audit looks at one CSV; leave out runs"),
    (["run", "--splits", "s.csv"], "--splits goes with --audit"),
    (["run", "--score-column", "s"], "--score-column goes with --audit"),
    (["run", "--fold-column", "s"], "--fold-column goes with --audit"),
    (["run", "--slides", "s"], "--slides goes with --audit"),
    (["--audit", "nowhere.csv"], "'nowhere.csv' does not exist"),
    (["run", "--cache", "c.h5", "--export-stamp", "d"], "--export-stamp writes the predictions of runs; leave --cache out"),
])  # fmt: skip
def test_options_that_contradict_each_other(arguments: list[str], message: str, capsys) -> None:
    assert evaluate.main(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_our_own_run_goes_out_to_stamp_and_back_through_the_audit(audit, capsys, snapshot) -> None:
    rng = np.random.default_rng(1)
    Path("t.csv").write_text("patient,a\n" + "".join(f"p{i:02d},{i % 2 + rng.normal():.4f}\n" for i in range(40)))
    Path("l.csv").write_text("patient,label\n" + "".join(f"p{i:02d},{i % 2}\n" for i in range(40)))
    assert (
        train_head.main(["t.csv", "l.csv", "--head", "logistic", "--repeats", "2", "--out", "run", "--jobs", "1"]) == 0
    )
    assert evaluate.main(["run", "--out", "report", "--replicates", "50", "--export-stamp", "stamp"]) == 0
    assert "2 files for STAMP's statistics in stamp" in capsys.readouterr().out
    (ours,) = [r for r in json.loads(Path("report/report.json").read_text())["results"] if r["level"] == "patient"]
    aucs = []
    for k in range(2):
        text = Path(f"stamp/run-logistic-table-repeat{k}/patient-preds.csv").read_text()
        aucs.append(audit(text)[1]["figures"]["results"][0]["auc"])
    assert np.mean(aucs) == pytest.approx(ours["values"]["auc"]["estimate"], abs=1e-12)
    out, found = audit(Path("run/predictions.csv").read_text())
    assert out == snapshot
    (theirs,) = found["figures"]["results"]
    assert theirs["auc"] == pytest.approx(np.mean(aucs), abs=1e-12)
    by_fold = [theirs[k] for k in ("fold_auc", "fold_low", "fold_high", "fold_p")]
    assert by_fold == [ours["by_fold"][k] for k in ("estimate", "low", "high", "p")], "audit and report are one"
    assert (theirs["half_width"], theirs["detectable"]) == (ours["power"]["half_width"], ours["power"]["detectable"])


@pytest.mark.slow
def test_the_baseline_of_this_project_is_no_candidate(audit, snapshot) -> None:
    rng = np.random.default_rng(2)
    rows = [
        f"r,h,{q},0,{i % 5},p{i:02d},{i // 5 % 2},{(i // 5 % 2 + 1) / 3 if q == 'shortcuts' else rng.random():.4f}"
        for q in ("FLAIR", "T2w", "shortcuts")
        for i in range(50)
    ]
    out, found = audit("run,head,sequence,repeat,fold,patient_id,label,score\n" + "\n".join(rows) + "\n")
    assert out == snapshot
    baseline = found["figures"]["results"][2]
    assert (baseline["baseline"], baseline["fold_auc"]) == (True, 1.0)
    assert found["best"]["results"] == 2 and found["best"]["auc"] < 1
    assert "r, h, shortcuts, baseline" in Path("out/audit.html").read_text()
    out, _ = audit("run,head,sequence,repeat,fold,patient_id,label,score\n" + "\n".join(rows[100:]) + "\n")
    assert out == snapshot


def test_few_patients_are_told_of_once_for_all_results(audit, snapshot) -> None:
    rows = "".join(f"p{i},m{m},{i % 2},0.{i + 10}\n" for m in range(6) for i in range(12))
    out, found = audit("patient,model,label,score\n" + rows)
    assert out == snapshot
    assert sum("nothing can be said" in w for w in found["verdict"]) == 1


@pytest.mark.slow
def test_each_sentence_stands_once_and_a_leak_gets_no_power_line(audit, snapshot) -> None:
    out, found = audit(slices(planted=13))
    assert out == snapshot
    page = Path("out/audit.html").read_text()
    leak, *others = found["verdict"]
    assert page.count(leak) == 2, "banner and section"
    assert [page.count(word) for word in others] == [1] * len(others)
    warned = "\n".join(f"p{i},m{m},{i % 2},{i % 2},LEAKS: all" for m in range(2) for i in range(40))
    out, _ = audit("patient,model,label,score,warning\n" + warned + "\n")
    assert out == snapshot


@pytest.mark.slow
def test_shuffles_are_counted(audit, snapshot) -> None:
    rng = np.random.default_rng(0)
    text = "patient,model,label,score\n" + "".join(
        f"p{i},{m},{i % 2},{i % 2 + rng.random()}\n" for m in "ab" for i in range(40)
    )
    out, found = audit(text)
    assert out == snapshot
    assert (found["best"]["reached"], found["best"]["permutations"]) == (0, 1000)
    out, found = audit(re.sub(r"[01](\.\d+\n)", r"0\1", text))
    assert out == snapshot


def test_one_word_on_the_best_where_training_matters(audit, snapshot) -> None:
    """Shuffled labels take the models as given; the interval by fold, which does not, contains 0.5 here."""
    rng = np.random.default_rng(10)
    rows = "".join(
        f"p{i},{m},{i % 5},{i // 5 % 2},{rng.normal() + 0.6 * (i // 5 % 2):.5f}\n" for m in "ab" for i in range(30)
    )
    out, found = audit("patient,model,fold,label,score\n" + rows)
    assert out == snapshot
    assert found["best"]["p"] <= 0.05


@pytest.mark.slow
def test_the_file_is_no_fold_beside_its_split_file(audit) -> None:
    Path("splits.json").write_text(
        json.dumps({"splits": [{"train_patients": ["a", "b"], "test_patients": [f"p{i}" for i in range(30)]}]})
    )
    rows = "".join(f"p{i},{m},test,{i % 2},0.{i + 10}\n" for m in "ab" for i in range(30 - (m == "b")))
    _, found = audit("patient,model,split,label,score\n" + rows, "--splits", "splits.json")
    assert [s["name"] for s in found["leaks"]["folds"]] == ["splits.json, split 0"]
