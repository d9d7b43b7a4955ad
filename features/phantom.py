"""Phantom cohorts with known answers, in the folder layout of the RSNA-MICCAI 2021 challenge.

Every patient is the MNI152 anatomy (ICBM 2009a nonlinear symmetric; Fonov et al., NeuroImage 2011), deformed
at random, given one glioblastoma-like lesion with the parts that BraTS names (oedema, enhancing ring,
necrotic core; Menze et al., IEEE TMI 2015), and rendered as four skull-stripped contrasts. One hidden number
per patient, the latent, drives the look of the lesion, and the label shifts it:

    latent = N(0, 1) + effect * (label - 0.5)

so `effect` is Cohen's d between the classes, and no reader of the images can beat `ideal_auc(effect)` on
average. A higher latent means a larger necrotic core in a thinner, dimmer ring, and patchier oedema. All
other variation (anatomy, place and size of the lesion, contrast, gain, bias field, noise, plane, numbering)
is drawn without looking at the label. At effect 0 the same draws give the same pixels whatever the label.

Volumes are float32 of shape (99, 117, 95), 2 mm voxels, axes to the Right, Anterior, Superior (RAS).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid
from scipy import ndimage, sparse

Array = NDArray[np.float32]
Mask = NDArray[np.bool_]

SEQUENCES = ("FLAIR", "T1w", "T1wCE", "T2w")
VOXEL_MM = 2.0
FIELD_MM = 240.0  # side of the square image, as in BraTS (240 pixels of 1 mm)
BLANKS_FROM = 6  # series with at least so many slices begin and end with blank ones

# Relative signal per sequence: CSF, GM, WM, oedema, ring, necrosis, and the weight of the texture.
_SIGNAL = {
    "FLAIR": (0.14, 0.60, 0.50, 0.98, 0.76, 0.38, -0.35),
    "T1w": (0.22, 0.62, 0.88, 0.62, 0.60, 0.36, 1.00),
    "T1wCE": (0.22, 0.65, 0.88, 0.62, 1.60, 0.33, 1.00),
    "T2w": (1.00, 0.50, 0.34, 0.74, 0.58, 0.98, -0.55),
}
# Plane -> (axis across the slices, axis down the rows, axis along the columns), direction cosines in LPS.
# Both image axes always run against RAS (to Left, Posterior, Inferior): the radiological display.
_PLANES: dict[str, tuple[tuple[int, int, int], list[int]]] = {
    "axial": ((2, 1, 0), [1, 0, 0, 0, 1, 0]),
    "coronal": ((1, 2, 0), [1, 0, 0, 0, 0, -1]),
    "sagittal": ((0, 2, 1), [0, 1, 0, 0, 0, -1]),
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


@dataclass(frozen=True)
class _Template:
    """MNI152 at 2 mm.

    Spline coefficients of GM, WM and T1 texture, the brain (0 or 1), the affine, lesion centres (n, 3).
    """

    coefficients: tuple[Array, ...]
    brain: Array
    affine: NDArray[np.float64]
    sites: NDArray[np.int64]


def ideal_auc(effect: float) -> float:
    """Area under the ROC curve of the best possible reader of a cohort with this effect.

    Phi(effect / sqrt 2), the chance that one of two unit normals, `effect` apart, exceeds the other.
    """
    return _phi(effect / math.sqrt(2))


def patient_volumes(label: int, effect: float, rng: np.random.Generator) -> dict[str, Array]:
    """The four volumes of one patient, sequence -> float32 (99, 117, 95), background exactly 0."""
    return make_patient(label, effect, rng).volumes


def make_patient(label: int, effect: float, rng: np.random.Generator, sequences: Sequence[str] = SEQUENCES) -> Patient:
    """Draw one patient. A sequence's pixels do not depend on which others are asked for.

    `label` is 0 or 1, `effect` finite and >= 0, `sequences` any of SEQUENCES; ValueError otherwise.
    """
    if label not in (0, 1):
        raise ValueError(f"label must be 0 or 1, got {label!r}: pass the patient's MGMT value")
    _check_effect(effect)
    _check_sequences(sequences)
    template = _template()
    # One stream per purpose: what one part draws never shifts the draws of another.
    streams = rng.spawn(2 + len(SEQUENCES))
    body, tumour = streams[:2]
    by_sequence = dict(zip(SEQUENCES, streams[2:], strict=True))

    latent = float(tumour.normal() + effect * (label - 0.5))
    level = _phi(latent)  # strictly monotone in the latent, bounded to 0..1
    centre = template.sites[tumour.integers(len(template.sites))].astype(np.float32)
    radius = tumour.uniform(6.5, 11)  # voxels
    side = "R" if template.affine[0] @ [*centre, 1.0] > 0 else "L"

    # Where each voxel of the patient comes from in the template: a small affine plus smooth displacements.
    shape = template.brain.shape
    grid = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))
    middle = (np.array(shape, np.float32)[:, None, None, None] - 1) / 2
    matrix = _rotation(body.normal(0, 0.05, 3)) * body.uniform(0.96, 1.06, 3)
    source = np.einsum("ab,bxyz->axyz", matrix.astype(np.float32), grid - middle) + middle
    source += np.stack([1.6 * _field(body, 26) + 0.7 * _field(body, 9) for _ in range(3)])
    inside = ndimage.map_coordinates(template.brain, source, order=1) > 0.5

    # From here on, flat arrays over the brain's voxels only: a fifth of the box.
    offset = grid[:, inside] - centre[:, None]
    squash = tumour.uniform(0.8, 1.25, 3)[:, None].astype(np.float32)
    distance = np.sqrt(((offset * squash) ** 2).sum(0)) + 1e-3
    # Mass effect: tissue is pushed outwards, the brain's outline (held by the skull) is not.
    push = 0.45 * radius * np.exp(-((distance / (2.2 * radius)) ** 2))
    points = source[:, inside] - offset / distance * push
    gm, wm, texture = (ndimage.map_coordinates(c, points, order=3, prefilter=False) for c in template.coefficients)
    # The template averages 152 people; a power makes its tissue borders as sharp as one person's.
    tissue = np.clip(np.stack([1 - gm - wm, gm, wm]), 0, 1) ** 1.7
    # Skull stripping takes most of the outermost fluid away; the sulci keep theirs.
    depth = ndimage.distance_transform_cdt(inside, "taxicab")[inside]  # voxels
    tissue[0] *= np.interp(depth, [1, 3], [0.25, 1.5])
    tissue /= tissue.sum(0) + 1e-6
    csf, gm, wm = tissue

    def noise(rng: np.random.Generator, step: float) -> Array:
        values: Array = _field(rng, step)[inside]
        return values

    rough = 0.16 * noise(tumour, 7) + 0.07 * noise(tumour, 3)
    rho = distance / radius * (1 + rough)
    core = _step(1 - rho, 0.06)
    necrotic_fraction = 0.46 + 0.34 * level
    ragged = 0.06 * noise(tumour, 5) + 0.05 * noise(tumour, 3)
    necrosis = core * _step(necrotic_fraction - rho - ragged, 0.04)
    ring = core - necrosis
    # Oedema spreads along white matter and stops at cortex and ventricles, which gives it its fingers.
    reach = radius * tumour.uniform(1.7, 2.4)
    spread = 1 - distance / reach + 0.22 * noise(tumour, 8) + 0.7 * (wm - 0.75)
    oedema = _step(spread, 0.12) * (1 - csf) * (1 - 0.6 * gm) * (1 - core)
    patchy = (1 + (0.03 + 0.17 * level) * noise(tumour, 4)) * (1.06 - 0.2 * np.clip(distance / reach, 0, 1.5))
    ring_look = (1.18 - 0.34 * level) * (1 + 0.12 * noise(tumour, 3) + 0.18 * np.tanh(noise(tumour, 7)))

    vessels = _vessels(body, inside, depth, csf)
    shared = noise(body, 2.2)
    volumes: dict[str, Array] = {}
    for name in SEQUENCES:
        if name not in sequences:
            continue
        r = by_sequence[name]
        signal = np.array(_SIGNAL[name][:6]) * r.uniform(0.93, 1.07, 6)
        flesh = signal[0] * csf + signal[1] * gm + signal[2] * wm + _SIGNAL[name][6] * texture * (1 - csf)
        if name == "T1wCE":
            flesh = flesh + vessels * r.uniform(0.5, 0.9)
        ring_signal = signal[4] * (ring_look if name == "T1wCE" else 1.0)
        image = flesh * (1 - core - oedema) + signal[3] * patchy * oedema
        image = image + ring_signal * ring + signal[5] * (1 + 0.05 * shared) * necrosis
        image = image * (1 + 0.018 * shared + 0.012 * noise(r, 2.2))
        image = np.clip(image, 0.02, None) * np.exp(0.07 * noise(r, 45))
        # Rician noise (Gudbjartsson & Patz, MRM 1995): the magnitude of a complex signal with Gaussian noise.
        sd = r.uniform(0.012, 0.025)
        real, imaginary = r.normal(0, sd, (2, image.size))
        volume = np.zeros(shape, np.float32)
        gain = math.exp(r.uniform(math.log(400), math.log(3500)))
        volume[inside] = gain * np.hypot(image + real, imaginary)
        volumes[name] = volume

    flat = {"oedema": oedema > 0.5, "ring": ring > 0.5, "necrosis": necrosis > 0.5}
    flat["white"] = (wm > 0.9) & (core + oedema < 0.02)
    masks = {"brain": inside} | {k: np.zeros(shape, np.bool_) for k in flat}
    for k, m in flat.items():
        masks[k][inside] = m
    return Patient(volumes, masks, template.affine, latent, necrotic_fraction, radius * VOXEL_MM, side)


def make_phantom(
    out: Path,
    *,
    patients: int = 24,
    effect: float = 1.0,
    seed: int = 0,
    slices: int = 24,
    sequences: tuple[str, ...] = SEQUENCES,
    matrix: int = 192,
    shortcut: int = 0,
) -> Path:
    """Write a cohort and return the path of its train/ folder. The same arguments give byte-identical files.

    Writes OUT/train/<id>/<sequence>/Image-N.dcm (uint16, `matrix` x `matrix` pixels over 240 mm), then
    OUT/train_labels.csv (BraTS21ID, MGMT_value; the classes differ in size by at most one) and the truth,
    OUT/phantom_truth.csv (also latent, necrotic fraction, radius in mm, side, plane per sequence). Each
    series has `slices` slices in a random plane; from 6 on, some at both ends are blank. `shortcut` plants a
    signal that is not anatomy: positives are cut into so many more, thinner slices, which `ideal_auc` does not
    count. ValueError where an argument is out of its range, or where `out` already holds a cohort: nothing is
    ever overwritten.
    """
    out = Path(out)
    for name, value, least, most in (
        ("patients", patients, 2, 50_000),
        ("slices", slices, 1, 1000),
        ("matrix", matrix, 16, 2048),
        ("shortcut", shortcut, 0, 1000),
        ("seed", seed, 0, 2**63),
    ):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
            raise ValueError(f"{name} must be a whole number from {least} to {most}, got {value!r}: change it")
    _check_effect(effect)
    _check_sequences(sequences)
    if out.is_file():
        raise ValueError(f"expected a folder to write to, found the file {out}: name another folder")
    for taken in (out / "train", out / "train_labels.csv"):
        if taken.exists():
            raise ValueError(f"expected a folder without a cohort, found {taken}: name another folder")

    ids, labels = _draw_patients(patients, np.random.default_rng([seed, 0]))
    rows, truth = [], []
    for number, (key, label) in enumerate(zip(ids, labels, strict=True), start=1):
        name = f"{key:05d}"
        patient = make_patient(int(label), effect, np.random.default_rng([seed, number, 0]), sequences)
        planes, n_slices = [], int(slices + shortcut * label)
        for s, sequence in enumerate(SEQUENCES):
            if sequence not in sequences:
                planes.append("")
                continue
            layout = np.random.default_rng([seed, number, 1 + s])
            planes.append(str(layout.choice(list(_PLANES))))
            origin = (int(seed), float(effect), n_slices, int(matrix), name)
            folder = out / "train" / name / sequence
            _write_series(folder, patient, sequence, planes[-1], n_slices, matrix, origin, layout)
        rows.append(f"{name},{label}")
        numbers = f"{patient.latent:.6f},{patient.necrotic_fraction:.6f},{patient.radius_mm:.3f}"
        truth.append(f"{name},{label},{numbers},{patient.side},{','.join(planes)}")
    _write_lines(out / "train_labels.csv", "BraTS21ID,MGMT_value", rows)
    header = "BraTS21ID,MGMT_value,latent,necrotic_fraction,radius_mm,side," + ",".join(SEQUENCES)
    _write_lines(out / "phantom_truth.csv", header, truth)
    return out / "train"


def _draw_patients(patients: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct ids in rising order and balanced labels in random order, (patients,) each."""
    # The challenge's ids end at 1010 and leave some out.
    ids = np.sort(rng.choice(max(1010, 2 * patients), patients, replace=False))
    return ids, rng.permutation(np.arange(patients) % 2)


def _write_series(
    folder: Path,
    patient: Patient,
    sequence: str,
    plane: str,
    slices: int,
    matrix: int,
    origin: tuple[object, ...],
    rng: np.random.Generator,
) -> None:
    """Cut one volume into slices and write them; `origin` names the series, for its unique identifiers."""
    folder.mkdir(parents=True)
    stack, corners, spacing, gap = _cut(patient, sequence, plane, slices, matrix, rng)
    # As in the challenge, numbers begin anywhere, skip now and then, and run with the geometry or against it.
    numbers = rng.integers(1, 401) + np.arange(slices) + np.cumsum(rng.random(slices) < 0.06)
    if rng.random() < 0.5:
        numbers = numbers[::-1]

    def uid(*parts: object) -> UID:
        return generate_uid(entropy_srcs=[repr(p) for p in (*origin, *parts)])

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID = MRImageStorage
    ds.Modality = "MR"
    ds.SeriesDescription = sequence
    ds.PatientName = "PHANTOM"
    ds.PatientID = str(origin[-1])
    ds.PatientIdentityRemoved = "YES"
    ds.SliceThickness = ds.SpacingBetweenSlices = gap
    ds.PatientPosition = "HFS"
    ds.StudyInstanceUID = uid("study")
    ds.SeriesInstanceUID = uid("series", sequence)
    ds.SeriesNumber = 1 + SEQUENCES.index(sequence)
    ds.FrameOfReferenceUID = uid("frame")
    ds.ImageOrientationPatient = _PLANES[plane][1]
    ds.SamplesPerPixel = 1
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.Rows = ds.Columns = int(matrix)
    ds.PixelSpacing = [spacing, spacing]
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit = 15
    ds.PixelRepresentation = 0
    for pixels, corner, number in zip(stack, corners, numbers, strict=True):
        meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid(sequence, int(number))
        ds.InstanceNumber = int(number)
        ds.ImagePositionPatient = [round(float(v), 4) for v in corner]
        ds.PixelData = pixels.tobytes()
        ds.save_as(folder / f"Image-{number}.dcm", enforce_file_format=True)


def _cut(
    patient: Patient, sequence: str, plane: str, slices: int, matrix: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint16], NDArray[np.float64], float, float]:
    """Resample a volume to evenly spaced slices.

    Returns pixels (slices, matrix, matrix) uint16, the position of each slice's first pixel (slices, 3) in
    LPS mm, the pixel spacing and the slice spacing in mm. Linear across the slices, cubic (Keys 1981) within.
    """
    axes, _ = _PLANES[plane]
    shape = patient.masks["brain"].shape
    filled = np.flatnonzero(patient.masks["brain"].any(axis=axes[1:]))
    first, last = filled[0] - 1, filled[-1] + 1  # the blank planes next to the brain
    blank = rng.integers(1, 1 + max(1, slices // 8), 2) if slices >= BLANKS_FROM else np.zeros(2, int)
    # Spacings are rounded before use, so that the headers state exactly what was done.
    gap = math.ceil((last - first) * VOXEL_MM / (slices - blank.sum()) * 1000) / 1000
    spacing = round(FIELD_MM / matrix, 6)
    middle = (slices - 1 + blank[0] - blank[1]) / 2  # the slice number that falls on the brain's middle
    across = (first + last) / 2 + (np.arange(slices) - middle) * gap / VOXEL_MM
    along = (np.arange(matrix) - (matrix - 1) / 2) * spacing / VOXEL_MM
    # Rows and columns run against the array, see _PLANES; the image is centred on the array.
    down, right = ((shape[a] - 1) / 2 - along for a in axes[1:])

    def sample(volume: Array, kernel: str) -> Array:
        stack = _along(0, across, "linear", volume.transpose(axes))
        return _along(1, down, kernel, _along(2, right, kernel, stack))

    inside = sample(patient.masks["brain"].astype(np.float32), "linear") > 0.5
    # At least 1 inside, so that 0 means background and nothing else.
    image = np.where(inside, np.clip(np.rint(sample(patient.volumes[sequence], "cubic")), 1, 65535), 0)

    corners = np.empty((slices, 3))
    corners[:, axes[0]], corners[:, axes[1]], corners[:, axes[2]] = across, down[0], right[0]
    ras = corners @ patient.affine[:3, :3].T + patient.affine[:3, 3]
    return image.astype("<u2"), ras * [-1, -1, 1], spacing, gap


@cache
def _template() -> _Template:
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
    return _Template(coefficients, brain.astype(np.float32), image.affine, sites)


def _field(rng: np.random.Generator, step: float) -> Array:
    """A smooth random field over the box, mean 0, SD 1, features of about `step` voxels.

    A cubic B-spline with random coefficients: far cheaper than filtering noise at full size.
    """
    shape = _template().brain.shape
    field = rng.standard_normal([math.ceil(n / step) + 4 for n in shape], np.float32)
    for axis, n in enumerate(shape):
        field = _along(axis, np.arange(n) / step + 1.5, "spline", field)
    return np.asarray((field - field.mean()) / field.std(), np.float32)


def _along(axis: int, positions: NDArray[np.float64], kernel: str, volume: Array) -> Array:
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


def _vessels(rng: np.random.Generator, inside: Mask, depth: NDArray[np.int32], csf: Array) -> Array:
    """Enhancing vessels over the brain's voxels, 0..1: thin curves in the sulci and near the surface.

    Two random fields are both near zero along curves, which look as vessels do.
    """
    a, b = _field(rng, 9)[inside], _field(rng, 9)[inside]
    return np.asarray(np.exp(-(a * a + b * b) / 0.08) * np.clip(2 * csf + (depth < 3), 0, 1), np.float32)


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


def _phi(x: float) -> float:
    """Standard normal distribution function."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


def _check_effect(effect: float) -> None:
    if not (isinstance(effect, int | float | np.number) and math.isfinite(effect) and effect >= 0):
        raise ValueError(f"effect must be a finite number, 0 or more, got {effect!r}: try 0, 1 or 2")


def _check_sequences(sequences: Sequence[str]) -> None:
    bad = [s for s in sequences if s not in SEQUENCES]
    if isinstance(sequences, str) or bad or not sequences or len(set(sequences)) < len(sequences):
        raise ValueError(f"sequences must be some of {SEQUENCES}, each once, got {sequences!r}: correct them")


def _write_lines(path: Path, header: str, rows: list[str]) -> None:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="ascii", newline="\n")
