"""Who is in the runs, and what was left out."""

from __future__ import annotations

from evaluation.read_run import is_table
from evaluation.report.context import ReportContext
from evaluation.report.section import Section, Sheet, section


@section(order=170, in_json=False)
def cohort_section(context: ReportContext) -> Section:
    """How ids were joined, who lacks a sequence, and every file that was skipped, run by run."""
    words, sheets = [], []
    for run in context.runs:
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
