"""Slices -> (n, size, size) uint8: 8-bit mapping, padding to a square in millimetres, resize, augmentation.

Every image that the network sees has passed through `prepare_series`. `PREPROCESSING` names the rules; it changes
whenever the pixels that come out for the same file change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.ids import natural_key
from features.scans.decode import read_file
from features.scans.find import Series, Skipped, kind_of
from features.scans.orientation import Slice

PREPROCESSING = "slices-1"
PERCENTILES = (0.5, 99.5)
BRAIN_LEVEL = 12  # of 255: what lies above 5 % of the window counts as brain


@dataclass
class Images:
    """The prepared slices of one series: `pixels` (n, size, size) uint8 and one value per slice in each column."""

    pixels: NDArray[np.uint8]
    columns: dict[str, NDArray[Any]]
    skipped: list[Skipped]


def prepare_series(
    series: Series,
    *,
    size: int,
    normalize: str,
    resize: str,
    plane: str,
    augment: int = 0,
    seed: int = 0,
    left_out: Mapping[str, str] = MappingProxyType({}),
    reading: Callable[[int], object] = lambda _: None,
) -> Images:
    """Read and prepare a whole series; files that cannot be used come back as `skipped`.

    Rows come view by view: first the images themselves in geometric order, then the same slices in view 1, 2 ...
    `left_out` : {file: reason} of files not to open. `reading(k)` is called before file k, and with their number after the last.
    """
    slices: list[Slice] = []
    skipped: list[Skipped] = []
    for k, source in enumerate(series.files):
        reading(k)
        path = series.cohort / source
        if source in left_out:
            skipped.append(Skipped(series.patient, series.sequence, source, left_out[source]))
            continue
        try:
            slices += read_file(path, source, kind_of(path) or "dicom", plane)
        except ValueError as error:
            skipped.append(Skipped(series.patient, series.sequence, source, str(error)))
    reading(len(series.files))
    slices, eights, windows, refused = to_eight_bit(order(slices), normalize)
    skipped += [Skipped(series.patient, series.sequence, s.source, reason) for s, reason in refused]
    shape = (len(slices), size, size)
    pixels = np.zeros(shape, np.uint8)
    for k, (s, eight) in enumerate(zip(slices, eights, strict=True)):
        pixels[k] = fit(eight, s.spacing, size, resize)
    columns: dict[str, NDArray[Any]] = {
        "source": np.array([s.source for s in slices], object),
        "plane": np.array([s.plane for s in slices], object),
        "instance": np.array([s.instance for s in slices], np.int32),
        "position": np.array([s.position for s in slices], np.float32),
        "brain_fraction": np.array([brain_fraction(e) for e in eights], np.float32),
        "height": np.array([e.shape[0] for e in eights], np.int32),
        "width": np.array([e.shape[1] for e in eights], np.int32),
        "spacing_row": np.array([s.spacing[0] for s in slices], np.float32),
        "spacing_column": np.array([s.spacing[1] for s in slices], np.float32),
        "window_low": np.array([w[0] for w in windows], np.float32),
        "window_high": np.array([w[1] for w in windows], np.float32),
        "view": np.zeros(len(slices), np.int16),
    }
    if augment:
        views = [pixels]
        for view in range(1, augment + 1):
            seeds = [f"{seed}/{view}/{s.source}/{s.instance}" for s in slices]
            views.append(
                np.array([augmented(p, _rng(k)) for p, k in zip(pixels, seeds, strict=True)], np.uint8).reshape(shape)
            )
        columns = {name: np.concatenate([values] * (augment + 1)) for name, values in columns.items()}
        columns["view"] = np.repeat(np.arange(augment + 1, dtype=np.int16), len(slices))
        pixels = np.concatenate(views)
    columns["pixel_digest"] = np.array([pixel_digest(p) for p in pixels], "S32")
    return Images(pixels, columns, skipped)


def order(slices: Sequence[Slice]) -> list[Slice]:
    """By plane, then position along its axis, then instance number, then natural file name."""

    def key(s: Slice) -> tuple[Any, ...]:
        known = bool(np.isfinite(s.position))
        return (s.plane, not known, s.position if known else 0.0, s.instance, natural_key(s.source))

    return sorted(slices, key=key)


def to_eight_bit(
    slices: Sequence[Slice], normalize: str
) -> tuple[list[Slice], list[NDArray[np.uint8]], list[tuple[float, float]], list[tuple[Slice, str]]]:
    """Map every slice to 8 bit: the slices kept, their images, their windows, and what was refused and why.

    `series` and `slice` map the 0.5 to 99.5 percentiles of the foreground (of the series, of the slice) to
    0 ... 255 and clip; foreground is what is above the lowest value and not zero, so that the background, 0 or
    -0.5 after rescaling, is left out. `none` maps the full range of the stored type. Slices of 8-bit files are
    taken as they are. A slice of one single value is blank: all zeros.
    """
    deep = [s.pixels for s in slices if not s.eight_bit]
    shared = _window(deep) if deep and normalize == "series" else (0.0, 0.0)
    kept: list[Slice] = []
    images: list[NDArray[np.uint8]] = []
    windows: list[tuple[float, float]] = []
    refused: list[tuple[Slice, str]] = []
    for s in slices:
        if s.eight_bit:
            window = (0.0, 255.0)
            image = s.pixels.astype(np.uint8)
        else:
            if normalize == "none":
                if s.full_range is None:
                    refused.append(
                        (s, "floating-point values have no full range for --normalize none; use series or slice")
                    )
                    continue
                window = s.full_range
            else:
                window = shared if normalize == "series" else _window([s.pixels])
            image = _map(s.pixels, window)
        kept.append(s)
        images.append(image)
        windows.append(window)
    return kept, images, windows, refused


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


def box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of (h, w) bool that hold all that is true; empty slices where nothing is."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def brain_fraction(image: NDArray[np.uint8]) -> float:
    """Share of the image (h, w) uint8 brighter than 5 % of the window, 0 ... 1; 0 marks a blank slice."""
    return float(np.count_nonzero(image > BRAIN_LEVEL) / image.size)


def fit(image: NDArray[np.uint8], spacing: tuple[float, float], size: int, resize: str) -> NDArray[np.uint8]:
    """(h, w) uint8 -> (size, size) uint8 by antialiased bilinear resampling.

    `pad` keeps shapes: the longer side in millimetres fills the square, the rest is 0 on both sides alike
    (unknown spacing counts as square pixels). `stretch` fills the square. A square image of that size with
    square pixels is returned unchanged.
    """
    height, width = size, size
    if resize == "pad":
        row_mm, column_mm = spacing if np.isfinite(spacing).all() else (1.0, 1.0)
        extent = (image.shape[0] * row_mm, image.shape[1] * column_mm)
        height, width = (max(1, round(size * side / max(extent))) for side in extent)
    square = np.zeros((size, size), np.uint8)
    frame = square[(size - height) // 2 :, (size - width) // 2 :][:height, :width]
    if image.shape == (height, width):
        frame[...] = image
        return square
    from PIL import Image

    frame[...] = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
    return square


def augmented(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One random view of a (size, size) uint8 image: rotation to 20 degrees, shifts to 0.1 of the side,
    zoom 0.8 to 1.2 along each axis, horizontal flip. What comes in from outside is 0."""
    from PIL import Image

    size = image.shape[0]
    angle = np.deg2rad(rng.uniform(-20, 20))
    shift = rng.uniform(-0.1, 0.1, 2) * size
    zoom = rng.uniform(0.8, 1.2, 2) * np.array([rng.choice([-1.0, 1.0]), 1.0])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation * zoom[:, None]  # output (x, y) about the centre -> input (x, y)
    centre = np.array([size / 2, size / 2])
    offset = centre + shift - matrix @ centre
    data = (*matrix[0], offset[0], *matrix[1], offset[1])
    view = Image.fromarray(image).transform((size, size), Image.Transform.AFFINE, data, Image.Resampling.BILINEAR)
    return np.asarray(view)


def pixel_digest(image: NDArray[np.uint8]) -> bytes:
    """32 hexadecimal digits of the 128-bit BLAKE2b of the prepared pixels."""
    return hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).hexdigest().encode()


def _rng(name: str) -> np.random.Generator:
    digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=16).digest()
    return np.random.default_rng(int.from_bytes(digest, "little"))
