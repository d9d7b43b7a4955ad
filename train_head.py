"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.options import typed
from core import __version__
from core.aggregate import AGGREGATORS
from core.lock import file_lock
from core.options import above_zero, at_least
from core.signals import exit_status, terminable

PLANES = ("axial", "coronal", "sagittal", "unknown")


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
    g.add_argument(
        "--plane",
        nargs="+",
        choices=PLANES,
        metavar="P",
        help=f"only slices of these planes: {', '.join(PLANES)} (default: all)",
    )
    g.add_argument("--keep-blank", action="store_true", help="train and score on blank slices too")
    g.add_argument("--unit", default="slice", choices=("slice", "patient"), help="rows of the heads (default: slice)")
    g.add_argument(
        "--aggregate", default="mean", choices=tuple(AGGREGATORS), help="slice scores to patient score (default: mean)"
    )
    g = p.add_argument_group("validation")
    g.add_argument(
        "--split", default="patient", choices=("patient", "slice"), help="slice is the notebook's split, which leaks"
    )
    g.add_argument("--folds", type=typed(at_least(2)), help="default: 5")
    g.add_argument(
        "--repeats", type=typed(at_least(1)), help="default: 2, without which intervals are wider than need be"
    )
    g.add_argument(
        "--tune",
        type=typed(at_least(1)),
        metavar="N",
        help="try N configurations of each head on inner folds of every fold's training patients; report what they choose",
    )
    g.add_argument("--split-file", type=Path, metavar="CSV", help="fixed folds: patient_id, fold and optionally repeat")
    g.add_argument(
        "--seed", type=int, default=0, help="of folds and heads (default: 0; the slice split has its own, 42)"
    )
    g.add_argument(
        "--jobs",
        type=typed(at_least(1)),
        default=os.cpu_count() or 1,
        help="folds fitted at once (default: all cores); results do not depend on it",
    )
    g.add_argument(
        "--permutations",
        type=typed(at_least(0)),
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
        type=typed(at_least(2)),
        nargs="?",
        const=20,
        metavar="DRAWS",
        help="make no run, but compare slice split and patient split under DRAWS shuffles of the labels (20 if not said)",
    )
    g = p.add_argument_group("heads")
    g.add_argument(
        "--C", type=typed(above_zero), default=0.01, help="inverse penalty of the logistic head (default: 0.01)"
    )
    g.add_argument(
        "--hidden",
        type=typed(at_least(1)),
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
    g.add_argument("--learning-rate", type=typed(above_zero), default=5e-4, help="of the dense head (default: 5e-4)")
    g.add_argument("--batch-size", type=typed(at_least(1)), default=32, help="of the dense head (default: 32)")
    g.add_argument("--epochs", type=typed(at_least(1)), default=50, help="of the dense head, at most (default: 50)")
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
        from cli.training import train
        from core.files import recover

        check(args)
        with file_lock(args.out) as notes:
            recover(args.out)
            for note in notes:
                print(note, flush=True)
            train(args, list(argv) if argv is not None else None)
    except (ValueError, OSError) as error:
        print(f"train_head.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("train_head.py: stopped; nothing was written, run the same command again", file=sys.stderr)
        return exit_status(stop)
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
