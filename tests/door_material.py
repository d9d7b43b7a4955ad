"""Caches with a planted signal, for the tests of the three doors."""

from __future__ import annotations

import hashlib

import numpy as np

from features.cache.schema import COLUMNS, SeriesRows

SETTINGS = {
    "backbone": "tiles", "weights": "custom", "weights_sha256": "0" * 64, "preprocess": "unit", "input_size": 224, "pooling": "x",
    "precision": "float32", "dim": 12, "dtype": "float32", "preprocessing": "slices-1", "normalize": "series", "resize": "pad",
    "plane": "axial", "augment": 0, "augment_seed": 0, "versions": "{}", "code_version": "0",
}  # fmt: skip


def series(
    patient: str, sequence: str, features: np.ndarray, blank: tuple[int, ...] = (), views: int = 0
) -> SeriesRows:
    n = len(features)
    columns: dict[str, np.ndarray] = {
        "source": np.array([f"{patient}/{sequence}/Image-{i}.dcm" for i in range(n)], object),
        "plane": np.array(["axial"] * n, object),
        "instance": np.arange(n, dtype=np.int32),
        "brain_fraction": np.array([0.0 if i in blank else 0.3 + 0.01 * i for i in range(n)], np.float32),
        "view": np.zeros(n, np.int16),
        "pixel_digest": np.array(
            [hashlib.md5(f"{patient}/{sequence}/{i}".encode()).hexdigest() for i in range(n)], "S32"
        ),
    }
    for name, dtype in COLUMNS.items():
        if name not in columns and name not in ("patient", "sequence"):
            columns[name] = np.ones(n, dtype)
    columns = {k: np.concatenate([v] * (views + 1)) for k, v in columns.items()}
    columns["view"] = np.repeat(np.arange(views + 1, dtype=np.int16), n)
    stacked = np.concatenate([features] * (views + 1)).astype(np.float32)
    return SeriesRows(patient, sequence, "f", "float32", stacked, columns)


def by_name(embedder):
    embedder.device, embedder.origin = "CPU", "the tests"
    return embedder
