"""A cache of made-up vectors of any size, the same for the same seed: what the questions about stage 2 are asked of.

Like the vectors of a network behind a ReLU: half of the values are zero, the slices of a patient go together, and a few columns
know a little of the label.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from features.cache.schema import SeriesRows
from features.cache.writer import write

ROWS, PATIENTS, DIM = (
    43_000,
    585,
    512,
)  # FLAIR of the RSNA-MICCAI training cohort without blank slices, by order of magnitude
POSITIVES = 0.525
SETTINGS: dict[str, Any] = {
    "backbone": "made up", "weights": "random", "weights_sha256": "0" * 64, "preprocess": "unit", "input_size": 224,
    "pooling": "global average", "precision": "float32", "dim": DIM, "dtype": "float32", "preprocessing": "none",
    "normalize": "slice", "resize": "pad", "plane": "any", "augment": 0, "augment_seed": 0, "versions": "{}",
    "code_version": "made up",
}  # fmt: skip


def labels_of(patients: int = PATIENTS) -> dict[str, int]:
    """{patient: 0/1}, a little more positives than negatives."""
    return {f"{i:05d}": int(i < round(POSITIVES * patients)) for i in range(patients)}


def series(rows: int = ROWS, patients: int = PATIENTS, seed: int = 0, sequence: str = "FLAIR") -> Iterator[SeriesRows]:
    """One series per patient, `rows` slices in all, none of them blank."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(0.5, 1.5, patients)
    lengths = np.maximum(1, np.floor(rows * share / share.sum())).astype(int)
    lengths[: rows - lengths.sum()] += 1
    mixing = (rng.normal(size=(24, DIM)) / 5).astype(np.float32)
    told = np.where(np.arange(DIM) % 40 == 0, np.float32(0.08), np.float32(0))
    for (patient, label), n in zip(labels_of(patients).items(), lengths, strict=True):
        look = rng.normal(size=(1, DIM), scale=0.6).astype(np.float32) + (2 * label - 1) * told
        X = look + rng.standard_normal((n, 24), np.float32) @ mixing + rng.standard_normal((n, DIM), np.float32) / 2
        numbers = np.arange(1, n + 1)
        columns = {
            "plane": np.full(n, "axial", object),
            "source": np.array([f"{patient}/{sequence}/Image-{i}.dcm" for i in numbers], object),
            "instance": numbers,
            "position": numbers.astype(np.float32),
            "brain_fraction": np.full(n, 0.3, np.float32),
            "view": np.zeros(n, np.int16),
            "height": np.full(n, 512), "width": np.full(n, 512),
            "spacing_row": np.full(n, 0.5, np.float32), "spacing_column": np.full(n, 0.5, np.float32),
            "window_low": np.zeros(n, np.float32), "window_high": np.full(n, 255, np.float32),
            "pixel_digest": np.array([f"{patient}{i:027d}"[:32].encode() for i in numbers], "S32"),
        }  # fmt: skip
        yield SeriesRows(
            patient=patient,
            sequence=sequence,
            fingerprint="0" * 32,
            precision="float32",
            features=np.maximum(X, 0),
            columns=columns,
        )


def cohort(
    folder: Path, rows: int = ROWS, patients: int = PATIENTS, sequences: tuple[str, ...] = ("FLAIR",)
) -> tuple[Path, Path]:
    """(cache, labels) in a folder, made where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    cache, labels = folder / f"{'-'.join(sequences)}-{rows}-{patients}.h5", folder / f"labels-{patients}.csv"
    if not cache.exists():
        write(cache, SETTINGS, (s for k, q in enumerate(sequences) for s in series(rows, patients, k, q)))
    with labels.open("w", newline="", encoding="utf-8") as f:
        csv.writer(f).writerows([("patient_id", "label"), *labels_of(patients).items()])
    return cache, labels
