"""Patients of a cohort that share images: what training found, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evaluation.read_run import Run, is_table
from evaluation.report.section import Cell, Section, Sheet

COLUMNS = ("Patient", "Shares images with", "Sequence", "How", "Slices", "Labels", "Run")
ROWS = "Rows of the table were compared by all their values; a patient measured twice with other values is not found."
HOW = {"exact": "identical pixels", "near": "nearly identical", "row": "all values equal"}


def disjoint_section(runs: Sequence[Run]) -> Section:
    """Whether one patient stands in a cohort under two names, run by run, from `duplicates` in run.json.

    Runs of older versions did not look; the section says so. `data["findings"]` : what belongs into the verdict.
    """
    words: list[str] = []
    findings: list[str] = []
    rows: list[Sequence[Cell]] = []
    data: dict[str, Any] = {"findings": findings}
    data["runs"] = {run.name: run.about.get("duplicates") for run in runs}
    for run in runs:
        found = run.about.get("duplicates")
        if found is None:
            words.append(f"{run.name} was trained by an older version, which did not look for copies of patients.")
            continue
        pairs, labels = found["pairs"], run.about["patients"]["labels"]
        names = {(p["a"], p["b"]) for p in pairs}
        apart = "; each group of them is in one fold" if run.about["split"] == "patient" else ""
        table = is_table(run.about)
        test = ROWS if table else found["test"]
        words.append(
            f"{run.name}: {_pairs(len(names))} of patients with the same {'row' if table else 'images'} under different ids{apart}. {test}"
            if names
            else f"{run.name}: no patient is a copy of another under a different id. {test}"
        )
        if found["conflicts"]:
            named = "; ".join(f"{a} ({labels[a]}) and {b} ({labels[b]})" for a, b in found["conflicts"])
            findings.append(
                f"{run.name}: LABEL CONFLICT: the same images have different labels, so one is wrong: {named}."
            )
        if found["separated"]:
            findings.append(
                f"{run.name}: LEAKS: its split file puts patients that share images into different folds: "
                f"{', '.join(found['separated'])}."
            )
        for p in pairs:
            slices = "" if p["how"] == "row" else f"{p['n']} of {p['of']}"
            both = f"{labels[p['a']]}, {labels[p['b']]}"
            rows.append((p["a"], p["b"], p["sequence"], HOW[p["how"]], slices, both, run.name))
    sheets = [Sheet("Patients that share images", COLUMNS, rows)] if rows else []
    return Section("duplicates", "One patient under two names", words + findings, sheets, data=data, folded=not rows)


def _pairs(n: int) -> str:
    return "1 pair" if n == 1 else f"{n} pairs"
