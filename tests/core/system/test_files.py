"""A folder that is written to comes out whole, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.system.files import atomic_files


def content(folder: Path) -> dict[str, str]:
    return {str(p.relative_to(folder)): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_files_take_their_places_and_others_stay(tmp_path: Path) -> None:
    out = tmp_path / "report"
    for text in ("old", "new"):
        with atomic_files(out) as folder:
            (folder / "figures").mkdir()
            (folder / "figures" / "a.svg").write_text(text)
            (folder / "page.html").write_text(text)
            (folder / f"{text}.json").write_text(text)
        (out / "notes.txt").write_text("mine")
    assert content(out) == {
        "figures/a.svg": "new", "page.html": "new", "old.json": "old", "new.json": "new", "notes.txt": "mine",
    }  # fmt: skip
    assert not (out / ".unfinished").exists()


def test_where_it_fails_everything_is_as_before(tmp_path: Path) -> None:
    for before in ({}, {"page.html": "old"}):
        out = tmp_path / f"report-{len(before)}"
        for name, text in before.items():
            out.mkdir()
            (out / name).write_text(text)
        with pytest.raises(OSError, match="full"), atomic_files(out) as folder:
            (folder / "page.html").write_text("new")
            raise OSError("full")
        assert content(tmp_path / out.name) == before
        assert out.exists() == bool(before)


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    (tmp_path / ".unfinished").mkdir()
    (tmp_path / ".unfinished" / "half.html").write_text("ha")
    with atomic_files(tmp_path) as folder:
        (folder / "page.html").write_text("new")
    assert content(tmp_path) == {"page.html": "new"}
