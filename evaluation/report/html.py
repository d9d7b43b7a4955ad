"""Sections -> one self-contained report.html that opens offline."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.documents import Known
from core.leak import leak_sentence
from core.system.files import write_text
from core.text import number
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet
from evaluation.report.trust.provenance import made_by
from evaluation.run_facts import question_of

if TYPE_CHECKING:
    from markupsafe import Markup

RANDOM_WEIGHTS = (
    "RANDOM WEIGHTS: the network that made these features was never trained. No figure below says anything about MRI."
)


def write_html(
    path: Path,
    context: ReportContext,
    verdict: Sequence[str],
    sections: Sequence[Section],
    provenance: Known,
) -> None:
    """The report as one file that opens offline.

    Parameters
    ----------
    path : of the file; context : of the report
    verdict : what leads; sections : what follows, in order
    provenance : of the program that writes it
    """
    warnings = [RANDOM_WEIGHTS] if context.random_weights else []
    warnings += [
        f"{run}: {leak_sentence(leak)}. This run reproduces the notebook's slice split; its figures do not hold for a new patient."
        for run, leak in context.leaks.items()
    ]
    names = ", ".join(r.name for r in context.runs)
    questions = list(dict.fromkeys(question_of(r) for r in context.runs))
    scores = "; ".join(f"a score near 1 speaks for {q.outcome} (label 1, positive)" for q in questions)
    _write_page(
        path,
        title=f"Report: {names}",
        heading=f"What the heads can tell of {'; and of '.join(str(q) for q in questions)}",
        subtitle=f"Runs: {names}; {scores}. Research software; not a medical device.",
        warnings=warnings,
        words=verdict,
        sections=sections,
        footer=made_by(provenance),
    )


def write_sections(
    path: Path,
    title: str,
    words: Sequence[str],
    sections: Sequence[Section],
    provenance: Known,
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


def _write_page(path: Path, *, sections: Sequence[Section], **texts: str | Sequence[str]) -> None:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    check_keys(sections)
    folder = Path(__file__).parent / "templates"
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "cell": cell_text,
        "alignment": _alignment,
        "breakable": _breakable,
        "anchor": _anchor,
        "digest": _digest,
    }
    style, script = (Markup((folder / name).read_text(encoding="utf-8")) for name in ("page.css", "page.js"))
    page = environment.get_template("page.html.jinja").render(style=style, script=script, sections=sections, **texts)
    write_text(path, page)


def cell_text(cell: Cell) -> str:
    """A cell as it is shown."""
    return number(cell) if cell is None or isinstance(cell, float) else str(cell).replace("< ", "<\u00a0")


def _alignment(sheet: Sheet) -> list[Markup | str]:
    """The class attribute of each column: numbers and intervals, and words where they lack, stand to the right."""
    from markupsafe import Markup

    kinds = [{_kind(row[i]) for row in sheet.rows} for i in range(len(sheet.columns))]
    return [Markup(' class="n"') if i and "n" in k and "wn" not in k else "" for i, k in enumerate(kinds)]


def _kind(cell: Cell) -> str:
    """What is in a cell: 'w' words, 'n' numbers, 'wn' both."""
    text = cell_text(cell).replace("n/a", "0").replace(" to ", " ")
    return ("w" if re.search("[A-Za-z]", text) else "") + ("n" if re.search("[0-9]", text) else "")


def _breakable(text: str) -> Markup:
    """A name that may be broken after each +, so that the name of a fused result does not widen its column."""
    from markupsafe import Markup, escape

    return escape(text).replace("+", Markup("+<wbr>"))


def _anchor(key: str) -> str:
    """A key as the id of an element, which takes no spaces."""
    return re.sub(r"[^\w.-]+", "-", key)


def _digest(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script, so that it lets in no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def check_keys(sections: Sequence[Section]) -> None:
    """Raise ValueError for two sections of one key, which would hide each other in report.json."""
    keys = [s.key for s in sections]
    if twice := [k for i, k in enumerate(keys) if k in keys[:i]]:
        raise ValueError(f"two sections have the key {twice[0]!r}; give one another key")
