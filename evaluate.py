"""Stage 3: runs/NAME ... -> report.html, report.json and figures; scores for new patients; maps of what a head uses; audits."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from cli.options import typed
from core import __version__
from core.files import atomic_files
from core.lock import file_lock
from core.options import at_least
from core.signals import exit_status, terminable


def parser() -> argparse.ArgumentParser:
    """The options of stage 3."""
    p = argparse.ArgumentParser(prog="evaluate.py", description=__doc__)
    p.add_argument("runs", nargs="*", type=Path, metavar="runs/NAME", help="folders that train_head.py wrote")
    p.add_argument("--out", type=Path, default=Path("report"), help="folder to write to (default: report)")
    p.add_argument(
        "--threshold", default="0.5", choices=("0.5", "youden"), help="youden: chosen on the other folds (default: 0.5)"
    )
    p.add_argument(
        "--recalibrate",
        default="none",
        choices=("none", "platt", "isotonic"),
        help="map scores to probabilities for the calibration part, fitted on the other folds (default: none)",
    )
    p.add_argument(
        "--replicates", type=typed(at_least(1)), default=2000, help="of the bootstrap over patients (default: 2000)"
    )
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    p.add_argument(
        "--export-stamp", type=Path, metavar="DIR", help="write the predictions as STAMP's statistics read them, too"
    )
    g = p.add_argument_group("somebody else's predictions")
    g.add_argument("--audit", type=Path, metavar="PREDICTIONS.csv", help="look for leaks and optimism in these")
    g.add_argument("--splits", type=Path, nargs="+", metavar="SPLITS", help="split files of CLAM or STAMP, or a list")
    g.add_argument("--slides", type=Path, metavar="TABLE.csv", help="the patient of each slide, for ids of slides")
    g.add_argument("--score-column", metavar="NAME", help="score column (recognised: score, p_1, <label>_1, ...)")
    g.add_argument("--fold-column", metavar="NAME", help="column of folds (recognised: fold, split, set, subset)")
    g = p.add_argument_group("new patients")
    g.add_argument("--cache", type=Path, metavar="other.h5", help="apply the fitted heads to these features")
    g.add_argument("--labels", type=Path, metavar="other.csv", help="labels of the new patients, for metrics")
    g.add_argument("--patient-column", metavar="NAME")
    g.add_argument("--label-column", metavar="NAME")
    g.add_argument("--positive", metavar="VALUE")
    g.add_argument("--negative", metavar="VALUE")
    g.add_argument("--head", help="only this head (with --explain too)")
    g.add_argument("--sequence", help="only this sequence (with --explain too), or the fused one as the run names it")
    g.add_argument(
        "--submission",
        type=Path,
        metavar="submission.csv",
        help="write a challenge submission (one head, one sequence)",
    )
    g.add_argument("--sample", type=Path, metavar="sample_submission.csv", help="the ids asked for, in their order")
    g.add_argument("--missing-score", type=float, metavar="P", help="what to submit for an id without a score")
    g.add_argument("--allow-trained", action="store_true", help="score patients that the heads were trained on, too")
    g = p.add_argument_group("what a head uses")
    g.add_argument(
        "--explain", nargs="+", metavar="PATIENT", help="draw the maps of the logistic head's out-of-fold scores"
    )
    g.add_argument("--cohort", type=Path, metavar="DIR", help="the folder that the features were extracted from")
    g.add_argument("--weights", metavar="FILE", help="of the network, where it is not found as stage 1 found it")
    p.add_argument("--version", action="version", version=__version__)
    return p


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Report on runs, score new patients, or explain scores."""
    args = parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        check(args)
        given = list(argv) if argv is not None else None
        with file_lock(args.out):
            if args.cache:
                from cli.scoring import score

                score(args, given)
            else:
                with atomic_files(args.out) as out:
                    said = behind(args)(args, given, out)
                print(said)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("evaluate.py: stopped; run the same command again", file=sys.stderr)
        return exit_status(stop)
    return 0


def behind(args: argparse.Namespace) -> Callable[[argparse.Namespace, list[str] | None, Path], str]:
    """The one of the things that this door writes to a folder."""
    if args.audit:
        from cli.auditing import audit

        return audit
    if args.explain:
        from cli.explaining import explain

        return explain
    from cli.reporting import report

    return report


def check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if not args.runs and not args.audit:
        raise ValueError("no runs; name the folders that train_head.py wrote, or --audit somebody else's predictions")
    if args.audit and (args.runs or args.cache or args.explain or args.export_stamp):
        raise ValueError("--audit looks at one CSV; leave out runs, --cache, --explain and --export-stamp")
    for name in ("splits", "slides", "score_column", "fold_column"):
        if getattr(args, name) is not None and not args.audit:
            raise ValueError(f"--{name.replace('_', '-')} goes with --audit PREDICTIONS.csv")
    if args.export_stamp and args.cache:
        raise ValueError("--export-stamp writes the predictions of runs; leave --cache out")
    if bool(args.explain) != bool(args.cohort):
        raise ValueError("--explain PATIENT and --cohort DIR go together: the maps are drawn over the patient's images")
    if args.explain and (args.cache or len(args.runs) > 1):
        raise ValueError("--explain takes one run and no --cache: it explains out-of-fold scores of the run itself")
    if args.weights and not args.explain:
        raise ValueError("--weights is for --explain; elsewhere no network runs")
    for name in ("labels", "head", "sequence", "submission", "sample", "missing_score", "allow_trained"):
        here = args.cache or (args.explain and name in ("head", "sequence"))
        if getattr(args, name) not in (None, False) and not here:
            raise ValueError(f"--{name.replace('_', '-')} is for new patients; add --cache other.h5")
    for name in ("sample", "missing_score"):
        if getattr(args, name) is not None and not args.submission:
            raise ValueError(f"--{name.replace('_', '-')} is about a submission; add --submission submission.csv")
    if args.missing_score is not None and not 0 <= args.missing_score <= 1:
        raise ValueError(f"--missing-score {args.missing_score:g}; expected a probability, 0 to 1")
    if (args.out / "run.json").exists():
        raise ValueError(f"--out {args.out} is a run; reports go to a folder of their own")
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out {args.out} is a file; expected a folder")


if __name__ == "__main__":
    sys.exit(main())
