"""What is intact survives, what is lost is listed, and the next extraction fills the gap; caches join or say why not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import h5py
import pytest
from cache_material import SETTINGS, rows
from cohort_material import make_cohort
from syrupy.assertion import SnapshotAssertion

from features.__main__ import main
from features.cache.checks import verify
from features.cache.reader import Cache
from features.cache.writer import write
from features.extraction import extract
from features.scans.find import Skipped, find_scans


def told(text: str, folder: Path) -> list[str]:
    """The lines of `text`, without the folder of the test."""
    return text.replace(str(folder), "<tmp>").splitlines()


@pytest.mark.slow
def test_repair_and_extraction_bring_back_the_whole_cache(
    tmp_path: Path, cheap_embedder: Any, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    cohort = make_cohort(tmp_path / "cohort", "abc")
    (cohort / "a/DWI").mkdir()
    (cohort / "a/FLAIR/broken.dcm").write_bytes(b"")
    whole, damaged, mended = (tmp_path / name for name in ("whole.h5", "damaged.h5", "mended.h5"))
    extract(find_scans([cohort]), whole, embed=cheap_embedder, workers=0)
    shutil.copy(whole, damaged)
    with h5py.File(damaged, "r+") as f:
        f["features"][7, 3] += 1
        f["rows/instance"][16] += 1
    assert main(["repair", str(damaged), "--out", str(mended)]) == 0
    assert told(capsys.readouterr().out, tmp_path) == snapshot
    assert verify(mended) == []
    summary = extract(find_scans([cohort]), mended, embed=cheap_embedder, workers=0)
    assert (summary.n_series_new, summary.n_series_kept) == (2, 4)
    assert mended.read_bytes() == whole.read_bytes()


def test_repair_overwrites_nothing_and_says_what_it_cannot_mend(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    write(tmp_path / "f.h5", SETTINGS, [rows("1"), rows("2")])
    assert main(["repair", str(tmp_path / "f.h5"), "--out", str(tmp_path / "f.h5")]) == 2
    assert told(capsys.readouterr().err, tmp_path) == snapshot(name="there already")
    with h5py.File(tmp_path / "f.h5", "r+") as f:
        f["series/n_rows"][0] = 2
    assert main(["repair", str(tmp_path / "f.h5"), "--out", str(tmp_path / "g.h5")]) == 2
    assert told(capsys.readouterr().err, tmp_path) == snapshot(name="beyond repair")
    assert not (tmp_path / "g.h5").exists()


# --- merge ---------------------------------------------------------------------------------------------


def cache(path: Path, *patients: str, skipped: tuple[Skipped, ...] = (), seed: int = 0, **settings: Any) -> Path:
    write(path, {**SETTINGS, **settings}, [rows(p, seed=seed) for p in patients], skipped)
    return path


@pytest.mark.slow
def test_caches_of_two_machines_are_the_cache_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    loose = Skipped("9", "", "9/DWI", "unknown")
    a = cache(tmp_path / "a.h5", "1", "10", skipped=(loose,))
    b = cache(tmp_path / "b.h5", "10", "2")
    cache(tmp_path / "one.h5", "1", "2", "10", skipped=(loose,))
    out = tmp_path / "ab.h5"
    assert main(["merge", str(a), str(b), "--out", str(out)]) == 0
    assert told(capsys.readouterr().out, tmp_path) == snapshot
    assert out.read_bytes() == (tmp_path / "one.h5").read_bytes()
    assert main(["merge", str(b), str(a), "--out", str(tmp_path / "ba.h5")]) == 0
    assert (tmp_path / "ba.h5").read_bytes() == out.read_bytes()
    assert main(["merge", str(a), "--out", str(out)]) == 2


@pytest.mark.slow
def test_what_disagrees_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    a = cache(tmp_path / "a.h5", "1", "2")
    other = cache(tmp_path / "other.h5", "3", weights="imagenet", augment=1)
    differs = cache(tmp_path / "differs.h5", "2", seed=1)
    out = tmp_path / "new.h5"
    assert main(["merge", str(a), str(other), "--out", str(out)]) == 2
    assert told(capsys.readouterr().err, tmp_path) == snapshot(name="settings")
    assert main(["merge", str(a), str(differs), "--out", str(out)]) == 2
    assert told(capsys.readouterr().err, tmp_path) == snapshot(name="values")
    with h5py.File(a, "r+") as f:
        f["features"][0, 0] += 1
    assert main(["merge", str(a), "--out", str(out)]) == 2
    assert told(capsys.readouterr().err, tmp_path) == snapshot(name="damage")
    assert not out.exists()


def test_versions_and_precision_are_joined(tmp_path: Path) -> None:
    a = cache(tmp_path / "a.h5", "1", versions="x", precision="float32", code_version="1")
    b = cache(tmp_path / "b.h5", "2", versions="y", precision="float16", code_version="1")
    assert main(["merge", str(a), str(b), "--out", str(tmp_path / "c.h5")]) == 0
    with Cache(tmp_path / "c.h5") as c:
        assert [c.settings[k] for k in ("versions", "precision", "code_version")] == ["x + y", "float16+float32", "1"]
    assert verify(tmp_path / "c.h5") == []
