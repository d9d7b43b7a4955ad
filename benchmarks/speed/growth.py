"""What a slice costs, and whether that stays so: time and peak memory of every part from 10,000 to 400,000 slices.

Extraction runs on small NIfTI volumes with an embedder of this file (means of tiles, 512 values), so that what is measured is
the loop and not the network. The other parts see made-up vectors, 75 a patient, as in the RSNA-MICCAI data. Every part runs in
a process of its own. Heads train on two folds, one repeat, the dense head for three epochs; all of it grows with the number of
fits and epochs. GROWTH_ROWS and GROWTH_PARTS name other sizes and parts; 1,000,000 rows need 5 GB of a temporary folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import Row, python
from benchmarks.vectors import DIM, SETTINGS

SERIES = 75  # slices of a patient
SIZES = (10_000, 40_000, 100_000, 400_000)
HEADS = ("logistic", "boosted", "dense")
PARTS = ("extract", "publish", "verify", "load", "copies", *HEADS, "evaluate")
QUICK = ("--folds", "2", "--repeats", "1", "--permutations", "0", "--no-shortcuts", "--epochs", "3")


class Synthetic:
    """One series that is made when its turn comes, and made again where it is needed again: what a part is to a publisher."""

    def __init__(self, number: int) -> None:
        """The number makes the series."""
        self.number, self.patient, self.sequence = number, f"{number:06d}", "FLAIR"
        self.n_rows, self.planes = SERIES, {"axial"}
        self.skipped: list[Any] = []

    def load(self) -> Any:
        """The series: about half of the values are zero, and two columns know a little of the label."""
        from features.cache.schema import CODED, COLUMNS, SeriesRows

        rng = np.random.default_rng(self.number)
        columns: dict[str, Any] = {c: np.ones(SERIES, t) for c, t in COLUMNS.items() if c not in CODED}
        columns["plane"] = np.array(["axial"] * SERIES, object)
        columns["source"] = np.array([f"{self.patient}/FLAIR/Image-{k}.dcm" for k in range(SERIES)], object)
        columns["pixel_digest"] = np.array([rng.bytes(16).hex() for _ in range(SERIES)], "S32")
        columns["instance"], columns["view"] = np.arange(SERIES), np.zeros(SERIES, np.int16)
        look = rng.normal(size=DIM, scale=0.6).astype(np.float32)
        look[:2] += 0.3 * (self.number % 2)
        features = np.maximum(look + rng.standard_normal((SERIES, DIM), np.float32) / 2, 0)
        return SeriesRows(
            patient=self.patient,
            sequence="FLAIR",
            fingerprint="ab" * 16,
            precision="float32",
            features=features,
            columns=columns,
        )

    def digest(self) -> str:
        """Of its values."""
        return str(self.load().digest())


class Tiles:
    """An embedder for this benchmark alone: the mean intensities of 32 x 16 tiles, (n, 512)."""

    dim, precision, device, origin = DIM, "float32", "CPU", "nowhere"

    def __init__(self) -> None:  # noqa: D107
        names = ("backbone", "weights", "weights_sha256", "preprocess", "input_size", "pooling")
        self.settings: dict[str, Any] = {k: SETTINGS[k] for k in names}

    def __call__(self, images: Any) -> Any:
        """(n, 224, 224) uint8 -> (n, 512) float32 in 0 ... 1."""
        return images.reshape(len(images), 32, 7, 16, 14).mean(axis=(2, 4), dtype=np.float32).reshape(-1, DIM) / 255


def part(name: str, folder: Path, rows: int) -> None:
    """One part, in this process."""
    cache, n = folder / "f.h5", rows // SERIES
    if name == "extract":
        from features.extraction import extract
        from features.scans.find import find_scans

        found = extract(find_scans([folder / "cohort"]), folder / "e.h5", embed=Tiles(), workers=os.cpu_count() or 1)
        assert found.n_slices_new == n * SERIES
    elif name == "publish":
        from features.cache.writer import write

        series: Any = [Synthetic(k) for k in range(n)]
        write(cache, SETTINGS, series)
        (folder / "labels.csv").write_text("id,label\n" + "".join(f"{k:06d},{k % 2}\n" for k in range(n)))
    elif name == "verify":
        from features.cache.checks import verify

        assert verify(cache) == []
    else:
        from features.table import load_table, open_source

        table = load_table(open_source(cache), "FLAIR")
        assert table.X.shape == (n * SERIES, DIM)
        if name == "copies":
            from features.copies.duplicates import duplicate_patients
            from features.copies.fingerprint import fingerprint

            assert duplicate_patients({"FLAIR": fingerprint(table)}) == []


def make_cohort(folder: Path, patients: int) -> None:
    """A NIfTI file per patient, 75 slices of 64 x 64; ten volumes under as many names as there are patients."""
    import nibabel

    rng = np.random.default_rng(0)
    folder.mkdir()
    for k in range(patients):
        here = folder / f"{k:06d}" / f"{k:06d}_flair.nii"
        here.parent.mkdir()
        if k < 10:
            volume = rng.integers(1, 1000, (64, 64, SERIES)).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(volume, np.diag([3.0, 3.0, 2.0, 1.0])), here)
        else:
            os.link(folder / f"{k % 10:06d}" / f"{k % 10:06d}_flair.nii", here)


def measure() -> list[Row]:
    """A row per size and part, and one per part with what it costs to start and what a slice costs then."""
    sizes = [int(s) for s in os.environ.get("GROWTH_ROWS", "").split()] or list(SIZES)
    parts = os.environ.get("GROWTH_PARTS", "").split() or PARTS
    found: dict[str, list[tuple[int, float, float]]] = {name: [] for name in parts}
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if "extract" in parts:
                make_cohort(folder / "cohort", size // SERIES)
            for name in parts:
                seconds, mib, _ = python(*_command(name, folder, size))
                found[name].append((size, seconds, mib))
                note = f"peak memory {mib:,.0f} MiB; the features are {size * DIM * 4 / 2**20:,.0f} MiB"
                rows.append(Row(f"{name}, {size:,} rows", "s", seconds, note=note))
                print(f"{name:9} {size:9,} rows {seconds:7.1f} s {mib:8,.0f} MiB", flush=True)
    return rows + ([_constants(name, found[name]) for name in parts] if len(sizes) > 2 else [])


def _command(name: str, folder: Path, rows: int) -> list[str]:
    if name in HEADS:
        files = [str(folder / f) for f in ("f.h5", "labels.csv")]
        return ["train_head.py", *files, "--head", name, "--out", str(folder / name), *QUICK]
    if name == "evaluate":
        run = next(folder / h for h in HEADS if (folder / h).exists())
        return ["evaluate.py", str(run), "--out", str(folder / "report")]
    return ["-m", "benchmarks.speed.growth", name, str(folder), str(rows)]


def _constants(name: str, found: Sequence[tuple[int, float, float]]) -> Row:
    """Seconds and memory as a + b * rows."""
    n, seconds, mib = (np.array(column, float) for column in zip(*found, strict=True))
    (b, a), (slope, start) = line(n, seconds), line(n, mib)
    off = np.abs((a + b * n) / seconds - 1).max()
    note = f"{a:.2f} s + {1e5 * b:.2f} s per 100,000 rows, at most {100 * off:.0f} % off; "
    return Row(
        f"{name}, 100,000 rows more", "s", float(1e5 * b), note=f"{note}{start:.0f} MiB + {slope * 1024:.2f} KiB a row"
    )


def line(n: Any, values: Any) -> tuple[float, float]:
    """(slope, start) by least squares of relative errors; neither below zero."""
    from scipy.optimize import nnls

    powers = np.stack([np.asarray(n, float) / 1e5, np.ones(len(n))], axis=1)
    slope, start = nnls(powers / values[:, None], np.ones(len(values)))[0]
    return float(slope / 1e5), float(start)


if __name__ == "__main__":
    part(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
