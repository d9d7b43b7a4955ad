"""An audit -> audit.html, audit.json and figures/, and what is said of it on the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from core.system.files import write_text
from core.system.provenance import provenance
from evaluation.audit.auditing import Audit
from evaluation.audit.sections import alarms, sections_of, sentences
from evaluation.report.html import write_sections
from evaluation.statistics.assess import without_nan

PAGE, DATA = "audit.html", "audit.json"


def write_audit(audit: Audit, folder: Path, argv: list[str] | None) -> list[str]:
    """Write an audit down.

    Parameters
    ----------
    audit : what was found
    folder : gets audit.html, audit.json and figures/
    argv : the command line, for the provenance; None for the one of this process

    Returns
    -------
    What the file holds, and what was found, a paragraph per entry.
    """
    sections = sections_of(audit, folder / "figures")
    verdict, origin = sentences(audit.findings), provenance(argv)
    content = {
        "format": "mgmt-radiogenomics/audit",
        "format_version": 1,
        "file": audit.predictions.name,
        "verdict": verdict,
        **{s.key.removeprefix("audit_"): without_nan(s.data) for s in sections},
        "provenance": origin,
    }
    write_text(folder / DATA, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")
    # each sentence once on the page, alarms in the section that is about them too
    lead = sentences(finding for finding in audit.findings if not finding.kind.alarm)
    title = f"Audit of {audit.predictions.name}"
    write_sections(folder / PAGE, title, lead, sections, origin, alarms(audit.findings))
    return _said(sections[0].words, verdict)


def _said(rows: Sequence[str], verdict: Sequence[str]) -> list[str]:
    return [*rows, "", *verdict]
