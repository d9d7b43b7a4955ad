"""Assessments -> report.json and one self-contained report.html."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.assess import Assessment
from evaluation.compare import Comparison
from evaluation.figures import Drawing
from evaluation.metrics import METRICS
from evaluation.runs import Run
from evaluation.summary import interval_text, number


def leaks_of(runs: Sequence[Run]) -> dict[str, str]:
    """{run: its leak in words}, of the runs that leak."""
    return {r.name: r.about["leak"] for r in runs if r.about.get("leak")}


def has_random_weights(runs: Sequence[Run]) -> bool:
    """Whether any run was trained on features of an untrained network."""
    return any(r.about["features"]["settings"].get("weights") == "random" for r in runs)


def write_json(
    path: Path,
    assessments: Sequence[Assessment],
    runs: Sequence[Run],
    verdict: Sequence[str],
    pairs: Sequence[Comparison],
    provenance: dict[str, Any],
) -> None:
    """Everything that the report says, for programs."""
    content = {
        "format": "mgmt-radiogenomics/report",
        "format_version": 1,
        "verdict": list(verdict),
        "leaks": leaks_of(runs),
        "random_weights": has_random_weights(runs),
        "comparisons": [{**vars(c), "verdict": c.verdict} for c in pairs],
        "results": [a.as_dict() for a in assessments],
        "runs": {r.name: {k: v for k, v in r.about.items() if k != "folds"} for r in runs},
        "provenance": provenance,
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def write_scores_json(
    path: Path, results: Sequence[Assessment], warning: str, digest: str, provenance: dict[str, Any]
) -> None:
    """The metrics of fitted heads on new patients, for programs."""
    content = {
        "format": "mgmt-radiogenomics/scores",
        "format_version": 1,
        "warning": warning or None,
        "features_digest": digest,
        "results": [a.as_dict() for a in results],
        "provenance": provenance,
    }
    path.write_text(json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")


def write_html(
    path: Path,
    assessments: Sequence[Assessment],
    runs: Sequence[Run],
    verdict: Sequence[str],
    overview: Drawing,
    panels: dict[tuple[str, str, str], Drawing],
    training: Sequence[Drawing],
    pairs: Sequence[Comparison],
    provenance: dict[str, Any],
) -> None:
    """The report as one file that opens offline; every value is escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"interval": interval_text, "number": number, "shell": _shell}
    slices = {(a.run, a.head, a.sequence): a for a in assessments if a.level == "slice"}
    page = environment.get_template("report.html.jinja").render(
        verdict=verdict,
        questions=list(dict.fromkeys(r.about["question"] for r in runs)),
        leaks=leaks_of(runs),
        random_weights=has_random_weights(runs),
        patients=[a for a in assessments if a.level == "patient"],
        slices=slices,
        metrics={name: title for name, (title, _, _) in METRICS.items()},
        runs=runs,
        cohorts=[_cohort(r) for r in runs],
        overview=overview,
        panels=panels,
        training=training,
        pairs=pairs,
        provenance=provenance,
    )
    path.write_text(page, encoding="utf-8")


def _shell(command: Sequence[str]) -> str:
    return shlex.join(["python", *command])


def _cohort(run: Run) -> dict[str, Any]:
    people = run.about["patients"]
    labels = people["labels"]
    return {
        "n": len(labels),
        "positive": sum(labels.values()),
        "join": run.about["join"],
        "missing": {q: who for q, who in people["missing_sequence"].items() if who},
        "skipped": run.about["features"]["skipped"],
        "settings": {
            k: v for k, v in run.about["features"]["settings"].items() if k not in ("format", "format_version")
        },
    }
