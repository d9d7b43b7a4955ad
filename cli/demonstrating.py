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
    from evaluation.report.pages.leak_demo import leakage_section, write_json
    from evaluation.statistics import leak_demo
    from heads.controls.leak_demo import demonstrate

    draws = args.demonstrate_leak
    names = ", ".join(h.name for h in heads)
    say(f"  {names} on {', '.join(t.sequence for t in trained)}, {draws} shuffles of the labels")
    options = {"draws": draws, "folds": args.folds or 5, "seed": args.seed, "jobs": args.jobs}
    trials = demonstrate(heads, trained, joined.labels, persons=groups, **options)
    rows = leak_demo.measure(trials, {t.sequence: t for t in trained}, args.aggregate)
    verdicts = leak_demo.flag(rows)
    headline, about = leak_demo.headline(verdicts), describe(args, argv, source, joined, trained, "")
    positives = sum(joined.labels.values())
    with atomic_directory(args.out) as folder:
        section = leakage_section(rows, folder, min(positives, len(joined.labels) - positives))
        write_csv(folder / "leak.csv", leak_demo.csv_rows(rows))
        write_json(folder / "leak.json", about, section)
        write_sections(folder / "leak.html", "The leak demonstration", [headline], [section], about)
    say("\n".join([*leak_demo.table_lines(verdicts), "", headline, *section.words]))
    say(f"\nwrote {args.out}; look at {args.out / 'leak.html'}")
