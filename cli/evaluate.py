"""Stage 3: runs/NAME ... -> report.html, report.json and figures; scores for new patients; maps of what a head uses; audits."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cli.choosing import check_combination
from cli.options import add_options, options_from
from core import __version__
from core.system.files import atomic_files
from core.system.lock import file_lock
from core.system.signals import exit_status, terminable
from evaluation.audit.options import AuditOptions
from evaluation.options import AuditedFile, ExplainOptions, Exports, Folders, NewPatientOptions, ReportOptions


def parser() -> argparse.ArgumentParser:
    """The options of stage 3."""
    p = argparse.ArgumentParser(prog="evaluate.py", description=__doc__)
    add_options(p, Folders, ReportOptions, Exports, NewPatientOptions, AuditedFile, AuditOptions, ExplainOptions)
    p.add_argument("--version", action="version", version=__version__)
    return p


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Report on runs, score new patients, explain scores, or audit somebody else's predictions."""
    args = parser().parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        check_combination(args)
        with file_lock(args.out):
            run(args, list(argv) if argv is not None else None)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("evaluate.py: stopped; run the same command again", file=sys.stderr)
        return exit_status(stop)
    return 0


def run(args: argparse.Namespace, given: list[str] | None) -> None:
    """Do the one of the four things that is asked for; imported here, so that --help is quick."""
    if args.cache:
        from cli.scoring import score

        score(args.runs, options_from(NewPatientOptions, args), given, args.out)
        return
    with atomic_files(args.out) as new:
        if args.audit:
            from cli.auditing import audit_options, run_audit

            said = run_audit(audit_options(args), given, new, args.out)
        elif args.explain:
            from cli.reporting import explain_scores

            said = explain_scores(args.runs[0], options_from(ExplainOptions, args), given, new, args.out)
        else:
            from cli.reporting import report

            options = options_from(ReportOptions, args), options_from(Exports, args)
            said = report(args.runs, *options, given, new, args.out)
    print(said)
