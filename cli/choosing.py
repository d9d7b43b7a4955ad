"""Which of the things that evaluate.py does is asked for, and options that contradict each other."""

from __future__ import annotations

import argparse

NEW_PATIENTS_ONLY = ("labels", "head", "sequence", "submission", "sample", "missing_score", "allow_trained")
SUBMISSION_ONLY = ("sample", "missing_score")
AUDIT_ONLY = ("splits", "slides", "score_column", "fold_column")


def check_choices(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other, with a ValueError."""
    if not args.runs and not args.audit:
        raise ValueError("no runs; name the folders that train_head.py wrote, or --audit somebody else's predictions")
    _check_audit(args)
    _check_explain(args)
    _check_new_patients(args)
    if (args.out / "run.json").exists():
        raise ValueError(f"--out {args.out} is a run; reports go to a folder of their own")
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out {args.out} is a file; expected a folder")


def _check_audit(args: argparse.Namespace) -> None:
    if args.audit and (args.runs or args.cache or args.explain or args.export_stamp):
        raise ValueError("--audit looks at one CSV; leave out runs, --cache, --explain and --export-stamp")
    for name in AUDIT_ONLY:
        if getattr(args, name) is not None and not args.audit:
            raise ValueError(f"{_flag(name)} goes with --audit PREDICTIONS.csv")
    if args.export_stamp and args.cache:
        raise ValueError("--export-stamp writes the predictions of runs; leave --cache out")


def _check_explain(args: argparse.Namespace) -> None:
    if bool(args.explain) != bool(args.cohort):
        raise ValueError("--explain PATIENT and --cohort DIR go together: the maps are drawn over the patient's images")
    if args.explain and (args.cache or len(args.runs) > 1):
        raise ValueError("--explain takes one run and no --cache: it explains out-of-fold scores of the run itself")
    if args.weights and not args.explain:
        raise ValueError("--weights is for --explain; elsewhere no network runs")


def _check_new_patients(args: argparse.Namespace) -> None:
    for name in NEW_PATIENTS_ONLY:
        here = args.cache or (args.explain and name in ("head", "sequence"))
        if getattr(args, name) not in (None, False) and not here:
            raise ValueError(f"{_flag(name)} is for new patients; add --cache other.h5")
    for name in SUBMISSION_ONLY:
        if getattr(args, name) is not None and not args.submission:
            raise ValueError(f"{_flag(name)} is about a submission; add --submission submission.csv")
    if args.missing_score is not None and not 0 <= args.missing_score <= 1:
        raise ValueError(f"--missing-score {args.missing_score:g}; expected a probability, 0 to 1")


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
