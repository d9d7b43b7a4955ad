"""Slices -> (n, size, size) uint8: 8-bit mapping, padding to a square in millimetres, resize, augmentation.

Every image that the network sees has passed through `prepare_series`. `PREPROCESSING` names the rules; it changes
whenever the pixels that come out for the same file change.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
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
_WORTH_A_PROBE, _PROBES_UP_TO = 64 * 64, 4096 * 4096  # pixels; a resize in part saves nothing below


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
    if all(image.dtype in (np.uint16, np.int16) for image in images) and len({image.dtype for image in images}) == 1:
        return _window_of_counts(images)
    lowest = min(image.min() for image in images)
    foreground = np.concatenate([image[(image > lowest) & (image != 0)] for image in images])
    if foreground.size == 0:
        return float(lowest), float(lowest)
    low, high = np.percentile(foreground, PERCENTILES)
    return float(low), float(high)


def _window_of_counts(images: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """`_window` of 16-bit integers from how often each value occurs, which needs no copy of the series and no sorting."""
    counts = np.zeros(65536, np.int64)
    for image in images:
        rows, columns = box(image != image[0, 0])
        inner = np.ascontiguousarray(image[rows, columns])
        counts += np.bincount(inner.view(np.uint16).ravel(), minlength=65536)
        counts[int(image[0, 0]) % 65536] += image.size - inner.size
    first = 0
    if images[0].dtype == np.int16:
        counts, first = np.roll(counts, 32768), -32768
    lowest = int(np.argmax(counts > 0))
    counts[lowest] = counts[-first] = 0
    cumulated = np.cumsum(counts)
    n = int(cumulated[-1])
    if n == 0:
        return float(lowest + first), float(lowest + first)
    ends = []
    for percentile in PERCENTILES:  # linear between order statistics, as numpy.percentile
        where = (n - 1) * (percentile / 100)
        k = int(where)
        a, b = (float(np.searchsorted(cumulated, i, side="right") + first) for i in (k, min(k + 1, n - 1)))
        t = where - k
        ends.append(a + (b - a) * t if t < 0.5 else b - (b - a) * (1 - t))
    return ends[0], ends[1]


def _map(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    """(h, w) of any type -> (h, w) uint8; all zeros where the image is of one single value."""
    low, high = window
    image = np.zeros(pixels.shape, np.uint8)
    edge = pixels[0, 0]
    rows, columns = box(pixels != edge)
    inner = pixels[rows, columns]
    if inner.size == 0:
        return image
    if high <= low:  # the whole foreground is one value: a mask
        image[pixels >= high] = 255
        return image
    if surround := _scaled(pixels[:1, :1], low, high)[0, 0]:
        image[...] = surround
    image[rows, columns] = _scaled(inner, low, high)
    return image


def _scaled(pixels: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    """low ... high to 0 ... 255 in whole numbers."""
    scaled = pixels.astype(np.float32)
    scaled -= np.float32(low)
    scaled *= np.float32(255 / (high - low))
    np.clip(scaled, 0, 255, out=scaled)
    return np.rint(scaled, out=scaled)


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
    frame[...] = _resized(image, (height, width))
    return square


def _resized(image: NDArray[np.uint8], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Pillow's antialiased bilinear resize to `shape`, computed only where the image is not black."""
    whole = (slice(0, image.shape[0]), slice(0, image.shape[1]))
    order = _order(image.shape, shape) if _WORTH_A_PROBE <= image.size <= _PROBES_UP_TO else None
    if order is None:
        return _pillow(image, shape, whole)
    return _by_axis(image, shape, order, box(image != 0))


def _by_axis(
    image: NDArray[np.uint8], shape: tuple[int, int], order: tuple[int, int], filled: tuple[slice, slice]
) -> NDArray[np.uint8]:
    """The resize, one axis after the other, of an image that is black but for the rows and columns `filled`."""
    out = np.zeros(shape, np.uint8)
    if filled[0].stop == 0:
        return out
    reach = [_reach(filled[axis], image.shape[axis], shape[axis]) for axis in (0, 1)]
    first, second = order
    inner = image[filled[0]] if second == 0 else image[:, filled[1]]
    half = np.zeros([reach[a][0].stop - reach[a][0].start if a == first else image.shape[a] for a in (0, 1)], np.uint8)
    for target, source, axis in ((half, inner, first), (out, half, second)):
        part = [slice(0, n) for n in source.shape]
        part[axis] = reach[axis][1]
        size = list(source.shape)
        size[axis] = reach[axis][0].stop - reach[axis][0].start
        place = [filled[0], filled[1]] if axis == first else [reach[0][0], reach[1][0]]
        if axis == first:
            place[first] = slice(None)
        target[tuple(place)] = _pillow(source, (size[0], size[1]), (part[0], part[1]))
    return out


def _pillow(image: NDArray[np.uint8], shape: tuple[int, int], part: tuple[slice, slice]) -> NDArray[np.uint8]:
    """The rows and columns `part` of an image, resized to `shape`; the filter reads beyond the part."""
    from PIL import Image

    rows, columns = part
    where = (columns.start, rows.start, columns.stop, rows.stop)
    return np.asarray(Image.fromarray(image).resize(shape[::-1], Image.Resampling.BILINEAR, box=where))


@lru_cache(maxsize=64)
def _order(size: tuple[int, int], shape: tuple[int, int]) -> tuple[int, int] | None:
    """The axis that Pillow resizes first, which depends on the shapes and on its version; None where it is neither.

    It rounds to 8 bit between the two, so that the order shows in the pixels of a random image.
    """
    probe = np.random.default_rng(0).integers(1, 256, size, np.uint8)
    whole = (slice(0, size[0]), slice(0, size[1]))
    expected = _pillow(probe, shape, whole)
    orders = ((1, 0), (0, 1))
    return next((o for o in orders if np.array_equal(_by_axis(probe, shape, o, whole), expected)), None)


def _reach(filled: slice, size: int, resized: int) -> tuple[slice, slice]:
    """Where `filled` of a side of `size` pixels shows after the resize, and the pixels that this is computed from.

    Both begin and end where pixel edges before and after coincide, so that Pillow computes the very same values for
    the part as for the whole; it reads beyond the part where its filter reaches farther.
    """
    n = math.gcd(size, resized)  # equal stretches of the side
    before, after = size // n, resized // n
    margin = max(1, math.ceil(size / resized))  # of the filter, in pixels before the resize
    first = max(0, filled.start - margin) // before
    last = min(n, -(-(filled.stop + margin) // before))
    return slice(first * after, last * after), slice(first * before, last * before)


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
