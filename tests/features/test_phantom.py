"""The phantom cohort: layout, geometry, reproducibility, and that its known answers are what it says."""

import csv
import math
from functools import cache
from pathlib import Path

import numpy as np
import pydicom
import pytest

from features.phantom import SEQUENCES, Patient, ideal_auc, make_patient, make_phantom, patient_volumes
from features.phantom.cohort import _draw_patients
from features.phantom.series import _cut
from features.phantom.template import VOXEL_MM

IOP = {
    "axial": [1, 0, 0, 0, 1, 0],
    "coronal": [1, 0, 0, 0, 0, -1],
    "sagittal": [0, 1, 0, 0, 0, -1],
}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    train = make_phantom(tmp_path_factory.mktemp("phantom"), patients=3, seed=4, slices=12, matrix=96)
    return train.parent


@cache
def drawn(label: int, effect: float, seed: int) -> Patient:
    return make_patient(label, effect, np.random.default_rng(seed))


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as f:
        return list(csv.DictReader(f))


def read_series(folder: Path) -> list[pydicom.Dataset]:
    return [pydicom.dcmread(p) for p in sorted(folder.iterdir(), key=lambda p: int(p.stem.split("-")[1]))]


def all_series(cohort: Path) -> dict[tuple[str, str], list[pydicom.Dataset]]:
    return {(f.parent.name, f.name): read_series(f) for f in sorted((cohort / "train").glob("*/*"))}


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_layout_and_labels(cohort: Path) -> None:
    rows = read_rows(cohort / "train_labels.csv")
    assert list(rows[0]) == ["BraTS21ID", "MGMT_value"]
    ids = [r["BraTS21ID"] for r in rows]
    assert all(len(i) == 5 and i.isdigit() for i in ids) and len(set(ids)) == 3
    assert sorted(p.name for p in (cohort / "train").iterdir()) == sorted(ids)
    assert sorted(r["MGMT_value"] for r in rows) == ["0", "0", "1"]
    for (patient, sequence), series in all_series(cohort).items():
        assert sequence in SEQUENCES and len(series) == 12
        assert {d.PatientID for d in series} == {patient}
        folder = cohort / "train" / patient / sequence
        assert {p.name for p in folder.iterdir()} == {f"Image-{d.InstanceNumber}.dcm" for d in series}
    assert len(all_series(cohort)) == 3 * 4
    truth = read_rows(cohort / "phantom_truth.csv")
    assert [(r["BraTS21ID"], r["MGMT_value"]) for r in truth] == [tuple(r.values()) for r in rows]


def test_labels_are_balanced_and_shuffled() -> None:
    for n in (2, 3, 24, 585, 2000):
        ids, labels = _draw_patients(n, np.random.default_rng(n))
        assert labels.sum() == n // 2 and (labels == 0).sum() == n - n // 2
        assert (np.diff(ids) > 0).all() and len(ids) == n and ids[0] >= 0 and ids[-1] < 100_000
        assert n < 24 or (np.diff(labels) == 0).sum() > 2


@pytest.mark.slow
def test_identifiers_are_unique_and_dateless(cohort: Path) -> None:
    series = all_series(cohort)
    flat = [d for s in series.values() for d in s]
    assert len({d.SOPInstanceUID for d in flat}) == len(flat)
    assert all(d.SOPInstanceUID == d.file_meta.MediaStorageSOPInstanceUID for d in flat)
    assert len({d.SeriesInstanceUID for d in flat}) == len(series)
    assert len({d.StudyInstanceUID for d in flat}) == 3
    assert not [e for d in flat for e in d if e.VR in ("DA", "TM", "DT")]


def test_numbers_gap_and_run_both_ways(cohort: Path) -> None:
    gaps, ways = set(), set()
    for series in all_series(cohort).values():
        numbers = [int(d.InstanceNumber) for d in series]
        gaps |= set(np.diff(numbers).tolist())
        axis = int(np.argmax(np.ptp([d.ImagePositionPatient for d in series], axis=0)))
        ways.add(series[-1].ImagePositionPatient[axis] > series[0].ImagePositionPatient[axis])
    assert gaps == {1, 2} and ways == {True, False}


@pytest.mark.slow
def test_geometry(cohort: Path) -> None:
    truth = {r["BraTS21ID"]: r for r in read_rows(cohort / "phantom_truth.csv")}
    for (patient, sequence), series in all_series(cohort).items():
        iop = [float(v) for v in series[0].ImageOrientationPatient]
        assert iop == IOP[truth[patient][sequence]]
        normal = np.cross(iop[:3], iop[3:])
        positions = np.array([d.ImagePositionPatient for d in series], float)
        steps = np.diff(positions, axis=0)
        assert np.allclose(steps - np.outer(steps @ normal, normal), 0)
        assert np.allclose(np.abs(steps @ normal), float(series[0].SliceThickness), atol=1e-3)
        assert len({np.sign(v) for v in steps @ normal}) == 1
        assert all(d.PixelSpacing == [2.5, 2.5] and d.pixel_array.shape == (96, 96) for d in series)
    assert {truth[p][s] for p in truth for s in SEQUENCES} == set(IOP)


@pytest.mark.slow
def test_pixels_lie_where_the_header_says(cohort: Path) -> None:
    """Every lit pixel, taken to mm by its header alone, falls on the brain of that patient's volume."""
    row = read_rows(cohort / "phantom_truth.csv")[0]
    patient = make_patient(int(row["MGMT_value"]), 1.0, np.random.default_rng([4, 1, 0]))
    assert patient.latent == pytest.approx(float(row["latent"]), abs=1e-6)
    to_voxel = np.linalg.inv(patient.affine)
    planes = set()
    for sequence in SEQUENCES:
        planes.add(row[sequence])
        found, expected = [], []
        for d in read_series(cohort / "train" / row["BraTS21ID"] / sequence):
            r, c = np.nonzero(d.pixel_array)
            iop = np.array(d.ImageOrientationPatient, float)
            offset = 2.5 * (np.outer(c, iop[:3]) + np.outer(r, iop[3:]))
            lps = np.array(d.ImagePositionPatient, float) + offset
            ijk = np.rint(lps * [-1, -1, 1] @ to_voxel[:3, :3].T + to_voxel[:3, 3]).astype(int)
            ijk = np.clip(ijk, 0, np.array(patient.masks["brain"].shape) - 1)
            found.append(d.pixel_array[r, c].astype(float))
            expected.append(patient.volumes[sequence][tuple(ijk.T)])
        assert np.corrcoef(np.concatenate(found), np.concatenate(expected))[0, 1] > 0.85
    assert len(planes) > 1


def test_blank_ends_and_zero_background(cohort: Path) -> None:
    for series in all_series(cohort).values():
        lit = [bool(d.pixel_array.any()) for d in series]
        assert not lit[0] and not lit[-1] and sum(lit) >= 8
        stack = np.stack([d.pixel_array for d in series])
        assert stack.dtype == np.uint16 and stack.max() > 100
        border = np.ones((96, 96), bool)
        border[3:-3, 3:-3] = False
        assert not stack[:, border].any() and 0.4 < (stack == 0).mean() < 0.95


@pytest.mark.slow
def test_volumes_are_stripped_exactly() -> None:
    patient = drawn(1, 3.0, 7)
    brain = patient.masks["brain"]
    assert 1.4e6 < brain.sum() * VOXEL_MM**3 < 2.4e6  # mm3, an adult brain
    for volume in patient.volumes.values():
        assert volume.dtype == np.float32 and volume.shape == brain.shape
        assert not volume[~brain].any() and (volume[brain] > 0).all()


@pytest.mark.slow
def test_same_arguments_same_bytes(tmp_path: Path, cohort: Path) -> None:
    a, b = (
        make_phantom(tmp_path / n, patients=2, seed=1, slices=7, matrix=48, sequences=("T1wCE",)).parent for n in "ab"
    )
    assert tree(a) == tree(b) and len(tree(a)) == 2 * 7 + 2
    keys = [(read_rows(root / "train_labels.csv")[0]["BraTS21ID"], "T1wCE") for root in (a, cohort)]
    by_seed = [{r["latent"] for r in read_rows(root / "phantom_truth.csv")} for root in (a, cohort)]
    assert [len(s) for s in by_seed] == [2, 3] and not by_seed[0] & by_seed[1]
    first = [min(d.InstanceNumber for d in all_series(root)[key]) for root, key in zip((a, cohort), keys, strict=True)]
    assert first[0] != first[1]


@pytest.mark.slow
def test_no_effect_no_trace_of_the_label() -> None:
    plain, other = drawn(0, 0.0, 7), drawn(1, 0.0, 7)
    assert plain.latent == other.latent and list(plain.volumes) == list(SEQUENCES)
    assert all(np.array_equal(plain.volumes[s], other.volumes[s]) for s in SEQUENCES)
    assert all(np.array_equal(plain.masks[m], other.masks[m]) for m in plain.masks)
    linked = drawn(1, 3.0, 7).volumes
    assert all(not np.array_equal(plain.volumes[s], linked[s]) for s in SEQUENCES)


@pytest.mark.slow
def test_sequences_do_not_disturb_each_other() -> None:
    alone = make_patient(0, 0.0, np.random.default_rng(7), ("T2w",)).volumes
    assert list(alone) == ["T2w"] and np.array_equal(alone["T2w"], drawn(0, 0.0, 7).volumes["T2w"])
    both = patient_volumes(0, 0.0, np.random.default_rng(7))
    assert np.array_equal(both["T2w"], alone["T2w"])


@pytest.mark.slow
def test_effect_shifts_latent_and_lesion() -> None:
    low, none, high = drawn(0, 3.0, 7), drawn(0, 0.0, 7), drawn(1, 3.0, 7)
    assert none.latent - low.latent == pytest.approx(1.5) and high.latent - none.latent == pytest.approx(1.5)
    assert low.necrotic_fraction < none.necrotic_fraction < high.necrotic_fraction

    def core_share(p: Patient) -> float:
        return float(p.masks["necrosis"].sum() / (p.masks["necrosis"] | p.masks["ring"]).sum())

    def ring_look(p: Patient) -> float:
        image = p.volumes["T1wCE"]
        return float(image[p.masks["ring"]].mean() / image[p.masks["white"]].mean())

    def patchiness(p: Patient) -> float:
        image = p.volumes["FLAIR"][p.masks["oedema"]]
        return float(image.std() / image.mean())

    assert core_share(high) > 1.5 * core_share(low)
    assert ring_look(high) < ring_look(low)
    assert patchiness(high) > patchiness(low)
    # Far from the lesion there is nothing to read: only the trace of its soft edge is left.
    white = low.masks["white"] & high.masks["white"]
    assert np.allclose(low.volumes["T1w"][white], high.volumes["T1w"][white], rtol=0.05)


def test_ideal_auc_matches_simulation() -> None:
    rng = np.random.default_rng(0)
    assert ideal_auc(0) == 0.5
    for effect in (0.5, 1.0, 2.0):
        positive, negative = rng.normal(effect / 2, 1, 200_000), rng.normal(-effect / 2, 1, 200_000)
        assert ideal_auc(effect) == pytest.approx((positive > negative).mean(), abs=0.005)


@pytest.mark.slow
def test_lesion_shows_as_in_glioblastoma() -> None:
    for seed in (12, 20):
        patient = make_patient(1, 1.0, np.random.default_rng(seed))
        mean = {s: {part: float(v[m].mean()) for part, m in patient.masks.items()} for s, v in patient.volumes.items()}
        assert all(patient.masks[k].sum() > 50 for k in ("oedema", "ring", "necrosis", "white"))
        assert mean["FLAIR"]["oedema"] > 1.3 * mean["FLAIR"]["white"]
        assert mean["T2w"]["oedema"] > 1.3 * mean["T2w"]["white"]
        assert mean["T1w"]["oedema"] < 0.9 * mean["T1w"]["white"]
        assert mean["T1wCE"]["ring"] > 1.15 * mean["T1wCE"]["white"] > 1.3 * mean["T1wCE"]["oedema"]
        assert mean["T1w"]["ring"] < mean["T1w"]["white"]
        assert mean["T1wCE"]["necrosis"] < 0.6 * mean["T1wCE"]["white"]
        assert mean["T2w"]["necrosis"] > 1.5 * mean["T2w"]["white"]
        assert mean["FLAIR"]["necrosis"] < mean["FLAIR"]["oedema"]
        x = np.argwhere(patient.masks["necrosis"]).mean(0)[0] * 2 - 98  # the template's x in mm, to the Right
        assert patient.side == ("R" if x > 0 else "L")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"patients": 1}, "patients must be"),
        ({"patients": 2.5}, "patients must be"),
        ({"slices": 0}, "slices must be"),
        ({"matrix": 4}, "matrix must be"),
        ({"seed": -1}, "seed must be"),
        ({"shortcut": -1}, "shortcut must be"),
        ({"shortcut": 1.5}, "shortcut must be"),
        ({"effect": math.nan}, "effect must be"),
        ({"effect": -1.0}, "effect must be"),
        ({"effect": "big"}, "effect must be"),
        ({"sequences": ("FLAIR", "DWI")}, "sequences must be"),
        ({"sequences": ()}, "sequences must be"),
        ({"sequences": "T1w"}, "sequences must be"),
    ],
)
def test_wrong_arguments(tmp_path: Path, kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_phantom(tmp_path / "x", **kwargs)  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()


def test_wrong_label() -> None:
    with pytest.raises(ValueError, match="label must be 0 or 1"):
        make_patient(2, 1.0, np.random.default_rng(0))


def test_never_overwrites(tmp_path: Path) -> None:
    kept = tmp_path / "train" / "00001.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(ValueError, match="without a cohort"):
        make_phantom(tmp_path, patients=2)
    assert kept.read_text() == "mine" and len(tree(tmp_path)) == 1


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="found the file"):
        make_phantom(tmp_path / "file", patients=2)


@pytest.mark.slow
def test_a_planted_shortcut_adds_slices_to_positives_only(tmp_path: Path) -> None:
    arguments = {"patients": 2, "effect": 0.0, "seed": 1, "slices": 7, "matrix": 48, "sequences": ("T1wCE",)}
    plain, planted = (make_phantom(tmp_path / str(n), shortcut=n, **arguments) for n in (0, 3))  # type: ignore[arg-type]
    assert (plain.parent / "phantom_truth.csv").read_bytes() == (planted.parent / "phantom_truth.csv").read_bytes()
    for row in read_rows(planted.parent / "train_labels.csv"):
        before, after = tree(plain / row["BraTS21ID"]), tree(planted / row["BraTS21ID"])
        if row["MGMT_value"] == "0":
            assert after == before
            continue
        assert (len(before), len(after)) == (7, 10)
        thick, thin = (read_series(root / row["BraTS21ID"] / "T1wCE") for root in (plain, planted))
        assert thin[0].SliceThickness < thick[0].SliceThickness
        covered = [np.ptp([d.ImagePositionPatient for d in s if d.pixel_array.any()]) for s in (thick, thin)]
        assert covered[1] >= covered[0] - float(thick[0].SliceThickness)  # the same brain, cut finer
        assert not {d.SOPInstanceUID for d in thick} & {d.SOPInstanceUID for d in thin}


def test_one_slice_cuts_the_brain() -> None:
    for plane in IOP:
        stack, *_ = _cut(drawn(0, 0.0, 7), "T2w", plane, 1, 32, np.random.default_rng(0))
        assert stack.shape == (1, 32, 32) and (stack > 0).mean() > 0.1
