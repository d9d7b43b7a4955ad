"""A phantom cohort on disk, and the truth about it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.phantom.patient import check_effect, check_sequences, make_patient, normal_cdf
from features.phantom.series import PLANES, write_series
from features.scans.find import SEQUENCES


def ideal_auc(effect: float) -> float:
    """Area under the ROC curve of the best possible reader of a cohort with this effect.

    Phi(effect / sqrt 2), the chance that one of two unit normals, `effect` apart, exceeds the other.
    """
    return normal_cdf(effect / math.sqrt(2))


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
    check_effect(effect)
    check_sequences(sequences)
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
            planes.append(str(layout.choice(list(PLANES))))
            origin = (int(seed), float(effect), n_slices, int(matrix), name)
            folder = out / "train" / name / sequence
            write_series(folder, patient, sequence, planes[-1], n_slices, matrix, origin, layout)
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


def _write_lines(path: Path, header: str, rows: list[str]) -> None:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="ascii", newline="\n")
