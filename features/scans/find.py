"""Find patients, sequences and files on disk; nothing is decoded here.

A cohort is a folder per patient with a folder per sequence (`train/00002/FLAIR/Image-12.dcm`), or a folder
per patient with one NIfTI file per sequence (`BraTS21_00002/BraTS21_00002_flair.nii.gz`).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.ids import natural_key, patient_number

SEQUENCES = ("FLAIR", "T1w", "T1wCE", "T2w")

# The names that the four sequences go by, written without case, spaces and punctuation.
SEQUENCE_NAMES = {
    "FLAIR": ("flair", "flairw", "t2flair", "t2wflair", "t2f", "fla"),
    "T1w": ("t1", "t1w", "t1n", "t1native", "t1pre", "t1wpre", "t1precontrast"),
    "T1wCE": ("t1wce", "t1ce", "t1cew", "t1c", "t1gd", "t1wgd", "t1post", "t1wpost", "t1contrast", "t1km", "t1wc"),
    "T2w": ("t2", "t2w", "t2tse", "t2wtse"),
}
_SEQUENCE_OF = {name: sequence for sequence, names in SEQUENCE_NAMES.items() for name in names}

_IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
_NIFTI_SUFFIXES = (".nii", ".nii.gz")
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")


@dataclass(frozen=True)
class Skipped:
    """One thing that was left out. `source` is relative to the cohort; `reason` is in words."""

    patient: str
    sequence: str  # "" where it is not known
    source: str
    reason: str


@dataclass(frozen=True)
class Series:
    """The files of one sequence of one patient; `files` are relative to `cohort`, in natural order."""

    patient: str
    sequence: str
    cohort: Path
    files: tuple[str, ...]

    def fingerprint(self) -> str:
        """A digest of the names and sizes of the files, to notice a series that changed on disk."""
        digest = hashlib.blake2b(digest_size=16)
        for name in self.files:
            path = self.cohort / name
            size = path.stat().st_size if path.exists() else -1
            digest.update(f"{name}\0{size}\0".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def written_after(self, time: float) -> bool:
        """Whether a file of it was written later than so many seconds since 1970."""
        paths = (self.cohort / name for name in self.files)
        return any(path.exists() and path.stat().st_mtime > time for path in paths)


@dataclass
class Scans:
    """What `find_scans` found: series to read, patients seen, and what was left out."""

    series: list[Series] = field(default_factory=list)
    patients: list[str] = field(default_factory=list)
    excluded: list[str] = field(default_factory=list)
    never_met: list[str] = field(default_factory=list)  # named by --exclude, but in no cohort
    skipped: list[Skipped] = field(default_factory=list)

    def missing(self, sequences: Sequence[str]) -> dict[str, list[str]]:
        """The patients without a series, by sequence; only sequences that somebody lacks."""
        have = {(s.patient, s.sequence) for s in self.series}
        lacking = {q: [p for p in self.patients if (p, q) not in have] for q in sequences}
        return {q: who for q, who in lacking.items() if who}


def match_sequence(name: str) -> str | None:
    """The sequence that a folder or file name stands for ("t1_Gd" -> "T1wCE"), or None."""
    return _SEQUENCE_OF.get(re.sub(r"[^a-z0-9]", "", name.lower()))


def kind_of(path: Path) -> str | None:
    """'dicom', 'image' or 'nifti', by suffix, or by the DICM mark at byte 128 (PS3.10 section 7.1)."""
    name = path.name.lower()
    if name.endswith(_NIFTI_SUFFIXES):
        return "nifti"
    if name.endswith(_IMAGE_SUFFIXES):
        return "image"
    if name.endswith(_DICOM_SUFFIXES):
        return "dicom"
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None  # to open a pipe would wait for ever
        with path.open("rb") as f:
            return "dicom" if f.read(132)[128:] == b"DICM" else None
    except OSError:
        return "dicom"  # unreadable: let the reader try, fail, and record why


def find_scans(cohorts: Iterable[Path], *, sequences: Sequence[str] = SEQUENCES, exclude: Iterable[str] = ()) -> Scans:
    """Find every series of the wanted sequences under the cohort folders.

    Patients come in natural order, each patient's series in the order of `SEQUENCES`. Folders and files that
    are no known sequence are listed in `skipped`. Raises ValueError where a cohort is not a folder, holds no
    series at all, or where two cohorts hold the same patient id. `exclude` joins ids by number as labels do.
    """
    unknown = sorted(set(sequences) - set(SEQUENCES))
    if unknown:
        raise ValueError(f"unknown sequence {unknown[0]!r}; expected some of {', '.join(SEQUENCES)}")
    leave_out = set(exclude)
    numbers = {n for n in map(patient_number, leave_out) if n is not None}
    scans = Scans()
    origin: dict[str, Path] = {}
    for cohort in cohorts:
        if not cohort.is_dir():
            raise ValueError(
                f"the cohort {str(cohort)!r} is not a folder; give the folder that holds one folder per patient"
            )
        folders = sorted(
            (p for p in cohort.iterdir() if p.is_dir() and p.name[0] != "." and p.name != "__MACOSX"),
            key=lambda p: natural_key(p.name),
        )
        n_before = len(scans.series)
        for folder in folders:
            if folder.name in leave_out or patient_number(folder.name) in numbers:
                scans.excluded.append(folder.name)
                continue
            if folder.name in origin:
                raise ValueError(
                    f"patient {folder.name!r} is in two cohorts, {str(origin[folder.name])!r} and {str(cohort)!r}; "
                    "rename one of the folders or --exclude the patient"
                )
            origin[folder.name] = cohort
            scans.patients.append(folder.name)
            _find_series(folder, cohort, sequences, scans)
        if len(scans.series) == n_before:
            raise ValueError(_nothing_found(cohort, folders, sequences))
    met = {n for n in map(patient_number, scans.excluded) if n is not None}
    scans.never_met = sorted(p for p in leave_out - set(scans.excluded) if patient_number(p) not in met)
    return scans


def _find_series(folder: Path, cohort: Path, sequences: Sequence[str], scans: Scans) -> None:
    patient = folder.name
    candidates: dict[str, list[Path]] = {}
    try:
        entries = sorted((e for e in folder.iterdir() if e.name[0] != "."), key=lambda p: natural_key(p.name))
    except OSError as error:
        scans.skipped.append(Skipped(patient, "", patient, f"the folder cannot be listed ({error.strerror})"))
        return
    for entry in entries:
        relative = entry.relative_to(cohort).as_posix()
        sequence = match_sequence(entry.name) if entry.is_dir() else _nifti_sequence(entry)
        if sequence is None:
            what = "folder" if entry.is_dir() else "file"
            scans.skipped.append(Skipped(patient, "", relative, f"the {what}'s name is none of the known sequences"))
        elif sequence in sequences:
            candidates.setdefault(sequence, []).append(entry)
    for sequence in (q for q in SEQUENCES if q in candidates):
        entries = candidates[sequence]
        if len(entries) > 1:
            names = ", ".join(e.name for e in entries)
            reason = f"{len(entries)} entries are all named for {sequence} ({names}); keep one of them"
            scans.skipped.append(Skipped(patient, sequence, patient, reason))
            continue
        files, left_out = _files(entries[0], cohort)
        scans.skipped += [Skipped(patient, sequence, source, reason) for source, reason in left_out]
        if files:
            scans.series.append(Series(patient, sequence, cohort, tuple(files)))


def _files(entry: Path, cohort: Path) -> tuple[list[str], list[tuple[str, str]]]:
    """The image files at or under `entry` and what was passed over, relative to the cohort."""
    if entry.is_file():
        return [entry.relative_to(cohort).as_posix()], []
    files: list[str] = []
    left_out: list[tuple[str, str]] = []

    def cannot_list(error: OSError) -> None:
        left_out.append((Path(error.filename).relative_to(cohort).as_posix(), f"cannot be listed ({error.strerror})"))

    for directory, folders, names in os.walk(entry, onerror=cannot_list):  # never follows links, so loops end
        folders[:] = [f for f in folders if f[0] != "."]
        for name in names:
            path = Path(directory, name)
            relative = path.relative_to(cohort).as_posix()
            if name[0] == ".":
                continue
            if kind_of(path) is None:
                left_out.append((relative, "not a DICOM, PNG, JPEG or NIfTI file"))
            else:
                files.append(relative)
    if not files and not left_out:
        left_out.append((entry.relative_to(cohort).as_posix(), "the folder is empty"))
    return sorted(files, key=natural_key), left_out


def _nifti_sequence(path: Path) -> str | None:
    """The sequence of `<patient>_flair.nii.gz`, `<patient>-t1c.nii.gz` or `FLAIR.nii`; None for other files."""
    name = path.name
    for suffix in _NIFTI_SUFFIXES[::-1]:
        if name.lower().endswith(suffix):
            stem = name[: -len(suffix)]
            words = re.split(r"[_\-. ]", stem)
            tails = ("".join(words[-n:]) for n in (3, 2, 1))  # the longest first: "t1_gd" before "gd"
            return next((q for q in map(match_sequence, tails) if q), None)
    return None


def _nothing_found(cohort: Path, folders: Sequence[Path], sequences: Sequence[str]) -> str:
    there = {match_sequence(e.name) if e.is_dir() else _nifti_sequence(e) for f in folders for e in f.glob("*")} - {
        None
    }
    if there and not there & set(sequences):
        return f"{str(cohort)!r} has no {', '.join(sequences)}; its {len(folders)} patients have {', '.join(sorted(map(str, there)))}"
    inner = next((f for f in folders if any(match_sequence(g.parent.name) for g in f.glob("*/*/*"))), None)
    hint = f"; did you mean {str(inner)!r}?" if inner else ""
    if any(match_sequence(f.name) for f in folders):
        hint = f"; this looks like one patient, give the folder above it, {str(cohort.parent)!r}"
    seen = ", ".join(repr(f.name) for f in folders[:3]) or "no folders"
    return (
        f"no series of a known sequence under {str(cohort)!r} (found {seen}); expected PATIENT/SEQUENCE/files "
        f"with sequences named like {', '.join(SEQUENCES)}{hint}"
    )
