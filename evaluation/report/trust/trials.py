"""What was tried, on which folds, and how often the reported folds were looked at, from the ledgers of the runs."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.predictions import CHOSEN
from core.text import counted, number, some
from evaluation.read_run import RUN_FORMAT, Run
from evaluation.report.performance.permutation import mean_fold_auc
from evaluation.report.section import Cell, Section, Sheet, result_name
from evaluation.statistics.power import FEW_PATIENTS

LEDGER = "ledger.csv"
CHOICES = {"head": "head", "sequence": "sequence", "slices": "slices", "aggregate": "aggregator"}  # column: its title
STABLE = 0.8  # share of folds that choose alike
Rows = list[dict[str, str]]


def siblings(paths: Sequence[Path]) -> list[tuple[str, dict[str, Any]]]:
    """The runs that stand in the same folders as these and are not among them: (name, content of run.json)."""
    given = {path.resolve() for path in paths}
    out = []
    for folder in sorted({path.parent for path in given}):
        for file in sorted(folder.glob("[!.]*/run.json")):
            try:
                about = json.loads(file.read_text(encoding="utf-8"))
            except (OSError, ValueError):  # half a run is nobody's look
                continue
            if file.parent.resolve() not in given and isinstance(about, dict) and about.get("format") == RUN_FORMAT:
                out.append((file.parent.name, about))
    return out


def chosen_rows(run: Run) -> dict[tuple[str, str], Rows]:
    """{(head, sequence) of each tuned result: its row of the ledger in each outer fold}; empty without tuning."""
    out: dict[tuple[str, str], Rows] = defaultdict(list)
    for row in run.more.get(LEDGER, []):
        if row["inner_auc"] and row["fold"] and row["chosen"] == "1":
            out[row["head"], CHOSEN].append(row)
            if row["best_head"] == "1":
                out[CHOSEN, CHOSEN].append(row)
    return {s.key[1:]: out[s.key[1:]] for s in run.scored if s.key[1:] in out}


def inner_thresholds(run: Run) -> dict[tuple[str, str], dict[tuple[int, int], float]]:
    """{(head, sequence): {(index of the repeat, fold): threshold chosen on inner folds}}; empty without tuning."""
    out = {}
    for key, rows in chosen_rows(run).items():
        repeats = sorted({int(row["repeat"]) for row in rows})
        out[key] = {(repeats.index(int(r["repeat"])), int(r["fold"])): float(r["threshold"]) for r in rows}
    return out


def ledger_section(runs: Sequence[Run], beside: Sequence[tuple[str, dict[str, Any]]]) -> Section:
    """How many configurations were tried and where, how often the reported folds were looked at in all, and what was
    chosen. `beside` : what `siblings` found; runs of other patients or labels, and copies, are passed over."""
    names = [run.name for run in runs]
    words = [_tried(run) for run in runs]
    totals = count_looks(runs, beside)
    words += [_looks_sentence(looks, looks["question"] if len(totals) > 1 else "") for looks in totals]
    if leaking := [run.name for run in runs if run.about.get("leak")]:
        words.append(
            f"Runs that leak ({', '.join(leaking)}, and those in the same folder) are no candidates and are not counted."
        )
    worth: list[list[Cell]] = []
    choices: list[list[Cell]] = []
    for run in runs:
        labels = run.about["patients"]["labels"].values()
        few = min(sum(labels), len(labels) - sum(labels)) < FEW_PATIENTS
        for key, rows in chosen_rows(run).items():
            scored = next(s for s in run.scored if s.key[1:] == key)
            name = result_name(scored.key, names)
            inner = float(np.mean([float(r["inner_auc"]) for r in rows]))
            outer = mean_fold_auc(scored.y, scored.scores, scored.fold)
            worth.append([name, len(rows), None if few else inner, None if few else outer])
            columns = _open_choices(run, key[0])
            words.append(_stability(name, rows, columns) + ("" if few else _worth(inner, outer)))
            choices += _choices(name, rows, columns)
    sheets = []
    if worth:
        columns = ["result", "folds", "AUC on inner folds, of the chosen", "AUC on the reported folds, by fold"]
        sheets.append(Sheet("What choosing the best on inner folds was worth on the reported ones", columns, worth))
        columns = ["result", "what", "choice"]
        sheets.append(Sheet("What was chosen (in how many folds)", columns, choices))
    data = {"looks": totals, "choices": [dict(zip(sheets[1].columns, c, strict=True)) for c in choices]}
    return Section("ledger", "What was tried", words, sheets, data=data)


def count_looks(runs: Sequence[Run], beside: Sequence[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """How often the reported folds of each set of patients and labels were looked at, runs that leak left out.

    `results` of these runs, `replaced` by --overwrite, `beside` in the same folder, their sum `total`, and the `question`.
    """
    cohorts: dict[str, list[Run]] = {}
    for run in runs:
        if not run.about.get("leak"):
            cohorts.setdefault(_cohort(run.about), []).append(run)
    out = []
    for cohort, members in cohorts.items():
        others = {
            json.dumps(about.get("tables"), sort_keys=True): (name, about)
            for name, about in beside
            if _cohort(about) == cohort
            and not about.get("leak")
            and all(about.get("tables") != m.about["tables"] for m in members)
        }
        out.append(_looks(members, list(others.values())))
    return out


def further_looks(looks: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """{question: looks beyond the results of the report itself}, which a verdict has to pay for too."""
    out: dict[str, int] = {}
    for one in looks:
        out[one["question"]] = out.get(one["question"], 0) + one["replaced"] + one["beside"]
    return out


def _tried(run: Run) -> str:
    rows, results = run.more.get(LEDGER, []), _results(run)
    tuning = run.about.get("tuning")
    if not tuning:
        if results == 1:
            return f"{run.name}: one configuration was tried, on the reported folds."
        hint = "" if run.about.get("leak") else "; train_head.py --tune chooses on inner folds instead"
        return (
            f"{run.name}: {results} configurations were tried, all of them on the reported folds. The highest of them is partly "
            f"luck{hint}."
        )
    inner, folds = (
        sum(bool(row["fold"]) for row in rows),
        len({(row["repeat"], row["fold"]) for row in rows if row["fold"]}),
    )
    text = (
        f"{run.name}: {inner} configurations were tried, {inner // max(1, folds)} in each of {counted(folds, 'fold')}, all of them on inner folds "
        f"of its training patients; a threshold was chosen there too, which --threshold youden uses. The reported folds were scored once for "
        f"each of {counted(results, 'result')}. Another {len(rows) - inner} were tried "
        "on inner folds of all patients, for the heads that meet new patients. Scores of different folds come from different "
        "configurations, so read the AUC by fold rather than the pooled one, which ranks them together."
    )
    if (CHOSEN, CHOSEN) in chosen_rows(run):
        text += " The head called chosen is in each fold the one that was best on the inner folds: the answer to the best of all."
    if tuning["stand_ins"]:
        patients = {s["patient"] for s in tuning["stand_ins"]}
        text += (
            f" {len(patients)} patients lack a sequence that was chosen; {len(tuning['stand_ins'])} of the scores come from the "
            "best configuration of a sequence that they have. An AUC on inner folds is of the patients who have the sequence."
        )
    return text


def _looks(members: Sequence[Run], others: Sequence[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    results = sum(_results(run) for run in members)
    earlier = sum(run.about.get("looks", {}).get("earlier", 0) for run in members)
    # A run from before there was a ledger does not say how many results it has; it has one at least.
    beside = sum(about.get("looks", {}).get("total", 1) for _, about in others)
    return {
        "question": members[0].about["question"],
        "patients": len(members[0].about["patients"]["labels"]),
        "results": results,
        "replaced": earlier,
        "beside": beside,
        "runs_beside": [name for name, _ in others],
        "total": results + earlier + beside,
    }


def _looks_sentence(looks: Mapping[str, Any], question: str) -> str:
    about = f"{question}: in" if question else "In"
    text = (
        f"{about} all, the reported folds of these {looks['patients']} patients were looked at {_times(looks['total'])}: "
        f"{looks['results']} by the results of this report, {looks['replaced']} by runs that these replaced, {looks['beside']} by "
        f"other runs in the same folder ({some(looks['runs_beside']) or 'none of these patients and labels'})."
    )
    return f"{text} Runs that were deleted or lie elsewhere are not known."


def _open_choices(run: Run, head: str) -> list[str]:
    """The columns of the ledger in which the configurations of a result differ."""
    tried = [row for row in run.more[LEDGER] if head in (CHOSEN, row["head"])]
    return [column for column in CHOICES if len({row[column] for row in tried}) > 1]


def _choices(name: str, rows: Rows, columns: Sequence[str]) -> list[list[Cell]]:
    """(result, what, each choice with its number of folds), and the span of each hyper-parameter."""
    out: list[list[Cell]] = []
    for column in columns:
        found = Counter(r[column] for r in rows).most_common()
        out.append([name, CHOICES[column], ", ".join(f"{value} ({n})" for value, n in found)])
    spans: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for parameter, value in json.loads(row["parameters"]).items():
            spans[parameter].append(value)
    return out + [[name, parameter, _span(values)] for parameter, values in spans.items()]


def _stability(name: str, rows: Rows, columns: Sequence[str]) -> str:
    most = {CHOICES[c]: Counter(row[c] for row in rows).most_common(1)[0] for c in columns}
    if not most:
        return f"{name}: only hyper-parameters were there to choose."
    stable = [f"{title} {value} in {n}" for title, (value, n) in most.items() if n >= STABLE * len(rows)]
    varied = [f"{title} ({value} in {n})" for title, (value, n) in most.items() if n < STABLE * len(rows)]
    text = f"{name}: of {len(rows)} folds the choice was {', '.join(stable)}." if stable else f"{name}:"
    if varied:
        text += (
            f" Not stable over {len(rows)} folds: {', '.join(varied)}; the inner folds cannot tell such choices apart."
        )
    return text


def _worth(inner: float, outer: float) -> str:
    return (
        f" The chosen configurations reach an AUC of {number(inner)} on the inner folds that they were picked by, and "
        f"{number(outer)} on the reported ones. Only the second figure holds for new patients."
    )


def _span(values: Sequence[Any]) -> str:
    if all(isinstance(v, int | float) for v in values) and min(values) < max(values):
        return f"{min(values):g} to {max(values):g}"
    return " or ".join(sorted({str(v) for v in values}))


def _results(run: Run) -> int:
    baseline = run.about.get("shortcuts")  # a baseline is never a candidate
    return sum(s.sequence != baseline for s in run.scored)


def _cohort(about: Mapping[str, Any]) -> str:
    return json.dumps(about.get("patients", {}).get("labels"), sort_keys=True)


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")
