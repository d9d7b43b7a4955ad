"""A volume -> the DICOM files of a series, as the challenge has them."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from features.phantom.patient import Patient
from features.phantom.template import VOXEL_MM, Array, along
from features.scans.find import SEQUENCES

FIELD_MM = 240.0  # side of the square image, as in BraTS (240 pixels of 1 mm)
BLANKS_FROM = 6  # series with at least so many slices begin and end with blank ones

# Plane -> (axis across the slices, axis down the rows, axis along the columns), direction cosines in LPS.
# Both image axes always run against RAS (to Left, Posterior, Inferior): the radiological display.
PLANES: dict[str, tuple[tuple[int, int, int], list[int]]] = {
    "axial": ((2, 1, 0), [1, 0, 0, 0, 1, 0]),
    "coronal": ((1, 2, 0), [1, 0, 0, 0, 0, -1]),
    "sagittal": ((0, 2, 1), [0, 1, 0, 0, 0, -1]),
}


def write_series(
    folder: Path,
    patient: Patient,
    sequence: str,
    plane: str,
    slices: int,
    matrix: int,
    origin: tuple[object, ...],
    rng: np.random.Generator,
) -> None:
    """Cut one volume into slices and write them; `origin` names the series, for its unique identifiers."""
    folder.mkdir(parents=True)
    stack, corners, spacing, gap = _cut(patient, sequence, plane, slices, matrix, rng)
    # As in the challenge, numbers begin anywhere, skip now and then, and run with the geometry or against it.
    numbers = rng.integers(1, 401) + np.arange(slices) + np.cumsum(rng.random(slices) < 0.06)
    if rng.random() < 0.5:
        numbers = numbers[::-1]

    def uid(*parts: object) -> UID:
        return generate_uid(entropy_srcs=[repr(p) for p in (*origin, *parts)])

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID = MRImageStorage
    ds.Modality = "MR"
    ds.SeriesDescription = sequence
    ds.PatientName = "PHANTOM"
    ds.PatientID = str(origin[-1])
    ds.PatientIdentityRemoved = "YES"
    ds.SliceThickness = ds.SpacingBetweenSlices = gap
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = uid("study")
    ds.SeriesInstanceUID = uid("series", sequence)
    ds.SeriesNumber = 1 + SEQUENCES.index(sequence)
    ds.FrameOfReferenceUID = uid("frame")
    ds.ImageOrientationPatient = PLANES[plane][1]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = int(matrix)
    ds.PixelSpacing = [spacing, spacing]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    for pixels, corner, number in zip(stack, corners, numbers, strict=True):
        meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid(sequence, int(number))
        ds.InstanceNumber = int(number)
        ds.ImagePositionPatient = [round(float(v), 4) for v in corner]
        ds.PixelData = pixels.tobytes()
        ds.save_as(folder / f"Image-{number}.dcm", enforce_file_format=True)


def _cut(
    patient: Patient, sequence: str, plane: str, slices: int, matrix: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.float64], float, float]:
    """Resample a volume to evenly spaced slices.

    Returns pixels (slices, matrix, matrix) uint16, the position of each slice's first pixel (slices, 3) in
    LPS mm, the pixel spacing and the slice spacing in mm. Linear across the slices, cubic (Keys 1981) within.
    """
    axes, _ = PLANES[plane]
    shape = patient.masks["brain"].shape
    filled = np.flatnonzero(patient.masks["brain"].any(axis=axes[1:]))
    first, last = filled[0] - 1, filled[-1] + 1  # the blank planes next to the brain
    blank = rng.integers(1, 1 + max(1, slices // 8), 2) if slices >= BLANKS_FROM else np.zeros(2, int)
    # Spacings are rounded before use, so that the headers state exactly what was done.
    gap = math.ceil((last - first) * VOXEL_MM / (slices - blank.sum()) * 1000) / 1000
    spacing = round(FIELD_MM / matrix, 6)
    middle = (slices - 1 + blank[0] - blank[1]) / 2  # the slice number that falls on the brain's middle
    across = (first + last) / 2 + (np.arange(slices) - middle) * gap / VOXEL_MM
    within = (np.arange(matrix) - (matrix - 1) / 2) * spacing / VOXEL_MM
    # Rows and columns run against the array, see PLANES; the image is centred on the array.
    down, right = ((shape[a] - 1) / 2 - within for a in axes[1:])

    def sample(volume: Array, kernel: str) -> Array:
        stack = along(0, across, "linear", volume.transpose(axes))
        return along(1, down, kernel, along(2, right, kernel, stack))

    inside = sample(patient.masks["brain"].astype(np.float32), "linear") > 0.5
    # At least 1 inside, so that 0 means background and nothing else.
    image = np.where(inside, np.clip(np.rint(sample(patient.volumes[sequence], "cubic")), 1, 65535), 0)

    corners = np.empty((slices, 3))
    corners[:, axes[0]], corners[:, axes[1]], corners[:, axes[2]] = across, down[0], right[0]
    ras = corners @ patient.affine[:3, :3].T + patient.affine[:3, 3]
    return image.astype("<u2"), ras * [-1, -1, 1], spacing, gap
