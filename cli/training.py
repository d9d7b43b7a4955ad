"""Features + labels -> runs/NAME: heads out of fold, refitted heads, and what they are held against."""

from __future__ import annotations

import argparse
from typing import Any

from cli.baselines import learning_table, shortcut_predictions, shuffled_table
from cli.demonstrating import demonstrate_leak
from cli.telling import describe, say
from cli.tuning import tune_heads, tuning_tables
from cli.validating import find_duplicates, patients_of, split


def train(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Join the rooms: tables from features, scores from heads, patients from evaluation."""
    from core.predictions import Prediction
    from core.text import some
    from evaluation.report.console import comparison_lines
    from features.acquisition import availability
    from features.copies import duplicates
    from features.copies.fingerprint import to_arrays
    from features.labels import join, read_labels
    from features.table import check_slices, concatenate, load_table, named_sequences, open_source, pool
    from heads.boosted import Boosted
    from heads.bundle import marked
    from heads.crossfit import cross_fit_and_refit
    from heads.dense import Dense
    from heads.folds import separated
    from heads.logistic import Logistic
    from heads.run_writer import bundles, check_new, curve_rows, fold_bundles, slice_rows, write_run
    from heads.search.trials import LEDGER_COLUMNS, looks, plain_rows
    from heads.search.tune import INNER_FOLDS

    kind = {"what": "leak demonstration", "mark": "leak.json"} if args.demonstrate_leak else {}
    check_new(args.out, overwrite=args.overwrite, **kind)
    check_slices(args.slices)
    source = open_source(args.features)
    columns = {k: getattr(args, k) for k in ("patient_column", "label_column", "positive", "negative")}
    joined = join(source.patients, read_labels(args.labels, **columns))
    if joined.without_row and not args.skip_unlabelled:
        raise ValueError(
            f"{args.labels} has no row for {len(joined.without_row)} patients of {args.features}, first "
            f"{joined.without_row[0]!r}. Add the labels or pass --skip-unlabelled."
        )
    say("\n".join(joined.lines))

    about_slices = args.slices != "all" or args.plane or args.split == "slice" or args.demonstrate_leak
    if source.is_csv and (args.sequence or args.fuse or about_slices):
        raise ValueError(
            f"{args.features} is a table of patients; it has no sequences and slices for --sequence, --fuse, --slices, "
            "--plane, --split slice or --demonstrate-leak"
        )
    sequences = source.sequences if args.sequence is None else named_sequences(args.sequence)
    per_patient = args.unit == "patient" or source.is_csv
    trained, whole = [], []
    for sequence in sequences:
        options = {"patients": list(joined.labels), "keep_blank": args.keep_blank, "planes": args.plane}
        table = load_table(source, sequence, slices=args.slices, **options)
        every = (
            table
            if args.slices == "all" and not args.plane
            else load_table(source, sequence, patients=list(joined.labels))
        )
        whole.append(every)
        trained.append(pool(table) if per_patient else table)
        if table.missing:
            say(f"  {sequence}: no usable slice in {len(table.missing)} patients: {some(table.missing)}")
    if args.fuse == "features":
        trained.append(concatenate(trained))

    known: dict[str, Any] = {
        "logistic": Logistic(C=args.C),
        "boosted": Boosted(),
        "dense": Dense(tuple(args.hidden), args.optimizer, args.learning_rate, args.batch_size, args.epochs),
    }
    heads = [known[name] for name in dict.fromkeys(args.head)]
    fingerprints, pairs = find_duplicates(whole, joined.labels)
    groups = duplicates.group_patients(pairs)
    if args.demonstrate_leak:
        demonstrate_leak(args, argv, source, joined, trained, heads, groups)
        return
    folds, splits, leak = split(args, joined.labels, trained, groups)
    by_name = {t.sequence: t for t in trained}
    shared = {
        "unit": "patient" if per_patient else "slice",
        "slices": args.slices,
        "keep_blank": args.keep_blank,
        "planes": args.plane,
        "aggregate": args.aggregate,
        "features": source.settings,
        "table_columns": by_name[sequences[0]].columns,
        "label": joined.question,
        "leak": leak or None,
    }
    by_key: dict[tuple[str, str], Any] = {}
    if args.tune:
        by_key = tuning_tables(args, source, joined.labels, trained, sequences)
        n_fits = len(heads) * args.tune * INNER_FOLDS * (len(folds) + 1)
        say(
            f"  fitting {n_fits} times on inner folds: {args.tune} configurations of {', '.join(h.name for h in heads)}"
        )
        nested = tune_heads(args, joined.labels, by_key, sequences, heads, folds, groups)
        predictions = [Prediction(*row) for row in nested.patient_rows()]
        files = nested.files(shared)
    else:
        n_fits = len(heads) * sum(len(s) + 1 for s in splits.values())
        say(f"  fitting {n_fits} times: {', '.join(h.name for h in heads)} on {', '.join(splits)}")
        results, fitted = cross_fit_and_refit(heads, trained, joined.labels, splits, seed=args.seed, jobs=args.jobs)
        predictions = patients_of(args, joined.labels, trained, sequences, results)
        tried = dict.fromkeys((p.head, p.sequence) for p in predictions)
        files = {
            "slices": slice_rows(args.out.name, results, by_name, joined.labels),
            "curves": curve_rows(args.out.name, results),
            "bundles": bundles(fitted, by_name, sequences, shared),
            "fold_heads": [] if leak else fold_bundles(results, by_name, sequences, shared),
            "ledger": plain_rows(args.out.name, tried, heads, args.slices, args.aggregate),
        }
    curve = learning_table(args, joined.labels, trained, known, folds) if args.learning_curve else {}
    shuffles = shuffled_table(args, joined.labels, trained, by_key, sequences, heads, groups)
    n_results = len({(p.head, p.sequence) for p in predictions})
    baseline = shortcut_predictions(args, source, sequences, joined.labels, heads, folds)
    predictions += baseline

    described = describe(args, argv, source, joined, trained, leak)
    about = {
        **described,
        "shortcuts": baseline[0].sequence if baseline else None,
        "availability": None if source.is_csv else availability(source),
        "sequences": sequences,
        "tuning": nested.about() if args.tune else None,
        "looks": looks(args.out, described, n_results),
        "folds": [{"repeat": f.repeat, "fold": f.fold, "test": f.test} for f in folds],
        "duplicates": {**duplicates.describe(pairs, joined.labels), "separated": separated(folds, groups)},
    }
    write_run(
        args.out,
        about,
        (tuple(vars(p).values()) for p in predictions),
        files["slices"],
        files["curves"],
        marked(files["bundles"], to_arrays(fingerprints)),
        fold_heads=files["fold_heads"],
        more={"ledger.csv": (LEDGER_COLUMNS, files["ledger"]), **curve, **shuffles},
        overwrite=args.overwrite,
    )
    say("\n".join(comparison_lines(predictions, leak)))
    say(f"\nwrote {args.out}; next: python evaluate.py {args.out} --out report")
