"""Each kind of finding has its words, and what is an alarm is told by its kind."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import evaluate
from evaluation.audit.findings import (
    Clean,
    Few,
    FileWarning,
    Finding,
    FindingKind,
    Luck,
    NoFigures,
    NoOverlap,
    OfResult,
    OtherPart,
    Overlap,
    Repeated,
    SameFolds,
    Unknown,
)
from evaluation.audit.results.best import Best
from evaluation.audit.results.measures import Figures
from evaluation.audit.words import sentence

FIGURES = Figures(
    model="m", rows=80, patients=40, positives=19, repeats=2, baseline=False, most_rows=2, no_folds=None, row_auc=0.61,
    naive_low=0.55, naive_high=0.67, row_low=0.5, row_high=0.72, too_narrow=1.83, auc=0.64, low=0.52, high=0.76, fold_auc=0.63,
    fold_low=0.51, fold_high=0.75, fold_p=0.03, half_width=0.12, detectable=0.75,
)  # fmt: skip
BEST = Best(
    model="m", auc=0.7, results=3, by_fold=True, expected=0.58, upper=0.66, permutations=1000, reached=4, p=5 / 1001
)
K = FindingKind
RESULT = [K.HIGHEST, K.BELOW_CHANCE, K.CHANCE, K.ABOVE_CHANCE, K.NO_INTERVAL, K.ONE_RANKING, K.ROWS, K.POWER]
WHO = tuple("abcdefgh")
FINDINGS: list[Finding] = [
    FileWarning(K.WARNED, "TRAINED ON: 1 of 2"),
    FileWarning(K.WARNED_OF_LEAK, "LEAKS: 1 of 2"),
    *(Overlap(kind, WHO, 30, True) for kind in (K.LEAK, K.LEAK_UNTESTED, K.LEAK_UNCLEAR)),
    *(Overlap(kind, WHO[:2]) for kind in (K.VALIDATION_IN_TEST, K.VALIDATION_IN_TRAINING)),
    NoOverlap(K.NO_LEAK, tested=30, folds=5, assumed=True, others=4, units="slides"),
    Unknown(K.LEAK_UNKNOWN, most_rows=4, columns=("fold",), split_files=True, trained=True, units="slides"),
    SameFolds(K.VALIDATION_AS_TEST, 2, 5),
    OtherPart(K.NOT_TESTED, "val"),
    Repeated(K.TESTED_OFTEN, 4, 3),
    Few(K.FEW, ("a", "b"), 4, 30),
    NoFigures(K.NO_FIGURES, False),
    *(OfResult(kind, figures=FIGURES, name="m", results=3, leaks=True) for kind in RESULT),
    Clean(K.WITHOUT_LEAKS, best=FIGURES, name="m", results=2, most=40),
    Luck(K.LUCK, BEST, True, False),
]


def test_each_kind_has_its_words(snapshot) -> None:
    assert {finding.kind for finding in FINDINGS} == set(FindingKind)
    assert {finding.kind.name: sentence(finding) for finding in FINDINGS} == snapshot


def test_what_the_words_say_where_there_is_less_to_tell(snapshot) -> None:
    plain = dataclasses.replace(FIGURES, model="", too_narrow=float("nan"), detectable=float("nan"), repeats=1)
    found = [
        NoOverlap(K.NO_LEAK, tested=30, folds=1, assumed=False, others=0),
        Unknown(K.LEAK_UNKNOWN, most_rows=1, columns=(), split_files=False, trained=False),
        Unknown(K.LEAK_UNKNOWN, most_rows=1, columns=(), split_files=True, trained=False),
        Overlap(K.LEAK, WHO[:1], 30),
        NoFigures(K.NO_FIGURES, True),
        OfResult(K.ABOVE_CHANCE, figures=plain, name="p.csv", results=1, leaks=False),
        *(OfResult(kind, figures=plain, name="p.csv", results=1, leaks=True) for kind in (K.HIGHEST, K.ROWS, K.POWER)),
        Clean(K.WITHOUT_LEAKS, best=None, name="", results=0, most=7),
        *(
            Luck(K.LUCK, dataclasses.replace(BEST, model="", **change), above, leaks)
            for change, above, leaks in (
                ({"p": 0.2}, True, False),
                ({"reached": 0, "p": 1 / 1001}, True, True),
                ({"by_fold": False}, False, False),
            )
        ),
    ]
    assert [sentence(finding) for finding in found] == snapshot


def test_a_finding_without_words_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        sentence(Finding(K.LEAK))


def test_alarms_and_leaks_are_kinds() -> None:
    assert {kind for kind in FindingKind if kind.leak} == {K.LEAK, K.LEAK_UNTESTED, K.WARNED_OF_LEAK}
    assert {kind for kind in FindingKind if kind.alarm and not kind.leak} == {K.VALIDATION_AS_TEST}


def test_names_that_sound_like_a_leak_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model, a patient and a column may be called anything; what leaks is known from who was where."""
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"LEAKS: {i},LEAKS: m,{i % 5},{i // 5 % 2},0.{i + 10}\n" for i in range(40))
    Path("p.csv").write_text("patient,model,fold,label,score\n" + rows)
    assert evaluate.main(["--audit", "p.csv", "--out", "out", "--replicates", "20"]) == 0
    found: dict[str, Any] = json.loads(Path("out/audit.json").read_text())
    assert found["leaks"]["leaks"] is False
    assert 'role="alert"' not in Path("out/audit.html").read_text()
