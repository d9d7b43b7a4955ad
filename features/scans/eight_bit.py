"""Values of a scan -> 8 bit, by percentiles of the series or of the slice, or by the full range of the stored type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.scans.orientation import RawSlice

PERCENTILES = (0.5, 99.5)
BRAIN_LEVEL = 12  # of 255: what lies above 5 % of the window counts as brain


class EightBit(NamedTuple):
    """A slice in 8 bit: what was read, the image (h, w) uint8, and the values that became 0 and 255."""

    raw: RawSlice
    image: NDArray[np.uint8]
    window: tuple[float, float]


class Refused(NamedTuple):
    """A slice that cannot be mapped, and why."""

    raw: RawSlice
    reason: str


def to_eight_bit(slices: Sequence[RawSlice], normalize: str) -> tuple[list[EightBit], list[Refused]]:
    """Map every slice to 8 bit.

    Slices of 8-bit files are taken as they are. A slice of one single value is blank: all zeros.

    Parameters
    ----------
    slices : of one series
    normalize : `series` and `slice` map the 0.5 to 99.5 percentiles of the foreground (of the series, of the slice) to 0 ... 255 and
        clip; foreground is what is above the lowest value and not zero, so that the background, 0 or -0.5 after rescaling, is
        left out. `none` maps the full range of the stored type, and refuses slices that have none.
    """
    deep = [s.pixels for s in slices if not s.eight_bit]
    shared = _window(deep) if deep and normalize == "series" else (0.0, 0.0)
    kept: list[EightBit] = []
    refused: list[Refused] = []
    for s in slices:
        if s.eight_bit:
            kept.append(EightBit(s, s.pixels.astype(np.uint8), (0.0, 255.0)))
        elif normalize == "none" and s.full_range is None:
            reason = "floating-point values have no full range for --normalize none; use series or slice"
            refused.append(Refused(s, reason))
        else:
            window = s.full_range if normalize == "none" else shared if normalize == "series" else _window([s.pixels])
            assert window is not None
            kept.append(EightBit(s, _map(s.pixels, window), window))
    return kept, refused


def _window(images: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """The percentile window of the foreground of all `images` together; (v, v) where there is none."""
    lowest = min(image.min() for image in images)
    foreground = np.concatenate([image[(image > lowest) & (image != 0)] for image in images])
    if foreground.size == 0:
        return float(lowest), float(lowest)
    if foreground.dtype == np.int16:
        foreground = foreground.astype(np.int32)  # NumPy takes differences of neighbours, which int16 need not hold
    low, high = np.percentile(foreground, PERCENTILES)
    return float(low), float(high)


def _map(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    """(h, w) of any type -> (h, w) uint8, low ... high to 0 ... 255; all zeros where the image is of one single value."""
    low, high = window
    if (pixels == pixels[0, 0]).all():
        return np.zeros(pixels.shape, np.uint8)
    if high <= low:  # the whole foreground is one value: a mask
        return np.where(pixels >= high, np.uint8(255), np.uint8(0))
    scaled = (pixels.astype(np.float32) - np.float32(low)) * np.float32(255 / (high - low))
    image: NDArray[np.uint8] = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return image


def brain_fraction(image: NDArray[np.uint8]) -> float:
    """Share of the image (h, w) uint8 brighter than 5 % of the window, 0 ... 1; 0 marks a blank slice."""
    return float(np.count_nonzero(image > BRAIN_LEVEL) / image.size)
