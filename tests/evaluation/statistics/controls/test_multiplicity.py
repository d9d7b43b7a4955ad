"""What was tried and how often it was looked at, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from ledger_material import LABELS, N, make, row, scored, tuned

from core.predictions import ResultKey
from evaluation.statistics.assess import fold_thresholds
from evaluation.statistics.controls.multiplicity import (
    Looks,
    Tried,
    chosen_rows,
    count_looks,
    count_tried,
    further_looks,
    inner_thresholds,
    tuned_results,
)


def test_configurations_on_inner_folds_and_looks_at_the_reported_ones() -> None:
    assert count_tried(tuned()) == Tried(results=3, inner=16, folds=4, refit=4, chooses_head=True)
    assert count_looks([tuned()]) == [Looks("MGMT", N, 3, 6)]
    assert further_looks(count_looks([tuned()])) == {"MGMT": 6}


def test_without_tuning_everything_was_tried_on_the_reported_folds() -> None:
    results = [scored("p", h, q) for h in ("logistic", "boosted") for q in ("FLAIR", "T2w")]
    assert count_tried(make("p", results)) == Tried(results=4)
    baseline = make("p", [*results, scored("p", "logistic", "shortcuts")], shortcuts="shortcuts")
    assert count_looks([baseline]) == count_looks([make("p", results)]), "a baseline is no candidate"


def test_runs_of_one_set_of_patients_and_labels_are_counted_together() -> None:
    other = make("o", [scored("o", "logistic", "FLAIR")], question="IDH1", patients={"labels": {"01": 1, "02": 0}})
    more = make("p", [scored("p", "logistic", "FLAIR")])
    assert count_looks([tuned(), other, more]) == [Looks("MGMT", N, 4, 6), Looks("IDH1", 2, 1, 0)]


def test_a_leaking_run_is_no_candidate_and_no_look() -> None:
    leaky = make("l", [scored("l", "logistic", "FLAIR")], leak="LEAKS")
    assert count_looks([tuned(), leaky]) == count_looks([tuned()])
    assert count_looks([leaky]) == []


def test_what_was_chosen_how_often() -> None:
    logistic, boosted, best = tuned_results(tuned())
    assert [t.key.head for t in (logistic, boosted, best)] == ["logistic", "boosted", "chosen"]
    assert logistic.inner == pytest.approx(0.7)
    assert boosted.inner == pytest.approx((3 * 0.6 + 0.8) / 4)
    assert best.inner == pytest.approx((3 * 0.7 + 0.8) / 4)
    chosen = {(t.key.head, c.column): c.counts for t in (logistic, boosted, best) for c in t.choices}
    assert chosen["logistic", "sequence"] == (("T2w", 4),)
    assert chosen["boosted", "sequence"] == (("FLAIR", 3), ("T2w", 1))
    assert chosen["chosen", "head"] == (("logistic", 3), ("boosted", 1))
    assert not {"slices", "aggregate"} & {column for _, column in chosen}, "there was nothing to choose"
    assert sorted(boosted.parameters["rounds"]) == [9, 50, 50, 50]


def test_the_reported_auc_is_that_of_the_outer_folds() -> None:
    run = tuned()
    for s, found in zip(run.scored, tuned_results(run), strict=True):
        aucs = []
        for score, fold in zip(s.scores, s.fold, strict=True):
            for f in (0, 1):
                positive, negative = (score[(fold == f) & (s.y == label)] for label in (1, 0))
                aucs.append(np.mean(positive[:, None] > negative))
        assert found.outer == pytest.approx(np.mean(aucs))


def test_few_patients_get_no_figures() -> None:
    few = {p: y for p, y in LABELS.items() if int(p) < 18}
    assert all(np.isnan([t.inner, t.outer]).all() for t in tuned_results(tuned(few, 18)))


def test_stand_ins_are_counted() -> None:
    run = tuned()
    run.about["tuning"]["stand_ins"] = [{"patient": "01"}, {"patient": "01"}, {"patient": "02"}]
    found = count_tried(run)
    assert (found.stand_ins, found.stand_in_patients) == (3, 2)


def test_thresholds_of_inner_folds_reach_their_patients() -> None:
    run = tuned()
    cuts = inner_thresholds(run)[ResultKey("r", "logistic", "chosen")]
    assert cuts == pytest.approx({(0, 0): 0.1, (0, 1): 0.2, (1, 0): 0.3, (1, 1): 0.4})
    s = run.scored[0]
    at = fold_thresholds(s, "youden", cuts)
    assert at == pytest.approx(0.1 + 0.2 * np.arange(2)[:, None] + 0.1 * s.fold)
    assert (fold_thresholds(s, "0.5", cuts) == 0.5).all()
    assert inner_thresholds(run)[ResultKey("r", "chosen", "chosen")][1, 1] == 0.4, (
        "of boosted, the best head of that fold"
    )
    assert inner_thresholds(make("p", [], [row("logistic", "", "", "", chosen=1)])) == {}
    assert inner_thresholds(make("old", [])) == {}


def test_a_result_that_the_run_does_not_report_is_passed_over() -> None:
    run = tuned()
    del run.scored[2]
    assert [key.head for key in chosen_rows(run)] == ["logistic", "boosted"]
