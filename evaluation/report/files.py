"""What reports say, for programs: report.json and scores.json."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from core.documents import Known
from core.leak import leak_sentence
from core.system.files import write_text
from evaluation.report.context import ReportContext
from evaluation.report.html import check_keys
from evaluation.report.performance.pairs import better_said
from evaluation.report.section import Section
from evaluation.statistics.assess import Assessment, without_nan


def write_report_json(
    path: Path,
    context: ReportContext,
    verdict: Sequence[str],
    sections: Sequence[Section],
    provenance: Known,
) -> None:
    """Everything that the report says, for programs.

    Parameters
    ----------
    path : of the file; context : of the report
    verdict : what leads; sections : those beyond the results themselves, which are written out by number
    provenance : of the program that writes it
    """
    check_keys(sections)
    results = [*context.patients, *context.by_slice]
    content = {
        "format": "mgmt-radiogenomics/report",
        "format_version": 1,
        "verdict": list(verdict),
        "leaks": {run: leak_sentence(leak) for run, leak in context.leaks.items()},
        "random_weights": context.random_weights,
        "comparisons": [{**asdict(c), "verdict": better_said(c)} for c in context.pairs],
        "results": [a.as_dict() for a in results],
        "sections": {s.key: {"words": s.words, **without_nan(s.data)} for s in sections},
        "runs": {r.name: {k: v for k, v in r.about.items() if k != "folds"} for r in context.runs},
        "provenance": dict(provenance),
    }
    _write(path, content)


def write_scores_json(
    path: Path,
    results: Sequence[Assessment],
    verdict: Sequence[str],
    warning: str,
    digest: str,
    provenance: Known,
) -> None:
    """The metrics of fitted heads on new patients, for programs; `verdict` : what they mean in words."""
    content = {
        "format": "mgmt-radiogenomics/scores",
        "format_version": 1,
        "warning": warning or None,
        "verdict": list(verdict),
        "features_digest": digest,
        "results": [a.as_dict() for a in results],
        "provenance": dict(provenance),
    }
    _write(path, content)


def _write(path: Path, content: Known) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")
