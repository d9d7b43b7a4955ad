"""Files -> slices: pixel values in real units, in one orientation, with their geometry.

Every reader returns `Slice` objects or raises ValueError with a reason in words. Reasons never quote header
values: a reason ends up in the cache, and headers can identify a patient.
"""

from __future__ import annotations

import errno
import math
import os
import re
import stat
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
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
MAX_VOXELS = 256 * 1024 * 1024  # of one file: 1024 x 1024 x 256
MAX_FILE_BYTES = 2 * 1024**3


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
    from features.dicom import read_dicom  # it needs Slice

    reader = {"dicom": read_dicom, "image": _read_image, "nifti": _read_nifti}[kind]
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers' warnings quote header values
        return reader(path, source, plane)


def make_slice(
    pixels: NDArray[Any],
    source: str,
    instance: int,
    spacing: tuple[float, float],
    cosines: NDArray[Any] | None,
    corner: NDArray[Any] | None,
    full_range: tuple[float, float] | None,
    eight_bit: bool,
) -> Slice:
    """A slice as stored, turned to the display of its plane; `cosines` (6,) and `corner` (3,) as DICOM has them."""
    plane, normal = orientation_of(cosines)
    position = float(corner @ normal) if corner is not None and normal is not None else np.nan
    pixels, spacing = to_display(pixels, spacing, cosines)
    return Slice(_finite(pixels), source, instance, spacing, plane, position, full_range, eight_bit)


def orientation_of(cosines: NDArray[Any] | None) -> tuple[str, NDArray[np.float64] | None]:
    """Plane and unit normal (pointing to Left, Posterior or Head) of ImageOrientationPatient (6 values)."""
    if cosines is None or cosines.shape != (6,):
        return UNKNOWN, None
    return _orientation(tuple(cosines.tolist()))


@lru_cache(maxsize=64)  # the slices of a series share it
def _orientation(values: tuple[float, ...]) -> tuple[str, NDArray[np.float64] | None]:
    cosines = np.array(values)
    if not np.isfinite(cosines).all():
        return UNKNOWN, None
    row, column = cosines[:3], cosines[3:]
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    if length < 0.5 or abs(float(row @ column)) > 0.1:  # not two perpendicular directions
        return UNKNOWN, None
    axis = int(np.argmax(np.abs(normal)))
    normal = normal * np.sign(normal[axis]) / length
    normal.flags.writeable = False
    return _PLANE_OF_NORMAL[axis], normal


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


# --- PNG, JPEG -----------------------------------------------------------------------------------------


def _read_image(path: Path, source: str, _: str) -> list[Slice]:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:  # others run interpreters
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
        raise UnusableError(f"cannot be decoded as an image ({cause(error)})") from None
    if pixels.ndim == 3:
        pixels = luminance(pixels)
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


def luminance(rgb: NDArray[Any]) -> NDArray[Any]:
    """(..., 3 or 4) colour -> (...) grey in the same dtype; grey stored as colour comes back unchanged."""
    red, green, blue = (rgb[..., c].astype(np.float64) for c in range(3))
    return np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(rgb.dtype)


# --- NIfTI ---------------------------------------------------------------------------------------------


def _read_nifti(path: Path, source: str, plane: str) -> list[Slice]:
    import nibabel

    try:
        image = nibabel.load(path)
        shape = image.shape
        if len(shape) == 4 and shape[3] == 1:
            shape = shape[:3]
        if len(shape) != 3 or min(shape) < 1:
            raise UnusableError(f"a NIfTI volume of shape {shape}; expected three dimensions")
        check_voxels(shape)
        image = nibabel.as_closest_canonical(image)  # axes to Right, Anterior, Superior
        shape = tuple(image.shape[:3])
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


def _check_file(path: Path) -> None:
    """Refuse what is no file of a scan's size before it is opened; a pipe would never end."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except (OSError, ValueError) as error:
        raise UnusableError(f"cannot be read ({cause(error)})") from None
    if not stat.S_ISREG(found.st_mode):
        raise UnusableError("not a regular file")
    if found.st_size > MAX_FILE_BYTES:
        raise UnusableError(f"a file of {found.st_size} bytes; expected at most {MAX_FILE_BYTES}")


def check_voxels(shape: Iterable[int]) -> None:
    """Refuse a volume that is larger than any scan before it is allocated."""
    n = math.prod(int(side) for side in shape)
    if not 0 < n <= MAX_VOXELS:
        raise UnusableError(f"a volume of {n} values; expected 1 to {MAX_VOXELS}")


def cause(error: BaseException) -> str:
    """What the system says of an error, which quotes nothing of the file; else its kind."""
    return getattr(error, "strerror", None) or type(error).__name__
