"""Where the figures come from: command, code, seeds, libraries and features of each run."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from core.documents import Known
from evaluation.read_run import Run, is_table
from evaluation.report.context import ReportContext
from evaluation.report.section import Section, Sheet, section


@section(order=180, in_json=False)
def provenance_section(context: ReportContext) -> Section:
    """What it takes to make each run again."""
    return Section("provenance", "Where these figures come from", [], [_made_by(run) for run in context.runs])


def made_by(provenance: Known) -> str:
    """The program that wrote a page, in a sentence."""
    return f"Made by: {command_line(provenance['command'])}; {code(provenance)}."


def seeds(about: Known) -> str:
    """The seed of the heads, and that of the folds where it is another."""
    own = about.get("split_seed", about["seed"])
    return f"{about['seed']}" + (f" of the heads, {own} of the split" if own != about["seed"] else "")


def code(about: Known) -> str:
    """Version and commit of the code, and whether files differed from it."""
    commit = f"commit {about['commit']}" if about["commit"] else "not a git checkout"
    dirty = " (with uncommitted changes)" if about["dirty"] else ""
    return f"code version {about['code_version']}, {commit}{dirty}"


def libraries(about: Known) -> str:
    """Python and the libraries that were there, with their versions."""
    return ", ".join([f"Python {about['python']}", *(f"{k} {v}" for k, v in about["versions"].items() if v)])


def command_line(command: Sequence[str]) -> str:
    """The command as it is typed into a shell."""
    return shlex.join(["python", *command])


def feature_settings(about: Known) -> str:
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
