"""Files -> slices: pixel values in real units, in one orientation, with their geometry.

Every reader returns `RawSlice` objects or raises ValueError with a reason in words. Reasons never quote header
values: a reason ends up in the cache, and headers can identify a patient.
"""

from __future__ import annotations

import errno
import os
import stat
import warnings
from pathlib import Path

from features.scans.dicom import read_dicom
from features.scans.nifti import read_nifti
from features.scans.orientation import RawSlice, UnusableError, cause
from features.scans.raster import read_image

MAX_FILE_BYTES = 2 * 1024**3


def read_file(path: Path, source: str, kind: str, plane: str = "axial") -> list[RawSlice]:
    """Read one file; `source` is what the slices are named by, `plane` the cut for NIfTI volumes.

    Raises ValueError with a reason in words where the file cannot be used.
    """
    reader = {"dicom": read_dicom, "image": read_image, "nifti": read_nifti}[kind]
    _check_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # readers' warnings quote header values
        return reader(path, source, plane)


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
