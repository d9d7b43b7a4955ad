"""Small cohorts of images, and headers that must not leak."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image


def make_cohort(folder: Path, patients: str, slices: int = 3) -> Path:
    """One-letter patients with FLAIR and T1w of some small PNG slices."""
    for patient in patients:
        for sequence in ("FLAIR", "T1w"):
            rng = np.random.default_rng([ord(patient), len(sequence)])
            (folder / patient / sequence).mkdir(parents=True)
            for k in range(slices):
                pixels = rng.integers(0, 255, (8, 8), np.uint8)
                Image.fromarray(pixels).save(folder / patient / sequence / f"{k}.png")
    return folder


# Long enough not to come up by chance in the letters of an embedded figure.
SECRETS = (
    b"DOEVANTER",
    b"JANELLEX",
    b"HOSPITAL-4711",
    b"19501231",
    b"1.2.840.99999",
    b"20210101",
    b"PRIVATE-77",
    b"ward seven",
    b"9.9.9.9",
)


def plant(path: Path, k: int) -> None:
    """Write the secrets into a DICOM file; numbers 1 and 2 of a series cannot be read, and their errors would quote them."""
    ds = pydicom.dcmread(path)
    ds.PatientName, ds.PatientID = "DOEVANTER^JANELLEX", "HOSPITAL-4711"
    ds.PatientBirthDate, ds.StudyDate = "19501231", "20210101"
    ds.StudyInstanceUID = "1.2.840.99999.4.5.6"
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = "1.2.840.99999.4.5.7"
    ds.file_meta.SourceApplicationEntityTitle = "PRIVATE-77"
    ds.private_block(0x0011, "PRIVATE-77", create=True).add_new(1, "LO", "DOEVANTER^JANELLEX")
    ds.ImageComments = "ward seven"
    if k == 1:  # what a decoder's exception would quote
        with warnings.catch_warnings(action="ignore"):
            ds.PhotometricInterpretation = "DOEVANTER^JANE"
    elif k == 2:
        ds.SOPClassUID = "9.9.9.9.4711"
    with warnings.catch_warnings(action="ignore"):
        ds.save_as(path)
    if k == 2:
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b"1.2.840.10008.1.2.1\0", b"9.9.9.9.4711.1.1.1.1"))
