"""10,000, 100,000 and 1,000,000 rows through publish, verify, table and a head: seconds and peak memory of each.

Features are synthetic, 512 columns in series of 150 rows; the largest cache is 2.2 GB in a temporary folder. Every step runs in
a process of its own, so that its memory is its own. LOAD_ROWS names other sizes.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Row, python

DIM, SERIES = 512, 150
SIZES = (10_000, 100_000, 1_000_000)
STEPS = ("publish", "verify", "table", "logistic")


class Synthetic:
    """One series that is made when its turn comes, and made again where it is needed again: what a part is to a publisher."""

    def __init__(self, number: int) -> None:
        """The number makes the series."""
        self.number, self.patient, self.sequence = number, f"{number:06d}", "FLAIR"
        self.n_rows, self.planes = SERIES, {"axial"}
        self.skipped: list[Any] = []

    def load(self) -> Any:
        """The series."""
        from features.hdf5 import CODED, COLUMNS, SeriesRows

        rng = np.random.default_rng(self.number)
        columns: dict[str, Any] = {c: np.ones(SERIES, t) for c, t in COLUMNS.items() if c not in CODED}
        columns["plane"] = np.array(["axial"] * SERIES, object)
        columns["source"] = np.array([f"{self.patient}/FLAIR/Image-{k}.dcm" for k in range(SERIES)], object)
        columns["pixel_digest"] = np.array([rng.bytes(16).hex() for _ in range(SERIES)], "S32")
        columns["instance"], columns["view"] = np.arange(SERIES), np.zeros(SERIES, np.int16)
        features = rng.standard_normal((SERIES, DIM), np.float32)
        features[:, 0] += self.number % 2
        return SeriesRows(self.patient, "FLAIR", "ab" * 16, "float32", features, columns)

    def digest(self) -> str:
        """Of its values."""
        return str(self.load().digest())


def step(name: str, folder: Path, rows: int) -> None:
    """One step, in this process."""
    cache, labels = folder / "f.h5", folder / "labels.csv"
    n = rows // SERIES
    if name == "publish":
        from features.hdf5 import write

        series: Any = [Synthetic(k) for k in range(n)]
        write(
            cache, {"dim": DIM, "dtype": "float32", "precision": "float32", "weights": "custom", "augment": 0}, series
        )
    elif name == "verify":
        from features.hdf5 import verify

        assert verify(cache) == []
    elif name == "table":
        from features.table import load, open_source

        assert load(open_source(cache), "FLAIR").X.shape == (n * SERIES, DIM)
    else:
        import train_head

        labels.write_text("id,label\n" + "".join(f"{k:06d},{k % 2}\n" for k in range(n)))
        options = [
            "--head",
            name,
            "--folds",
            "2",
            "--repeats",
            "1",
            "--permutations",
            "0",
            "--no-shortcuts",
            "--jobs",
            "1",
        ]
        assert train_head.main([str(cache), str(labels), *options, "--out", str(folder / name)]) == 0


def measure() -> list[Row]:
    """A row per size and step; the limit is the memory of the features themselves."""
    sizes = [int(s) for s in os.environ.get("LOAD_ROWS", "").split()] or SIZES
    steps = os.environ.get("LOAD_STEPS", "").split() or STEPS
    found = []
    for rows in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for name in steps:
                seconds, mib, _ = python("-m", "benchmarks.load", name, folder, str(rows))
                note = f"peak memory {mib:,.0f} MiB; the features are {rows * DIM * 4 / 2**20:,.0f} MiB"
                found.append(Row(f"{name}, {rows:,} rows", "s", seconds, note=note))
                print(f"{name:9} {rows:9,} rows {seconds:7.1f} s {mib:8,.0f} MiB", flush=True)
    return found


if __name__ == "__main__":
    step(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
