"""One image as read: its values, its place in the patient, and how it is turned to be looked at."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
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


class UnusableError(ValueError):
    """A file that cannot be used; the reason is our own words, unlike the message of any other ValueError."""


@dataclass
class RawSlice:
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


def make_slice(
    pixels: NDArray[Any],
    source: str,
    instance: int,
    spacing: tuple[float, float],
    cosines: NDArray[Any] | None,
    corner: NDArray[Any] | None,
    full_range: tuple[float, float] | None,
    eight_bit: bool,
) -> RawSlice:
    """A slice as stored, turned to the display of its plane; `cosines` (6,) and `corner` (3,) as DICOM has them."""
    plane, normal = orientation_of(cosines)
    position = float(corner @ normal) if corner is not None and normal is not None else np.nan
    pixels, spacing = to_display(pixels, spacing, cosines)
    return RawSlice(
        pixels=finite(pixels),
        source=source,
        instance=instance,
        spacing=spacing,
        plane=plane,
        position=position,
        full_range=full_range,
        eight_bit=eight_bit,
    )


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


def luminance(rgb: NDArray[Any]) -> NDArray[Any]:
    """(..., 3 or 4) colour -> (...) grey in the same dtype; grey stored as colour comes back unchanged."""
    red, green, blue = (rgb[..., c].astype(np.float64) for c in range(3))
    return np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(rgb.dtype)


def finite(pixels: NDArray[Any]) -> NDArray[Any]:
    """Pixels that are no number become the lowest finite value, as padding does."""
    if pixels.dtype.kind != "f" or (finite := np.isfinite(pixels)).all():
        return pixels
    if not finite.any():
        raise UnusableError("not one pixel is a finite number")
    return np.where(finite, pixels, pixels[finite].min())


def check_voxels(shape: Iterable[int]) -> None:
    """Refuse a volume that is larger than any scan before it is allocated."""
    n = math.prod(int(side) for side in shape)
    if not 0 < n <= MAX_VOXELS:
        raise UnusableError(f"a volume of {n} values; expected 1 to {MAX_VOXELS}")


def cause(error: BaseException) -> str:
    """What the system says of an error, which quotes nothing of the file; else its kind."""
    return getattr(error, "strerror", None) or type(error).__name__
