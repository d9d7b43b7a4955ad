"""The common DICOM file, fast: one uncompressed grey image in a plain header, its elements read one by one by pydicom.

A whole pydicom data set costs more than reading, mapping and resizing the image. Whatever is not plain, by a word
of the header or a byte of the length, is left to the general reader in dicom.py, which gives the same slice.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.scans.orientation import MAX_PIXELS, Slice, make_slice

_SYNTAXES = {b"1.2.840.10008.1.2": True, b"1.2.840.10008.1.2.1": False}  # little-endian: whether VRs are implicit
_WANTED = {
    0x00181164: "DS",  # ImagerPixelSpacing
    0x00200013: "IS",  # InstanceNumber
    0x00200032: "DS",  # ImagePositionPatient
    0x00200037: "DS",  # ImageOrientationPatient
    0x00280002: "US",  # SamplesPerPixel
    0x00280004: "CS",  # PhotometricInterpretation
    0x00280008: "IS",  # NumberOfFrames
    0x00280010: "US",  # Rows
    0x00280011: "US",  # Columns
    0x00280030: "DS",  # PixelSpacing
    0x00280100: "US",  # BitsAllocated
    0x00280101: "US",  # BitsStored
    0x00280103: "US",  # PixelRepresentation
    0x00281052: "DS",  # RescaleIntercept
    0x00281053: "DS",  # RescaleSlope
}
# PixelPaddingValue, PixelPaddingRangeLimit, ModalityLUTSequence, shared and per-frame functional groups
_NOT_PLAIN = {0x00280120, 0x00280121, 0x00283000, 0x52009229, 0x52009230}
_PIXEL_DATA = 0x7FE00010


def read_native(data: bytes, source: str) -> Slice | None:
    """The slice in the content of a plain file; None where it is anything else."""
    try:
        return _read(data, source)
    except Exception:  # what is broken, and how, is for the general reader to find and to say
        return None


def _read(data: bytes, source: str) -> Slice | None:
    if data[128:132] != b"DICM":
        return None
    f = BytesIO(data)
    f.seek(132)
    meta, _ = _elements(f, False, {0x00020010: "UI"}, lambda tag: tag >> 16 != 2)
    implicit = _SYNTAXES.get(meta.get(0x00020010, b"").rstrip(b"\0"))
    if implicit is None:
        return None
    values, length = _elements(f, implicit, _WANTED, lambda tag: tag >= _PIXEL_DATA)
    start = f.tell() + (8 if implicit else 12)
    rows, columns, samples, allocated, stored, signed = (
        int.from_bytes(values[tag], "little")
        for tag in (0x00280010, 0x00280011, 0x00280002, 0x00280100, 0x00280101, 0x00280103)
    )
    size = rows * columns * allocated // 8
    plain = (
        values[0x00280004].rstrip(b" ") == b"MONOCHROME2"
        and (samples, int(values.get(0x00280008, b"1"))) == (1, 1)
        and allocated in (8, 16, 32)
        and 1 <= stored <= allocated
        and signed in (0, 1)
        and 0 < rows * columns <= MAX_PIXELS
        and length == size + size % 2 == len(data) - start
    )
    if not plain:
        return None
    pixels: NDArray[Any] = np.frombuffer(data, f"<{'ui'[signed]}{allocated // 8}", rows * columns, start)
    pixels = pixels.reshape(rows, columns)
    if stored < allocated:
        pixels = (pixels << (allocated - stored)) >> (allocated - stored)  # unused bits may hold anything, PS3.5 8.1.1
    (slope,), (intercept,) = (_numbers(values.get(tag, one)) for tag, one in ((0x00281053, b"1"), (0x00281052, b"0")))
    if slope == 0 or not np.isfinite([slope, intercept]).all():
        return None
    identity = slope == 1 and intercept == 0
    if not identity:
        pixels = pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    low, high = (-(2.0 ** (stored - 1)), 2.0 ** (stored - 1) - 1) if signed else (0.0, 2.0**stored - 1)
    low, high = sorted((low * slope + intercept, high * slope + intercept))
    number = int(values.get(0x00200013, b"-1"))
    spacing = _vector(values, 0x00280030 if 0x00280030 in values else 0x00181164, 2)
    mm = (float(spacing[0]), float(spacing[1])) if spacing is not None and (spacing > 0).all() else (np.nan, np.nan)
    return make_slice(
        pixels, source, number if abs(number) < 2**31 else -1, mm, _vector(values, 0x00200037, 6),
        _vector(values, 0x00200032, 3), (low, high), identity and not signed and stored <= 8,
    )  # fmt: skip


def _elements(
    f: BytesIO, implicit: bool, wanted: dict[int, str], stop: Callable[[int], bool]
) -> tuple[dict[int, bytes], int]:
    """The values of the wanted elements up to where `stop(tag)` holds, and the length of the element that lies there."""
    from pydicom.filereader import data_element_generator

    found: dict[int, bytes] = {}
    length_there = -1

    def stop_here(tag: int, vr: str | None, length: int) -> bool:
        nonlocal length_there
        number = int(tag)  # pydicom's own tags compare slowly
        length_there = length if number != _PIXEL_DATA or vr in (None, "OB", "OW") else -1
        return stop(number)

    for element in data_element_generator(f, implicit, True, stop_when=stop_here):
        tag = int(element.tag)
        if tag in _NOT_PLAIN:
            raise ValueError("not plain")
        if tag in wanted:
            if tag in found or element.VR not in (None, wanted[tag]):
                raise ValueError("not plain")
            found[tag] = element.value
    return found, length_there


def _numbers(value: bytes) -> list[float]:
    return [float(v) for v in value.split(b"\\")]


def _vector(values: dict[int, bytes], tag: int, n: int) -> NDArray[np.float64] | None:
    """n finite numbers, or None where the element is absent; raises ValueError where it holds anything else."""
    if tag not in values:
        return None
    array = np.array(_numbers(values[tag]))
    if array.shape != (n,) or not np.isfinite(array).all():
        raise ValueError("not plain")
    return array
