"""Cache -> what is known of a patient's scans without looking at anatomy: how they were made, and which are there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.cache.reader import Cache
from features.table import Source, Table

SHORTCUTS = "shortcuts"  # what the table is called where a sequence name is expected
PLANES = ("axial", "coronal", "sagittal")
# Columns that a series has one value of, or nearly: the median over its images stands for it.
_OF_SERIES = ("height", "width", "spacing_row", "spacing_column", "window_low", "window_high")
FACTS = ("slices", "blank", *PLANES, *_OF_SERIES, "slice_step", "brain_mean", "brain_max")


def shortcut_table(source: Source, sequences: Sequence[str] | None = None) -> Table:
    """One row per patient of a cache, made from the columns beside the features and never from pixels.

    X : (patients, 15 x sequences) float32. Per sequence the FACTS, then a 0/1 column `missing`: number of images and of
    blank ones; share of images in each plane; matrix in pixels; spacing and slice step in mm; window in the units of the
    scan; mean and highest brain fraction. NaN where a value is not known or the series is missing. `columns` are
    "FLAIR slices" and so on. What a head makes of these it did not learn from anatomy, so an image head that does no
    better may have learned no more (Geirhos et al., Nature Machine Intelligence 2020, on shortcut learning).
    """
    sequences = source.sequences if sequences is None else list(sequences)
    row = {p: i for i, p in enumerate(source.patients)}
    X = np.full((len(row), len(sequences), len(FACTS) + 1), np.nan, np.float32)
    X[..., -1] = 1
    for patient, sequence, images in _series(source):
        if sequence in sequences:
            X[row[patient], sequences.index(sequence)] = [*_facts(images), 0]
    columns = [f"{q} {fact}" for q in sequences for fact in (*FACTS, "missing")]
    patient_ids = np.array(source.patients, object)
    view = np.zeros(len(row), np.int16)
    return Table(SHORTCUTS, X.reshape(len(row), -1), patient_ids, view, patient_ids.copy(), columns=columns)


def availability(source: Source) -> dict[str, dict[str, dict[str, Any]]]:
    """{patient: {sequence: {slices, plane}}} of a cache: the images that are not blank, and the plane of most of them.

    A sequence without any such image is left out; a patient without any sequence has an empty entry.
    """
    out: dict[str, dict[str, dict[str, Any]]] = {p: {} for p in source.patients}
    for patient, sequence, images in _series(source):
        bright = images["brain_fraction"] > 0
        if bright.any():
            planes, counts = np.unique(images["plane"][bright].astype(str), return_counts=True)
            out[patient][sequence] = {"slices": int(bright.sum()), "plane": str(planes[np.argmax(counts)])}
    return out


def _series(source: Source) -> Iterator[tuple[str, str, dict[str, NDArray[Any]]]]:
    """(patient, sequence, the columns of its images, without augmented views) of each series that has images."""
    with Cache(source.path) as cache:
        names = ("plane", "position", "brain_fraction", "view", *_OF_SERIES)
        columns = {name: cache.column(name) for name in names}
        series = cache.series
        for k, (patient, sequence) in enumerate(zip(series["patient"], series["sequence"], strict=True)):
            first = int(series["first_row"][k])
            rows = np.arange(first, first + int(series["n_rows"][k]))
            rows = rows[columns["view"][rows] == 0]
            if len(rows):
                yield str(patient), str(sequence), {name: values[rows] for name, values in columns.items()}


def _facts(images: dict[str, NDArray[Any]]) -> list[float]:
    """The FACTS of one series."""
    brain = images["brain_fraction"]
    return [
        len(brain),
        int((brain == 0).sum()),
        *(float((images["plane"] == p).mean()) for p in PLANES),
        *(_median(images[name]) for name in _OF_SERIES),
        _median(np.abs(np.diff(images["position"]))),  # images lie in geometric order
        float(brain.mean()),
        float(brain.max()),
    ]


def _median(values: NDArray[Any]) -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else float("nan")
