"""Somebody else's predictions -> audit.html, audit.json and figures/."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from evaluation.audit.options import AuditOptions


def run_audit(options: AuditOptions, out: Path, argv: list[str] | None, shown: Path | None = None) -> list[str]:
    """Audit a file and write what was found.

    Parameters
    ----------
    options : which file, which splits, which columns
    out : the folder to write to
    argv : the command line, for the provenance; None for the one of this process
    shown : the folder that the user named, where `out` is a temporary one that takes its place

    Returns
    -------
    What to print, line by line.

    Raises
    ------
    ValueError : a file that is not there or is not understood
    """
    from evaluation.audit.auditing import audit
    from evaluation.audit.pages import PAGE, write_audit

    page = (shown or out) / PAGE
    replaced = " (in place of the audit that was there)" if page.exists() else ""
    return [*write_audit(audit(options), out, argv), "", f"audit: {page}{replaced}"]


def audit_options(given: argparse.Namespace) -> AuditOptions:
    """The options of an audit, from what was given at the door that has them among others."""
    named = {f.name: getattr(given, f.name) for f in fields(AuditOptions) if f.name != "predictions"}
    return AuditOptions(predictions=given.audit, **named)


def audit(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """Somebody else's predictions -> audit.html, audit.json and figures/; what to print."""
    return "\n".join(run_audit(audit_options(args), out, argv, shown=args.out))
