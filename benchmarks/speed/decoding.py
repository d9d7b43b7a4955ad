"""How many slices a second does one core decode, normalise and resize, and do two workers decode twice as many?

The slices are 512 x 512, 16 bit, black around the brain: a quarter of them is blank and the brain's box takes a third of
the others, as in the real series that the tests use. The peer reads one file after the other with pydicom or Pillow,
maps the least and the largest value to 8 bit, resizes with Pillow's default and copies to RGB.
"""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row, in_turn, seconds
from features.scans.find import Series
from features.scans.prepare import prepare_series
from features.scans.workers import decoded

SLICES = {"raw": 120, "RLE": 60, "JPEG-LS": 40, "JPEG 2000": 24, "PNG": 60}
SIDE = 512
PREPARE = partial(prepare_series, size=224, normalize="series", resize="pad", plane="axial")


def measure() -> list[Row]:
    """A row per coding, and one for two workers; slices/s."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = []
        for coding, n in SLICES.items():
            series = _series(folder / coding, coding, n)
            paths = [series.cohort / f for f in series.files]
            t = in_turn(lambda series=series: PREPARE(series), lambda paths=paths: [_naive(p) for p in paths])  # type: ignore[misc]
            limit = n / min(seconds(lambda paths=paths: _least(paths)) for _ in range(5)) if coding == "raw" else None  # type: ignore[misc]
            note = "limit: the bytes read and blindly resized" if limit else ""
            rows.append(
                Row(f"decode {coding}, one core", "slices/s", n / t.ours, n / t.peer, t.ratio, limit=limit, note=note)
            )
        todo = [Series(str(k), "FLAIR", folder / "raw", _names("raw", SLICES["raw"])) for k in range(16)]
        rates = np.median([[_rate(todo, workers) for workers in (1, 2)] for _ in range(3)], axis=0)
    one, two = (float(r) for r in rates)
    rows.append(Row("decode raw, two workers against one", "slices/s", two, one, two / one, limit=2 * one))
    return rows


def _rate(todo: list[Series], workers: int) -> float:
    """Slices a second from when the workers are up."""
    found = decoded(todo, PREPARE, workers)
    for _ in range(workers):
        next(found)
    start = time.perf_counter()
    n = sum(len(images.pixels) for _, images in found)
    return n / (time.perf_counter() - start)


def _naive(path: Path) -> NDArray[np.uint8]:
    import pydicom
    from PIL import Image

    raw = np.asarray(Image.open(path)) if path.suffix == ".png" else pydicom.dcmread(path).pixel_array
    pixels = raw.astype(np.float32)
    low, high = pixels.min(), pixels.max()
    eight = ((pixels - low) / max(high - low, 1) * 255).astype(np.uint8)
    return np.asarray(Image.fromarray(eight).resize((224, 224)).convert("RGB"))


def _least(paths: list[Path]) -> None:
    from PIL import Image

    for path in paths:
        content = np.fromfile(path, np.uint8)[-2 * SIDE * SIDE :: 2].reshape(SIDE, SIDE)
        Image.fromarray(content).resize((224, 224), Image.Resampling.BILINEAR)


def _names(coding: str, n: int) -> tuple[str, ...]:
    return tuple(f"Image-{k}{'.png' if coding == 'PNG' else '.dcm'}" for k in range(n))


def _series(folder: Path, coding: str, n: int) -> Series:
    from PIL import Image

    folder.mkdir()
    rng = np.random.default_rng(0)
    names = _names(coding, n)
    for k, name in enumerate(names):
        pixels = _brain(rng, k / (n - 1))
        if coding == "PNG":
            Image.fromarray(pixels).save(folder / name)
        else:
            _write(folder / name, pixels, k, coding)
    return Series("1", "FLAIR", folder, names)


def _brain(rng: np.random.Generator, place: float) -> NDArray[np.uint16]:
    """A disc of smooth structure with noise; `place` 0 ... 1 through the head, blank in the outer eighths."""
    if not 0.125 < place < 0.875:
        return np.zeros((SIDE, SIDE), np.uint16)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    inside = np.hypot(y, x) < 0.33 * np.sin(np.pi * (place - 0.125) / 0.75) ** 0.25
    structure = np.kron(rng.normal(1200, 350, (32, 32)), np.ones((SIDE // 32, SIDE // 32)))
    values = structure + rng.normal(0, 40, (SIDE, SIDE))
    return np.where(inside, np.clip(values, 1, 4095), 0).astype(np.uint16)


def _write(path: Path, pixels: NDArray[np.uint16], k: int, coding: str) -> None:
    import pydicom
    from pydicom.dataset import Dataset, FileMetaDataset

    ds: Any = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"1.2.3.{k}"
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    ds.Modality, ds.SeriesDescription, ds.PatientID, ds.PatientName = "MR", "FLAIR", "1", "1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.4", "1.2.5", "1.2.6"
    ds.InstanceNumber, ds.SliceThickness, ds.PixelSpacing = k + 1, 1, [0.5, 0.5]
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, k]
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = SIDE, SIDE, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, 0, 1000, 2000
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    syntaxes = {
        "RLE": (pydicom.uid.RLELossless, "pylibjpeg"),
        "JPEG-LS": (pydicom.uid.JPEGLSLossless, "pyjpegls"),
        "JPEG 2000": (pydicom.uid.JPEG2000Lossless, "pylibjpeg"),
    }
    if coding in syntaxes:
        syntax, plugin = syntaxes[coding]
        ds.compress(syntax, encoding_plugin=plugin)
    ds.save_as(path, enforce_file_format=True)
