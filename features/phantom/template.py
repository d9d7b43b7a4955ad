"""The MNI152 anatomy, random fields over its box, and interpolation whose sums do not depend on the machine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

VOXEL_MM = 2.0


@dataclass(frozen=True)
class Template:
    """MNI152 at 2 mm.

    Spline coefficients of GM, WM and T1 texture, the brain (0 or 1), the affine, lesion centres (n, 3).
    """

    coefficients: tuple[Array, ...]
    brain: Array
    affine: NDArray[np.float64]
    sites: NDArray[np.int64]


@cache
def template() -> Template:
    """Load MNI152 once per process (nilearn ships it, so nothing is downloaded)."""
    from nilearn import datasets  # slow to import, and only needed here

    image = datasets.load_mni152_template(resolution=int(VOXEL_MM))
    t1 = np.asarray(image.dataobj, np.float32)
    gm, wm = (
        np.asarray(load(resolution=int(VOXEL_MM)).dataobj, np.float32)
        for load in (datasets.load_mni152_gm_template, datasets.load_mni152_wm_template)
    )
    brain = np.asarray(datasets.load_mni152_brain_mask(resolution=int(VOXEL_MM)).dataobj) > 0
    # What the tissue classes do not explain of the real T1 image: deep nuclei, brain stem, cortex layers.
    classes = np.stack([gm[brain], wm[brain], 1 - gm[brain] - wm[brain]], axis=1)
    texture = np.zeros_like(t1)
    texture[brain] = t1[brain] - classes @ np.linalg.lstsq(classes, t1[brain], rcond=None)[0]
    # Lesion centres: deep in the white matter of one hemisphere, above the cerebellum, away from the outline.
    ijk = np.argwhere(ndimage.gaussian_filter(wm, 2) > 0.5)
    x, y, z = image.affine[:3, :3] @ ijk.T + image.affine[:3, 3:]
    sites = ijk[(np.abs(x) > 20) & (np.abs(x) < 48) & (y > -75) & (y < 50) & (z > -8) & (z < 48)]
    coefficients = tuple(ndimage.spline_filter(v, order=3, output=np.float32) for v in (gm, wm, texture))
    return Template(coefficients, brain.astype(np.float32), image.affine, sites)


def field(rng: np.random.Generator, step: float) -> Array:
    """A smooth random field over the box, mean 0, SD 1, features of about `step` voxels.

    A cubic B-spline with random coefficients: far cheaper than filtering noise at full size.
    """
    shape = template().brain.shape
    field = rng.standard_normal([math.ceil(n / step) + 4 for n in shape], np.float32)
    for axis, n in enumerate(shape):
        field = along(axis, np.arange(n) / step + 1.5, "spline", field)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def along(axis: int, positions: NDArray[np.float64], kernel: str, volume: Array) -> Array:
    """Interpolate a volume at positions (in voxels) along one axis; it counts as 0 beyond its ends.

    `kernel` is linear, cubic (Keys) or spline (cubic B-spline). The weights are a sparse matrix: few
    sums, always in one order, where a threaded dense product may round differently from machine to machine.
    """
    size = volume.shape[axis]
    d = np.abs(positions[:, None] - np.arange(size))
    if kernel == "linear":
        w = np.clip(1 - d, 0, None)
    elif kernel == "cubic":
        far = ((-0.5 * d + 2.5) * d - 4) * d + 2
        w = np.where(d < 1, (1.5 * d - 2.5) * d * d + 1, np.where(d < 2, far, 0))
    else:
        w = np.where(d < 1, 2 / 3 - d * d + d**3 / 2, np.clip(2 - d, 0, None) ** 3 / 6)
    front = np.moveaxis(volume, axis, 0)
    out = sparse.csr_array(w.astype(np.float32)) @ front.reshape(size, -1)
    return np.moveaxis(np.asarray(out, np.float32).reshape(len(positions), *front.shape[1:]), 0, axis)
