"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any

from features import __version__
from features.arguments import above_zero, at_least

AGGREGATORS = ("mean", "median", "max", "topk", "noisy-or", "logit-mean")


def parser() -> argparse.ArgumentParser:
    """The options of stage 2."""
    p = argparse.ArgumentParser(prog="train_head.py", description=__doc__)
    p.add_argument("features", type=Path, help="cache of stage 1, or a CSV with one row of numbers per patient")
    p.add_argument("labels", type=Path, help="CSV with an id column and a label column")
    p.add_argument("--out", type=Path, required=True, metavar="runs/NAME", help="folder of the run; must be new")
    p.add_argument("--overwrite", action="store_true", help="replace an existing run")
    g = p.add_argument_group("labels")
    g.add_argument("--patient-column", metavar="NAME", help="id column (recognised: BraTS21ID, patient_id, ...)")
    g.add_argument("--label-column", metavar="NAME", help="label column (recognised: MGMT_value, MGMT, label)")
    g.add_argument("--positive", metavar="VALUE", help="the value that counts as 1, or a comparison such as '>63'")
    g.add_argument("--negative", metavar="VALUE", help="the value that counts as 0, where there are several others")
    g.add_argument("--skip-unlabelled", action="store_true", help="leave out patients that have no row in the labels")
    g = p.add_argument_group("what is trained")
    g.add_argument(
        "--head", nargs="+", default=["dense", "logistic", "boosted"], choices=("dense", "logistic", "boosted")
    )
    g.add_argument("--sequence", nargs="+", metavar="SEQ", help="default: every sequence in the cache, each apart")
    g.add_argument(
        "--fuse",
        choices=("scores", "features"),
        help="join the sequences too: average scores, or concatenate pooled vectors",
    )
    g.add_argument(
        "--slices",
        default="all",
        metavar="all|central|first|largest|middle:N",
        help="slices of each series (default: all)",
    )
    g.add_argument("--keep-blank", action="store_true", help="train and score on blank slices too")
    g.add_argument("--unit", default="slice", choices=("slice", "patient"), help="rows of the heads (default: slice)")
    g.add_argument(
        "--aggregate", default="mean", choices=AGGREGATORS, help="slice scores to patient score (default: mean)"
    )
    g = p.add_argument_group("validation")
    g.add_argument(
        "--split", default="patient", choices=("patient", "slice"), help="slice is the notebook's split, which leaks"
    )
    g.add_argument("--folds", type=at_least(2), help="default: 5")
    g.add_argument("--repeats", type=at_least(1), help="default: 1")
    g.add_argument("--split-file", type=Path, metavar="CSV", help="fixed folds: patient_id, fold and optionally repeat")
    g.add_argument(
        "--seed", type=int, default=0, help="of folds and heads (default: 0; the slice split has its own, 42)"
    )
    g.add_argument(
        "--jobs",
        type=at_least(1),
        default=os.cpu_count() or 1,
        help="folds fitted at once (default: all cores); results do not depend on it",
    )
    g = p.add_argument_group("heads")
    g.add_argument("--C", type=above_zero, default=0.01, help="inverse penalty of the logistic head (default: 0.01)")
    g.add_argument(
        "--hidden",
        type=at_least(1),
        nargs="+",
        default=[128, 64, 32, 16],
        help="layers of the dense head (default: 128 64 32 16)",
    )
    g.add_argument(
        "--optimizer",
        default="rmsprop",
        choices=("rmsprop", "adam", "sgd"),
        help="of the dense head (default: rmsprop)",
    )
    g.add_argument("--learning-rate", type=above_zero, default=5e-4, help="of the dense head (default: 5e-4)")
    g.add_argument("--batch-size", type=at_least(1), default=32, help="of the dense head (default: 32)")
    g.add_argument("--epochs", type=at_least(1), default=50, help="of the dense head, at most (default: 50)")
    p.add_argument("--version", action="version", version=__version__)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Train the heads, write the run, print the comparison."""
    args = parser().parse_args(argv)
    try:
        train(args, list(argv) if argv is not None else None)
    except ValueError as error:
        print(f"train_head.py: {error}", file=sys.stderr)
        return 2
    return 0


def train(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Join the rooms: tables from features, scores from heads, patients from evaluation."""
    from evaluation.patients import Prediction, aggregate, fuse_scores, fused_name
    from evaluation.summary import comparison_lines
    from features import labels as label_files
    from features import table as tables
    from features.hdf5 import file_sha256
    from features.provenance import provenance
    from heads import folds as fold_makers
    from heads import runs
    from heads.boosted import Boosted
    from heads.bundle import Bundle
    from heads.crossfit import cross_fit, refit
    from heads.dense import Dense
    from heads.logistic import Logistic

    check(args)
    runs.check_new(args.out, overwrite=args.overwrite)
    tables.check_slices(args.slices)
    source = tables.open_source(args.features)
    joined = label_files.join(
        source.patients,
        label_files.read_labels(
            args.labels,
            patient_column=args.patient_column,
            label_column=args.label_column,
            positive=args.positive,
            negative=args.negative,
        ),
    )
    if joined.without_row and not args.skip_unlabelled:
        raise ValueError(
            f"{args.labels} has no row for {len(joined.without_row)} patients of {args.features}, first "
            f"{joined.without_row[0]!r}. Add the labels or pass --skip-unlabelled."
        )
    say("\n".join(joined.lines))
    sequences = source.sequences if args.sequence is None else tables.named_sequences(args.sequence)
    per_patient = args.unit == "patient" or source.is_csv
    trained = []
    for sequence in sequences:
        table = tables.load(source, sequence, slices=args.slices, keep_blank=args.keep_blank).of_patients(
            list(joined.labels)
        )
        trained.append(tables.pool(table) if per_patient else table)
        if table.missing:
            say(f"  {sequence}: no usable slice in {len(table.missing)} patients: {', '.join(table.missing[:8])}")
    if args.fuse == "features":
        trained.append(tables.concatenate(trained))
    note = ""
    folds: list[fold_makers.Fold] = []
    if args.split == "slice":
        splits = {t.sequence: [fold_makers.slice_split(t.view, t.slice_id)] for t in trained}
        leaks = [fold_makers.leak(t.patient, splits[t.sequence][0]) for t in trained]
        note = fold_makers.leak_sentence(*max(leaks))
    else:
        if args.split_file:
            folds = fold_makers.file_folds(args.split_file, joined.labels)
        else:
            folds, fold_note = fold_makers.patient_folds(
                joined.labels, folds=args.folds or 5, repeats=args.repeats or 1, seed=args.seed
            )
            if fold_note:
                say(f"  note: {fold_note}")
        splits = {t.sequence: fold_makers.row_splits(folds, t.patient, t.view) for t in trained}
    known: dict[str, Any] = {
        "logistic": Logistic(C=args.C),
        "boosted": Boosted(),
        "dense": Dense(tuple(args.hidden), args.optimizer, args.learning_rate, args.batch_size, args.epochs),
    }
    heads = [known[name] for name in dict.fromkeys(args.head)]
    results = cross_fit(heads, trained, joined.labels, splits, seed=args.seed, jobs=args.jobs)
    fitted = refit(heads, trained, joined.labels, seed=args.seed, jobs=args.jobs)

    run = args.out.name
    by_name = {t.sequence: t for t in trained}
    predictions: list[Prediction] = []
    slice_rows, curve_rows = [], []
    for r in results:
        table = by_name[r.sequence]
        where = (run, r.head, r.sequence, r.repeat, r.fold)
        for patient, score, n in aggregate(r.scores, table.patient[r.rows], args.aggregate):
            predictions.append(Prediction(*where, patient, joined.labels[patient], score, n))
        for row, score in zip(r.rows, r.scores, strict=True):
            patient = table.patient[row]
            slice_rows.append((*where, patient, joined.labels[patient], table.slice_id[row], score))
        for c in r.curve:
            curve_rows.append(
                (*where, int(c["epoch"]), c["loss"], c["accuracy"], c.get("val_loss", ""), c.get("val_accuracy", ""))
            )
    if args.fuse == "scores":
        predictions += fuse_scores(predictions, sequences)
    about = {
        "format": "mgmt-radiogenomics/run",
        "format_version": 1,
        "run": run,
        "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        "seed": args.seed,
        "label": joined.lines[0],
        "question": joined.question,
        "join": joined.lines,
        "patients": {
            "labels": joined.labels,
            "unlabelled": joined.unlabelled,
            "without_row": joined.without_row,
            "without_scans": joined.without_scans,
            "missing_sequence": {t.sequence: t.missing for t in trained},
        },
        "sequences": sequences,
        "fused": {"scores": fused_name(sequences), "features": trained[-1].sequence}.get(args.fuse),
        "split": "file" if args.split_file else args.split,
        "folds": [{"repeat": f.repeat, "fold": f.fold, "test": f.test} for f in folds],
        "leak": note or None,
        "features": {
            "file": args.features.name,
            "digest": source.digest,
            "settings": source.settings,
            "skipped": source.skipped,
        },
        "labels": {"file": args.labels.name, "sha256": file_sha256(args.labels)},
        **provenance(argv),
    }
    shared = {
        "unit": "patient" if per_patient else "slice",
        "slices": args.slices,
        "keep_blank": args.keep_blank,
        "aggregate": args.aggregate,
        "features": source.settings,
        "table_columns": by_name[sequences[0]].columns,
        "label": joined.lines[0],
        "leak": note or None,
    }
    bundles = [
        Bundle(
            f,
            {
                **shared,
                "head": head,
                "sequence": sequence,
                "parts": sequences if sequence not in sequences else [sequence],
                "train_patients": sorted(set(by_name[sequence].patient)),
                "n_columns": by_name[sequence].X.shape[1],
            },
        )
        for (head, sequence), f in fitted.items()
    ]
    runs.write_run(
        args.out, about, map(astuple, predictions), slice_rows, curve_rows, bundles, overwrite=args.overwrite
    )
    say("\n".join(comparison_lines(predictions, note)))
    say(f"\nwrote {args.out}; next: python evaluate.py {args.out} --out report")


def check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if args.fuse == "features" and args.unit != "patient":
        raise ValueError("--fuse features concatenates one vector per patient; add --unit patient")
    if args.split == "slice" and args.unit == "patient":
        raise ValueError("--split slice splits slices; it does not go with --unit patient")
    if args.split == "slice" and (args.folds or args.repeats or args.split_file):
        raise ValueError(
            "--split slice is the notebook's one 80/10/10 split; it takes no --folds, --repeats or --split-file"
        )
    if args.split_file and (args.folds or args.repeats):
        raise ValueError("--split-file fixes the folds; it takes no --folds or --repeats")


def say(text: str) -> None:
    """Print to the user at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
