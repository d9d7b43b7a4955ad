"""Runs -> report/ with report.html, report.json and figures/."""

from __future__ import annotations

import argparse
import shutil
from itertools import combinations
from pathlib import Path


def report(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """runs -> report/ with report.html, report.json, figures/."""
    from core.provenance import provenance
    from evaluation.export.stamp import write_stamp
    from evaluation.read_run import read_run
    from evaluation.report import figures
    from evaluation.report.html import has_random_weights, leaks_of, write_html, write_json
    from evaluation.report.performance.calibration import calibration_section
    from evaluation.report.performance.learning_curve import learning_section
    from evaluation.report.performance.permutation import highest_said, permutation_section
    from evaluation.report.performance.permutation import read as read_permutations
    from evaluation.report.performance.stability import stability_section
    from evaluation.report.performance.subgroups import strata_section
    from evaluation.report.section import Section
    from evaluation.report.trust.acquisition import shortcut_section, split_off
    from evaluation.report.trust.checklist import checklist_section
    from evaluation.report.trust.copies import disjoint_section
    from evaluation.report.trust.patients import patients_section
    from evaluation.report.trust.trials import count_looks, further_looks, inner_thresholds, ledger_section, siblings
    from evaluation.report.verdict import table_lines, verdict
    from evaluation.statistics.assess import assess
    from evaluation.statistics.compare import compare_all, sentence

    names = [path.name for path in args.runs]
    runs = [read_run(path, path.as_posix() if names.count(path.name) > 1 else path.name) for path in args.runs]
    options = {"threshold": args.threshold, "seed": args.seed}
    scored, baselines = split_off([s for run in runs for s in run.scored], runs)
    twice = {id(b): b for a, b in combinations(runs, 2) if a.about["tables"] == b.about["tables"]}
    if twice:
        raise ValueError(
            f"{', '.join(r.name for r in twice.values())} is given twice (or a copy of another run); every run counts once"
        )
    if args.export_stamp:
        exported = write_stamp(args.export_stamp, runs)
        print(f"{len(exported)} files for STAMP's statistics in {args.export_stamp}, first {exported[0]}")
    inner = {(run.name, *key): cuts for run in runs for key, cuts in inner_thresholds(run).items()}
    patients = [
        assess(s, level="patient", replicates=args.replicates, curves=True, chosen=inner.get(s.key), **options)
        for s in scored
    ]
    by_slice = [s for run in runs for s in run.slices if len(s.units) > len(s.patients)]
    slices = [assess(s, level="slice", replicates=min(args.replicates, 200), **options) for s in by_slice]
    folder = out / "figures"
    overview = figures.forest(patients + slices, folder, leaks_of(runs))
    panels: dict[tuple[str, str, str], figures.Drawing] = {
        s.key: figures.panels(a, s, folder) for a, s in zip(patients, scored, strict=True)
    }
    training = [drawing for run in runs for drawing in figures.training_curves(run, folder)]
    leaks, questions = leaks_of(runs), {run.name: run.about["question"] for run in runs}
    pairs = compare_all([s for s in scored if s.run not in leaks], questions)
    tests = read_permutations(runs)
    shuffled = {t.key: t.said for t in tests}
    beside = siblings(args.runs)
    looks = further_looks(count_looks(runs, beside))
    words = verdict(patients, leaks, has_random_weights(runs), questions, shuffled, looks, highest_said(tests))
    honest = [s for s in scored if s.run not in leaks]
    if len(honest) > 1:
        words.append(sentence(pairs))
    sections: list[Section] = []
    sampling = {"replicates": args.replicates, "seed": args.seed}
    few = {a.run: a.few for a in patients}
    sections += [s for s in [permutation_section(runs, folder, few)] if s is not None]
    sections.append(shortcut_section(scored, baselines, folder, runs, **sampling))
    words += sections[-1].data["findings"]
    sections += [s for s in [strata_section(scored, runs, **sampling)] if s is not None]
    sections.append(stability_section(honest, by_slice, folder))
    fewer = {**sampling, "replicates": min(args.replicates, 500)}  # each of them is a regression
    sections.append(calibration_section(honest, folder, recalibration=args.recalibrate, **fewer))
    sections += [s for run in runs if (s := learning_section(run, folder)) is not None]
    sections.append(ledger_section(runs, beside))
    sections.append(disjoint_section(runs))
    words += sections[-1].data["findings"]
    sections.append(patients_section(scored, runs))
    sections.append(checklist_section(runs, patients, sections))
    origin = provenance(argv)
    write_json(out / "report.json", patients + slices, runs, words, pairs, origin, sections)
    write_html(out / "report.html", patients + slices, runs, words, overview, panels, training, pairs, origin, sections)
    if (args.out / "report.json").exists():  # the figures of an earlier report, now that the new ones are there
        shutil.rmtree(args.out / "figures", ignore_errors=True)
    tables = [table_lines([a for a in patients if a.run == run.name], run.about.get("leak") or "") for run in runs]
    return "\n".join([*(line for t in tables for line in t), "", *words, "", f"report: {args.out / 'report.html'}"])
