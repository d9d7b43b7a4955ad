"""Files -> slices: pixel values in real units, in one orientation, with their geometry.

Every reader returns `Slice` objects or raises ValueError with a reason in words. Reasons never quote header
values: a reason ends up in the cache, and headers can identify a patient.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNKNOWN = "unknown"

# Radiological display: patient axis (0 = x to Left, 1 = y to Posterior, 2 = z to Head) and direction along
# which columns and rows of the displayed image run. DICOM PS3.3 C.7.6.2.1.1 defines the axes.
_DISPLAY = {"axial": ((0, 1), (1, 1)), "coronal": ((0, 1), (2, -1)), "sagittal": ((1, 1), (2, -1))}
_PLANE_OF_NORMAL = ("sagittal", "coronal", "axial")

MAX_PIXELS = 64 * 1024 * 1024  # of one image; the largest MRI matrices are 1024 x 1024


class UnusableError(ValueError):
    """A file that cannot be used; the reason is our own words, unlike the message of any other ValueError."""


@dataclass
class Slice:
    """One image as read.

    pixels : (h, w) uint8, other integers or float32; rescaled values, background lowest, finite
    spacing : (mm between rows, mm between columns), NaN where the file does not say
    position : mm along the plane's axis (to Left, Posterior, Head), NaN where unknown
    full_range : (lowest, highest) value the stored type can hold after rescaling, None for floats
    eight_bit : the stored values are 8-bit intensities, to be taken as they are
    """

    pixels: NDArray[Any]
    source: str
    instance: int
    spacing: tuple[float, float]
    plane: str
    position: float
    full_range: tuple[float, float] | None
    eight_bit: bool


def read_file(path: Path, source: str, kind: str, plane: str = "axial") -> list[Slice]:
    """Read one file; `source` is what the slices are named by, `plane` the cut for NIfTI volumes.

    Raises ValueError with a reason in words where the file cannot be used.
    """
    reader = {"dicom": _read_dicom, "image": _read_image, "nifti": _read_nifti}[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers' warnings quote header values
        return reader(path, source, plane)


def orientation_of(cosines: NDArray[Any] | None) -> tuple[str, NDArray[np.float64] | None]:
    """Plane and unit normal (pointing to Left, Posterior or Head) of ImageOrientationPatient (6 values)."""
    if cosines is None or cosines.shape != (6,) or not np.isfinite(cosines).all():
        return UNKNOWN, None
    row, column = cosines[:3], cosines[3:]
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    if length < 0.5 or abs(float(row @ column)) > 0.1:  # not two perpendicular directions
        return UNKNOWN, None
    axis = int(np.argmax(np.abs(normal)))
    return _PLANE_OF_NORMAL[axis], normal * np.sign(normal[axis]) / length


def to_display(
    pixels: NDArray[Any], spacing: tuple[float, float], cosines: NDArray[Any] | None
) -> tuple[NDArray[Any], tuple[float, float]]:
    """Turn and flip an image to the radiological display of its plane; unknown planes stay as they are."""
    plane, _ = orientation_of(cosines)
    if plane == UNKNOWN or cosines is None:
        return pixels, spacing
    along_columns, along_rows = cosines[:3], cosines[3:]  # of increasing column and of increasing row index
    (column_axis, column_sign), (row_axis, row_sign) = _DISPLAY[plane]
    if abs(along_columns[column_axis]) < abs(along_rows[column_axis]):
        pixels, spacing = pixels.T, spacing[::-1]
        along_columns, along_rows = along_rows, along_columns
    if along_columns[column_axis] * column_sign < 0:
        pixels = pixels[:, ::-1]
    if along_rows[row_axis] * row_sign < 0:
        pixels = pixels[::-1]
    return pixels, spacing


# --- DICOM ---------------------------------------------------------------------------------------------


def _read_dicom(path: Path, source: str, _: str) -> list[Slice]:
    import pydicom
    from pydicom.errors import InvalidDicomError
    from pydicom.uid import ImplicitVRLittleEndian

    try:
        ds = pydicom.dcmread(path, force=True)
    except (OSError, EOFError, InvalidDicomError) as error:
        raise UnusableError(f"cannot be read ({_cause(error)})") from None
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


def _dicom_slices(ds: Any, source: str) -> list[Slice]:
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
        plane, normal = orientation_of(cosines)
        position = float(corner @ normal) if corner is not None and normal is not None else np.nan
        pixels, spacing = to_display(pixels, _spacing(ds, k), cosines)
        number = k + 1 if len(frames) > 1 else _integer(ds.get("InstanceNumber"))
        eight_bit = identity and not has_lut and not signed and bits <= 8
        slices.append(Slice(_finite(pixels), source, number, spacing, plane, position, (ends[0], ends[1]), eight_bit))
    return slices


def _dicom_frames(ds: Any) -> NDArray[Any]:
    """Stored values as (frames, rows, columns); colour becomes luminance (ITU-R BT.601)."""
    from pydicom.pixels import apply_color_lut
    from pydicom.uid import UID

    size = int(ds.Rows) * int(ds.Columns)
    if not 0 < size <= MAX_PIXELS:
        raise UnusableError(f"an image of {size} pixels; expected 1 to {MAX_PIXELS}")
    try:
        pixels = ds.pixel_array
        if ds.get("PhotometricInterpretation") == "PALETTE COLOR":
            pixels = apply_color_lut(pixels, ds)
    except Exception as error:  # each codec has its own exceptions
        syntax = UID(str(ds.file_meta.TransferSyntaxUID))
        known = syntax.name if syntax.name != syntax else "pixel"  # the name of an unknown one is what the header says
        raise UnusableError(f"its {known} data cannot be decoded ({type(error).__name__})") from None
    if int(ds.get("SamplesPerPixel", 1)) > 1 or ds.get("PhotometricInterpretation") == "PALETTE COLOR":
        pixels = _luminance(pixels)
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


# --- PNG, JPEG -----------------------------------------------------------------------------------------


def _read_image(path: Path, source: str, _: str) -> list[Slice]:
    from PIL import Image

    try:
        with Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnusableError(f"an image of {width * height} pixels; expected at most {MAX_PIXELS}")
            if image.format == "PNG" and image.mode in ("RGB", "RGBA", "LA") and _png_bit_depth(path) == 16:
                raise UnusableError("16-bit PNG with colour or alpha; save it as 16-bit greyscale")
            if image.mode.startswith("I") or image.mode == "F":
                pixels, eight_bit = np.asarray(image), False
            else:
                mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
                pixels, eight_bit = np.asarray(image.convert(mode)), True
    except UnusableError:
        raise
    except Exception as error:  # each format has its own exceptions
        raise UnusableError(f"cannot be decoded as an image ({_cause(error)})") from None
    if pixels.ndim == 3:
        pixels = _luminance(pixels)
    numbers = re.findall(r"\d+", path.stem)
    return [
        Slice(
            _finite(pixels), source, min(int(numbers[-1]), 2**31 - 1) if numbers else -1, (np.nan, np.nan), UNKNOWN, np.nan,
            (0.0, 255.0 if eight_bit else 65535.0), eight_bit,
        )
    ]  # fmt: skip


def _png_bit_depth(path: Path) -> int:
    with path.open("rb") as f:
        return f.read(25)[24]  # IHDR is the first chunk, its bit depth at byte 24 (PNG 3rd edition, 11.2.1)


def _luminance(rgb: NDArray[Any]) -> NDArray[Any]:
    """(..., 3 or 4) colour -> (...) grey in the same dtype; grey stored as colour comes back unchanged."""
    red, green, blue = (rgb[..., c].astype(np.float64) for c in range(3))
    return np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(rgb.dtype)


# --- NIfTI ---------------------------------------------------------------------------------------------


def _read_nifti(path: Path, source: str, plane: str) -> list[Slice]:
    import nibabel

    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))  # axes to Right, Anterior, Superior
        shape = image.shape
        if len(shape) == 4 and shape[3] == 1:
            shape = shape[:3]
        if len(shape) != 3 or 0 in shape:
            raise UnusableError(f"a NIfTI volume of shape {image.shape}; expected three dimensions")
        volume = np.asarray(image.dataobj).reshape(shape)
        affine = image.affine
    except UnusableError:
        raise
    except Exception as error:
        raise UnusableError(f"cannot be read as NIfTI ({type(error).__name__})") from None
    if volume.dtype.kind not in "uif":
        raise UnusableError(f"a NIfTI volume of {volume.dtype}; expected grey values")
    eight_bit = volume.dtype == np.uint8
    if volume.dtype.kind == "f":
        volume = volume.astype(np.float32)
    zooms = [float(z) for z in image.header.get_zooms()[:3]]
    # Seen as in radiology: x runs to the patient's Left, rows to Posterior (axial) or Inferior.
    view = {
        "axial": (volume[::-1, ::-1].transpose(2, 1, 0), (zooms[1], zooms[0]), 2, 1),
        "coronal": (volume[::-1, :, ::-1].transpose(1, 2, 0), (zooms[2], zooms[0]), 1, -1),
        "sagittal": (volume[:, ::-1, ::-1].transpose(0, 2, 1), (zooms[2], zooms[1]), 0, -1),
    }
    stack, spacing, axis, sign = view[plane]
    full_range = (0.0, 255.0) if eight_bit else None
    slices = []
    for k, pixels in enumerate(stack):
        index = np.zeros(4)
        index[axis], index[3] = k, 1
        position = sign * float((affine @ index)[axis])  # DICOM's x and y run against NIfTI's
        slices.append(Slice(_finite(pixels), source, k + 1, spacing, plane, position, full_range, eight_bit))
    return slices


# --- shared --------------------------------------------------------------------------------------------


def _finite(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels that are no number become the lowest finite value, as padding does."""
    if pixels.dtype.kind != "f" or (finite := np.isfinite(pixels)).all():
        return pixels
    if not finite.any():
        raise UnusableError("not one pixel is a finite number")
    return np.where(finite, pixels, pixels[finite].min())


def _cause(error: BaseException) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
