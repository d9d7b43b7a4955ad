"""Are copies of real patients under another name found when they were changed, among how many others, and how fast?

Every series of a cohort stands under its own name; of each FLAIR every second slice stands there again, changed. Others
are made up around the real series: their mean at each height, and the deviations of one of them with other signs of the
principal components (how alike they are is printed beside how alike real ones are). Series of fewer than 16 slices that are not
blank are left out. Without MGMT_COHORT (cohort folders with : between them; real scans are best) a phantom cohort is made.
Weights as extract_features.py finds them, or MGMT_WEIGHTS.
"""

from __future__ import annotations

import io
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.copies.duplicates import known_patients
from features.copies.fingerprint import Fingerprint, fingerprint, to_arrays
from features.copies.matching import COSINE, LEAST_SLICES, near_copies
from features.scans.find import find_scans
from features.scans.prepare import prepare_series
from features.table import Table

OTHERS = (0, 1_300, 13_000)
TRAININGS = (1, 3, 6)  # patients
LENGTH = 75  # slices of a made-up patient
AT_ONCE = 100  # of whom vectors are held
SEQUENCE = "FLAIR"
COLUMNS = ("change", *(f"found among {n:,} others" for n in OTHERS))

Images = NDArray[np.uint8]
Floats = NDArray[np.float32]


def _each(change: Callable[[Any], Any]) -> Callable[[Images], Images]:
    from PIL import Image

    return lambda images: np.stack([np.asarray(change(Image.fromarray(image))) for image in images])


def changes() -> dict[str, Callable[[Images], Images]]:
    """What is done to (n, 224, 224) uint8 images of a copy; the noise is seeded."""
    from PIL import Image

    rng = np.random.default_rng(0)

    def shifted(images: Images) -> Images:
        return np.roll(images, (3, 3), axis=(1, 2))

    def noisy(images: Images) -> Images:
        return np.clip(np.rint(images * (1 + rng.uniform(-0.02, 0.02, images.shape))), 0, 255).astype(np.uint8)

    def recompressed(image: Any) -> Any:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=50)
        return Image.open(file)

    def zoomed(image: Any) -> Any:
        return image.resize((235, 235), Image.Resampling.BILINEAR).crop((5, 5, 229, 229))

    return {
        "mirrored": lambda images: images[:, :, ::-1],
        "shifted by 3 pixels": shifted,
        "shifted, 2 % noise in the foreground": lambda images: noisy(shifted(images)),
        "zoomed by 5 %": _each(zoomed),
        "turned by 3 degrees": _each(lambda image: image.rotate(3, Image.Resampling.BILINEAR)),
        "JPEG, quality 50": _each(recompressed),
        "gamma 0.9": lambda images: np.rint(255 * (images / 255) ** 0.9).astype(np.uint8),
        "mirrored, shifted, noise in the foreground": lambda images: noisy(shifted(images[:, :, ::-1])),
        "noise of 0 to 5 in the black background too": lambda images: np.clip(
            images + rng.integers(0, 6, images.shape), 0, 255
        ).astype(np.uint8),
    }


def vectors(cohorts: Sequence[Path], weights: str) -> dict[str, Floats]:
    """{name: (n, 512)} of every series, and of every copy under `change: name`; blank slices are left out."""
    from features.backbones.keras_applications import Embedder
    from features.extraction import without_repeats

    embed = without_repeats(Embedder(weights=weights, precision="float32"))
    out = {}
    for series in find_scans(cohorts).series:
        options: dict[str, Any] = {"size": 224, "normalize": "series", "resize": "pad", "plane": "axial"}
        images = prepare_series(series, **options).pixels
        images = images[images.any(axis=(1, 2))]
        if len(images) < 2 * LEAST_SLICES:
            continue
        name = f"{series.patient} {series.sequence}"
        out[name] = embed(images)
        if series.sequence == SEQUENCE:
            out |= {f"{what}: {name}": embed(change(images[::2])) for what, change in changes().items()}
    return out


class Others:
    """Made-up patients around real ones. series : the vectors of each real one; scale : (d,) of the fingerprint."""

    def __init__(self, series: list[Floats], scale: Floats) -> None:  # noqa: D107
        self.spread = np.where(scale > 0, scale, np.float32(1))
        units = [(x - x.mean(axis=0)) / self.spread for x in series]
        stretched = np.stack([_stretched(x, LENGTH) for x in units])
        self.mean = stretched.mean(axis=0)
        deviations = stretched - self.mean
        self.axes = np.linalg.svd(deviations.reshape(-1, stretched.shape[2]), full_matrices=False)[2]
        self.deviations = deviations @ self.axes.T
        self.rng = np.random.default_rng(0)

    def one(self) -> Floats:
        """(75, d), another one with each call."""
        signs = self.rng.choice(np.array([-1, 1], np.float32), len(self.axes))
        x = self.mean + (self.deviations[self.rng.integers(len(self.deviations))] * signs) @ self.axes
        noise = 0.15 * self.rng.standard_normal(x.shape, np.float32)
        return np.asarray((x + noise) * self.spread, np.float32)


def _stretched(x: Floats, n: int) -> Floats:
    """(m, d) -> (n, d), linear between slices."""
    place = np.linspace(0, len(x) - 1, n)
    low = np.minimum(place.astype(int), len(x) - 2)
    share = (place - low)[:, None].astype(np.float32)
    return np.asarray(x[low] * (1 - share) + x[low + 1] * share)


def nearest(units: Sequence[NDArray[Any]]) -> tuple[float, float]:
    """The cosine between a slice and the one most like it of another patient: median, and the share of slices above 0.6."""
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (u - u.mean(axis=0) for u in units)]
    best = [(a @ b.T).max(axis=1) for a in unit for b in unit if a is not b]
    cosine = np.concatenate(best)
    return float(np.median(cosine)), float((cosine > COSINE).mean())


def table(series: Mapping[str, Floats]) -> Table:
    """No two slices share pixels."""
    patient = np.array([name for name, x in series.items() for _ in x], object)
    digest = np.array([f"{k:016x}".ljust(32, "0") for k in range(len(patient))], "S32")
    X = np.concatenate(list(series.values()))
    return Table(SEQUENCE, X, patient, np.zeros(len(X), np.int16), patient, digest=digest)


def among(real: Fingerprint, others: Others, n: int) -> Fingerprint:
    """The fingerprint of real series and `n` made-up ones."""
    parts = [real]
    for first in range(0, n, AT_ONCE):
        made = {f"made up {k:06d}": others.one() for k in range(first, min(first + AT_ONCE, n))}
        parts.append(fingerprint(table(made), real.scale))
    starts = np.cumsum([0, *(len(p.patients) for p in parts)])
    owner = np.concatenate([p.owner + np.int32(start) for p, start in zip(parts, starts, strict=False)])
    names, sketch = (np.concatenate([getattr(p, field) for p in parts]) for field in ("patients", "sketch"))
    return Fingerprint(names, owner, np.arange(len(owner), dtype=np.uint64), sketch, real.scale)


def found(f: Fingerprint) -> tuple[dict[str, int], int]:
    """(copies found by change, pairs that are no copies of each other)."""
    names = [str(p) for p in f.patients]
    right: dict[str, int] = {}
    wrong = 0
    for i, j in near_copies(f, f):
        (*how_a, a), (*how_b, b) = names[i].split(": "), names[j].split(": ")
        wrong += a != b
        if a == b and bool(how_a) != bool(how_b):
            change = (how_a or how_b)[0]
            right[change] = right.get(change, 0) + 1
    return right, wrong


def recognised(series: Mapping[str, Floats], n: int) -> tuple[int, int]:
    """(copies that are recognised as somebody of a training, all), for each training of `n` patients side by side."""
    originals = sorted(name for name in series if ": " not in name and name.endswith(SEQUENCE))
    right = of = 0
    for first in range(len(originals) - n + 1):
        training = originals[first : first + n]
        known = to_arrays({SEQUENCE: fingerprint(table({name: series[name] for name in training}))})
        for name, x in series.items():
            if name.rpartition(": ")[2] in training and name not in training:
                new = table({name: x})
                new.digest = np.array([b"f" + digest[1:] for digest in new.digest.tolist()])  # pixels of its own
                of += 1
                right += any(pair.b == name.rpartition(": ")[2] for pair in known_patients([new], known))
    return right, of


def main() -> None:
    """Print how many copies are found, by change and number of others."""
    weights = os.environ.get("MGMT_WEIGHTS", "imagenet")
    with tempfile.TemporaryDirectory() as folder:
        given: str | Path | None = os.environ.get("MGMT_COHORT")
        if not given:
            from features.phantom import make_phantom

            given = make_phantom(Path(folder), patients=8, slices=60, sequences=(SEQUENCE,))
        series = vectors([Path(name) for name in str(given).split(os.pathsep)], weights)
    real = fingerprint(table(series))
    originals = [x for name, x in series.items() if ": " not in name]
    others = Others(originals, real.scale)
    same = [np.asarray(x / others.spread) for name, x in series.items() if ": " not in name and name.endswith(SEQUENCE)]
    for who, units in (("real", same), ("made-up", [np.asarray(others.one() / others.spread) for _ in same])):
        median, above = nearest(units)
        print(f"{who} patients, nearest slices of two: cosine {median:.2f}, above {COSINE} in {above:.1%}")
    for n in TRAININGS:
        right, of = recognised(series, n)
        print(f"copies recognised by trainings of {n} of the patients: {right} of {of}")
    columns: list[dict[str, int]] = []
    for n in OTHERS:
        f = among(real, others, n)
        start = time.perf_counter()
        by_change, wrong = found(f)
        took = time.perf_counter() - start
        print(f"{len(f.owner):,} slices: {took:.1f} s, {wrong} pairs that are no copies")
        columns.append(by_change)
    copies = sum(name.startswith("mirrored: ") for name in series)
    print("| " + " | ".join(COLUMNS) + " |\n" + "| --- " * len(COLUMNS) + "|")
    for what in changes():
        print(f"| {what} | " + " | ".join(f"{c.get(what, 0)} of {copies}" for c in columns) + " |")
