"""Write a run: predictions.csv, slices.csv, curves.csv, run.json and the fitted heads, published by a rename."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.files import atomic_directory
from core.tables import neutral
from heads.bundle import Bundle, save_bundle
from heads.crossfit import Fitted, FoldScores

PREDICTION_COLUMNS = ("run", "head", "sequence", "repeat", "fold", "patient_id", "label", "score", "n_slices")
SLICE_COLUMNS = ("run", "head", "sequence", "repeat", "fold", "patient_id", "label", "slice", "score")
CURVE_COLUMNS = ("run", "head", "sequence", "repeat", "fold", "epoch", "loss", "accuracy", "val_loss", "val_accuracy")
WARNING_COLUMN = "warning"  # added to every table of a run that leaks


def slice_rows(
    run: str, results: Iterable[FoldScores], tables: Mapping[str, Any], labels: Mapping[str, int]
) -> Iterator[tuple[Any, ...]]:
    """The rows of slices.csv; `tables` : {sequence: object with patient (n,) and slice_id (n,)}."""
    for r in results:
        table = tables[r.sequence]
        for row, score in zip(r.rows, r.scores, strict=True):
            patient = table.patient[row]
            yield run, r.head, r.sequence, r.repeat, r.fold, patient, labels[patient], table.slice_id[row], score


def curve_rows(run: str, results: Iterable[FoldScores]) -> Iterator[tuple[Any, ...]]:
    """The rows of curves.csv, blank where nothing could be held back."""
    for r in results:
        for c in r.curve:
            figures = (c["loss"], c["accuracy"], c.get("val_loss", ""), c.get("val_accuracy", ""))
            yield run, r.head, r.sequence, r.repeat, r.fold, int(c["epoch"]), *figures


def bundles(
    fitted: Mapping[tuple[str, str], Fitted], tables: Mapping[str, Any], sequences: list[str], shared: Mapping[str, Any]
) -> Iterator[Bundle]:
    """The fitted heads with their descriptions; a fused one names the sequences that it is made of."""
    for (head, sequence), f in fitted.items():
        own = {
            "head": head,
            "sequence": sequence,
            "parts": [sequence] if sequence in sequences else sequences,
            "train_patients": sorted(set(tables[sequence].patient)),
            "n_columns": tables[sequence].X.shape[1],
        }
        yield Bundle(f, {**shared, **own})


def fold_bundles(
    results: Iterable[FoldScores], tables: Mapping[str, Any], sequences: list[str], shared: Mapping[str, Any]
) -> Iterator[Bundle]:
    """The linear heads of the folds with the ids of their own training patients; they explain out-of-fold scores."""
    for r in results:
        if r.fitted is not None:
            patient = tables[r.sequence].patient
            own = {
                "head": r.head,
                "sequence": r.sequence,
                "parts": [r.sequence] if r.sequence in sequences else sequences,
                "repeat": r.repeat,
                "fold": r.fold,
                "test_patients": sorted(set(patient[r.rows])),
                "n_columns": tables[r.sequence].X.shape[1],
            }
            yield Bundle(r.fitted, {**shared, **own})


def check_new(out: Path, *, overwrite: bool, what: str = "run", mark: str = "run.json") -> None:
    """Raise ValueError where `out` exists and may not be replaced, or is no run (has no file `mark`)."""
    if out.exists() and not overwrite:
        raise ValueError(f"the {what} {str(out)!r} exists; choose another --out or pass --overwrite")
    if out.exists() and not (out / mark).exists():
        raise ValueError(f"{str(out)!r} exists and is not a {what} (no {mark}); it is left alone, choose another --out")


def write_run(
    out: Path,
    about: dict[str, Any],
    predictions: Iterable[Sequence[Any]],
    slices: Iterable[Sequence[Any]],
    curves: Iterable[Sequence[Any]],
    bundles: Iterable[Bundle],
    *,
    more: Mapping[str, tuple[Sequence[str], Iterable[Sequence[Any]]]] | None = None,
    fold_heads: Iterable[Bundle] = (),
    overwrite: bool = False,
) -> None:
    """Write everything to a temporary folder beside `out`, then rename it into place.

    Rows come in the order of the `*_COLUMNS`; `more` : {file name: (columns, rows)} of further tables. `about` becomes run.json; where it has a `leak`, each table gets a
    warning column that says so.
    """
    check_new(out, overwrite=overwrite)
    with atomic_directory(out) as temporary:
        leak = about.get("leak")
        for name, columns, rows in (
            ("predictions.csv", PREDICTION_COLUMNS, predictions),
            ("slices.csv", SLICE_COLUMNS, slices),
            ("curves.csv", CURVE_COLUMNS, curves),
            *((name, *table) for name, table in (more or {}).items()),
        ):
            with (temporary / name).open("w", newline="", encoding="utf-8") as f:
                writer = csv.writer(f)
                writer.writerow([*columns, WARNING_COLUMN] if leak else columns)
                writer.writerows([*map(neutral, row), *([leak] if leak else [])] for row in rows)
        (temporary / "heads").mkdir()
        for b in bundles:
            save_bundle(temporary / "heads" / f"{b.about['head']}-{b.about['sequence']}.npz", b)
        for b in fold_heads:
            (temporary / "heads" / "folds").mkdir(exist_ok=True)
            name = f"{b.about['head']}-{b.about['sequence']}-repeat{b.about['repeat']}-fold{b.about['fold']}.npz"
            save_bundle(temporary / "heads" / "folds" / name, b)
        digests = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(temporary.glob("*.csv"))}
        about = {**about, "tables": digests}
        (temporary / "run.json").write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")
