"""Made-up rows of a cache, and a byte that flips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from features.cache.schema import CODED, COLUMNS, SeriesRows

SETTINGS: dict[str, Any] = {"dim": 4, "dtype": "float32", "precision": "float32", "weights": "custom", "augment": 0}


def flip(path: Path, offset: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[offset] ^= 1
    path.write_bytes(raw)


def rows(patient: str, sequence: str = "FLAIR", n: int = 3, seed: int = 0, **changes: Any) -> SeriesRows:
    rng = np.random.default_rng([seed, n, *patient.encode(errors="surrogateescape")])
    columns: dict[str, np.ndarray] = {
        "plane": np.array(["axial", "sagittal"] * n, object)[:n],
        "source": np.array([f"{patient}/{sequence}/{k}.dcm" for k in range(n)], object),
        "pixel_digest": np.array([f"{k:032x}" for k in range(n)], "S32"),
    }
    for name, dtype in COLUMNS.items():
        if name not in columns and name not in CODED:
            columns[name] = rng.integers(-99, 99, n).astype(dtype)
    features = rng.normal(size=(n, 4)).astype(np.float32)
    values: dict[str, Any] = {"fingerprint": "ab" * 16, "precision": "float32", "skipped": [], **changes}
    return SeriesRows(patient, sequence, features=features, columns=columns, **values)
