"""DICOM -> slices: every transfer syntax, single and multi-frame, with what the header says of values and geometry."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.scans.orientation import MAX_PIXELS, RawSlice, UnusableError, cause, check_voxels, luminance, make_slice


def read_dicom(path: Path, source: str, _: str) -> list[RawSlice]:
    """Every frame of a DICOM file. Raises UnusableError with a reason that quotes nothing of the header."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UnusableError(f"cannot be read ({cause(error)})") from None
    import pydicom
    from pydicom.uid import ImplicitVRLittleEndian

    try:
        ds = pydicom.dcmread(BytesIO(data), force=True)
    except Exception as error:  # a parser fed with garbage raises anything; the file is at fault, not the run
        raise UnusableError(f"not a readable DICOM file ({type(error).__name__})") from None
    try:
        if "PixelData" not in ds:
            raise UnusableError("holds no pixel data (not a DICOM image)")
        if "TransferSyntaxUID" not in ds.file_meta:
            ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian  # PS3.5 section 10: the default
        return _dicom_slices(ds, source)
    except UnusableError:
        raise
    except Exception as error:
        raise UnusableError(f"its DICOM header is broken ({type(error).__name__})") from None


def _dicom_slices(ds: Any, source: str) -> list[RawSlice]:
    frames = _dicom_frames(ds)
    bits = int(ds.get("BitsStored", 0) or ds.BitsAllocated)
    if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        bits = 8 * frames.dtype.itemsize  # of the table's entries
    signed = int(ds.get("PixelRepresentation", 0)) == 1 and frames.dtype.kind == "i"
    stored_range = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    padding = _padding_mask(ds, frames)
    has_lut = "ModalityLUTSequence" in ds
    if has_lut:
        from pydicom.pixels import apply_modality_lut

        frames = np.asarray(apply_modality_lut(frames, ds), np.float32)
        stored_range = (float(frames.min()), float(frames.max()))
    slices = []
    for k, pixels in enumerate(frames):
        slope, intercept = (1.0, 0.0) if has_lut else _rescale(ds, k)
        identity = slope == 1.0 and intercept == 0.0
        if not identity:
            pixels = pixels.astype(np.float32) * np.float32(slope) + np.float32(intercept)
        ends = sorted(v * slope + intercept for v in stored_range)
        if ds.get("PhotometricInterpretation") == "MONOCHROME1":
            # The lowest value is shown white, PS3.3 C.7.6.3.1.2. Each slice is turned about its own maximum,
            # since exporters invert slice by slice and the background of a slice is what must become lowest.
            if pixels.dtype.kind == "i":
                pixels = pixels.astype(np.int64)  # a difference of signed values may not fit
            mirror = pixels.max() if padding is None else pixels[~padding[k]].max(initial=pixels.min())
            pixels = mirror - pixels
            ends = [0.0, ends[1] - ends[0]]
        if padding is not None and padding[k].any():
            valid = pixels[~padding[k]]
            pixels = np.where(padding[k], valid.min() if valid.size else 0, pixels).astype(pixels.dtype)
        cosines = _numbers(_frame_value(ds, k, "PlaneOrientationSequence", "ImageOrientationPatient"), 6)
        corner = _numbers(_frame_value(ds, k, "PlanePositionSequence", "ImagePositionPatient"), 3)
        number = k + 1 if len(frames) > 1 else _integer(ds.get("InstanceNumber"))
        eight_bit = identity and not has_lut and not signed and bits <= 8
        slices.append(
            make_slice(pixels, source, number, _spacing(ds, k), cosines, corner, (ends[0], ends[1]), eight_bit)
        )
    return slices


def _dicom_frames(ds: Any) -> NDArray[Any]:
    """Stored values as (frames, rows, columns); colour becomes luminance (ITU-R BT.601)."""
    from pydicom.pixels import apply_color_lut
    from pydicom.uid import UID

    size = int(ds.Rows) * int(ds.Columns)
    if not 0 < size <= MAX_PIXELS:
        raise UnusableError(f"an image of {size} pixels; expected 1 to {MAX_PIXELS}")
    check_voxels((size, int(ds.get("NumberOfFrames", 1) or 1), int(ds.get("SamplesPerPixel", 1) or 1)))
    try:
        pixels = ds.pixel_array
        if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, ds)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # each codec has its own exceptions, and what Rust raises is no Exception
        syntax = UID(str(ds.file_meta.TransferSyntaxUID))
        known = syntax.name if syntax.name != syntax else "pixel"  # the name of an unknown one is what the header says
        raise UnusableError(f"its {known} data cannot be decoded ({type(error).__name__})") from None
    if int(ds.get("SamplesPerPixel", 1)) > 1 or ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = luminance(pixels)
    n_frames = int(ds.get("NumberOfFrames", 1) or 1)
    return np.asarray(pixels).reshape((n_frames, int(ds.Rows), int(ds.Columns)))


def _padding_mask(ds: Any, frames: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where PixelPaddingValue (0028,0120) to PixelPaddingRangeLimit (0028,0121) fills the frame, PS3.3 C.7.5.1.1.2."""
    value = ds.get("PixelPaddingValue")
    if value is None:
        return None
    if isinstance(value, bytes):
        value = int.from_bytes(value[:2], "little")
    limit = ds.get("PixelPaddingRangeLimit", value)
    if isinstance(limit, bytes):
        limit = int.from_bytes(limit[:2], "little")
    if frames.dtype.kind == "i":  # written as US where it should be SS by some vendors
        value, limit = (v - 65536 if v > 32767 else v for v in (int(value), int(limit)))
    low, high = sorted((int(value), int(limit)))
    return np.asarray((frames >= low) & (frames <= high))


def _frame_value(ds: Any, k: int, group: str, name: str) -> Any:
    """An attribute of frame k: per frame, shared, or at the root (PS3.3 C.7.6.16)."""
    for functional, index in (("PerFrameFunctionalGroupsSequence", k), ("SharedFunctionalGroupsSequence", 0)):
        items = ds.get(functional)
        if items and index < len(items) and items[index].get(group):
            value = items[index][group].value[0].get(name)
            if value is not None:
                return value
    return ds.get(name)


def _rescale(ds: Any, k: int) -> tuple[float, float]:
    slope = _frame_value(ds, k, "PixelValueTransformationSequence", "RescaleSlope")
    intercept = _frame_value(ds, k, "PixelValueTransformationSequence", "RescaleIntercept")
    slope, intercept = float(1 if slope is None else slope), float(0 if intercept is None else intercept)
    if not np.isfinite([slope, intercept]).all() or slope == 0:
        raise UnusableError("its RescaleSlope or RescaleIntercept is zero or no number")
    return slope, intercept


def _spacing(ds: Any, k: int) -> tuple[float, float]:
    value = _frame_value(ds, k, "PixelMeasuresSequence", "PixelSpacing")
    mm = _numbers(value if value is not None else ds.get("ImagerPixelSpacing"), 2)
    return (float(mm[0]), float(mm[1])) if mm is not None and (mm > 0).all() else (np.nan, np.nan)


def _numbers(value: Any, n: int) -> NDArray[np.float64] | None:
    try:
        array = np.asarray([float(v) for v in value], np.float64)
    except (TypeError, ValueError):
        return None
    return array if array.shape == (n,) and np.isfinite(array).all() else None


def _integer(value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        return -1
    return number if abs(number) < 2**31 else -1
