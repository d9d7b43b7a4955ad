"""Does every damaged file end in slices or in a reason? Mutants of each kind of input through the real readers and workers.

`python -m benchmarks fuzz_inputs` tries 12,000. Every mutant is seeded by its kind and number.
"""

from __future__ import annotations

import gzip
import io
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import children_mib
from features.cache.checks import verify
from features.cache.reader import Cache
from features.cache.schema import SeriesRows
from features.cache.writer import write
from features.labels import read_labels
from features.scans.find import Series, Skipped
from features.scans.prepare import Images, prepare_series
from features.scans.workers import Limits, decoded

SECRETS = (b"DOE^JANE", b"HOSPITAL-4711", b"19501231", b"1.2.840.99999.4.5.6")  # planted in the headers
LIMITS = Limits(seconds=20, memory=1024**3)
_PER_SERIES = 50
_EDGES = (
    b"\0\0",
    b"\xff\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\x01\0\0\0",
    b"\0\0\xc0\x7f",
    b"\0\0\x80\x7f",
)


@dataclass
class Outcome:
    """What became of the mutants of one kind; `wrong` are answers that break a promise, in words."""

    tried: int = 0
    gave: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    crashed: int = 0
    hung: int = 0
    wrong: list[str] = field(default_factory=list)


def seeds(folder: Path) -> dict[str, list[tuple[str, bytes]]]:
    """{kind: (suffix, content) of whole files}; images of 32 x 40 pixels."""
    return {
        "DICOM": [(".dcm", content) for content in _dicoms()],
        "PNG": [(".png", content) for content in _images("PNG")],
        "JPEG": [(".jpg", content) for content in _images("JPEG")],
        "NIfTI": _niftis(folder),
        "labels": [(".csv", text) for text in _LABELS],
        "cache": [(".h5", _cache(folder))],
    }


def mutant(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """A damaged copy: flipped bytes, ends cut off, stretches lost, doubled, blanked or taken from `other`, lies of length."""
    data = bytearray(content)
    for _ in range(1 + int(rng.random() < 0.3)):
        n = len(data)
        if n < 8:
            break
        # Most lies that matter stand in the header, near the beginning.
        at = int(rng.integers(0, n)) if rng.random() < 0.4 else int(rng.integers(0, min(n, 900)))
        stretch = int(rng.integers(1, 1 + min(64, n - at)))
        how = int(rng.choice(8, p=(0.3, 0.08, 0.08, 0.05, 0.05, 0.12, 0.27, 0.05)))
        if how == 0:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif how == 1:
            for k in rng.integers(0, n, 1 + int(rng.integers(0, 1 + n // 200))):
                data[k] = int(rng.integers(0, 256))
        elif how == 2:
            del data[at:]
        elif how == 3:
            del data[at : at + stretch]
        elif how == 4:
            data[at:at] = data[at : at + stretch]
        elif how == 5:
            data[at : at + stretch] = bytes(stretch)
        elif how == 6:
            edge = _EDGES[int(rng.integers(0, len(_EDGES)))]
            data[at : at + len(edge)] = edge
        else:
            data[at:] = other[min(at, len(other)) :]
    return bytes(data)


def read_all(
    read: Callable[[Path], object],
    series: Series,
    *,
    left_out: Mapping[str, str],
    reading: Callable[[int], object],
) -> Images:
    """The files of a series through a reader that is not of images, for a worker: which were read, and which why not."""
    gave, skipped = [], []
    for k, source in enumerate(series.files):
        reading(k)
        try:
            if source in left_out:
                raise ValueError(left_out[source])
            read(series.cohort / source)
            gave.append(source)
        except (ValueError, OSError) as error:
            reason = str(error).replace(str(series.cohort), "")
            skipped.append(Skipped(series.patient, series.sequence, source, reason))
    reading(len(series.files))
    return Images(np.empty((0, 1, 1), np.uint8), {"source": np.array(gave, object)}, skipped)


def read_cache(path: Path) -> None:
    """All of a cache. Raises ValueError where verification finds damage, or what reading raises."""
    if problems := verify(path):
        raise ValueError(f"verify: {problems[0]}")
    with Cache(path) as cache:
        cache.features()
        for k in range(len(cache.series["patient"])):
            cache.series_rows(k)
        assert cache.skipped is not None


def fuzz(tries: int, seed: int = 0, workers: int = 2) -> dict[str, Outcome]:
    """`tries` mutants of every kind through decoding workers."""
    images = partial(prepare_series, size=32, normalize="series", resize="pad", plane="axial")
    outcomes = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number, (kind, whole) in enumerate(seeds(folder).items()):
            prepare: Callable[..., Images] = images
            if kind == "labels":
                prepare = partial(read_all, read_labels)
            elif kind == "cache":
                prepare = partial(read_all, read_cache)
            todo = []
            for first in range(0, tries, _PER_SERIES):
                files = []
                for k in range(first, min(tries, first + _PER_SERIES)):
                    rng = np.random.default_rng([seed, number, k])
                    suffix, content = whole[k % len(whole)]
                    other = whole[int(rng.integers(0, len(whole)))][1]
                    files.append(f"{kind}-{k}{suffix}")
                    (folder / files[-1]).write_bytes(mutant(content, other, rng))
                todo.append(Series(kind, "FLAIR", folder, tuple(files)))
            outcome = outcomes[kind] = Outcome(tried=tries)
            for series, found in decoded(todo, prepare, workers, LIMITS):
                _count(series, found, outcome)
    return outcomes


def _count(series: Series, found: Images, outcome: Outcome) -> None:
    gave = set(found.columns["source"].tolist())
    refused = {s.source for s in found.skipped}
    outcome.gave += len(gave)
    for s in found.skipped:
        outcome.crashed += "was killed" in s.reason or "exit status" in s.reason
        outcome.hung += "took longer" in s.reason
        outcome.reasons[s.reason] += 1
        if any(secret.decode() in s.reason for secret in SECRETS):
            outcome.wrong.append(f"{s.source}: its reason quotes the header")
    if gave | refused != set(series.files):
        outcome.wrong.append(f"{sorted(set(series.files) - gave - refused)[0]}: neither slices nor a reason")
    if "brain_fraction" in found.columns:
        n = {len(values) for values in found.columns.values()} | {len(found.pixels)}
        fraction = found.columns["brain_fraction"]
        windows = np.concatenate([found.columns["window_low"], found.columns["window_high"]])
        if len(n) > 1 or not ((fraction >= 0) & (fraction <= 1)).all() or not np.isfinite(windows).all():
            outcome.wrong.append(f"{series.files[0]} and the next: rows out of step, or values that are no numbers")


def main(tries: int = 2000) -> None:
    """Print what became of the mutants, and the memory of the largest worker."""
    print(
        "| kind | tried | gave slices or values | recorded reasons | different reasons | crashed | hung | broken promises |"
    )
    print("| --- " * 8 + "|")
    for kind, o in fuzz(tries).items():
        counts = (o.tried, o.gave, sum(o.reasons.values()), len(o.reasons), o.crashed, o.hung, len(o.wrong))
        print(f"| {kind} | {' | '.join(map(str, counts))} |", flush=True)
        for line in o.wrong[:5]:
            print(line, file=sys.stderr)
    print(f"\nlargest process: {children_mib():.0f} MiB")


# --- whole files ---------------------------------------------------------------------------------------


def _grey(dtype: type, rng: np.random.Generator) -> NDArray[Any]:
    image: NDArray[Any] = np.zeros((32, 40), dtype)
    image[8:26, 7:30] = rng.integers(1, 200 if np.dtype(dtype).itemsize == 1 else 3000, (18, 23))
    return image


def _dicoms() -> list[bytes]:
    """Plain, signed, multi-frame and enhanced images in every syntax that can be written here, with planted secrets."""
    from pydicom.encaps import encapsulate
    from pydicom.uid import (
        DeflatedExplicitVRLittleEndian,
        ExplicitVRLittleEndian,
        ImplicitVRLittleEndian,
        JPEG2000Lossless,
        JPEGBaseline8Bit,
        JPEGLSLossless,
        RLELossless,
    )

    rng = np.random.default_rng(0)
    found = []
    for dtype in (np.uint16, np.int16, np.uint8):
        for frames in (1, 2):
            pixels = np.stack([_grey(dtype, rng) for _ in range(frames)])
            for syntax in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian):
                found.append(_written(_data_set(pixels), syntax))
            for syntax, plugin in (
                (RLELossless, "pydicom"),
                (JPEGLSLossless, "pyjpegls"),
                (JPEG2000Lossless, "pylibjpeg"),
            ):
                ds = _data_set(pixels)
                ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
                ds.compress(syntax, encoding_plugin=plugin, generate_instance_uid=False)
                found.append(_written(ds, syntax))
    for name, value in _LIES:
        ds = _data_set(_grey(np.uint16, rng)[None])
        setattr(ds, name, value)
        found.append(_written(ds, ExplicitVRLittleEndian))
    for syntax in (RLELossless, JPEG2000Lossless, JPEGLSLossless):  # of pixels that are not what they are said to be
        ds = _data_set(_grey(np.uint16, rng)[None])
        ds.PixelData = encapsulate([ds.PixelData])
        found.append(_written(ds, syntax))
    ds = _data_set(_grey(np.uint8, rng)[None])
    stream = io.BytesIO()
    _pillow(_grey(np.uint8, rng)).save(stream, "JPEG")
    ds.PixelData = encapsulate([stream.getvalue()])
    found.append(_written(ds, JPEGBaseline8Bit))
    return found


_LIES = [
    ("Rows", 0), ("Rows", 65535), ("Columns", 1), ("NumberOfFrames", 2**31 - 1), ("NumberOfFrames", -1), ("BitsAllocated", 64),
    ("BitsAllocated", 1), ("BitsStored", 0), ("SamplesPerPixel", 3), ("PixelRepresentation", 7), ("RescaleSlope", "1e308"),
    ("RescaleSlope", "nan"), ("PixelSpacing", ["1e-300", "1e300"]), ("PixelSpacing", [-1, 0]), ("InstanceNumber", None),
    ("ImagePositionPatient", ["inf", 0, 0]), ("PhotometricInterpretation", "DOE^JANE"), ("PixelPaddingValue", 0),
]  # fmt: skip


def _data_set(pixels: NDArray[Any]) -> Any:
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.sequence import Sequence

    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = SECRETS[3].decode()
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = (s.decode() for s in SECRETS[:3])
    ds.InstanceNumber, ds.SamplesPerPixel, ds.PhotometricInterpretation = 3, 1, "MONOCHROME2"
    ds.Rows, ds.Columns = pixels.shape[1:]
    ds.BitsAllocated = ds.BitsStored = 8 * pixels.dtype.itemsize
    ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(pixels.dtype.kind == "i")
    ds.RescaleSlope, ds.RescaleIntercept, ds.PixelSpacing = 2, -1, [1, 1.5]
    geometry = Dataset()
    geometry.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    if len(pixels) > 1:
        ds.NumberOfFrames = len(pixels)
        shared = Dataset()
        shared.PlaneOrientationSequence = Sequence([geometry])
        ds.SharedFunctionalGroupsSequence = Sequence([shared])
    else:
        ds.ImageOrientationPatient, ds.ImagePositionPatient = geometry.ImageOrientationPatient, [0, 0, 5]
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
    return ds


def _written(ds: Any, syntax: Any) -> bytes:
    import pydicom

    ds.file_meta.TransferSyntaxUID = syntax
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, ds, enforce_file_format=True)
    return stream.getvalue()


def _pillow(pixels: NDArray[Any]) -> Any:
    from PIL import Image

    return Image.fromarray(pixels)


def _images(form: str) -> list[bytes]:
    rng = np.random.default_rng(1)
    arrays = [_grey(np.uint8, rng), np.dstack([_grey(np.uint8, rng)] * 3)] + (
        [_grey(np.uint16, rng)] if form == "PNG" else []
    )
    found = []
    for pixels in arrays:
        stream = io.BytesIO()
        _pillow(pixels).save(stream, form)
        found.append(stream.getvalue())
    return found


def _niftis(folder: Path) -> list[tuple[str, bytes]]:
    import nibabel

    rng = np.random.default_rng(2)
    found: list[tuple[str, bytes]] = []
    for dtype in (np.int16, np.uint8, np.float32):
        volume = np.stack([_grey(dtype, rng) for _ in range(4)], axis=-1)
        if dtype is np.float32:
            volume[:2, :2] = np.nan
            volume[3, 4, 0] = np.inf
        nibabel.save(nibabel.Nifti1Image(volume, np.diag([-1, -1, 2, 1])), folder / "whole.nii")
        content = (folder / "whole.nii").read_bytes()
        bomb = struct.pack("<4h", 3, 32767, 32767, 32767)
        found += [(".nii", content), (".nii.gz", gzip.compress(content)), (".nii", content[:40] + bomb + content[48:])]
    return found


_LABELS = [
    b"BraTS21ID,MGMT_value\n00001,1\n00002,0\n00003,1\n",
    "\ufeffBraTS21ID;MGMT_value\n00001;1.0\n2;0.0\n".encode(),
    b"patient,MGMT\n1,methylated\n2,unmethylated\n3,\n4,n/a\n",
    b"id,label\n1,1\n1,1\n2,0\n",  # a row twice
    b"id,label\n1,1\n1,0\n",  # a conflict
    b"id,label\n00001,1\n1,0\n2,\n",  # the zeros that a spreadsheet loses
    b"id\tlabel\n\n1\t1\n\n2\t0\n",
]


def _cache(folder: Path) -> bytes:
    rng = np.random.default_rng(3)
    images = prepare_series(_series_of_two(folder, rng), size=32, normalize="series", resize="pad", plane="axial")
    rows = SeriesRows(
        patient="1",
        sequence="FLAIR",
        fingerprint="f",
        precision="float32",
        features=rng.random((2, 8), np.float32),
        columns=images.columns,
        skipped=images.skipped,
    )
    write(folder / "whole.h5", {"dim": 8, "dtype": "float32", "backbone": "tiles"}, [rows])
    return (folder / "whole.h5").read_bytes()


def _series_of_two(folder: Path, rng: np.random.Generator) -> Series:
    for k in range(2):
        _pillow(_grey(np.uint16, rng)).save(folder / f"whole-{k}.png")
    return Series("1", "FLAIR", folder, ("whole-0.png", "whole-1.png"))
