"""Cross-validation of tables that are in memory: what train_head.py does, from Python."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from core.documents import Known
from core.predictions import TABLE
from core.question import LabelQuestion
from features.dataset import Dataset
from features.labels import Join
from features.table import Source, Table, concatenate, pool
from heads.run_record import LabelsRecord
from heads.training.cohort import Cohort, compare_patients
from heads.training.events import Tell, silent
from heads.training.options import TrainOptions
from heads.training.run import Run
from heads.training.train import run_on

_OF_LOADING = (
    "slices",
    "plane",
    "keep_blank",
    "patient_column",
    "label_column",
    "positive",
    "negative",
    "skip_unlabelled",
)
_ELSEWHERE = {
    "head": "say heads=[...]",
    "features": "they are the first argument, what features.load(...) gives",
    "out": "nothing is written yet; run.save(out) writes the run",
    "overwrite": "nothing is written yet; run.save(out, overwrite=True) replaces a run",
}


def cross_validate(
    data: Dataset | Table,
    heads: Sequence[str] | None = None,
    *,
    labels: Mapping[str, int] | None = None,
    folds: int = 5,
    repeats: int = 5,
    seed: int = 0,
    jobs: int = 1,
    name: str = "run",
    tell: Tell = silent,
    **options: Any,
) -> Run:
    """Score every patient by heads that have not seen the patient.

    Parameters
    ----------
    data : what `features.load` gives, or one table with its `labels`
    heads : names of registered heads; None for all of them
    labels : {patient: 0 or 1}, for a table alone; patients without one are left out
    folds, repeats : of the patients, stratified by label; patients who share images stay in one fold. The default is 5 repeats
        here and 2 with train_head.py
    seed : of folds and heads
    jobs : folds fitted at once; results do not depend on it
    name : of the run
    tell : hears what is going on, as values of `heads.training.events`
    options : any other of `TrainOptions`, and hyper-parameters of heads: `C=0.1`, `aggregate="max"`, `permutations=1000`

    Returns
    -------
    The run: `.predictions`, `.to_frame()`, and `.save("runs/name")` for evaluate.py.

    Raises
    ------
    ValueError : options contradict each other or are not known, labels are missing, patients are too few, a fit does not
        converge
    """
    given = _options(data, name, options)
    own = given.split == "slice" or given.split_file is not None  # these bring folds of their own
    given.folds, given.repeats = (None, None) if own else (folds, repeats)
    given.head, given.seed, given.jobs = heads, seed, jobs
    given.check()
    return run_on(given, _cohort(data, labels, given, tell), tell)


def _options(data: Dataset | Table, name: str, options: Known) -> TrainOptions:
    """The options of a run in memory; what is no option is a hyper-parameter."""
    if loading := [o for o in _OF_LOADING if o in options]:
        raise ValueError(f"{', '.join(loading)}: say it where the table is loaded, features.load(...)")
    if elsewhere := [o for o in _ELSEWHERE if o in options]:
        raise ValueError("; ".join(f"{o}: {_ELSEWHERE[o]}" for o in elsewhere))
    if "demonstrate_leak" in options:
        raise ValueError("demonstrate_leak makes no run; train_head.py --demonstrate-leak does it")
    known = {f.name for f in fields(TrainOptions)} - {"parameters"}
    path = Path(TABLE) if isinstance(data, Table) else data.source.path
    if isinstance(options.get("split_file"), str):
        options = {**options, "split_file": Path(options["split_file"])}
    return TrainOptions(
        features=path,
        labels=Path(),
        out=Path(name),
        parameters={k: v for k, v in options.items() if k not in known},
        **{k: v for k, v in options.items() if k in known},
    )


def _cohort(data: Dataset | Table, labels: Mapping[str, int] | None, options: TrainOptions, tell: Tell) -> Cohort:
    """The tables as the options want them, with the labelled patients alone."""
    if isinstance(data, Table):
        if labels is None:
            raise ValueError("a table has no labels; pass labels={patient: 0 or 1}, or what features.load gives")
        join = Join(LabelQuestion("label"), _labels_of(data, labels))
        table = _with_columns(data)
        source, tables = _source(table), [table]
    else:
        join, source, tables = data.join, data.source, list(data.tables.values())
    wanted = [t for t in tables if options.sequence is None or t.sequence in options.sequence]
    if not wanted:
        raise ValueError(
            f"no table of {', '.join(options.sequence or [])}; there are {', '.join(t.sequence for t in tables)}"
        )
    whole = [t.of_patients(list(join.labels)) for t in wanted]
    per_patient = options.unit == "patient" or source.is_csv
    trained = [pool(t) for t in whole] if per_patient else list(whole)
    if options.fuse == "features":
        trained.append(concatenate(trained))
    digest = hashlib.sha256(json.dumps(join.labels, sort_keys=True).encode()).hexdigest()
    cohort = Cohort(
        source=source,
        join=join,
        labels_file=LabelsRecord("", digest),
        sequences=[t.sequence for t in wanted],
        tables=trained,
        per_patient=per_patient,
    )
    if cohort.has_scans and not source.path.exists():
        raise ValueError(
            f"the cache {str(source.path)!r} that the tables were loaded from is gone; put it back, or load another"
        )
    compare_patients(cohort, whole, tell)
    return cohort


def _labels_of(table: Table, labels: Mapping[str, int]) -> dict[str, int]:
    """{patient: 0 or 1} of the patients of a table who have a label. Raises ValueError for any other value."""
    known = {p: labels[p] for p in dict.fromkeys(map(str, table.patient)) if p in labels}
    for patient, label in known.items():
        if label not in (0, 1):
            raise ValueError(f"patient {patient!r} has the label {label!r}; expected 0 or 1")
    return {patient: int(label) for patient, label in known.items()}


def _with_columns(table: Table) -> Table:
    """A table that says what its rows are: slices with digests of their pixels, or patients with named columns."""
    if table.columns or len(table.digest):
        return table
    return replace(table, columns=[f"column {i}" for i in range(table.X.shape[1])])


def _source(table: Table) -> Source:
    """Where a table that nobody read comes from: memory."""
    digest = hashlib.sha256(table.X.tobytes() + "\0".join(map(str, table.patient)).encode(errors="surrogateescape"))
    return Source(
        path=Path(TABLE),
        is_csv=bool(table.columns),
        patients=list(dict.fromkeys(map(str, table.patient))),
        sequences=[table.sequence],
        settings={"table_columns": len(table.columns)} if table.columns else {},
        digest=digest.hexdigest(),
        in_memory=True,
    )
