"""Sections -> report.json and one self-contained report.html."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.files import write_text
from core.text import number
from evaluation.read_run import Run
from evaluation.report.figures import Drawing
from evaluation.report.performance import results
from evaluation.report.section import Cell, Section, Sheet, positive
from evaluation.report.trust.provenance import cohort_section, made_by, provenance_section
from evaluation.statistics.assess import Assessment, without_nan
from evaluation.statistics.compare import Comparison


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
    sections: Sequence[Section] = (),
) -> None:
    """Everything that the report says, for programs; `sections` are those beyond the results themselves."""
    _check_keys(sections)
    _write_json(
        path,
        {
            "format": "mgmt-radiogenomics/report",
            "format_version": 1,
            "verdict": list(verdict),
            "leaks": leaks_of(runs),
            "random_weights": has_random_weights(runs),
            "comparisons": [{**vars(c), "verdict": c.verdict} for c in pairs],
            "results": [a.as_dict() for a in assessments],
            "sections": {s.key: {"words": s.words, **without_nan(s.data)} for s in sections},
            "runs": {r.name: {k: v for k, v in r.about.items() if k != "folds"} for r in runs},
            "provenance": provenance,
        },
    )


def write_scores_json(
    path: Path,
    results: Sequence[Assessment],
    verdict: Sequence[str],
    warning: str,
    digest: str,
    provenance: dict[str, Any],
) -> None:
    """The metrics of fitted heads on new patients, for programs; `verdict` : what they mean in words."""
    _write_json(
        path,
        {
            "format": "mgmt-radiogenomics/scores",
            "format_version": 1,
            "warning": warning or None,
            "verdict": list(verdict),
            "features_digest": digest,
            "results": [a.as_dict() for a in results],
            "provenance": provenance,
        },
    )


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
    sections: Sequence[Section] = (),
) -> None:
    """The report as one file that opens offline; `sections` stand between the figures of each head and the cohort."""
    leaks = leaks_of(runs)
    warnings = [
        f"{run}: {leak}. This run reproduces the notebook's slice split; its figures do not hold for a new patient."
        for run, leak in leaks.items()
    ]
    if has_random_weights(runs):
        warnings.insert(
            0,
            "RANDOM WEIGHTS: the network that made these features was never trained. No figure below says anything about MRI.",
        )
    whole = [
        results.results_section(assessments, overview, leaks),
        results.metrics_section(assessments, leaks),
        results.certainty_section(assessments, leaks),
        *([results.pairs_section(pairs)] if pairs else []),
        *([results.slices_section(assessments, leaks)] if any(a.level == "slice" for a in assessments) else []),
        results.heads_section(assessments, panels, training),
        *sections,
        cohort_section(runs),
        provenance_section(runs),
    ]
    names = ", ".join(r.name for r in runs)
    questions = list(dict.fromkeys(r.about["question"] for r in runs))
    scores = "; ".join(f"a score near 1 speaks for {positive(q)} (label 1, positive)" for q in questions)
    _write_page(
        path,
        title=f"Report: {names}",
        heading=f"What the heads can tell of {'; and of '.join(questions)}",
        subtitle=f"Runs: {names}; {scores}. Research software; not a medical device.",
        warnings=warnings,
        words=verdict,
        sections=whole,
        footer=made_by(provenance),
    )


def write_sections(
    path: Path,
    title: str,
    words: Sequence[str],
    sections: Sequence[Section],
    provenance: dict[str, Any],
    warnings: Sequence[str] = (),
) -> None:
    """A page of its own in the style of the report: `warnings` and `words` lead, `sections` follow."""
    _write_page(
        path,
        title=title,
        heading=title,
        subtitle="Research software; not a medical device.",
        warnings=warnings,
        words=words,
        sections=sections,
        footer=made_by(provenance),
    )


def _write_page(path: Path, *, sections: Sequence[Section], **texts: Any) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    _check_keys(sections)
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # fmt: skip
    environment.filters |= {
        "cell": cell_text, "alignment": _alignment, "breakable": _breakable, "anchor": _anchor, "digest": _digest
    }  # fmt: skip
    style, script = (Markup((folder / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))
    page = environment.get_template("page.html.jinja").render(style=style, script=script, sections=sections, **texts)
    write_text(path, page)


def cell_text(cell: Cell) -> str:
    """A cell as it is shown."""
    return number(cell) if cell is None or isinstance(cell, float) else str(cell).replace("< ", "<\u00a0")


def _alignment(sheet: Sheet) -> list[Any]:
    """The class attribute of each column: numbers and intervals, and words where they lack, stand to the right."""
    from markupsafe import Markup

    def kind(cell: Cell) -> str:
        text = cell_text(cell).replace("n/a", "0").replace(" to ", " ")
        return "".join(("w" * bool(re.search("[A-Za-z]", text)), "n" * bool(re.search("[0-9]", text))))

    kinds = [{kind(row[i]) for row in sheet.rows} for i in range(len(sheet.columns))]
    return [Markup(' class="n"') if i and "n" in k and "wn" not in k else "" for i, k in enumerate(kinds)]


def _breakable(text: str) -> Any:
    """A name that may be broken after each +, so that the name of a fused result does not widen its column."""
    from markupsafe import Markup, escape

    return escape(text).replace("+", Markup("+<wbr>"))


def _anchor(key: str) -> str:
    """A key as the id of an element, which takes no spaces."""
    return re.sub(r"[^\w.-]+", "-", key)


def _digest(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script, so that it lets in no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _check_keys(sections: Sequence[Section]) -> None:
    keys = [s.key for s in sections]
    assert len(keys) == len(set(keys)), f"two sections have one key: {keys}"


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")
