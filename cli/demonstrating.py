"""The leak demonstration: the same heads under slice split and patient split, with true and with shuffled labels."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from cli.telling import describe, say


def demonstrate_leak(
    args: argparse.Namespace,
    argv: list[str] | None,
    source: Any,
    joined: Any,
    trained: Sequence[Any],
    heads: Sequence[Any],
    groups: dict[str, str],
) -> None:
    """The same heads under slice split and patient split, with true and shuffled labels -> leak.csv, .json, .png, .svg, .html."""
    from core.files import atomic_directory
    from core.tables import write_csv
    from evaluation.report.html import write_sections
    from evaluation.report.pages.leak_demo import headline, leak_table_lines, leakage_section, write_demonstration
    from evaluation.statistics.controls.leak_demo import csv_rows, flag, measure
    from heads.controls.leak_demo import demonstrate

    draws = args.demonstrate_leak
    names = ", ".join(h.name for h in heads)
    say(f"  {names} on {', '.join(t.sequence for t in trained)}, {draws} shuffles of the labels")
    options = {"draws": draws, "folds": args.folds or 5, "seed": args.seed, "jobs": args.jobs}
    trials = demonstrate(heads, trained, joined.labels, persons=groups, **options)
    rows = measure(trials, {t.sequence: t for t in trained}, args.aggregate)
    verdicts = flag(rows)
    lead, about = headline(verdicts), describe(args, argv, source, joined, trained, "")
    positives = sum(joined.labels.values())
    with atomic_directory(args.out) as folder:
        section = leakage_section(rows, min(positives, len(joined.labels) - positives))
        for drawing in section.drawings:
            drawing.write(folder)
        write_csv(folder / "leak.csv", csv_rows(rows))
        write_demonstration(folder / "leak.json", about, section)
        write_sections(folder / "leak.html", "The leak demonstration", [lead], [section], about)
    say("\n".join([*leak_table_lines(verdicts), "", lead, *section.words]))
    say(f"\nwrote {args.out}; look at {args.out / 'leak.html'}")
