"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import argparse
import importlib.util
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
    except (ValueError, OSError) as error:
        print(f"train_head.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train_head.py: stopped; nothing was written, run the same command again", file=sys.stderr)
        return 130
    return 0


def train(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Join the rooms: tables from features, scores from heads, patients from evaluation."""
    from evaluation.patients import fuse_scores, patient_predictions
    from evaluation.summary import comparison_lines
    from features import labels as label_files
    from features import table as tables
    from heads import runs
    from heads.boosted import Boosted
    from heads.crossfit import cross_fit, refit
    from heads.dense import Dense
    from heads.logistic import Logistic

    check(args)
    runs.check_new(args.out, overwrite=args.overwrite)
    tables.check_slices(args.slices)
    source = tables.open_source(args.features)
    columns = {k: getattr(args, k) for k in ("patient_column", "label_column", "positive", "negative")}
    joined = label_files.join(source.patients, label_files.read_labels(args.labels, **columns))
    if joined.without_row and not args.skip_unlabelled:
        raise ValueError(
            f"{args.labels} has no row for {len(joined.without_row)} patients of {args.features}, first "
            f"{joined.without_row[0]!r}. Add the labels or pass --skip-unlabelled."
        )
    say("\n".join(joined.lines))

    if source.is_csv and (args.sequence or args.fuse or args.slices != "all" or args.split == "slice"):
        raise ValueError(
            f"{args.features} is a table of patients; it has no sequences and slices for --sequence, --fuse, --slices or --split slice"
        )
    sequences = source.sequences if args.sequence is None else tables.named_sequences(args.sequence)
    per_patient = args.unit == "patient" or source.is_csv
    trained = []
    for sequence in sequences:
        table = tables.load(source, sequence, slices=args.slices, keep_blank=args.keep_blank)
        table = table.of_patients(list(joined.labels))
        trained.append(tables.pool(table) if per_patient else table)
        if table.missing:
            say(f"  {sequence}: no usable slice in {len(table.missing)} patients: {', '.join(table.missing[:8])}")
    if args.fuse == "features":
        trained.append(tables.concatenate(trained))

    known: dict[str, Any] = {
        "logistic": Logistic(C=args.C),
        "boosted": Boosted(),
        "dense": Dense(tuple(args.hidden), args.optimizer, args.learning_rate, args.batch_size, args.epochs),
    }
    heads = [known[name] for name in dict.fromkeys(args.head)]
    folds, splits, leak = split(args, joined.labels, trained)
    n_fits = len(heads) * sum(len(s) + 1 for s in splits.values())
    say(f"  fitting {n_fits} times: {', '.join(h.name for h in heads)} on {', '.join(splits)}")
    results = cross_fit(heads, trained, joined.labels, splits, seed=args.seed, jobs=args.jobs)
    fitted = refit(heads, trained, joined.labels, seed=args.seed, jobs=args.jobs)
    by_name = {t.sequence: t for t in trained}
    predictions = patient_predictions(args.out.name, results, by_name, joined.labels, args.aggregate)
    if args.fuse == "scores":
        predictions += fuse_scores(predictions, sequences)

    about = {
        **describe(args, argv, source, joined, trained, leak),
        "sequences": sequences,
        "folds": [{"repeat": f.repeat, "fold": f.fold, "test": f.test} for f in folds],
    }
    shared = {
        "unit": "patient" if per_patient else "slice",
        "slices": args.slices,
        "keep_blank": args.keep_blank,
        "aggregate": args.aggregate,
        "features": source.settings,
        "table_columns": by_name[sequences[0]].columns,
        "label": joined.question,
        "leak": leak or None,
    }
    runs.write_run(
        args.out,
        about,
        map(astuple, predictions),
        runs.slice_rows(args.out.name, results, by_name, joined.labels),
        runs.curve_rows(args.out.name, results),
        runs.bundles(fitted, by_name, sequences, shared),
        fold_heads=[] if leak else runs.fold_bundles(results, by_name, sequences, shared),
        overwrite=args.overwrite,
    )
    say("\n".join(comparison_lines(predictions, leak)))
    say(f"\nwrote {args.out}; next: python evaluate.py {args.out} --out report")


def split(
    args: argparse.Namespace, labels: dict[str, int], trained: Sequence[Any]
) -> tuple[list[Any], dict[str, Any], str]:
    """The folds over patients (none for a slice split), their rows by sequence, and the leak in words ("" if none)."""
    from heads import folds as makers

    if args.split == "slice":
        by_slice = {t.sequence: makers.slice_split(t.view, t.slice_id) for t in trained}
        worst = max(makers.leak(t.patient, by_slice[t.sequence]) for t in trained)
        return [], {q: [s] for q, s in by_slice.items()}, makers.leak_sentence(*worst)
    if args.split_file:
        folds = makers.file_folds(args.split_file, labels)
    else:
        n, repeats = args.folds or 5, args.repeats or 1
        folds, note = makers.patient_folds(labels, folds=n, repeats=repeats, seed=args.seed)
        if note:
            say(f"  note: {note}")
    return folds, {t.sequence: makers.row_splits(folds, t.patient, t.view) for t in trained}, ""


def describe(
    args: argparse.Namespace, argv: list[str] | None, source: Any, joined: Any, trained: Sequence[Any], leak: str
) -> dict[str, Any]:
    """What run.json says of arguments, patients, features, labels and origin."""
    from evaluation.patients import fused_name
    from features.hdf5 import file_sha256
    from features.provenance import provenance

    parts = [t.sequence for t in trained]
    return {
        "format": "mgmt-radiogenomics/run",
        "format_version": 1,
        "run": args.out.name,
        "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        "seed": args.seed,
        "question": joined.question,
        "join": joined.lines,
        "patients": {
            "labels": joined.labels,
            "unlabelled": joined.unlabelled,
            "without_row": joined.without_row,
            "without_scans": joined.without_scans,
            "missing_sequence": {t.sequence: t.missing for t in trained},
        },
        "fused": {"scores": fused_name(parts), "features": parts[-1]}.get(args.fuse),
        "split": "file" if args.split_file else args.split,
        "leak": leak or None,
        "features": {
            "file": args.features.name,
            "digest": source.digest,
            "settings": source.settings,
            "skipped": source.skipped,
        },
        "labels": {"file": args.labels.name, "sha256": file_sha256(args.labels)},
        **provenance(argv),
    }


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
    if "dense" in args.head and importlib.util.find_spec("tensorflow") is None:
        raise ValueError(
            "the dense head needs TensorFlow: pip install -r requirements.txt, or pass --head logistic boosted"
        )
    if args.split_file and (args.folds or args.repeats):
        raise ValueError("--split-file fixes the folds; it takes no --folds or --repeats")


def say(text: str) -> None:
    """Print to the user at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
