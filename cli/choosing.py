"""Which of the things that evaluate.py does is asked for, and options that contradict each other."""

from __future__ import annotations

import argparse

from core.options import options_of
from evaluation.audit.options import AuditOptions
from evaluation.options import AUDIT, NewCache, OneResult, Submission

NEW_PATIENTS_ONLY = [f.name for c in (NewCache, OneResult, Submission) for f, _ in options_of(c) if f.name != "cache"]
SUBMISSION_ONLY = [f.name for f, _ in options_of(Submission) if f.name not in ("submission", "allow_trained")]
AUDIT_ONLY = [f.name for f, about in options_of(AuditOptions) if about.group == AUDIT]


def check_combination(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other, with a ValueError."""
    from evaluation.api import check_out  # numpy takes a while, and --help needs none

    if not args.runs and not args.audit:
        raise ValueError("no runs; name the folders that train_head.py wrote, or --audit somebody else's predictions")
    _check_audit(args)
    _check_explain(args)
    _check_new_patients(args)
    check_out(args.out)


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
