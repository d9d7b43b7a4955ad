"""Write a run: predictions.csv, slices.csv, curves.csv, run.json and the fitted heads, published by a rename."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from core.documents import Known
from core.system.files import atomic_directory
from core.tables import neutral
from heads.bundle import Bundle, save_bundle
from heads.crossfit import FoldScores, SliceRows
from heads.run_files import (
    CURVE_COLUMNS,
    CURVES,
    PREDICTION_COLUMNS,
    PREDICTIONS,
    RUN_FILE,
    SLICE_COLUMNS,
    SLICES,
    WARNING_COLUMN,
    CurveRow,
    SliceRow,
)

Row = Sequence[object]
Extra = Mapping[str, tuple[Sequence[str], Iterable[Row]]]  # {file name: (columns, rows)}


def slice_rows(
    run: str, results: Iterable[FoldScores], tables: Mapping[str, SliceRows], labels: Mapping[str, int]
) -> Iterator[SliceRow]:
    """The rows of slices.csv; `tables` : {sequence: the table that the rows point into}."""
    for r in results:
        table = tables[r.sequence]
        for row, score in zip(r.rows, r.scores, strict=True):
            patient = table.patient[row]
            yield SliceRow(
                run=run,
                head=r.head,
                sequence=r.sequence,
                repeat=r.repeat,
                fold=r.fold,
                patient_id=patient,
                label=labels[patient],
                slice=table.slice_id[row],
                score=score,
            )


def curve_rows(run: str, results: Iterable[FoldScores]) -> Iterator[CurveRow]:
    """The rows of curves.csv, blank where nothing could be held back."""
    for r in results:
        for c in r.curve:
            yield CurveRow(
                run=run,
                head=r.head,
                sequence=r.sequence,
                repeat=r.repeat,
                fold=r.fold,
                epoch=int(c["epoch"]),
                loss=c["loss"],
                accuracy=c["accuracy"],
                val_loss=c.get("val_loss", ""),
                val_accuracy=c.get("val_accuracy", ""),
            )


def check_new(out: Path, *, overwrite: bool, what: str = "run", mark: str = RUN_FILE) -> None:
    """Raise ValueError where `out` exists and may not be replaced, or is no run (has no file `mark`)."""
    if out.exists() and not overwrite:
        raise ValueError(f"the {what} {str(out)!r} exists; choose another --out or pass --overwrite")
    if out.exists() and not (out / mark).exists():
        raise ValueError(f"{str(out)!r} exists and is not a {what} (no {mark}); it is left alone, choose another --out")


def write_run(
    out: Path,
    about: Known,
    predictions: Iterable[Row],
    slices: Iterable[Row],
    curves: Iterable[Row],
    bundles: Iterable[Bundle],
    *,
    more: Extra | None = None,
    fold_heads: Iterable[Bundle] = (),
    overwrite: bool = False,
) -> None:
    """Write everything to a temporary folder beside `out`, then rename it into place.

    Parameters
    ----------
    out : folder of the run
    about : content of run.json; where it has a `leak`, each table gets a warning column that says so
    predictions, slices, curves : rows in the order of the columns in `heads.run_files`
    bundles : the fitted heads for new patients
    more : further tables
    fold_heads : the linear heads of the folds
    overwrite : whether a run that is there is replaced

    Raises
    ------
    ValueError : `out` is there and may not be replaced, or is no run
    """
    check_new(out, overwrite=overwrite)
    tables = {
        PREDICTIONS: (PREDICTION_COLUMNS, predictions),
        SLICES: (SLICE_COLUMNS, slices),
        CURVES: (CURVE_COLUMNS, curves),
        **(more or {}),
    }
    with atomic_directory(out) as temporary:
        for name, (columns, rows) in tables.items():
            _write_table(temporary / name, columns, rows, about.get("leak"))
        _write_heads(temporary / "heads", bundles, fold_heads)
        digests = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(temporary.glob("*.csv"))}
        text = json.dumps({**about, "tables": digests}, indent=1, sort_keys=True) + "\n"
        (temporary / RUN_FILE).write_text(text, encoding="utf-8")


def _write_table(path: Path, columns: Sequence[str], rows: Iterable[Row], leak: str | None) -> None:
    """One CSV of a run, with a warning in each row of a run that leaks."""
    warned = [leak] if leak else []
    with path.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow([*columns, WARNING_COLUMN] if leak else columns)
        writer.writerows([*map(neutral, row), *warned] for row in rows)


def _write_heads(folder: Path, bundles: Iterable[Bundle], fold_heads: Iterable[Bundle]) -> None:
    """The fitted heads, and those of the folds in a folder of their own."""
    folder.mkdir()
    for b in bundles:
        save_bundle(folder / f"{b.about['head']}-{b.about['sequence']}.npz", b)
    for b in fold_heads:
        (folder / "folds").mkdir(exist_ok=True)
        name = f"{b.about['head']}-{b.about['sequence']}-repeat{b.about['repeat']}-fold{b.about['fold']}.npz"
        save_bundle(folder / "folds" / name, b)
