"""Somebody else's predictions -> audit.html, audit.json and figures/."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path

from evaluation.audit.options import AuditOptions


def audit_options(given: argparse.Namespace) -> AuditOptions:
    """The options of an audit, from what was given at the door that has them among others."""
    named = {f.name: getattr(given, f.name) for f in fields(AuditOptions) if f.name != "predictions"}
    return AuditOptions(predictions=given.audit, **named)


def run_audit(options: AuditOptions, argv: list[str] | None, new: Path, out: Path) -> str:
    """Audit a file, and write what was found into `new`, which becomes `out`; what to print."""
    from evaluation.audit.auditing import audit
    from evaluation.audit.pages import PAGE, write_audit

    replaced = " (in place of the audit that was there)" if (out / PAGE).exists() else ""
    return "\n".join([*write_audit(audit(options), new, argv), "", f"audit: {out / PAGE}{replaced}"])
