"""Every patient and every score: the table of the report that can be sorted and filtered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.metrics import Array, Labels
from core.predictions import Scored
from evaluation.read_run import Run
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet, result_name, section
from evaluation.run_facts import leaks_of

LABEL = "Label"
SHOWN = 60  # patients, more of which are shown on demand


@section(order=150)
def patients_section(context: ReportContext) -> Section:
    """One table for each question that the runs ask, a row per patient.

    Label; spread of the scores; each result's out-of-fold score, as the mean over repeats with the standard deviation
    between them; slices; sequences where the run recorded them; the test fold of each repeat.
    """
    scored, questions = context.scored, context.questions
    counted = "Slices: the most that one score rests on. " if any((s.n_slices > 1).any() for s in scored) else ""
    words = [
        "Scores are out of fold: no head saw the patient that it scores, except in runs that leak. Where a run was repeated a score "
        "is the mean over repeats \u00b1 the standard deviation between them. Spread: the highest score of a patient minus the "
        "lowest, over results that do not leak; where it is large the heads contradict each other. "
        f"{counted}Test fold: one number per repeat, as in predictions.csv.",
        "A column heading sorts the table; the patients shown can be narrowed down by id and label.",
    ]
    sheets = []
    for question in dict.fromkeys(questions[s.run] for s in scored):
        results = [s for s in scored if questions[s.run] == question]
        sheets.append(_sheet(question, results, [run for run in context.runs if questions[run.name] == question]))
    longest = max((len(sheet.rows) for sheet in sheets), default=0)
    return Section("patients", "Patient by patient", words, sheets, folded=longest > SHOWN)


def _sheet(question: str, results: Sequence[Scored], runs: Sequence[Run]) -> Sheet:
    leaks = leaks_of(runs)
    present = {p: has for run in runs for p, has in (run.about.get("availability") or {}).items()}
    place = [{p: i for i, p in enumerate(s.units)} for s in results]
    several, many_slices = len(results) > 1, any((s.n_slices > 1).any() for s in results)
    columns = ["Patient", LABEL]
    if several:
        columns.append("Spread")
    columns += [result_name(s.key, [r.name for r in runs], leaks) for s in results]
    if many_slices:
        columns.append("Slices")
    if present:
        columns.append("Sequences")
    columns += [f"Test fold ({run.name})" if len(runs) > 1 else "Test fold" for run in runs]

    rows: list[list[Cell]] = []
    for patient in sorted({p for s in results for p in s.units}):
        at = [where.get(patient) for where in place]
        scores = [np.empty(0) if i is None else s.scores[:, i] for s, i in zip(results, at, strict=True)]
        mine = [(s, i) for s, i in zip(results, at, strict=True) if i is not None]
        row: list[Cell] = [patient, "/".join(sorted({str(s.y[i]) for s, i in mine}))]
        if several:
            row.append(_spread([x for s, x in zip(results, scores, strict=True) if s.run not in leaks]))
        row += [_score(x) for x in scores]
        if many_slices:
            row.append(max(int(s.n_slices[i]) for s, i in mine))
        if present:
            row.append(" ".join(q for q, has in present.get(patient, {}).items() if has["slices"]))
        row += [_folds([s.fold[:, i] for s, i in mine if s.run == run.name]) for run in runs]
        rows.append(row)
    return Sheet(question, columns, rows, browse="patients", choice=LABEL)


def _score(scores: Array) -> str | None:
    """(R,) scores of one patient -> '0.61 \u00b1 0.02', without the deviation where there is one score."""
    known = scores[np.isfinite(scores)]
    if not len(known):
        return None
    return f"{known.mean():.2f}" + (f" \u00b1 {known.std(ddof=1):.2f}" if len(known) > 1 else "")


def _spread(results: Sequence[Array]) -> str | None:
    """Highest minus lowest of the mean scores, None with fewer than two results."""
    means = [float(np.nanmean(x)) for x in results if np.isfinite(x).any()]
    return f"{max(means) - min(means):.2f}" if len(means) > 1 else None


def _folds(folds: Sequence[Labels]) -> str:
    """The test fold of each repeat. Results of one run share their folds; -1 stands where one lacks the patient."""
    return " ".join(str(f) for f in np.max(folds, axis=0) if f >= 0) if folds else ""
