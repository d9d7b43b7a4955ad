"""What was tried and how often it was looked at, counted by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.predictions import Scored
from evaluation.read_run import Run
from evaluation.report.trust.trials import (
    chosen_rows,
    count_looks,
    further_looks,
    inner_thresholds,
    ledger_section,
    siblings,
)
from evaluation.statistics.assess import fold_thresholds

N = 24
LABELS = {f"{i:02}": i % 2 for i in range(N)}


def scored(run: str, head: str, sequence: str, seed: int = 0, n: int = N) -> Scored:
    ids = [f"{i:02}" for i in range(n)]
    y = np.arange(n) % 2
    fold = np.tile(np.arange(n) // 2 % 2, (2, 1))  # two repeats of two folds
    scores = np.random.default_rng(seed).uniform(size=(2, n))
    return Scored(run, head, sequence, ids, ids, np.arange(n), y, scores, fold, np.ones(n, int))


def row(head: str, repeat: int | str, fold: int | str, auc: float | str, **more: Any) -> dict[str, str]:
    given = {"run": "r", "sequence": "FLAIR", "slices": "all", "aggregate": "mean", "parameters": '{"C": 0.5}'}
    own = {"head": head, "repeat": repeat, "fold": fold, "inner_auc": auc, "inner_log_loss": 0.6, "threshold": 0.4}
    return {k: str(v) for k, v in {**given, **own, "chosen": 0, "best_head": 0, **more}.items()}


def make(name: str, results: list[Scored], ledger: list[dict[str, str]] | None = None, **about: Any) -> Run:
    given = {"patients": {"labels": LABELS}, "question": "MGMT", "tables": {"predictions.csv": name}, "shortcuts": None}
    return Run(Path(name), name, {**given, **about}, results, [], [], {} if ledger is None else {"ledger.csv": ledger})


def tuned(labels: dict[str, int] = LABELS, n: int = N) -> Run:
    """Two heads with two draws each in 2 x 2 folds; logistic always takes T2w, boosted either."""
    ledger = []
    for repeat, fold in [(0, 0), (0, 1), (1, 0), (1, 1), ("", "")]:
        odd = (repeat, fold) == (1, 1)
        cut = 0.1 + 0.2 * (repeat or 0) + 0.1 * (fold or 0)
        ledger += [
            row("logistic", repeat, fold, 0.5),
            row("logistic", repeat, fold, 0.7, chosen=1, best_head=int(not odd), sequence="T2w", threshold=cut),
            row("boosted", repeat, fold, 0.6, chosen=int(not odd), parameters='{"rounds": 50}'),
            row(
                "boosted",
                repeat,
                fold,
                0.8,
                chosen=int(odd),
                best_head=int(odd),
                parameters='{"rounds": 9}',
                sequence="T2w",
            ),
        ]
    results = [scored("r", h, "chosen", i, n) for i, h in enumerate(("logistic", "boosted", "chosen"))]
    about = {"draws": 2, "inner_folds": 3, "stand_ins": []}
    looks = {"results": 3, "earlier": 6, "total": 9}
    return make("r", results, ledger, tuning=about, looks=looks, patients={"labels": labels})


def test_configurations_on_inner_folds_and_looks_at_the_reported_ones() -> None:
    words = ledger_section([tuned()], []).words
    assert words[0].startswith("r: 16 configurations were tried, 4 in each of 4 folds, all of them on inner folds")
    assert "scored once for each of 3 results. Another 4 were tried" in words[0]
    assert "looked at 9 times: 3 by the results of this report, 6 by runs that these replaced, 0 by" in words[1]


def test_without_tuning_everything_was_tried_on_the_reported_folds() -> None:
    results = [scored("p", h, q) for h in ("logistic", "boosted") for q in ("FLAIR", "T2w")]
    section = ledger_section([make("p", results)], [])
    assert section.words[0].startswith("p: 4 configurations were tried, all of them on the reported folds.")
    assert section.sheets == [] and section.data["looks"][0]["total"] == 4
    one = ledger_section([make("p", results[:1])], [])
    assert (
        one.words[0] == "p: one configuration was tried, on the reported folds." and "looked at once:" in one.words[1]
    )
    baseline = make("p", [*results, scored("p", "logistic", "shortcuts")], shortcuts="shortcuts")
    assert ledger_section([baseline], []).data["looks"] == section.data["looks"], "a baseline is no candidate"


def test_runs_beside_count_where_patients_and_labels_are_the_same() -> None:
    def about(tables: str, labels: dict[str, int] = LABELS, **looks: Any) -> dict[str, Any]:
        return {"patients": {"labels": labels}, "tables": {"predictions.csv": tables}, **looks}

    beside = [
        ("same", about("a", looks={"total": 12})),
        ("copy of same", about("a", looks={"total": 12})),
        ("copy of r", about("r", looks={"total": 9})),
        ("old", about("b")),
        ("other labels", about("c", {p: 1 - y for p, y in LABELS.items()}, looks={"total": 100})),
        ("fewer patients", about("d", {"01": 1}, looks={"total": 100})),
        ("leaky", about("e", looks={"total": 100}, leak="LEAKS")),
    ]
    section = ledger_section([tuned(), make("p", [scored("p", "logistic", "FLAIR")])], beside)
    (looks,) = section.data["looks"]
    assert looks == {
        "question": "MGMT", "patients": N, "results": 4, "replaced": 6, "beside": 13, "runs_beside": ["copy of same", "old"], "total": 23,
    }  # fmt: skip
    assert any("looked at 23 times" in w and "(copy of same, old)" in w for w in section.words)


def test_two_questions_are_counted_apart() -> None:
    other = make("o", [scored("o", "logistic", "FLAIR")], question="IDH1", patients={"labels": {"01": 1, "02": 0}})
    section = ledger_section([tuned(), other], [])
    assert [(g["patients"], g["total"]) for g in section.data["looks"]] == [(N, 9), (2, 1)]
    assert any(
        w.startswith("IDH1: in all, the reported folds of these 2 patients were looked at once") for w in section.words
    )


def test_a_leaking_run_is_no_candidate_and_no_look() -> None:
    leaky = make("l", [scored("l", "logistic", "FLAIR")], leak="LEAKS")
    section = ledger_section([tuned(), leaky], [])
    (looks,) = section.data["looks"]
    assert looks["total"] == 9
    assert any("Runs that leak (l, " in w for w in section.words)
    assert further_looks(count_looks([tuned(), leaky], [])) == {"MGMT": 6}
    assert ledger_section([leaky], []).data["looks"] == []


def test_what_was_chosen_how_often() -> None:
    section = ledger_section([tuned()], [])
    worth, choices = section.sheets
    assert [(name, n, inner) for name, n, inner, _ in worth.rows] == [
        ("logistic, chosen", 4, pytest.approx(0.7)),
        ("boosted, chosen", 4, pytest.approx((3 * 0.6 + 0.8) / 4)),
        ("chosen, chosen", 4, pytest.approx((3 * 0.7 + 0.8) / 4)),
    ]
    assert ["logistic, chosen", "sequence", "T2w (4)"] in choices.rows
    assert ["boosted, chosen", "sequence", "FLAIR (3), T2w (1)"] in choices.rows
    assert ["boosted, chosen", "rounds", "9 to 50"] in choices.rows
    assert ["chosen, chosen", "head", "logistic (3), boosted (1)"] in choices.rows
    assert not any(r[1] in ("slices", "aggregator") for r in choices.rows), "there was nothing to choose"
    assert "logistic, chosen: of 4 folds the choice was sequence T2w in 4." in section.words[2]
    assert "Not stable over 4 folds: sequence (FLAIR in 3)" in section.words[3]
    json.dumps(section.data, allow_nan=False)


def test_the_reported_auc_is_that_of_the_outer_folds() -> None:
    run = tuned()
    for s, (_, _, _, outer) in zip(run.scored, ledger_section([run], []).sheets[0].rows, strict=True):
        aucs = []
        for score, fold in zip(s.scores, s.fold, strict=True):
            for f in (0, 1):
                positive, negative = (score[(fold == f) & (s.y == label)] for label in (1, 0))
                aucs.append(np.mean(positive[:, None] > negative))
        assert outer == pytest.approx(np.mean(aucs))


def test_few_patients_get_no_figures() -> None:
    few = {p: y for p, y in LABELS.items() if int(p) < 18}
    section = ledger_section([tuned(few, 18)], [])
    assert [r[2:] for r in section.sheets[0].rows] == [[None, None]] * 3
    assert not any("AUC of" in w for w in section.words)


def test_stand_ins_are_said() -> None:
    run = tuned()
    run.about["tuning"]["stand_ins"] = [{"patient": "01"}, {"patient": "01"}, {"patient": "02"}]
    assert "2 patients lack a sequence that was chosen; 3 of the scores" in ledger_section([run], []).words[0]


def test_thresholds_of_inner_folds_reach_their_patients() -> None:
    run = tuned()
    cuts = inner_thresholds(run)["logistic", "chosen"]
    assert cuts == pytest.approx({(0, 0): 0.1, (0, 1): 0.2, (1, 0): 0.3, (1, 1): 0.4})
    s = run.scored[0]
    at = fold_thresholds(s, "youden", cuts)
    assert at == pytest.approx(0.1 + 0.2 * np.arange(2)[:, None] + 0.1 * s.fold)
    assert (fold_thresholds(s, "0.5", cuts) == 0.5).all()
    assert inner_thresholds(run)["chosen", "chosen"][1, 1] == 0.4, "of boosted, the best head of that fold"
    assert inner_thresholds(make("p", [], [row("logistic", "", "", "", chosen=1)])) == {}
    assert inner_thresholds(make("old", [])) == {}


def test_a_result_that_the_run_does_not_report_is_passed_over() -> None:
    run = tuned()
    del run.scored[2]
    assert set(chosen_rows(run)) == {("logistic", "chosen"), ("boosted", "chosen")}


def test_siblings_are_the_other_runs_in_the_folder(tmp_path: Path) -> None:
    run = {"format": "mgmt-radiogenomics/run", "n": 1}
    for name, content in {
        "a": json.dumps(run), "b": json.dumps(run), ".b.tmp": json.dumps(run), "broken": "{", "list": "[]",
        "report": json.dumps({"format": "other"}),
    }.items():  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text(content)
    (tmp_path / "empty").mkdir()
    assert siblings([tmp_path / "a"]) == [("b", run)]
    assert siblings([tmp_path / "x" / ".." / "a", tmp_path / "b"]) == []
