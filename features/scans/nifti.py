"""NIfTI -> the slices of a volume, cut along one plane, as radiologists see them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.scans.orientation import RawSlice, UnusableError, check_voxels, finite

Voxels = NDArray[np.integer | np.floating]


def read_nifti(path: Path, source: str, plane: str) -> list[RawSlice]:
    """Every slice of a volume; `plane` : how it is cut. Raises UnusableError with a reason that quotes nothing of the header."""
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
    if volume.dtype.kind == "f":
        volume = volume.astype(np.float32)
    zooms = [float(z) for z in image.header.get_zooms()[:3]]
    return _cut(volume, affine, zooms, source, plane)


def _cut(volume: Voxels, affine: NDArray[np.float64], zooms: list[float], source: str, plane: str) -> list[RawSlice]:
    """The slices of a volume whose axes run to Right, Anterior, Superior; zooms : mm along each."""
    eight_bit = volume.dtype == np.uint8
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
        slices.append(
            RawSlice(
                pixels=finite(pixels),
                source=source,
                instance=k + 1,
                spacing=spacing,
                plane=plane,
                position=position,
                full_range=full_range,
                eight_bit=eight_bit,
            )
        )
    return slices
