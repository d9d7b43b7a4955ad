"""The leak demonstration as files: leak.csv, .json, .png, .svg and .html."""

from __future__ import annotations

from cli.telling import say
from heads.training.options import TrainOptions
from heads.training.train import Demonstration


def write_demonstration(found: Demonstration, options: TrainOptions) -> None:
    """Write what was found into the folder `options.out`, and print it."""
    from core.system.files import atomic_directory
    from core.tables import write_csv
    from evaluation.report.html import write_sections
    from evaluation.report.pages.leak_demo import headline, leak_table_lines, leakage_section, write_leak_json
    from evaluation.statistics.controls.leak_demo import csv_rows, flag, measure

    rows = measure(found.trials, found.cohort.by_name, options.aggregate)
    verdicts = flag(rows)
    first, about = headline(verdicts), found.header.as_json()
    labels = found.cohort.labels
    positives = sum(labels.values())
    with atomic_directory(options.out) as folder:
        section = leakage_section(rows, min(positives, len(labels) - positives))
        for drawing in section.drawings:
            drawing.write(folder)
        write_csv(folder / "leak.csv", csv_rows(rows))
        write_leak_json(folder / "leak.json", about, section)
        write_sections(folder / "leak.html", "The leak demonstration", [first], [section], about)
    say("\n".join([*leak_table_lines(verdicts), "", first, *section.words]))
    say(f"\nwrote {options.out}; look at {options.out / 'leak.html'}")
