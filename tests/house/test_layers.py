"""`make lint` fails where a layer imports one above it, or where anything but the door imports the audit: both are planted here."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("core", "features", "heads", "evaluation", "cli")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the layers with their contracts."""
    copy = tmp_path_factory.mktemp("house")
    for layer in LAYERS:
        shutil.copytree(ROOT / layer, copy / layer, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(house: Path) -> tuple[int, str]:
    """Exit status and words of import-linter."""
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed (requirements-dev.txt)")
    done = subprocess.run([program, "--no-cache"], cwd=house, capture_output=True, text=True, timeout=120)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize(("planted", "imported", "broken"), [
    ("core/text.py", "features.labels", "core is not allowed to import features: - core.text -> features.labels"),
    ("heads/folds.py", "evaluation.read_run", "heads is not allowed to import evaluation: - heads.folds -> evaluation.read_run"),
    ("evaluation/read_run.py", "evaluation.audit.options", "the audit is a house of its own BROKEN"),
])  # fmt: skip
def test_a_planted_import_breaks_a_contract(house: Path, planted: str, imported: str, broken: str) -> None:
    path = house / planted
    whole = path.read_text(encoding="utf-8")
    path.write_text(f"{whole}\n\ndef planted() -> object:\n    import {imported} as found\n\n    return found\n")
    try:
        status, said = lint(house)
    finally:
        path.write_text(whole)
    assert status == 1
    assert broken in said


def test_the_house_as_it_is_breaks_none(house: Path) -> None:
    status, said = lint(house)
    assert (status, " 0 broken." in said) == (0, True), said
