"""How often the reported folds were looked at, and what tuning chose, from what the runs record themselves."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.metrics import mean_fold_auc
from core.predictions import CHOSEN, ResultKey, Scored
from evaluation.read_run import Run
from evaluation.run_facts import baseline_of
from evaluation.statistics.power import FEW_PATIENTS
from heads.run_files import TRIALS

CHOICES = ("head", "sequence", "slices", "aggregate")  # columns of the ledger that can be a choice
Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Looks:
    """How often the reported folds of one set of patients and labels were looked at, by runs that do not leak.

    question : what the labels stand for; patients : their number
    results : of the runs given; replaced : of runs that --overwrite put these in place of, as they record it
    """

    question: str
    patients: int
    results: int
    replaced: int

    @property
    def total(self) -> int:
        """All looks."""
        return self.results + self.replaced


@dataclass(frozen=True)
class Tried:
    """How many configurations a run tried, and on what.

    results : on the reported folds; the others are None without tuning
    inner, folds : configurations on inner folds, and the number of outer folds; refit : on inner folds of all patients
    stand_ins : scores of patients who lack the chosen sequence; their number is stand_in_patients
    """

    results: int
    inner: int | None = None
    folds: int = 0
    refit: int = 0
    stand_ins: int = 0
    stand_in_patients: int = 0
    chooses_head: bool = False


@dataclass(frozen=True)
class Choice:
    """What one column of the ledger was in how many folds, most often first."""

    column: str
    counts: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class TunedResult:
    """What was chosen for one tuned result, and what that was worth.

    folds : outer folds; choices : of the columns that differ between configurations; parameters : {name: values by fold}
    inner, outer : AUC of the chosen on inner folds, and by fold on the reported ones; NaN with few patients
    """

    key: ResultKey
    folds: int
    choices: tuple[Choice, ...]
    parameters: dict[str, list[object]]
    inner: float
    outer: float


def count_results(run: Run) -> int:
    """The results of a run that are candidates; a baseline never is."""
    return sum(s.sequence != baseline_of(run) for s in run.scored)


def count_looks(runs: Sequence[Run]) -> list[Looks]:
    """The looks at each set of patients and labels, in order of appearance; runs that leak are no candidates."""
    cohorts: dict[str, list[Run]] = {}
    for run in runs:
        if run.leak is None:
            cohorts.setdefault(json.dumps(run.about["patients"]["labels"], sort_keys=True), []).append(run)
    return [
        Looks(
            question=str(members[0].about["question"]),
            patients=len(members[0].about["patients"]["labels"]),
            results=sum(count_results(run) for run in members),
            replaced=sum((run.about.get("looks") or {}).get("earlier", 0) for run in members),
        )
        for members in cohorts.values()
    ]


def further_looks(looks: Sequence[Looks]) -> dict[str, int]:
    """{question: looks beyond the results of the report itself}, which a verdict has to pay for too."""
    out: dict[str, int] = {}
    for one in looks:
        out[one.question] = out.get(one.question, 0) + one.replaced
    return out


def chosen_rows(run: Run) -> dict[ResultKey, Rows]:
    """{tuned result: its row of the ledger in each outer fold}; empty without tuning."""
    out: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in run.more.get(TRIALS, []):
        if row["inner_auc"] and row["fold"] and row["chosen"] == "1":
            out[row["head"], CHOSEN].append(row)
            if row["best_head"] == "1":
                out[CHOSEN, CHOSEN].append(row)
    return {s.key: out[s.head, s.sequence] for s in run.scored if (s.head, s.sequence) in out}


def inner_thresholds(run: Run) -> dict[ResultKey, dict[tuple[int, int], float]]:
    """{result: {(index of the repeat, fold): threshold chosen on inner folds}}; empty without tuning."""
    out = {}
    for key, rows in chosen_rows(run).items():
        repeats = sorted({int(row["repeat"]) for row in rows})
        out[key] = {(repeats.index(int(r["repeat"])), int(r["fold"])): float(r["threshold"]) for r in rows}
    return out


def count_tried(run: Run) -> Tried:
    """What a run tried, from its ledger."""
    tuning = run.about.get("tuning")
    if not tuning:
        return Tried(count_results(run))
    rows = run.more.get(TRIALS, [])
    inner = sum(bool(row["fold"]) for row in rows)
    return Tried(
        results=count_results(run),
        inner=inner,
        folds=len({(row["repeat"], row["fold"]) for row in rows if row["fold"]}),
        refit=len(rows) - inner,
        stand_ins=len(tuning["stand_ins"]),
        stand_in_patients=len({s["patient"] for s in tuning["stand_ins"]}),
        chooses_head=ResultKey(run.name, CHOSEN, CHOSEN) in chosen_rows(run),
    )


def tuned_results(run: Run) -> list[TunedResult]:
    """What was chosen for each tuned result of a run; empty without tuning."""
    labels = run.about["patients"]["labels"].values()
    few = min(sum(labels), len(labels) - sum(labels)) < FEW_PATIENTS
    scored = {s.key: s for s in run.scored}
    return [_tuned(run, key, rows, scored[key], few) for key, rows in chosen_rows(run).items()]


def _tuned(run: Run, key: ResultKey, rows: Rows, scored: Scored, few: bool) -> TunedResult:
    tried = [row for row in run.more[TRIALS] if key.head in (CHOSEN, row["head"])]
    open_columns = [c for c in CHOICES if len({row[c] for row in tried}) > 1]
    parameters: dict[str, list[object]] = defaultdict(list)
    for row in rows:
        for parameter, value in json.loads(row["parameters"]).items():
            parameters[parameter].append(value)
    nan = float("nan")
    return TunedResult(
        key=key,
        folds=len(rows),
        choices=tuple(Choice(c, tuple(Counter(r[c] for r in rows).most_common())) for c in open_columns),
        parameters=dict(parameters),
        inner=nan if few else float(np.mean([float(r["inner_auc"]) for r in rows])),
        outer=nan if few else mean_fold_auc(scored.y, scored.scores, scored.fold),
    )
