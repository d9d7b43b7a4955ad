"""The soak itself: it runs, and it finds what does not hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(script: str) -> str:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, env=environment
    ).stdout


@pytest.mark.slow
def test_some_steps_without_a_violation() -> None:
    said = run("from benchmarks.faults.soak import soak; soak(0.05, 1)")
    assert "0 violations" in said and "'checks'" in said


def test_a_violation_is_found() -> None:
    said = run(
        "from benchmarks.faults import soak as s\n"
        "s.Soak.extraction = lambda self, out, exclude=None: out.write_bytes(str(self.n_patients).encode() + bytes(out.parent.name, 'utf8'))\n"
        "s.soak(0.1, 1)"
    )
    assert "1 violations" in said or "2 violations" in said, said
