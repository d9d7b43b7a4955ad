"""Files and modules that a document names exist, so that a command can be copied from it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted((ROOT / "docs").glob("*.md")),
    *(ROOT / f"{name}.md" for name in ("README", "CONTRIBUTING", "FORMATS")),
]
QUESTIONS = {p.stem for p in (ROOT / "benchmarks").glob("*/*.py")}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda p: p.name)
def test_what_a_document_names_exists(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    files = set(re.findall(r"\b(?:tests|benchmarks|core|features|heads|evaluation|cli)/[\w/]+\.py\b", text))
    assert sorted(f for f in files if not (ROOT / f).exists()) == []
    assert set(re.findall(r"python -m benchmarks ([a-z_0-9]+)", text)) - QUESTIONS == set()
