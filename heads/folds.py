"""Seeded folds, the same for every head: by patient (default), from a file, or by slice as the notebook did it."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.leak import Leak
from heads.standardise import Ids

NOTEBOOK_SEED = 42


@dataclass(frozen=True)
class Fold:
    """The patients of one fold; everybody else with a label trains."""

    repeat: int
    fold: int
    test: tuple[str, ...]


@dataclass
class RowSplit:
    """Row numbers of one fold in one table. `validation` is set where the split itself reserves it (slice split)."""

    repeat: int
    fold: int
    train: NDArray[np.intp]
    test: NDArray[np.intp]
    validation: NDArray[np.intp] | None = None


def patient_folds(
    labels: Mapping[str, int], *, folds: int, repeats: int, seed: int, groups: Mapping[str, str] | None = None
) -> tuple[list[Fold], str]:
    """Stratified folds over patients, `repeats` times; the folds and a note in words ("" if there is none).

    Every patient is in one test fold per repeat. The folds depend on the patients, labels, groups and seed alone. With
    fewer patients in the smaller class than folds, there are as many folds as that class has patients, and the note says
    so. Raises ValueError with fewer than two patients in a class.

    groups : {patient: group}, the patients that share images; a group stays in one fold and counts once in its class.
    Patients who are not named stand alone; where all do, the folds are those without `groups`.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    patients = np.array(sorted(labels), object)
    y = np.array([labels[p] for p in patients], int)
    group = np.unique([(groups or {}).get(p, p) for p in patients], return_inverse=True)[1]
    positives, negatives = (len(set(group[y == label])) for label in (1, 0))
    grouped = len(set(group)) < len(patients)
    smaller, kind = min(positives, negatives), "groups of patients who share images" if grouped else "patients"
    if folds < 2 or repeats < 1:
        raise ValueError(f"--folds {folds} --repeats {repeats}; expected at least 2 folds and 1 repeat")
    if smaller < 2:
        raise ValueError(f"{positives} positive and {negatives} negative {kind}; cross-validation needs two of each")
    note = ""
    if folds > smaller:
        note = f"{folds} folds were asked for, but the smaller class has {smaller} {kind}: {smaller} folds are used"
        folds = smaller
    out = []
    for repeat in range(repeats):
        splitter = StratifiedGroupKFold if grouped else StratifiedKFold
        kfold = splitter(folds, shuffle=True, random_state=np.random.RandomState((seed, repeat)))  # noqa: NPY002
        for k, (_, test) in enumerate(kfold.split(y, y, group if grouped else None)):
            out.append(Fold(repeat, k, tuple(str(p) for p in patients[test])))
    return out, note


def separated(folds: Sequence[Fold], groups: Mapping[str, str]) -> list[str]:
    """The patients whose group lies in several folds of a repeat (a split file may do that), sorted."""
    apart = set()
    for repeat in {f.repeat for f in folds}:
        where = {p: f.fold for f in folds if f.repeat == repeat for p in f.test}
        places: dict[str, set[int]] = {}
        for patient, group in groups.items():
            if patient in where:
                places.setdefault(group, set()).add(where[patient])
        apart |= {p for p, group in groups.items() if p in where and len(places[group]) > 1}
    return sorted(apart)


def file_folds(path: Path, labels: Mapping[str, int]) -> list[Fold]:
    """Folds from a CSV with the columns patient_id, fold and optionally repeat.

    Patients without a label are passed over. Raises ValueError where a labelled patient has no fold or is twice in one
    repeat.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as f:
            rows = list(csv.DictReader(f))
    except OSError as error:
        raise ValueError(f"the split file {str(path)!r} cannot be read ({error.strerror})") from None
    if not rows or not {"patient_id", "fold"} <= set(rows[0]):
        raise ValueError(
            f"the split file {str(path)!r} needs the columns patient_id and fold (and repeat, if there are several)"
        )
    members: dict[tuple[int, int], list[str]] = {}
    seen: set[tuple[int, str]] = set()
    for number, row in enumerate(rows, 2):
        patient = row["patient_id"]
        try:
            repeat, fold = int(row.get("repeat") or 0), int(row["fold"] or "")
        except ValueError:
            repeat = fold = -1
        if repeat < 0 or fold < 0:
            raise ValueError(f"{str(path)!r}, row {number}: fold and repeat must be whole numbers from 0 up")
        if (repeat, patient) in seen:
            raise ValueError(f"{str(path)!r}, row {number}: patient {patient!r} is twice in repeat {repeat}")
        seen.add((repeat, patient))
        if patient in labels:
            members.setdefault((repeat, fold), []).append(patient)
    repeats = sorted({repeat for repeat, _ in seen})
    lost = [p for p in labels if any((r, p) not in seen for r in repeats)]
    if lost:
        raise ValueError(
            f"{str(path)!r} gives no fold to {len(lost)} labelled patients, first {lost[0]!r}; every patient needs one per repeat"
        )
    if any(sum(r == repeat for r, _ in members) < 2 for repeat in repeats):
        raise ValueError(f"{str(path)!r} has fewer than two folds in a repeat; nothing would be left to train on")
    return [Fold(r, k, tuple(sorted(m))) for (r, k), m in sorted(members.items())]


def row_splits(folds: Sequence[Fold], patient: Ids, view: NDArray[np.int16]) -> list[RowSplit]:
    """The rows of each fold in a table: test rows are images of the fold's patients, training rows (views too) the others'."""
    out = []
    for f in folds:
        inside = np.isin(patient.astype(str), np.array(f.test, str))
        out.append(RowSplit(f.repeat, f.fold, np.flatnonzero(~inside), np.flatnonzero(inside & (view == 0))))
    return out


def fold_matrix(folds: Sequence[Fold], patients: Sequence[str]) -> NDArray[np.intp]:
    """(repeats, n) the fold that tests each patient, -1 where none does."""
    at = {p: i for i, p in enumerate(patients)}
    out = np.full((1 + max(f.repeat for f in folds), len(patients)), -1)
    for f in folds:
        out[f.repeat, [at[p] for p in f.test]] = f.fold
    return out


def slice_split(view: NDArray[np.int16], slice_id: Ids, *, seed: int = NOTEBOOK_SEED) -> RowSplit:
    """The notebook's split: slices at random, 80 % training, 10 % validation, 10 % test. It leaks, on purpose.

    Augmented views (rows with the `slice_id` of an image) train if their image does, and are left out otherwise.
    """
    from sklearn.model_selection import train_test_split

    images = np.flatnonzero(view == 0)
    if len(images) < 10:
        raise ValueError(f"{len(images)} slices; a slice split in 80/10/10 needs at least 10")
    train, rest = train_test_split(images, test_size=0.2, random_state=seed)
    validation, test = train_test_split(rest, test_size=0.5, random_state=seed)
    views = (view > 0) & np.isin(slice_id.astype(str), slice_id[train].astype(str))
    train = np.concatenate([train, np.flatnonzero(views)])
    return RowSplit(0, 0, np.sort(train), np.sort(test), np.sort(validation))


def leak_of(patient: Ids, splits: Sequence[RowSplit]) -> Leak:
    """How many patients are in training and test of one split at once, and how many are tested; patient : (n,) of each row."""
    shared: set[str] = set()
    tested: set[str] = set()
    for s in splits:
        test = set(patient[s.test])
        tested |= test
        shared |= test & set(patient[s.train])
    return Leak(len(shared), len(tested))
