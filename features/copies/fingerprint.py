"""What tells the slices of a patient again, whatever the patient is called: pixel digests and sketches of the vectors.

A sketch holds 256 signs of random projections, whose share of differences is the angle of two vectors over pi (Charikar,
STOC 2002). The vectors are taken from the mean of their own series and scaled by the spread within series before: raw
vectors of VGG16 are all alike (cosines of 0.8 to 0.95 between patients), and a change that all slices of a copy share,
noise for one, moves the mean and not what differs between slices. It takes 44 bytes for a slice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.table import Table

Floats = NDArray[np.float32]
Stored = NDArray[Any]  # of any of the types of a `Fingerprint`

SKETCH_BITS = 256
# In vectors of fewer values high cosines come by chance; so do equal rows of a table with fewer values.
LEAST_DIM, LEAST_VALUES = 64, 10
# Of the mean spread. What is silent in a few patients would otherwise outweigh all else where a copy of one stirs it a little.
LEAST_SCALE = np.float32(0.1)


@dataclass
class Fingerprint:
    """What tells the slices of one sequence again, rows grouped by patient; plain arrays, to be kept in a fitted head.

    patients : (p,) str; owner : (n,) int32, index into patients; digest : (n,) uint64; sketch : (n, 32) uint8, packed signs,
    (n, 0) where the vectors are too short or the rows are those of a table; scale : (d,) float32
    """

    patients: NDArray[np.str_]
    owner: NDArray[np.int32]
    digest: NDArray[np.uint64]
    sketch: NDArray[np.uint8]
    scale: NDArray[np.float32]


def fingerprint(table: Table, scale: NDArray[np.float32] | None = None) -> Fingerprint:
    """The fingerprint of a table of slices, or of a CSV table; `scale` of the fingerprint that it is to be compared with."""
    if table.columns:
        keep = np.isfinite(table.X).sum(1) >= LEAST_VALUES
        rows = table.take(keep)
        values = np.where(np.isnan(rows.X), np.float32(np.nan), rows.X + np.float32(0))  # one NaN, and no -0
        digest = [hashlib.blake2b(row.tobytes(), digest_size=8).hexdigest().encode() for row in values]
    else:
        assert len(table.digest) == len(table.X), "pooled rows are no slices"
        told = (table.view == 0) & (table.digest != b"")
        rows = table if told.all() else table.take(told)
        digest = [d[:16] for d in rows.digest.tolist()]
    patients, index = np.unique(rows.patient.astype(str), return_inverse=True)
    order = np.argsort(index, kind="stable")
    owner = index[order].astype(np.int32)
    numbers = np.array([int(d, 16) for d in digest], np.uint64)[order]
    dim = rows.X.shape[1]
    if table.columns or dim < LEAST_DIM:
        return Fingerprint(patients, owner, numbers, np.empty((len(owner), 0), np.uint8), np.ones(dim, np.float32))
    # Patient by patient, so that no second table is made.
    groups = np.split(order, np.flatnonzero(np.diff(owner)) + 1) if len(order) else []
    means = [rows.X[g].mean(axis=0, dtype=float).astype(np.float32) for g in groups]
    if scale is None:
        squares = sum(
            (np.square(rows.X[g] - m).sum(axis=0, dtype=float) for g, m in zip(groups, means, strict=True)),
            np.zeros(dim),
        )
        scale = np.sqrt(squares / max(1, len(order))).astype(np.float32)
        scale = np.maximum(scale, LEAST_SCALE * np.sqrt(np.square(scale).mean()))
    projections = _projections(dim) / np.where(scale > 0, scale, np.float32(1))[:, None]
    sketch = np.zeros((len(order), SKETCH_BITS // 8), np.uint8)
    first = 0
    for g, m in zip(groups, means, strict=True):
        sketch[first : first + len(g)] = np.packbits((rows.X[g] - m) @ projections > 0, axis=1)
        first += len(g)
    return Fingerprint(patients, owner, numbers, sketch, scale)


def to_arrays(fingerprints: Mapping[str, Fingerprint]) -> dict[str, Stored]:
    """`<sequence>/<field>`: array, for a file."""
    return {f"{q}/{name}": array for q, f in fingerprints.items() for name, array in vars(f).items()}


def from_arrays(arrays: Mapping[str, Stored], sequence: str) -> Fingerprint | None:
    """The inverse of `to_arrays` for one sequence; None where there is none of it.

    Raises ValueError where rows are not grouped by patient, in order.
    """
    if f"{sequence}/digest" not in arrays:
        return None
    f = Fingerprint(**{name: arrays[f"{sequence}/{name}"] for name in Fingerprint.__dataclass_fields__})
    steps = np.diff(f.owner, prepend=0, append=max(0, len(f.patients) - 1)) if f.owner.ndim == 1 else np.array([-1])
    if (steps < 0).any() or not len(f.owner) == len(f.digest) == len(f.sketch):
        raise ValueError(
            f"the fingerprint of {sequence} is damaged: its rows are not those of its patients in order; train again"
        )
    return f


def _projections(dim: int) -> Floats:
    """(dim, 256) of +-1 at random, the same for ever: the bits of a hash, since a generator may change with NumPy."""
    digest = hashlib.shake_256(b"mgmt-radiogenomics/sketch").digest(dim * SKETCH_BITS // 8)
    bits = np.unpackbits(np.frombuffer(digest, np.uint8)).reshape(dim, SKETCH_BITS)
    return 2 * bits.astype(np.float32) - 1
