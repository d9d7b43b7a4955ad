"""Read runs back: run.json, predictions.csv, slices.csv, curves.csv, joined by ids."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.documents import Document, Known
from core.leak import Leak
from core.predictions import Predictions, ResultKey, Score, Scored, matrix
from core.tables import original
from heads.run_files import (
    CURVE_COLUMNS,
    CURVES,
    MAIN_TABLES,
    PREDICTIONS,
    RUN_FILE,
    RUN_FORMAT,
    RUN_VERSION,
    SLICE_COLUMNS,
    SLICES,
)
from heads.run_record import RunRecord

if TYPE_CHECKING:
    from heads.training.run import Run as RunInMemory

Rows = list[dict[str, str]]


@dataclass
class Run:
    """A run as read from its folder.

    Parameters
    ----------
    path : the folder
    name : what the run goes by
    about : content of run.json
    scored : scores of patients, a matrix per result
    slices : scores of slices, a matrix per result
    curves : rows of curves.csv
    more : {file name: rows} of further tables
    """

    path: Path
    name: str
    about: Document
    scored: list[Scored]
    slices: list[Scored]
    curves: Rows
    more: dict[str, Rows] = field(default_factory=dict)

    @property
    def leak(self) -> Leak | None:
        """Patients in training and test at once, None where there is none; also of runs that kept it as a sentence alone."""
        return Leak.from_json(self.about.get("leak"), self.about.get("leak_counts"))


def is_table(about: Known) -> bool:
    """Whether a run was trained on a table of features: patients and columns, neither scans nor slices."""
    return "table_columns" in about.get("features", {}).get("settings", {})


def read_run(path: Path, name: str | None = None) -> Run:
    """Read a run.

    Parameters
    ----------
    path : folder of the run
    name : replaces the folder's name

    Raises
    ------
    ValueError : a file is missing, damaged, or not as the run wrote it
    """
    name = name or path.name
    try:
        about = _read_about(path)
        tables = {n: _read(path / n, about["tables"].get(n)) for n in MAIN_TABLES}
        more = {n: _read(path / n, digest) for n, digest in about["tables"].items() if n not in MAIN_TABLES}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(f"{str(path)!r} is not a run: {_instead(path, Path(error.filename).name)}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{str(path / RUN_FILE)!r} is not readable JSON ({error})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{str(path)!r} has a damaged file ({error})") from None
    try:
        for c in tables[CURVES]:
            int(c["epoch"]), float(c["loss"]), float(c["accuracy"])
        scored = Predictions.from_records(tables[PREDICTIONS], run=name).grouped()
        return Run(
            path=path,
            name=name,
            about=about,
            scored=scored,
            slices=_group_slices(name, tables[SLICES]),
            curves=tables[CURVES],
            more=more,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} has a damaged table ({error})") from None


def in_memory(run: RunInMemory) -> Run:
    """A run that `heads.cross_validate` gave, as if it had been saved and read back.

    Parameters
    ----------
    run : it is neither changed nor written
    """
    return Run(
        path=Path(run.name),
        name=run.name,
        about=json.loads(json.dumps(run.record.as_json())),
        scored=run.predictions.grouped(),
        slices=_group_slices(run.name, _texts(SLICE_COLUMNS, run.outcome.slice_rows())),
        curves=_texts(CURVE_COLUMNS, run.outcome.curve_rows()),
        more={name: _texts(table.columns, table.rows) for name, table in run.tables().items()},
    )


def _texts(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Rows:
    """Rows as a CSV would give them back."""
    return [dict(zip(columns, map(str, row), strict=True)) for row in rows]


def _read_about(path: Path) -> Document:
    """The content of run.json, once it is known to be that of a run. Raises ValueError that says what it is not."""
    file = path / RUN_FILE
    about = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(about, dict):
        raise ValueError(f"{str(file)!r} holds no description of a run")
    if about.get("format") != RUN_FORMAT or about.get("format_version") != RUN_VERSION:
        raise ValueError(
            f"{str(path)!r} is not a run of version {RUN_VERSION} (format {about.get('format')!r} {about.get('format_version')})"
        )
    try:
        record = RunRecord.from_json(about)
    except ValueError as error:
        raise ValueError(f"{str(file)!r} {error}") from None
    outside = [name for name in record.tables if Path(name).name != name]
    if outside:
        raise ValueError(f"{str(file)!r} names the table {outside[0]!r}; expected files of the run's own folder")
    return about


def _group_slices(run: str, rows: Rows) -> list[Scored]:
    """A matrix per result; a slice is known by its patient and itself."""
    groups: dict[ResultKey, list[Score]] = {}
    for r in rows:
        score = Score(
            unit=f"{r['patient_id']}/{r['slice']}",
            patient=r["patient_id"],
            label=int(r["label"]),
            repeat=int(r["repeat"]),
            fold=int(r["fold"]),
            score=float(r["score"]),
            n_slices=1,
        )
        groups.setdefault(ResultKey(run, r["head"], r["sequence"]), []).append(score)
    return [matrix(key, scores) for key, scores in groups.items()]


def _instead(path: Path, missing: str) -> str:
    """What a path is that holds no run, and what to do."""
    if not path.exists():
        return "it does not exist; make runs with train_head.py --out"
    if path.is_file():
        return (
            f"it is a file; train heads on features with train_head.py {path} LABELS.csv --out runs/NAME, or score them with the heads "
            f"of a run: evaluate.py RUN --cache {path}"
        )
    inside = sorted(p.parent.name for p in path.glob(f"*/{RUN_FILE}"))
    if inside:
        more = " ..." if len(inside) > 4 else ""
        return f"it is a folder of runs; name them: {' '.join(str(path / name) for name in inside[:4])}{more}"
    return f"{missing} is missing; make runs with train_head.py --out"


def _read(path: Path, digest: str | None) -> Rows:
    """The rows of a table, once its bytes are known to be those that the run wrote."""
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{str(path)!r} is not as the run wrote it (its SHA-256 differs from run.json's); train again")
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    return [{k: original(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
