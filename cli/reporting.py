"""What evaluate.py writes of runs: a report, or maps of what the linear heads of a run use."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from evaluation.options import ExplainOptions, Exports, ReportOptions


def report(
    paths: Sequence[Path], options: ReportOptions, exports: Exports, argv: list[str] | None, new: Path, out: Path
) -> str:
    """Write a report into `new`, which becomes `out`; what to print at the end."""
    from dataclasses import asdict

    from core.system.provenance import provenance
    from evaluation.api import evaluate, forget_figures, read_runs
    from evaluation.export.stamp import write_stamp

    runs = read_runs(paths)
    if exports.export_stamp:
        exported = write_stamp(exports.export_stamp, runs)
        print(f"{len(exported)} files for STAMP's statistics in {exports.export_stamp}, first {exported[0]}")
    made = evaluate(runs, **asdict(options))
    made.write(new, provenance(argv))
    forget_figures(out)
    return f"{made.summary()}\n\nreport: {out / 'report.html'}"


def explain_scores(path: Path, options: ExplainOptions, argv: list[str] | None, new: Path, out: Path) -> str:
    """Write explain/ with a figure each, explain.json and .html into `new`, which becomes `out`; what to print at the end."""
    from core.system.provenance import provenance
    from evaluation.explain import explain, explanation_section
    from evaluation.read_run import read_run
    from evaluation.report.html import write_sections
    from evaluation.report.pages.activation_maps import write_explanation

    run = read_run(path)
    explanations = []
    for found in explain(run, options, print):
        print("\n".join(found.notes), end="\n" if found.notes else "")
        explanations.append(found.explanation)
    section = explanation_section(run, explanations, replicates=options.replicates, seed=options.seed)
    folder, origin = new / "explain", provenance(argv)
    for drawing in section.drawings:
        drawing.write(folder)
    write_explanation(folder / "explain.json", section, run.name, origin)
    write_sections(folder / "explain.html", f"What the heads of {run.name} use", [], [section], origin)
    place = out / "explain" / "explain.html"
    return "\n".join([*section.words, "", f"{len(explanations)} scores explained: {place}"])
