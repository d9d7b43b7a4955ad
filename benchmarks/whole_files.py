"""Whole files of each kind that the readers take, small, with secrets in their headers: what is damaged to see what happens."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.cache.schema import SeriesRows
from features.cache.writer import write
from features.scans.find import Series
from features.scans.prepare import prepare_series

SECRETS = (b"DOE^JANE", b"HOSPITAL-4711", b"19501231", b"1.2.840.99999.4.5.6")  # planted in the headers


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
