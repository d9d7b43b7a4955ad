"""The sentences a reader takes away: chance is called chance, leaks are called leaks, the best of many is doubted."""

from __future__ import annotations

from typing import Any

import pytest

from core.metrics import METRICS
from core.predictions import Prediction
from core.text import interval_text, number
from evaluation.report.verdict import comparison_lines, table_lines, verdict
from evaluation.statistics.assess import Assessment

NAN = float("nan")


def result(auc: float = 0.7, low: float = 0.6, high: float = 0.8, **changes: Any) -> Assessment:
    values = {name: {"estimate": 0.55, "low": 0.4, "high": 0.7} for name in METRICS}
    values["auc"] = {"estimate": auc, "low": low, "high": high}
    fields: dict[str, Any] = {
        "run": "run", "head": "logistic", "sequence": "FLAIR", "level": "patient", "n_patients": 100, "n_units": 100,
        "n_positive": 40, "n_repeats": 1, "threshold": "0.5", "replicates": 10, "majority_accuracy": 0.6,
        "values": values, "fold_auc": [auc], "mean_fold_auc": auc, "n_folds": 5,
        "by_fold": {"estimate": auc, "low": low, "high": high, "p": 0.004, "u": 1.0}, "power": {"detectable": 0.66}, **changes,
    }  # fmt: skip
    fields.setdefault("smaller_class", min(fields["n_positive"], fields["n_patients"] - fields["n_positive"]))
    return Assessment(**fields)


def said(*assessments: Assessment, leaks: dict[str, str] | None = None, random_weights: bool = False) -> str:
    return " ".join(verdict(assessments, leaks or {}, random_weights))


def test_above_chance() -> None:
    text = said(result())
    assert text == (
        "In short: better than chance, AUC 0.700, 95 % interval 0.600 to 0.800. For a new patient: logistic on FLAIR (run), AUC by "
        "fold 0.700, 95 % interval 0.600 to 0.800, from 100 patients (40 positive). Its interval lies above 0.5: better than chance. "
        "Its accuracy, 0.550 (0.40-0.70), is not above the 0.600 that always guessing the larger class gives. With 100 patients (40 "
        "positive) a true AUC of 0.66 would be told from 0.5 four times in five, a lower one less often."
    )


HOW = "one-sided, over 9 shuffles"


def test_p_over_shuffled_labels_is_said_where_it_is_known() -> None:
    words = verdict(
        [result()],
        {},
        False,
        shuffled={("run", "logistic", "FLAIR"): ("p = 0.005", HOW), ("run", "dense", "FLAIR"): ("p = 0.9", HOW)},
    )
    assert (
        words[-1]
        == "Against heads that were trained on shuffled labels (one-sided, over 9 shuffles): logistic on FLAIR 0.700, p = 0.005."
    )
    assert "p = 0.9" not in " ".join(words)


def test_the_highest_was_not_shuffled_but_another_was() -> None:
    shuffled = {("run", "logistic", "FLAIR"): ("p = 0.005", HOW)}
    words = verdict([result(0.8, 0.7, 0.9, head="boosted"), result()], {}, False, shuffled=shuffled)
    assert "p = 0.005" not in " ".join(words[:-1])
    assert words[-1] == (
        "Against heads that were trained on shuffled labels (one-sided, over 9 shuffles): logistic on FLAIR 0.700, p = 0.005. The other one was not shuffled. "
        "None of these p is corrected for the other 1 look."
    )


def test_a_picked_result_is_held_against_the_highest_of_each_shuffle() -> None:
    shuffled = {("run", "logistic", q): (f"p = 0.0{k}", HOW) for k, q in enumerate(("FLAIR", "T2w"), 1)}
    results = [result(0.8, 0.7, 0.9), result(0.8, 0.7, 0.9, sequence="T2w")]
    words = verdict(
        results, {}, False, shuffled=shuffled, highest={"run": "the highest of these 2: p = 0.03", "other": "x"}
    )
    assert "(as high: logistic on T2w)" in words[1] and "p = 0.0" not in words[1]
    assert words[-1] == (
        "Against heads that were trained on shuffled labels (one-sided, over 9 shuffles): logistic on FLAIR 0.800, p = 0.01; logistic "
        "on T2w 0.800, p = 0.02; the highest of these 2: p = 0.03."
    )


def test_the_answer_comes_first_question_by_question() -> None:
    chance = result(0.45, 0.36, 0.55, run="mgmt")
    words = verdict([chance, result(0.8, 0.7, 0.9, run="idh")], {}, False, {"mgmt": "MGMT", "idh": "IDH1"})
    assert words[0] == (
        "MGMT: not distinguishable from chance; AUCs above 0.55 are not compatible with these data (95 %). "
        "IDH1: better than chance, AUC 0.800, 95 % interval 0.700 to 0.900."
    )
    assert words[1].startswith("MGMT. For a new patient: ")


def test_a_head_on_a_table_has_no_sequence() -> None:
    text = said(result(sequence="table"))
    assert " For a new patient: logistic (run), AUC by fold" in text
    lines = table_lines([result(sequence="table")])
    assert lines[1].split()[:2] == ["head", "patients"]
    assert lines[2].split()[:2] == ["logistic", "100"]
    assert lines[1].index("patients") + 8 == lines[2].index("100") + 3


def test_looks_of_other_runs_are_paid_for_too() -> None:
    def words(*results: Assessment, further: int) -> str:
        return " ".join(verdict(results, {}, False, {"run": "MGMT"}, looks={"MGMT": further, "IDH1": 50}))

    text = words(result(0.8, 0.7, 0.9), result(0.7), further=3)
    assert "picked after looking at 2 results and 3 of runs that it replaced or that lie in the same folder" in text
    assert "Corrected for all 5 (Bonferroni) p = 0.020, two-sided: still better than chance" in text
    alone = words(result(0.8, 0.7, 0.9), further=14)
    assert "it comes after looking at 14 results of runs" in alone
    assert "Corrected for all 15 (Bonferroni) p = 0.060, two-sided: not distinguishable from chance any more" in alone
    assert words(result(0.8, 0.7, 0.9), further=0) == said(result(0.8, 0.7, 0.9)).replace("In short", "MGMT")


def test_folds_with_one_patient_of_a_class_have_no_interval() -> None:
    assert "There is no interval, since a fold holds fewer than two patients of a class" in said(result(0.7, NAN, NAN))


@pytest.mark.parametrize(("low", "high"), [(0.45, 0.8), (0.5, 0.8), (0.3, 0.5)])
def test_chance(low: float, high: float) -> None:
    text = said(result((low + high) / 2, low, high))
    assert "Its interval contains 0.5: this is not distinguishable from chance." in text
    assert "lies above 0.5" not in text


def test_below_chance_is_not_said_to_contain_it() -> None:
    text = said(result(0.3, 0.2, 0.4))
    assert "Its interval lies below 0.5: no better than chance." in text
    assert "contains" not in text
    assert "above 0.5" not in text


@pytest.mark.parametrize(
    ("accuracy", "low", "relation"),
    [
        (0.65, 0.61, "is above"),
        (0.61, 0.5, "is not detectably above"),
        (0.6, 0.5, "is not above"),
        (0.2, 0.1, "is not above"),
    ],
)
def test_accuracy_is_held_against_the_majority(accuracy: float, low: float, relation: str) -> None:
    a = result()
    a.values["accuracy"] |= {"estimate": accuracy, "low": low}
    assert f"{relation} the 0.600" in said(a)


@pytest.mark.parametrize("positive", [9, 91, 0])
def test_few_patients_say_nothing(positive: int) -> None:
    text = said(result(0.99, 0.98, 1.0, n_positive=positive))
    assert text.startswith("In short: nothing can be said with so few patients. With ")
    assert (
        f"With {positive} positive and {100 - positive} negative patients nothing can be said of a new patient" in text
    )
    assert "interval lies above" not in text


def test_ten_patients_a_class_are_enough_to_speak() -> None:
    assert " For a new patient: " in said(result(n_positive=10))


def test_the_best_of_several_is_doubted() -> None:
    text = said(result(0.6, 0.55, 0.65), result(0.8, 0.7, 0.9, head="dense"), result(0.7))
    assert "the highest of 3 patient-level results is dense on FLAIR (run), AUC by fold 0.800" in text
    assert "picked after looking at 3 results" in text
    assert "(Bonferroni) p = 0.012, two-sided: still better than chance" in text  # 3 x 0.004
    assert "optimistic" in text


def test_the_choice_among_many_can_explain_a_good_result() -> None:
    best = result(0.8, 0.7, 0.9, by_fold={"estimate": 0.8, "low": 0.7, "high": 0.9, "p": 0.02, "u": 1.0})
    assert "p = 0.060, two-sided: not distinguishable from chance any more" in said(best, result(0.6), result(0.7))


def test_what_was_chosen_on_inner_folds_leads_and_was_not_picked() -> None:
    heads = [result(0.8, 0.7, 0.9, sequence="chosen"), result(0.7, 0.6, 0.8, head="boosted", sequence="chosen")]
    text = said(*heads, result(0.65, 0.55, 0.75, head="chosen", sequence="chosen"))
    assert " For a new patient: the head chosen on inner folds (run), AUC by fold 0.650" in text
    assert "picked after" not in text
    assert "highest of 2" in said(*heads)  # two tuned heads, and nothing chose between them


def test_slice_results_and_results_without_a_number_are_not_candidates() -> None:
    text = said(result(0.99, 0.98, 1.0, level="slice"), result(NAN, NAN, NAN), result(0.6, 0.52, 0.7))
    assert "AUC by fold 0.600" in text
    assert "highest of" not in text


def test_a_leaking_run_is_named_and_never_the_best() -> None:
    leak = "LEAKS: 3 of 3 test patients are also in training"
    text = said(result(0.99, 0.98, 1.0, run="slices"), result(0.6, 0.52, 0.7), leaks={"slices": leak})
    assert " For a new patient: logistic on FLAIR (run), AUC by fold 0.600" in text
    assert f" slices: {leak}. Its figures measure how well slices of known patients are recognised" in text
    assert "0.990" not in text


@pytest.mark.parametrize("assessments", [[], [result(run="slices")], [result(NAN, NAN, NAN)]])
def test_without_an_honest_result_nothing_is_said(assessments: list[Assessment]) -> None:
    words = verdict(assessments, {"slices": "LEAKS: 1 of 1 test patients are also in training"}, False)
    assert words[0].startswith("No run here was validated on patients that its heads had not seen")
    assert len(words) == 2


def test_random_weights_come_first() -> None:
    assert said(result(), random_weights=True).startswith("RANDOM WEIGHTS: the features come from a network that was")
    assert "RANDOM" not in said(result())


def test_numbers() -> None:
    assert [number(x) for x in (0.1234, 1.0, NAN, None)] == ["0.123", "1.000", "n/a", "n/a"]
    assert number(0.126, 2) == "0.13"
    assert interval_text({"estimate": 0.612, "low": 0.528, "high": 0.691}) == "0.612 (0.53-0.69)"
    assert interval_text({"estimate": NAN, "low": NAN, "high": NAN}) == "n/a (n/a)"
    assert interval_text({"estimate": 0.9985, "low": 0.9962, "high": 0.9991}) == "0.999 (0.996-0.999)"
    assert interval_text({"estimate": 0.7, "low": NAN, "high": NAN}) == "0.700 (n/a)"


def test_the_table_lines_up() -> None:
    lines = table_lines([result(sequence="mean(FLAIR+T2w)"), result(NAN, NAN, NAN, n_patients=7)], "LEAKS: x")
    assert lines[:2] == ["", "LEAKS: x"]
    assert lines[3] == "logistic  mean(FLAIR+T2w)      100  0.700 (0.60-0.80)      0.700     0.550    0.600"
    assert lines[4] == "logistic  FLAIR                  7  n/a (n/a)                n/a     0.550    0.600"
    assert {len(line) for line in lines[2:5]} == {len(lines[3])}
    assert lines[5].startswith("n/a: no intervals with fewer than 10 patients in a class")
    assert len(table_lines([])) == 2


def test_the_comparison_is_made_of_patients() -> None:
    scores = [0.1, 0.9, 0.2, 0.3, 0.35, 0.8]
    predictions = [Prediction("r", "h", "q", 0, i // 3, f"p{i}", i % 2, s, 5) for i, s in enumerate(scores)]
    line = comparison_lines(predictions)[-2].split()
    # positives 0.9, 0.3, 0.8 beat negatives 0.1, 0.2, 0.35 in 8 of 9 pairs; by fold: 2 of 2 and 1 of 2 pairs
    assert line[:4] == ["h", "q", "6", "0.750"]
    assert line[-3:] == ["0.889", "0.833", "0.500"]


def test_runs_of_different_questions_are_judged_apart() -> None:
    a, b = result(run="mgmt"), result(run="idh")
    together = verdict([a, b], {}, False, {"mgmt": "MGMT", "idh": "MGMT"})
    apart = verdict([a, b], {}, False, {"mgmt": "MGMT", "idh": "IDH1"})
    assert sum("For a new patient" in s for s in together) == 1
    assert sum("highest of 2" in s for s in together) >= 1
    assert [s.split(".")[0] for s in apart if "For a new patient" in s] == ["MGMT", "IDH1"]
    assert not any("highest of" in s for s in apart)
