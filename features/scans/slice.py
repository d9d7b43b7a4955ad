"""A slice as a cache knows it. Its fields are the columns of a row, in the order in which digests and files have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


def _column(dtype: str, *, coded: bool = False) -> Any:
    """A field with its type in a file; a coded one is a text there, kept once, and its number in each row."""
    return field(metadata={"dtype": dtype, "coded": coded})


@dataclass(frozen=True)
class Slice:
    """One prepared image.

    Attributes
    ----------
    plane : 'axial', 'coronal', 'sagittal' or 'unknown'
    source : the file, relative to the cohort
    instance : number of the image in its series or file, -1 where it has none
    position : mm along the plane's axis (to Left, Posterior, Head), NaN where unknown
    brain_fraction : share of the 8-bit image brighter than 5 % of the window, 0 ... 1; 0 marks a blank slice
    view : 0 the image itself, else the number of an augmented view
    height, width : in pixels, before the resize
    spacing_row, spacing_column : mm between rows, between columns, NaN where unknown
    window_low, window_high : the values that became 0 and 255
    pixel_digest : of the prepared pixels, 32 hexadecimal digits
    """

    plane: str = _column("<i4", coded=True)
    source: str = _column("<i4", coded=True)
    instance: int = _column("<i4")
    position: float = _column("<f4")
    brain_fraction: float = _column("<f4")
    view: int = _column("<i2")
    height: int = _column("<i4")
    width: int = _column("<i4")
    spacing_row: float = _column("<f4")
    spacing_column: float = _column("<f4")
    window_low: float = _column("<f4")
    window_high: float = _column("<f4")
    pixel_digest: bytes = _column("S32")


SLICE_COLUMNS: dict[str, str] = {f.name: f.metadata["dtype"] for f in fields(Slice)}
CODED_SLICE_COLUMNS = tuple(f.name for f in fields(Slice) if f.metadata["coded"])


def columns_of(slices: Sequence[Slice]) -> dict[str, NDArray[Any]]:
    """{column: a value per slice}, texts as objects."""
    return {
        name: np.array([getattr(s, name) for s in slices], object if name in CODED_SLICE_COLUMNS else dtype)
        for name, dtype in SLICE_COLUMNS.items()
    }
