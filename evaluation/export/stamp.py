"""Predictions as STAMP's statistics read them, so that anyone can compute the AUCs of a run with other code.

The form is that of STAMP's `patient-preds.csv` (github.com/KatherLab/STAMP, modeling/deploy.py): PATIENT, the ground truth under
the name of the label, `pred`, and a score for each class as `<label>_<class>`. `stamp statistics` names a result by the folder
that its file lies in (statistics/categorical.py), so that each result gets a folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from core.leak import leak_sentence
from core.metrics import THRESHOLD
from core.predictions import Scored
from core.tables import write_csv
from evaluation.read_run import Run
from evaluation.run_facts import question_of

FILE = "patient-preds.csv"
EXTRA_COLUMNS = ("fold",)  # beyond STAMP's, which passes over them


def label_name(run: Run) -> str:
    """The name of the run's label column: the one that was asked for, else the one of its question."""
    named = run.about["arguments"].get("label_column")
    return str(named or question_of(run).column)


def stamp_rows(scored: Scored, repeat: int, label: str, warning: str = "") -> list[Sequence[object]]:
    """Lay out one repeat as STAMP does.

    Parameters
    ----------
    scored : a result
    repeat : its index
    label : name of the label column
    warning : gets a column of its own

    Returns
    -------
    Header and rows, patients in order. Scores have all their digits; `pred` is 1 from a score of 0.5 up.
    """
    more = [warning] if warning else []
    header = ("PATIENT", label, "pred", f"{label}_0", f"{label}_1", *EXTRA_COLUMNS, *(["warning"] if warning else []))
    rows: list[Sequence[object]] = [header]
    for i in np.flatnonzero(np.isfinite(scored.scores[repeat])):
        score = float(scored.scores[repeat, i])
        fold = int(scored.fold[repeat, i])
        rows.append((scored.units[i], int(scored.y[i]), int(score >= THRESHOLD), 1 - score, score, fold, *more))
    return rows


def write_stamp(folder: Path, runs: Sequence[Run]) -> list[Path]:
    """Write the predictions of runs.

    Parameters
    ----------
    folder : gets `<run>-<head>-<sequence>-repeat<k>/patient-preds.csv` for each result and repeat
    runs : as `evaluation.read_run` reads them

    Returns
    -------
    The files.

    Raises
    ------
    ValueError : a folder is there already, or two results would have the same one
    """
    tables: dict[str, tuple[Run, Scored, int]] = {}
    for run in runs:
        for s in run.scored:
            for k in range(len(s.scores)):
                name = re.sub(r"[^\w+.-]", "_", f"{s.run}-{s.head}-{s.sequence}-repeat{k}")
                if name in tables:
                    raise ValueError(f"--export-stamp: two results would be called {name!r}; rename one of the runs")
                tables[name] = run, s, k
    for name in tables:
        if (folder / name).exists():
            raise ValueError(f"--export-stamp: {str(folder / name)!r} exists; delete it, or choose another folder")
    for name, (run, s, k) in tables.items():
        warning = leak_sentence(run.leak) if run.leak else ""
        write_csv(folder / name / FILE, stamp_rows(s, k, label_name(run), warning))
    return [folder / name / FILE for name in tables]
