"""The acquisition baseline: heads that know how the scans were made and see no image, over the same folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.predictions import Predictions
from features.acquisition import shortcut_table
from features.table import Source, Table
from heads.base import Head
from heads.crossfit import cross_fit
from heads.folds import Fold, row_splits


def acquisition_table(source: Source, sequences: Sequence[str], labels: Mapping[str, int]) -> Table:
    """A row per labelled patient: slice count, plane, spacing and so on of each sequence."""
    return shortcut_table(source, sequences).of_patients(list(labels))


def acquisition_predictions(
    run: str,
    table: Table,
    labels: Mapping[str, int],
    heads: Sequence[Head],
    folds: Sequence[Fold],
    *,
    seed: int,
    jobs: int = 1,
) -> Predictions:
    """What an image head that does no better may have learned too; never fused, never saved.

    Parameters
    ----------
    run : name of the run
    table : what `acquisition_table` gives
    labels, heads, folds, seed, jobs : those of the run

    Returns
    -------
    A row per head, repeat, fold and patient, under the table's sequence.
    """
    splits = {table.sequence: row_splits(folds, table.patient, table.view)}
    results = cross_fit(heads, [table], labels, splits, seed=seed, jobs=jobs)
    return Predictions.from_folds(run, results, {table.sequence: table}, labels, "mean")
