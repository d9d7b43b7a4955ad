"""Made-up runs, the page that is written of them, and a reader of that page, for the tests of the report."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

from core.predictions import Prediction, group_results
from evaluation.options import ReportOptions
from evaluation.read_run import Run
from evaluation.report.context import ReportContext
from evaluation.report.figures import Drawing
from evaluation.report.html import write_html
from evaluation.report.performance.certainty import certainty_section
from evaluation.report.performance.head_by_head import heads_section
from evaluation.report.performance.metrics import metrics_section
from evaluation.report.performance.pairs import pairs_section
from evaluation.report.performance.results import results_section
from evaluation.report.performance.slices import slices_section
from evaluation.report.section import Section
from evaluation.report.trust.cohort import cohort_section
from evaluation.report.trust.provenance import provenance_section
from evaluation.statistics.assess import Assessment

PNG = b"\x89PNG\r\n\x1a\n"
LEAK = "LEAKS: 2 of 3 test patients are also in training"
ORIGIN = {
    "code_version": "0", "commit": "abc", "dirty": True, "python": "3", "versions": {"numpy": "2", "lightgbm": None},
    "command": ["evaluate.py", "runs/a"],
}  # fmt: skip


def a_run(
    name: str = "runA",
    *,
    leak: str | None = None,
    weights: str = "imagenet",
    patient: str = "00002",
    n: int = 12,
    repeats: int = 1,
) -> Run:
    """n patients, every other pair positive, scored by one head on FLAIR and T2w; `patient` is named where one can be."""
    rng = np.random.default_rng(0)
    predictions = [
        Prediction(name, "logistic", q, r, i % 2, f"p{i}", (i // 2) % 2, float(rng.random()), 3)
        for q in ("FLAIR", "T2w")
        for r in range(repeats)
        for i in range(n)
    ]
    about: dict[str, Any] = {
        "arguments": {"head": ["logistic"], "C": 0.01, "aggregate": "mean", "unit": "slice", "slices": "all", "keep_blank": False},
        "sequences": ["FLAIR", "T2w"],
        "fused": None,
        "leak": leak,
        "question": f"MGMT of {patient}",
        "folds": [{"repeat": r, "fold": f, "test": ["p1"]} for r in range(repeats) for f in range(2)],
        "patients": {
            "labels": {"p1": 1, "p2": 0, "p3": 0}, "missing_sequence": {"T2w": [patient], "FLAIR": []},
            "unlabelled": ["p8", "p9"], "without_row": [], "without_scans": ["p7"],
        },
        "join": [f"labels of {patient} joined"],
        "features": {
            "file": "train.h5",
            "settings": {"weights": weights, "backbone": "vgg16", "format": "secret"},
            "skipped": [{"patient": patient, "source": "a/b.dcm", "reason": f"broken {patient}"}],
            "digest": "f" * 64,
        },
        "labels": {"file": "labels.csv", "sha256": "1" * 64},
        "seed": 7,
        "split": "slice" if leak else "patient",
        **ORIGIN,
        "command": ["train_head.py", patient],
    }  # fmt: skip
    scored = group_results(predictions)
    return Run(Path("runs") / name, name, about, scored, scored[:1], [])


def context(*runs: Run, **given: Any) -> ReportContext:
    """The context of a report; `given` : options, and what stands in for figures that it would compute."""
    names = {"threshold", "recalibrate", "replicates", "seed"}
    options = {"replicates": 20, **{k: v for k, v in given.items() if k in names}}
    made = ReportContext(runs, ReportOptions(**options))
    made.slices = [s for r in runs for s in r.slices]  # also of runs whose slices are as many as their patients
    for name, value in given.items():
        if name not in names:
            assert hasattr(ReportContext, name) or name == "sections", name
            setattr(made, name, value)
    return made


def assessments(*runs: Run) -> list[Assessment]:
    """Every result by patient, and the first of each run by slice too."""
    made = context(*runs)
    return [*made.patients, *made.by_slice]


def fake_panels(alt: str) -> Any:
    """Stands in for the drawing of a result."""

    def panels(a: Assessment, *_: Any) -> Drawing:
        return Drawing("n", f"{a.run}: {a.head}", f"{alt} of {a.sequence}", PNG)

    return panels


def page(
    folder: Path,
    *runs: Run,
    words: list[str] | None = None,
    alt: str = "alt text",
    sections: list[Section] | None = None,
) -> str:
    """The report of some runs, as text; its figures are stand-ins."""
    made = context(*runs)
    performance = "evaluation.report.performance"
    curve = [Drawing("t", "training", "curve alt", PNG)]
    with (
        patch(f"{performance}.results.forest", lambda *_: Drawing("auc", "t", alt, PNG)),
        patch(f"{performance}.head_by_head.panels", fake_panels(alt)),
        patch(f"{performance}.head_by_head.training_curves", lambda run: curve if run is runs[0] else []),
    ):
        first = [results_section, metrics_section, certainty_section, pairs_section, slices_section, heads_section]
        parts = [part for make in first if (part := make(made)) is not None]
    parts += [*(sections or []), cohort_section(made), provenance_section(made)]
    write_html(folder / "report.html", made, words or ["In short."], parts, ORIGIN)
    return (folder / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Tags with their attributes, the text, and the tables as {caption: rows of cells}; asserts that tags are nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: dict[str, str] = {}
        self._rows: list[list[str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("meta", "img", "br", "wbr", "input"):
            return
        self.open.append(tag)
        if tag == "h3":
            self._id = dict(attrs)["id"] or ""
        if tag == "table":
            self._rows = self.tables[self.captions[dict(attrs)["aria-labelledby"] or ""]] = []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "tags are nested"

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.open[-1:] == ["h3"]:
            self.captions[self._id] = self.captions.get(self._id, "") + data
        if self.open[-1:] in (["td"], ["th"]):
            self._rows[-1][-1] += data
