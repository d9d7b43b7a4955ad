"""What exists is documented: every option, every HDF5 name, every column, every file at the top."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import evaluate
import extract_features
import train_head
from cli import cache as features_main
from cli.reference import reference
from evaluation.statistics.controls.leak_demo import LEAK_COLUMNS
from features.cache.schema import CODED, COLUMNS
from heads import run_files

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
FORMATS = (ROOT / "FORMATS.md").read_text()


def options(parser: argparse.ArgumentParser) -> list[str]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [o for sub in action.choices.values() for o in options(sub)]
        found += [o for o in action.option_strings if o.startswith("--") and o not in ("--help", "--version")]
    return found


def test_the_page_of_options_is_made_from_the_options() -> None:
    assert (ROOT / "docs" / "options.md").read_text() == reference(), "run make docs"


def test_every_option_of_the_readme_exists() -> None:
    known = {o for door in (extract_features, train_head, evaluate, features_main) for o in options(door.parser())}
    named = set(re.findall(r"`(--[a-zA-Z-]+)", README))
    assert named and named - {"--help"} <= known


def test_every_hdf5_name_is_in_formats() -> None:
    names = [f"/rows/{c}" for c in COLUMNS] + [f"/names/{c}" for c in CODED]
    names += [
        f"/series/{c}" for c in ("patient", "sequence", "first_row", "n_rows", "fingerprint", "precision", "digest")
    ]
    names += [f"/skipped/{c}" for c in ("patient", "sequence", "source", "reason")] + ["/features"]
    assert [n for n in names if f"`{n}`" not in FORMATS] == []


def test_every_column_is_in_formats() -> None:
    kinds = ("PREDICTION", "SLICE", "CURVE", "TRIAL", "LEARNING", "PERMUTATION")
    columns = {c for kind in kinds for c in getattr(run_files, f"{kind}_COLUMNS")}
    columns |= {run_files.WARNING_COLUMN, *LEAK_COLUMNS}
    assert sorted(c for c in columns if f"`{c}`" not in FORMATS) == []
