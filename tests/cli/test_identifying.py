"""What headers say of a person is in no byte of what the doors write and print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cohort_material import SECRETS, plant
from stand_ins import CellEmbedder

import evaluate
import extract_features
import train_head
from features.__main__ import main as look

PATIENT = b"00003"  # the folder's name, which is meant to be there


def bytes_of(folder: Path) -> bytes:
    """Every byte of every file below a folder, and their names."""
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return b"\0".join(part for p in files for part in (str(p.relative_to(folder)).encode(), p.read_bytes()))


def found(secrets: tuple[bytes, ...], raw: bytes) -> list[bytes]:
    """The secrets that stand there as text of one, two or four bytes a character; arrays of text have four."""
    encodings = ("ascii", "utf-16-le", "utf-16-be", "utf-32-le")
    return [s for s in secrets if any(s.decode().encode(e) in raw for e in encodings)]


@pytest.mark.slow
def test_names_dates_and_uids_of_the_headers_are_in_no_output(
    tmp_path: Path,
    write_dicom: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    cohort, rng = tmp_path / "cohort", np.random.default_rng(0)
    for i in range(8):
        for k in range(5):
            pixels = rng.integers(0, 400 + 200 * (i % 2), (24, 24)).astype(np.uint16)
            path = cohort / f"{i:05d}" / "FLAIR" / f"Image-{k}.dcm"
            write_dicom(
                path,
                pixels,
                InstanceNumber=k,
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                ImagePositionPatient=[0, 0, k],
            )
            plant(path, k)
    assert found(SECRETS, bytes_of(cohort)) == list(SECRETS)
    (tmp_path / "l.csv").write_text("id,label\n" + "".join(f"{i},{i % 2}\n" for i in range(8)))
    monkeypatch.setattr("features.backbones.keras_applications.Embedder", lambda *a, **k: CellEmbedder())
    monkeypatch.chdir(tmp_path)
    capfd.readouterr()
    commands = [
        (extract_features.main, "cohort --out out/f.h5 --workers 0"),
        (look, "info out/f.h5 --skipped"),
        (train_head.main, "out/f.h5 l.csv --head logistic boosted --folds 2 --repeats 1 --permutations 9 --jobs 1 --out out/run"),
        (evaluate.main, "out/run --out out/report --replicates 50 --export-stamp out/stamp"),
        (evaluate.main, "out/run --explain 3 --cohort cohort --out out/report --replicates 50"),
        (evaluate.main, "out/run --cache out/f.h5 --allow-trained --out out/scores"),
        (evaluate.main, "--audit out/run/predictions.csv --out out/audit --replicates 50"),
    ]  # fmt: skip
    for door, words in commands:
        assert door(words.split()) == 0, words
    printed = capfd.readouterr()
    assert "00003/FLAIR/Image-1.dcm: " in printed.out, "the reasons were not printed"
    for written in [*(tmp_path / "out").iterdir()]:
        raw = written.read_bytes() if written.is_file() else bytes_of(written)
        assert found(SECRETS, raw) == [], written.name
        assert written.name in ("audit", "scores") or found((PATIENT,), raw), f"{written.name}: nothing was searched"
    assert found(SECRETS, (printed.out + printed.err).encode()) == []
