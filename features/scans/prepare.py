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
from features.scans.eight_bit import EightBit, brain_fraction, to_eight_bit
from features.scans.find import Series, Skipped, kind_of
from features.scans.orientation import RawSlice
from features.scans.slice import Slice, columns_of

PREPROCESSING = "slices-1"


@dataclass
class Images:
    """The prepared slices of one series: `pixels` (n, size, size) uint8, and a value per slice for each field of `Slice`."""

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
    slices: list[RawSlice] = []
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
    kept, refused = to_eight_bit(order(slices), normalize)
    skipped += [Skipped(series.patient, series.sequence, r.raw.source, r.reason) for r in refused]
    views = [fit(e.image, e.raw.spacing, size, resize) for e in kept]
    for view in range(1, augment + 1):
        names = [f"{seed}/{view}/{e.raw.source}/{e.raw.instance}" for e in kept]
        views += [augmented(pixels, _rng(name)) for pixels, name in zip(views[: len(kept)], names, strict=True)]
    facts = [_facts(kept[k % len(kept)], k // len(kept), pixels) for k, pixels in enumerate(views)]
    pixels = np.array(views, np.uint8).reshape(len(views), size, size)
    return Images(pixels, columns_of(facts), skipped)


def _facts(eight: EightBit, view: int, pixels: NDArray[np.uint8]) -> Slice:
    """What a cache keeps of a slice besides its vector; `pixels` : as they are shown to the network."""
    raw = eight.raw
    return Slice(
        plane=raw.plane,
        source=raw.source,
        instance=raw.instance,
        position=raw.position,
        brain_fraction=brain_fraction(eight.image),
        view=view,
        height=eight.image.shape[0],
        width=eight.image.shape[1],
        spacing_row=raw.spacing[0],
        spacing_column=raw.spacing[1],
        window_low=eight.window[0],
        window_high=eight.window[1],
        pixel_digest=pixel_digest(pixels),
    )


def order(slices: Sequence[RawSlice]) -> list[RawSlice]:
    """By plane, then position along its axis, then instance number, then natural file name."""

    def key(s: RawSlice) -> tuple[Any, ...]:
        known = bool(np.isfinite(s.position))
        return (s.plane, not known, s.position if known else 0.0, s.instance, natural_key(s.source))

    return sorted(slices, key=key)


def box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    """The rows and columns of (h, w) bool that hold all that is true; empty slices where nothing is."""
    rows = np.flatnonzero(mask.any(axis=1))
    if rows.size == 0:
        return slice(0, 0), slice(0, 0)
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


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
