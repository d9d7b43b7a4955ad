"""A patient who is there twice is left out once; patients who only share something stay, and are named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from cohort_material import make_cohort

from features.__main__ import main
from features.cache.checks import verify
from features.cache.reader import Cache
from features.extraction import extract
from features.scans.find import find_scans


def cached(cohort: Path, embed: Any) -> Path:
    out = cohort.with_suffix(".h5")
    extract(find_scans([cohort]), out, embed=embed, workers=0)
    return out


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """a to d; `copy` is b less a slice, `part` has c's FLAIR and a T1w of its own, `few` one of three slices of d's FLAIR."""
    folder = make_cohort(tmp_path / "cohort", "abcd")
    shutil.copytree(folder / "b", folder / "copy")
    (folder / "copy/T1w/0.png").unlink()
    make_cohort(tmp_path / "more", "xy")
    for name, origin, other in (("part", "c", "x"), ("few", "d", "y")):
        shutil.copytree(tmp_path / "more" / other, folder / name)
        files = sorted((folder / origin / "FLAIR").iterdir())
        for file in files if name == "part" else files[:1]:
            shutil.copy(file, folder / name / "FLAIR" / file.name)
    (folder / "copy/DWI").mkdir()
    (folder / "a/DWI").mkdir()
    return folder


@pytest.mark.slow
def test_the_cache_without_copies_is_that_of_the_cohort_without_them(
    tmp_path: Path, cohort: Path, cheap_embedder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    full, out = cached(cohort, cheap_embedder), tmp_path / "new.h5"
    assert main(["dedupe", str(full), "--out", str(out)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"patients that are a copy of another: 1, left out of {out}",
        "  copy: a copy of b (FLAIR 3 of 3 slices identical, T1w 2 of 2 slices identical)",
        "  kept, though they share images: c and part: FLAIR 3 of 3 slices identical",
        "  kept, though they share images: d and few: FLAIR 1 of 3 slices identical",
    ]
    assert verify(out) == []
    shutil.rmtree(cohort / "copy")
    extract(find_scans([cohort]), tmp_path / "fresh.h5", embed=cheap_embedder, workers=0)
    assert out.read_bytes() == (tmp_path / "fresh.h5").read_bytes()
    assert main(["dedupe", str(full), "--out", str(out)]) == 2
    assert "exists; name a new file" in capsys.readouterr().err


@pytest.mark.slow
def test_without_out_copies_are_named_and_nothing_is_written(
    tmp_path: Path, cohort: Path, cheap_embedder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    full = cached(cohort, cheap_embedder)
    before = full.read_bytes(), sorted(tmp_path.iterdir())
    assert main(["dedupe", str(full)]) == 0
    assert capsys.readouterr().out.startswith("patients that are a copy of another: 1\n  copy: a copy of b (")
    assert (full.read_bytes(), sorted(tmp_path.iterdir())) == before


@pytest.mark.slow
def test_a_group_keeps_one_and_blank_patients_are_nobodys_copy(tmp_path: Path, cheap_embedder: Any) -> None:
    import numpy as np
    from PIL import Image

    cohort = make_cohort(tmp_path / "cohort", "b")
    for name in ("a", "c"):
        shutil.copytree(cohort / "b", cohort / name)
    for name in ("blank", "blank again"):
        (cohort / name / "FLAIR").mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(cohort / name / "FLAIR/0.png")
    assert main(["dedupe", str(cached(cohort, cheap_embedder)), "--out", str(tmp_path / "new.h5")]) == 0
    with Cache(tmp_path / "new.h5") as cache:
        assert sorted(set(cache.series["patient"])) == ["a", "blank", "blank again"]
