"""Files -> slices: pixel values in real units, in one orientation, with their geometry.

Every reader returns `Slice` objects or raises ValueError with a reason in words. Reasons never quote header
values: a reason ends up in the cache, and headers can identify a patient.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import warnings
from pathlib import Path

import numpy as np

from features.scans.dicom import read_dicom
from features.scans.orientation import MAX_PIXELS, UNKNOWN, Slice, UnusableError, cause, check_voxels, finite, luminance

MAX_FILE_BYTES = 2 * 1024**3


def read_file(path: Path, source: str, kind: str, plane: str = "axial") -> list[Slice]:
    """Read one file; `source` is what the slices are named by, `plane` the cut for NIfTI volumes.

    Raises ValueError with a reason in words where the file cannot be used.
    """
    reader = {"dicom": read_dicom, "image": _read_image, "nifti": _read_nifti}[kind]
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers' warnings quote header values
        return reader(path, source, plane)


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
            finite(pixels), source, min(int(numbers[-1]), 2**31 - 1) if numbers else -1, (np.nan, np.nan), UNKNOWN, np.nan,
            (0.0, 255.0 if eight_bit else 65535.0), eight_bit,
        )
    ]  # fmt: skip


def _png_bit_depth(path: Path) -> int:
    with path.open("rb") as f:
        return f.read(25)[24]  # IHDR is the first chunk, its bit depth at byte 24 (PNG 3rd edition, 11.2.1)


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
        slices.append(Slice(finite(pixels), source, k + 1, spacing, plane, position, full_range, eight_bit))
    return slices


# --- shared --------------------------------------------------------------------------------------------


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
