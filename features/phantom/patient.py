"""One phantom patient: anatomy deformed at random, one lesion, four contrasts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from features.phantom.template import VOXEL_MM, Array, Mask, field, template
from features.scans.find import SEQUENCES

Floats = NDArray[np.float32 | np.float64]

# Relative signal per sequence: CSF, GM, WM, oedema, ring, necrosis, and the weight of the texture.
_SIGNAL = {
    "FLAIR": (0.14, 0.60, 0.50, 0.98, 0.76, 0.38, -0.35),
    "T1w": (0.22, 0.62, 0.88, 0.62, 0.60, 0.36, 1.00),
    "T1wCE": (0.22, 0.65, 0.88, 0.62, 1.60, 0.33, 1.00),
    "T2w": (1.00, 0.50, 0.34, 0.74, 0.58, 0.98, -0.55),
}


@dataclass(frozen=True)
class Patient:
    """One phantom patient and the truth about it.

    `volumes`: sequence -> float32 volume, 0 outside the brain, arbitrary units. `masks`: brain, oedema, ring,
    necrosis and white (normal-appearing white matter), bool, same shape. `affine`: (4, 4), voxel to RAS mm.
    `latent`: the hidden number. `necrotic_fraction`: nominal radius of the necrotic core over that of the
    tumour core. `radius_mm`: nominal radius of the tumour core. `side`: "L" or "R", the patient's own.
    """

    volumes: dict[str, Array]
    masks: dict[str, Mask]
    affine: NDArray[np.float64]
    latent: float
    necrotic_fraction: float
    radius_mm: float
    side: str


def patient_volumes(label: int, effect: float, rng: np.random.Generator) -> dict[str, Array]:
    """The four volumes of one patient, sequence -> float32 (99, 117, 95), background exactly 0."""
    return make_patient(label, effect, rng).volumes


def make_patient(label: int, effect: float, rng: np.random.Generator, sequences: Sequence[str] = SEQUENCES) -> Patient:
    """Draw one patient. A sequence's pixels do not depend on which others are asked for.

    Parameters
    ----------
    label : 0 or 1
    effect : distance of the classes in standard deviations of the latent, finite and >= 0
    rng : where all is drawn from
    sequences : some of SEQUENCES

    Raises
    ------
    ValueError : an argument is out of its range
    """
    if label not in (0, 1):
        raise ValueError(f"label must be 0 or 1, got {label!r}: pass the patient's MGMT value")
    check_effect(effect)
    check_sequences(sequences)
    # One stream per purpose: what one part draws never shifts the draws of another.
    body, tumour, *others = rng.spawn(2 + len(SEQUENCES))
    by_sequence = dict(zip(SEQUENCES, others, strict=True))
    seed = _Seed.drawn(tumour, label, effect)
    head = _Head.drawn(body, tumour, seed)
    lesion = _Lesion.drawn(tumour, seed, head)
    vessels = _vessels(body, head)
    shared = head.noise(body, 2.2)
    volumes = {
        name: _rendered(name, by_sequence[name], head, lesion, vessels, shared)
        for name in SEQUENCES
        if name in sequences
    }
    affine = template().affine
    return Patient(
        volumes=volumes,
        masks=_masks(head, lesion),
        affine=affine,
        latent=seed.latent,
        necrotic_fraction=lesion.necrotic_fraction,
        radius_mm=seed.radius * VOXEL_MM,
        side="R" if affine[0] @ [*seed.centre, 1.0] > 0 else "L",
    )


@dataclass(frozen=True)
class _Seed:
    """Where a lesion grows, how large it is (radius in voxels), and the hidden number that drives its look."""

    latent: float
    centre: Array
    radius: float

    @classmethod
    def drawn(cls, tumour: np.random.Generator, label: int, effect: float) -> _Seed:
        latent = float(tumour.normal() + effect * (label - 0.5))
        sites = template().sites
        centre = sites[tumour.integers(len(sites))].astype(np.float32)
        return cls(latent, centre, tumour.uniform(6.5, 11))

    @property
    def level(self) -> float:
        """Strictly monotone in the latent, bounded to 0..1."""
        return normal_cdf(self.latent)


@dataclass(frozen=True)
class _Head:
    """Tissue over the brain's voxels only, a fifth of the box: flat arrays, but for `inside`, where these lie.

    distance : from the lesion's centre, in voxels; depth : below the brain's outline
    """

    inside: Mask
    distance: Array
    depth: NDArray[np.int32]
    csf: Array
    gm: Array
    wm: Array
    texture: Array

    @classmethod
    def drawn(cls, body: np.random.Generator, tumour: np.random.Generator, seed: _Seed) -> _Head:
        """The template under a small affine and smooth displacements, pushed aside by the lesion."""
        anatomy = template()
        shape = anatomy.brain.shape
        grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))
        middle = (np.array(shape, np.float32)[:, None, None, None] - 1) / 2
        matrix = _rotation(body.normal(0, 0.05, 3)) * body.uniform(0.96, 1.06, 3)
        source = np.einsum("ab,bxyz->axyz", matrix.astype(np.float32), grid - middle) + middle
        source += np.stack([1.6 * field(body, 26) + 0.7 * field(body, 9) for _ in range(3)])
        inside = ndimage.map_coordinates(anatomy.brain, source, order=1) > 0.5
        offset = grid[:, inside] - seed.centre[:, None]
        squash = tumour.uniform(0.8, 1.25, 3)[:, None].astype(np.float32)
        distance = np.sqrt(((offset * squash) ** 2).sum(0)) + 1e-3
        # Mass effect: tissue is pushed outwards, the brain's outline (held by the skull) is not.
        push = 0.45 * seed.radius * np.exp(-((distance / (2.2 * seed.radius)) ** 2))
        points = source[:, inside] - offset / distance * push
        gm, wm, texture = (ndimage.map_coordinates(c, points, order=3, prefilter=False) for c in anatomy.coefficients)
        # The template averages 152 people; a power makes its tissue borders as sharp as one person's.
        tissue = np.clip(np.stack([1 - gm - wm, gm, wm]), 0, 1) ** 1.7
        # Skull stripping takes most of the outermost fluid away; the sulci keep theirs.
        depth = ndimage.distance_transform_cdt(inside, "taxicab")[inside]  # voxels
        tissue[0] *= np.interp(depth, [1, 3], [0.25, 1.5])
        tissue /= tissue.sum(0) + 1e-6
        csf, gm, wm = tissue
        return cls(inside=inside, distance=distance, depth=depth, csf=csf, gm=gm, wm=wm, texture=texture)

    def noise(self, rng: np.random.Generator, step: float) -> Array:
        """A smooth random field."""
        values: Array = field(rng, step)[self.inside]
        return values


@dataclass(frozen=True)
class _Lesion:
    """The parts of a lesion over the brain's voxels, 0..1, and how oedema and ring look."""

    core: Array
    ring: Array
    necrosis: Array
    oedema: Array
    patchy: Floats
    ring_look: Floats
    necrotic_fraction: float

    @classmethod
    def drawn(cls, tumour: np.random.Generator, seed: _Seed, head: _Head) -> _Lesion:
        level, distance = seed.level, head.distance
        rough = 0.16 * head.noise(tumour, 7) + 0.07 * head.noise(tumour, 3)
        rho = distance / seed.radius * (1 + rough)
        core = _step(1 - rho, 0.06)
        necrotic_fraction = 0.46 + 0.34 * level
        ragged = 0.06 * head.noise(tumour, 5) + 0.05 * head.noise(tumour, 3)
        necrosis = core * _step(necrotic_fraction - rho - ragged, 0.04)
        # Oedema spreads along white matter and stops at cortex and ventricles, which gives it its fingers.
        reach = seed.radius * tumour.uniform(1.7, 2.4)
        spread = 1 - distance / reach + 0.22 * head.noise(tumour, 8) + 0.7 * (head.wm - 0.75)
        oedema = _step(spread, 0.12) * (1 - head.csf) * (1 - 0.6 * head.gm) * (1 - core)
        fading = 1.06 - 0.2 * np.clip(distance / reach, 0, 1.5)
        patchy = (1 + (0.03 + 0.17 * level) * head.noise(tumour, 4)) * fading
        knotty = 1 + 0.12 * head.noise(tumour, 3) + 0.18 * np.tanh(head.noise(tumour, 7))
        return cls(
            core=core,
            ring=core - necrosis,
            necrosis=necrosis,
            oedema=oedema,
            patchy=patchy,
            ring_look=(1.18 - 0.34 * level) * knotty,
            necrotic_fraction=necrotic_fraction,
        )


def _rendered(
    name: str, rng: np.random.Generator, head: _Head, lesion: _Lesion, vessels: Array, shared: Array
) -> Array:
    """The volume of one contrast; `shared` : texture that all contrasts of a patient have."""
    *means, weight = _SIGNAL[name]
    signal = np.array(means) * rng.uniform(0.93, 1.07, 6)
    flesh = signal[0] * head.csf + signal[1] * head.gm + signal[2] * head.wm
    flesh = flesh + weight * head.texture * (1 - head.csf)
    if name == "T1wCE":
        flesh = flesh + vessels * rng.uniform(0.5, 0.9)
    ring_signal = signal[4] * (lesion.ring_look if name == "T1wCE" else 1.0)
    image = flesh * (1 - lesion.core - lesion.oedema) + signal[3] * lesion.patchy * lesion.oedema
    image = image + ring_signal * lesion.ring + signal[5] * (1 + 0.05 * shared) * lesion.necrosis
    image = image * (1 + 0.018 * shared + 0.012 * head.noise(rng, 2.2))
    image = np.clip(image, 0.02, None) * np.exp(0.07 * head.noise(rng, 45))
    # Rician noise (Gudbjartsson & Patz, MRM 1995): the magnitude of a complex signal with Gaussian noise.
    sd = rng.uniform(0.012, 0.025)
    real, imaginary = rng.normal(0, sd, (2, image.size))
    volume = np.zeros(head.inside.shape, np.float32)
    gain = math.exp(rng.uniform(math.log(400), math.log(3500)))
    volume[head.inside] = gain * np.hypot(image + real, imaginary)
    return volume


def _masks(head: _Head, lesion: _Lesion) -> dict[str, Mask]:
    flat = {part: getattr(lesion, part) > 0.5 for part in ("oedema", "ring", "necrosis")}
    flat["white"] = (head.wm > 0.9) & (lesion.core + lesion.oedema < 0.02)
    masks = {"brain": head.inside}
    for name, values in flat.items():
        masks[name] = np.zeros(head.inside.shape, np.bool_)
        masks[name][head.inside] = values
    return masks


def _vessels(rng: np.random.Generator, head: _Head) -> Array:
    """Enhancing vessels over the brain's voxels, 0..1: thin curves in the sulci and near the surface.

    Two random fields are both near zero along curves, which look as vessels do.
    """
    a, b = head.noise(rng, 9), head.noise(rng, 9)
    curves = np.exp(-(a * a + b * b) / 0.08)
    return np.asarray(curves * np.clip(2 * head.csf + (head.depth < 3), 0, 1), np.float32)


def _rotation(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrix (3, 3) of three small angles in radians, about the array's axes in turn."""
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = [a for a in range(3) if a != axis]
        turn[[i, j], [i, j]] = math.cos(angle)
        turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
        matrix = matrix @ turn
    return matrix


def _step(x: Array, width: float) -> Array:
    """A soft threshold at 0: logistic of x / width."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x / width, -30, 30))), np.float32)


def normal_cdf(x: float) -> float:
    """Standard normal distribution function."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def check_effect(effect: float) -> None:
    """Raise ValueError unless an effect is a finite number, 0 or more."""
    if not (isinstance(effect, int | float | np.number) and math.isfinite(effect) and effect >= 0):
        raise ValueError(f"effect must be a finite number, 0 or more, got {effect!r}: try 0, 1 or 2")


def check_sequences(sequences: Sequence[str]) -> None:
    """Raise ValueError unless sequences are some of SEQUENCES, each once."""
    bad = [s for s in sequences if s not in SEQUENCES]
    if isinstance(sequences, str) or bad or not sequences or len(set(sequences)) < len(sequences):
        raise ValueError(f"sequences must be some of {SEQUENCES}, each once, got {sequences!r}: correct them")
