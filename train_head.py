"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from features import __version__
from features.arguments import above_zero, at_least
from features.lock import held
from features.stopping import exit_status, terminable

DEFAULT_PERMUTATIONS = 200
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
        "--head",
        nargs="+",
        choices=("dense", "logistic", "boosted"),
        help="default: all three; with --demonstrate-leak logistic, the quickest",
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
    g.add_argument("--repeats", type=at_least(1), help="default: 2, without which intervals are wider than need be")
    g.add_argument(
        "--tune",
        type=at_least(1),
        metavar="N",
        help="try N configurations of each head on inner folds of every fold's training patients; report what they choose",
    )
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
    g.add_argument(
        "--permutations",
        type=at_least(0),
        metavar="N",
        help="shuffle the patients' labels N times and make everything again (default: 200 for the logistic head alone, none "
        "with --tune; a number counts for all heads; 0: none)",
    )
    g.add_argument(
        "--learning-curve",
        action="store_true",
        help="besides, train on 25, 50 and 75 %% of the training patients: the logistic head, or those of --head but dense",
    )
    g.add_argument(
        "--no-shortcuts",
        action="store_true",
        help="leave out the heads on how the scans were made (slice count, plane, spacing ...), the baseline of the report",
    )
    g.add_argument(
        "--demonstrate-leak",
        type=at_least(2),
        nargs="?",
        const=20,
        metavar="DRAWS",
        help="make no run, but compare slice split and patient split under DRAWS shuffles of the labels (20 if not said)",
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


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Train the heads, write the run, print the comparison."""
    args = parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if args.learning_curve:  # the dense head is slow, and draws a curve only where it is alone
        args.learning_curve = [h for h in args.head or ["logistic"] if h != "dense"] or ["dense"]
    args.head = args.head or (["logistic"] if args.demonstrate_leak else ["dense", "logistic", "boosted"])
    try:
        from heads.runs import recover

        with held(args.out) as notes:
            recover(args.out)
            for note in notes:
                say(note)
            train(args, list(argv) if argv is not None else None)
    except (ValueError, OSError) as error:
        print(f"train_head.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("train_head.py: stopped; nothing was written, run the same command again", file=sys.stderr)
        return exit_status(stop)
    return 0


def train(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Join the rooms: tables from features, scores from heads, patients from evaluation."""
    from evaluation.patients import Prediction
    from evaluation.summary import comparison_lines
    from features import duplicates, shortcuts
    from features import labels as label_files
    from features import table as tables
    from features.fingerprint import to_arrays
    from heads import bundle, ledger, runs
    from heads.boosted import Boosted
    from heads.crossfit import refit
    from heads.dense import Dense
    from heads.folds import separated
    from heads.logistic import Logistic
    from heads.tune import INNER_FOLDS

    check(args)
    kind = {"what": "leak demonstration", "mark": "leak.json"} if args.demonstrate_leak else {}
    runs.check_new(args.out, overwrite=args.overwrite, **kind)
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

    about_slices = args.slices != "all" or args.split == "slice" or args.demonstrate_leak
    if source.is_csv and (args.sequence or args.fuse or about_slices):
        raise ValueError(
            f"{args.features} is a table of patients; it has no sequences and slices for --sequence, --fuse, --slices, "
            "--split slice or --demonstrate-leak"
        )
    sequences = source.sequences if args.sequence is None else tables.named_sequences(args.sequence)
    per_patient = args.unit == "patient" or source.is_csv
    trained, whole = [], []
    for sequence in sequences:
        options = {"patients": list(joined.labels), "keep_blank": args.keep_blank}
        table = tables.load(source, sequence, slices=args.slices, **options)
        every = table if args.slices == "all" else tables.load(source, sequence, patients=list(joined.labels))
        whole.append(every)
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
        results, predictions = cross_validate(args, joined.labels, trained, sequences, heads, splits)
        fitted = refit(heads, trained, joined.labels, seed=args.seed, jobs=args.jobs)
        tried = dict.fromkeys((p.head, p.sequence) for p in predictions)
        files = {
            "slices": runs.slice_rows(args.out.name, results, by_name, joined.labels),
            "curves": runs.curve_rows(args.out.name, results),
            "bundles": runs.bundles(fitted, by_name, sequences, shared),
            "fold_heads": [] if leak else runs.fold_bundles(results, by_name, sequences, shared),
            "ledger": ledger.plain_rows(args.out.name, tried, heads, args.slices, args.aggregate),
        }
    curve = learning_table(args, joined.labels, trained, known, folds) if args.learning_curve else {}
    shuffles = shuffled_table(args, joined.labels, trained, by_key, sequences, heads, groups)
    n_results = len({(p.head, p.sequence) for p in predictions})
    baseline = shortcut_predictions(args, source, sequences, joined.labels, heads, folds)
    predictions += baseline

    about = {
        **describe(args, argv, source, joined, trained, leak),
        "shortcuts": baseline[0].sequence if baseline else None,
        "availability": None if source.is_csv else shortcuts.availability(source),
        "sequences": sequences,
        "tuning": nested.about() if args.tune else None,
        "looks": ledger.looks(args.out, joined.labels, n_results),
        "folds": [{"repeat": f.repeat, "fold": f.fold, "test": f.test} for f in folds],
        "duplicates": {**duplicates.describe(pairs, joined.labels), "separated": separated(folds, groups)},
    }
    runs.write_run(
        args.out,
        about,
        (tuple(vars(p).values()) for p in predictions),
        files["slices"],
        files["curves"],
        bundle.marked(files["bundles"], to_arrays(fingerprints)),
        fold_heads=files["fold_heads"],
        more={"ledger.csv": (ledger.LEDGER_COLUMNS, files["ledger"]), **curve, **shuffles},
        overwrite=args.overwrite,
    )
    say("\n".join(comparison_lines(predictions, leak)))
    say(f"\nwrote {args.out}; next: python evaluate.py {args.out} --out report")


def find_duplicates(whole: Sequence[Any], labels: dict[str, int]) -> tuple[dict[str, Any], list[Any]]:
    """The fingerprints by sequence, and the pairs of patients that share images, which are told."""
    from features import duplicates
    from features.fingerprint import fingerprint

    started = time.monotonic()
    fingerprints = {t.sequence: fingerprint(t) for t in whole}
    pairs = duplicates.duplicate_patients(fingerprints)
    say("\n".join(duplicates.lines(pairs, labels, time.monotonic() - started, of_rows=bool(whole[0].columns))))
    return fingerprints, pairs


def cross_validate(
    args: argparse.Namespace,
    labels: dict[str, int],
    trained: Sequence[Any],
    sequences: list[str],
    heads: Sequence[Any],
    splits: dict[str, Any],
) -> tuple[list[Any], list[Any]]:
    """The untuned heads out of fold: scores of rows, and of patients with the fused ones."""
    from evaluation.patients import fuse_scores, patient_predictions
    from heads.crossfit import cross_fit

    results = cross_fit(heads, trained, labels, splits, seed=args.seed, jobs=args.jobs)
    by_name = {t.sequence: t for t in trained}
    predictions = patient_predictions(args.out.name, results, by_name, labels, args.aggregate)
    return results, predictions + (fuse_scores(predictions, sequences) if args.fuse == "scores" else [])


def tuning_tables(
    args: argparse.Namespace, source: Any, labels: dict[str, int], trained: Sequence[Any], sequences: list[str]
) -> dict[tuple[str, str], Any]:
    """{(sequence, slices): table} to choose from, the default ones first; other slices only where rows are slices."""
    from features import table as tables
    from heads.space import SLICES

    by_key = {(t.sequence, args.slices): t for t in trained}
    if args.unit == "slice" and not source.is_csv:
        for sequence, slices in [(q, s) for s in SLICES if s != args.slices for q in sequences]:
            options = {"patients": list(labels), "keep_blank": args.keep_blank}
            by_key[sequence, slices] = tables.load(source, sequence, slices=slices, **options)
    return by_key


def tune_heads(
    args: argparse.Namespace,
    labels: dict[str, int],
    by_key: dict[tuple[str, str], Any],
    sequences: list[str],
    heads: Sequence[Any],
    folds: Sequence[Any],
    groups: dict[str, str],
) -> Any:
    """What every head chooses on inner folds; aggregators are choices where slice selections are."""
    from evaluation import metrics
    from evaluation.patients import aggregate
    from heads.nested import Nested
    from heads.tune import Measures, tune

    several = len({slices for _, slices in by_key}) > 1
    aggregators = [args.aggregate, *(a for a in AGGREGATORS if several and a != args.aggregate)]
    measures = Measures(aggregate, metrics.auc, metrics.log_loss, metrics.youden_threshold)
    options = {"draws": args.tune, "seed": args.seed, "jobs": args.jobs, "groups": groups}
    choices = tune(heads, by_key, labels, folds, aggregators, measures=measures, **options)
    return Nested(args.out.name, choices, by_key, labels, sequences)


def shuffled_table(
    args: argparse.Namespace,
    labels: dict[str, int],
    trained: Sequence[Any],
    by_key: dict[tuple[str, str], Any],
    sequences: list[str],
    heads: Sequence[Any],
    groups: dict[str, str],
) -> dict[str, Any]:
    """permutations.csv: the AUC of each result under shuffled labels, everything made again; empty without shuffles.

    The untuned logistic head goes through `heads.permute`, many at a time; other heads only where a number was asked for.
    """
    import numpy as np

    from evaluation.patients import AGGREGATORS as POOLS
    from evaluation.patients import Prediction, fused_name
    from evaluation.permutation import COLUMNS, FILE, mean_fold_auc, rows_of
    from evaluation.runs import group
    from heads.folds import fold_matrix, row_splits
    from heads.permute import average, logistic_scores, shuffled_labels

    batched = [h for h in heads if h.name == "logistic" and not args.tune]
    others = [] if args.permutations is None else [h for h in heads if h not in batched]
    n = DEFAULT_PERMUTATIONS if args.permutations is None and batched else args.permutations
    if not n or args.split == "slice":
        return {}
    names = ", ".join(h.name for h in [*batched, *others])
    say(f"  shuffling the labels {n} times: {names}{' (slow)' * bool(others)}")
    draws = [(d, patient_folds_of(args, d, groups)[0]) for d in [labels, *shuffled_labels(labels, n, args.seed)]]
    patients = sorted(labels)
    facts = [(np.array([d[p] for p in patients]), fold_matrix(folds, patients)) for d, folds in draws]
    rows: list[tuple[Any, ...]] = []
    for head in batched:
        found = {t.sequence: logistic_scores(head, t, draws, patients, POOLS[args.aggregate]) for t in trained}
        if args.fuse == "scores":
            found[fused_name(sequences)] = average([found[q] for q in sequences])
        for sequence, scores in found.items():
            each = ((y, s, fold) for (y, fold), s in zip(facts, scores, strict=True))
            rows += rows_of(args.out.name, head.name, sequence, each)
    for k, (d, folds) in enumerate(draws if others else []):
        if args.tune:
            nested = tune_heads(args, d, by_key, sequences, others, folds, groups)
            predictions = [Prediction(*row) for row in nested.patient_rows()]
        else:
            splits = {t.sequence: row_splits(folds, t.patient, t.view) for t in trained}
            _, predictions = cross_validate(args, d, trained, sequences, others, splits)
        rows += [(*s.key, k, mean_fold_auc(s.y, s.scores, s.fold)) for s in group(predictions)]
    return {FILE: (COLUMNS, rows)}


def learning_table(
    args: argparse.Namespace,
    labels: dict[str, int],
    trained: Sequence[Any],
    known: dict[str, Any],
    folds: Sequence[Any],
) -> dict[str, Any]:
    """learning.csv: the chosen heads on the same folds with fewer training patients."""
    from evaluation.learning import TABLE, patient_auc
    from heads.learning import LEARNING_COLUMNS, SHARES, learning_curve

    heads = [known[name] for name in dict.fromkeys(args.learning_curve)]
    by_name = {t.sequence: t for t in trained}
    say(f"  learning curve: {len(SHARES)} sizes, {', '.join(h.name for h in heads)} on {', '.join(by_name)}")
    rows = learning_curve(
        args.out.name, heads, trained, labels, folds, seed=args.seed, jobs=args.jobs,
        score=lambda r: patient_auc(r, by_name[r.sequence], labels, args.aggregate),
    )  # fmt: skip
    return {TABLE: (LEARNING_COLUMNS, rows)}


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
    from evaluation import leakage
    from evaluation.leakage_section import leakage_section, write_json
    from evaluation.report import write_sections
    from evaluation.submission import write_csv
    from heads import leakage as demonstrator
    from heads import runs

    draws = args.demonstrate_leak
    names = ", ".join(h.name for h in heads)
    say(f"  {names} on {', '.join(t.sequence for t in trained)}, {draws} shuffles of the labels")
    options = {"draws": draws, "folds": args.folds or 5, "seed": args.seed, "jobs": args.jobs}
    trials = demonstrator.demonstrate(heads, trained, joined.labels, persons=groups, **options)
    rows = leakage.measure(trials, {t.sequence: t for t in trained}, args.aggregate)
    verdicts = leakage.flag(rows)
    headline, about = leakage.headline(verdicts), describe(args, argv, source, joined, trained, "")
    positives = sum(joined.labels.values())
    with runs.published(args.out) as folder:
        section = leakage_section(rows, folder, min(positives, len(joined.labels) - positives))
        write_csv(folder / "leak.csv", leakage.csv_rows(rows))
        write_json(folder / "leak.json", about, section)
        write_sections(folder / "leak.html", "The leak demonstration", [headline], [section], about)
    say("\n".join([*leakage.table_lines(verdicts), "", headline, *section.words]))
    say(f"\nwrote {args.out}; look at {args.out / 'leak.html'}")


def split(
    args: argparse.Namespace, labels: dict[str, int], trained: Sequence[Any], groups: dict[str, str]
) -> tuple[list[Any], dict[str, Any], str]:
    """The folds over patients (none for a slice split), their rows by sequence, and the leak in words ("" if none)."""
    from heads import folds as makers

    if args.split == "slice":
        by_slice = {t.sequence: makers.slice_split(t.view, t.slice_id) for t in trained}
        worst = max(makers.leak(t.patient, by_slice[t.sequence]) for t in trained)
        return [], {q: [s] for q, s in by_slice.items()}, makers.leak_sentence(*worst)
    folds, note = patient_folds_of(args, labels, groups)
    if note:
        say(f"  note: {note}")
    if apart := makers.separated(folds, groups):
        say(f"  LEAKS: {args.split_file} puts patients that share images into different folds: {', '.join(apart[:8])}")
    return folds, {t.sequence: makers.row_splits(folds, t.patient, t.view) for t in trained}, ""


def patient_folds_of(args: argparse.Namespace, labels: dict[str, int], groups: dict[str, str]) -> tuple[list[Any], str]:
    """The folds that the options ask for, and a note ("" if there is none)."""
    from heads import folds as makers

    if args.split_file:
        return makers.file_folds(args.split_file, labels), ""
    options = {"folds": args.folds or 5, "repeats": args.repeats or 2, "seed": args.seed}
    return makers.patient_folds(labels, groups=groups, **options)


def shortcut_predictions(
    args: argparse.Namespace,
    source: Any,
    sequences: Sequence[str],
    labels: dict[str, int],
    heads: Sequence[Any],
    folds: Sequence[Any],
) -> list[Any]:
    """Scores of heads that know how the scans were made and see no image, over the same folds; empty without any.

    They are a baseline: never fused, never saved, and the dense head is not among them.
    """
    from evaluation.patients import patient_predictions
    from features.shortcuts import shortcut_table
    from heads.crossfit import cross_fit
    from heads.folds import row_splits

    light = [h for h in heads if h.name != "dense"]
    if args.no_shortcuts or source.is_csv or args.split == "slice" or not light:
        return []
    table = shortcut_table(source, sequences).of_patients(list(labels))
    splits = {table.sequence: row_splits(folds, table.patient, table.view)}
    results = cross_fit(light, [table], labels, splits, seed=args.seed, jobs=args.jobs)
    return patient_predictions(args.out.name, results, {table.sequence: table}, labels, "mean")


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
    of_runs = args.split_file or args.repeats or args.fuse or args.tune or args.permutations
    if args.demonstrate_leak and (args.split == "slice" or args.unit == "patient" or of_runs):
        raise ValueError(
            "--demonstrate-leak runs both splits over slices, with folds of its own; it takes no --split, --split-file, "
            "--repeats, --unit patient, --fuse, --tune or --permutations"
        )
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
    if args.tune and (args.split == "slice" or args.fuse == "scores"):
        raise ValueError("--tune chooses one sequence on folds of patients; it takes no --split slice or --fuse scores")
    if args.learning_curve and (args.split == "slice" or args.tune or args.demonstrate_leak):
        raise ValueError(
            "--learning-curve trains the heads as given on folds of patients; it takes no --split slice, --tune or --demonstrate-leak"
        )
    if args.split_file and (args.folds or args.repeats):
        raise ValueError("--split-file fixes the folds; it takes no --folds or --repeats")


def say(text: str) -> None:
    """Print to the user at once, also into a pipe."""
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
