"""Runs -> the sections of the report on who is in them, what was left out, and where the figures come from."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from evaluation.read_run import Run, is_table
from evaluation.report.section import Section, Sheet


def cohort_section(runs: Sequence[Run]) -> Section:
    """How ids were joined, who lacks a sequence, and every file that was skipped, run by run."""
    words, sheets = [], []
    for run in runs:
        people, skipped = run.about["patients"], run.about["features"]["skipped"]
        labels = people["labels"]
        lines = [
            f"{len(labels)} labelled patients, {sum(labels.values())} positive",
            *map(str.strip, run.about["join"]),
        ]
        words.append(f"{run.name}: {'. '.join(line[:1].upper() + line[1:] for line in lines)}.")
        words += [
            f"{run.name}, {sequence}: no usable slice in {len(who)} patients: {', '.join(who)}."
            for sequence, who in people["missing_sequence"].items()
            if who
        ]
        if skipped:
            rows = [[s["source"] or s["patient"], s["patient"], s["reason"]] for s in skipped]
            title = f"{run.name}: {len(skipped)} files or folders skipped at extraction"
            sheets.append(Sheet(title, ("Source", "Patient", "Reason"), rows, browse="files"))
        elif not is_table(run.about):
            words.append(f"{run.name}: no file was skipped at extraction.")
    return Section("cohort", "Cohort and what was left out", words, sheets)


def provenance_section(runs: Sequence[Run]) -> Section:
    """What it takes to make each run again."""
    return Section("provenance", "Where these figures come from", [], [_made_by(run) for run in runs])


def made_by(provenance: dict[str, Any]) -> str:
    """The program that wrote a page, in a sentence."""
    return f"Made by: {command_line(provenance['command'])}; {code(provenance)}."


def seeds(about: dict[str, Any]) -> str:
    """The seed of the heads, and that of the folds where it is another."""
    own = about.get("split_seed", about["seed"])
    return f"{about['seed']}" + (f" of the heads, {own} of the split" if own != about["seed"] else "")


def code(about: dict[str, Any]) -> str:
    """Version and commit of the code, and whether files differed from it."""
    commit = f"commit {about['commit']}" if about["commit"] else "not a git checkout"
    return f"code version {about['code_version']}, {commit}{' (with uncommitted changes)' * bool(about['dirty'])}"


def libraries(about: dict[str, Any]) -> str:
    """Python and the libraries that were there, with their versions."""
    return ", ".join([f"Python {about['python']}", *(f"{k} {v}" for k, v in about["versions"].items() if v)])


def command_line(command: Sequence[str]) -> str:
    """The command as it is typed into a shell."""
    return shlex.join(["python", *command])


def feature_settings(about: dict[str, Any]) -> str:
    """Backbone, weights and preprocessing of the features; of a table, its size."""
    settings = about["features"]["settings"]
    if is_table(about):
        return f"a table of {settings['table_columns']} columns, a row per patient"
    return "; ".join(f"{k}: {v}" for k, v in settings.items() if k not in ("format", "format_version"))


def _made_by(run: Run) -> Sheet:
    a = run.about
    rows = [
        ["Command", command_line(a["command"])],
        ["Code", code(a)],
        ["Seed", seeds(a)],
        ["Split", a["split"]],
        ["Features digest", a["features"]["digest"]],
        ["Labels SHA-256", a["labels"]["sha256"]],
        ["Features", feature_settings(a)],
        ["Versions", libraries(a)],
    ]
    return Sheet(run.name, ("Fact", "Value"), rows)
