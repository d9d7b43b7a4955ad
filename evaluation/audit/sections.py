"""An audit as the parts of a page: words, tables, a picture, and what audit.json holds of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from core.text import number
from evaluation.audit.auditing import Audit
from evaluation.audit.drawing import draw
from evaluation.audit.figure_words import NARROW, WHY_NO_FOLDS, span
from evaluation.audit.file_words import (
    file_sentences,
    missing_rows,
    repeated_sentence,
    tied_sentence,
    untested_sentence,
)
from evaluation.audit.files.ids import alike
from evaluation.audit.findings import Finding, Luck
from evaluation.audit.leaks import Leaks
from evaluation.audit.results.measures import Figures
from evaluation.audit.results.verdict import result_name
from evaluation.audit.words import names, sentence
from evaluation.report.section import Cell, Section, Sheet
from evaluation.statistics.power import FEW_PATIENTS

FOLD_COLUMNS = (
    "Fold", "Training", "Validation", "Test", "Test in training", "Test in validation", "Test in training: who",
)  # fmt: skip
FIGURE_COLUMNS = (
    "Result", "Rows", "Patients (positive)", "AUC by fold", "95 % interval", "AUC of patients", "95 %, models as given",
)  # fmt: skip
ROW_COLUMNS = (
    "AUC of rows", "95 %, as if rows were independent", "95 %, patients drawn", "ratio of the widths",
)  # fmt: skip
BY_FOLD = (
    "AUC by fold: of the test patients of one fold at a time, averaged; its interval allows for what another training sample "
    "would have changed, as a report of this project does. AUC of patients: the mean of a patient's rows, in each repeat, all folds "
    "in one ranking, averaged over repeats; its interval, by a bootstrap that draws patients ({replicates} replicates), {narrow}."
)
OF_ROWS = (
    "AUC of rows: all rows of one repeat in one ranking, averaged over repeats. Its interval is given twice: as DeLong's formula "
    "gives it for independent rows, and by the bootstrap, each patient with all rows."
)
SHUFFLES = (
    "Labels were shuffled among patients, the same for all results, so that results that resemble each other count as few. The scores "
    "were kept: what a leak does, or a choice among results that are not in the file, is not in these figures."
)


def sections_of(audit: Audit, folder: Path) -> list[Section]:
    """The parts of the page: what the file holds, leaks, figures, and with several results the best of them.

    Words of a section are what the page shows there: alarms, and what explains the figures; the other findings lead the page.

    Parameters
    ----------
    audit : what was found
    folder : where the picture goes
    """
    sections = [rows_section(audit), leak_section(audit.leaks), figures_section(audit, folder)]
    return [*sections, best_section(audit.luck)] if audit.luck else sections


def rows_section(audit: Audit) -> Section:
    """What was read from which column, and what was left out."""
    f, given = audit.predictions, audit.given
    same = alike(dict.fromkeys(f.patient))
    notes = [tied_sentence(given.tied)] if given.tied else []
    if given.repeated:
        notes.append(repeated_sentence(given.repeated))
    if audit.untested:
        notes.append(untested_sentence(len(audit.untested)))
    missing, unlabelled = missing_rows(f)
    data = {
        "rows": len(f.patient),
        "patients": len(set(f.patient)),
        "columns": f.columns,
        "unused": list(f.unused),
        "rows_without_score": missing,
        "rows_without_label": unlabelled,
        "both_labels": f.contradictory,
        "slides_as_patients": f.own_slides,
        "alike": same,
        "copies": f.copies,
    }
    return Section("audit_rows", "What the file holds", file_sentences(f, same, notes), data=data)


def leak_section(leaks: Leaks) -> Section:
    """Who is in more than one of training, validation and test."""
    rows: list[tuple[Cell, ...]] = [
        (s.name, *(len(part) for part in (s.train, s.val, s.test, s.leaked, s.selected)), names(s.leaked) or "nobody")
        for s in leaks.splits
    ]
    keys = ("name", "train", "val", "test", "test_in_training", "test_in_validation")
    data = {
        "findings": sentences(leaks.findings),
        "leaks": leaks.found,
        "training_known": leaks.training_known,
        "test_patients": len(leaks.tested),
        "in_training": sorted(leaks.in_training),
        "in_validation": sorted(leaks.in_validation),
        "folds": [dict(zip(keys, row, strict=False)) for row in rows],
    }
    sheets = [Sheet("Patients by fold", FOLD_COLUMNS, rows)] if rows else []
    return Section("audit_leaks", "Leaks", alarms(leaks.findings), sheets, data=data)


def figures_section(audit: Audit, folder: Path) -> Section:
    """AUCs of rows and of patients with their intervals, and what the number of patients can show."""
    f, results = audit.predictions, audit.results
    known = [x for x in results if x.smaller_class >= FEW_PATIENTS]
    by_rows = any(x.most_rows > 1 for x in results)
    shown = [(f"{result_name(x, f)}{', baseline' if x.baseline else ''}", x) for x in results]
    shown += [(f"{result_name(x, f)}, without leaking patients", x) for x in audit.clean or ()]
    words = [*alarms(audit.figure_findings), BY_FOLD.format(replicates=audit.options.replicates, narrow=NARROW)]
    if why := dict.fromkeys(WHY_NO_FOLDS[x.no_folds] for x in known if x.no_folds):
        words.append(f"There is no AUC by fold where {' or '.join(why)}.")
    if by_rows:
        words.append(OF_ROWS)
    data = {
        "findings": sentences(audit.figure_findings),
        "results": [as_json(x) for x in results],
        "without_leaking_patients": None if audit.clean is None else [as_json(x) for x in audit.clean],
    }
    sheet = Sheet(
        "Rows and patients" if by_rows else "Patients",
        (*FIGURE_COLUMNS, *(ROW_COLUMNS if by_rows else ())),
        [figure_row(name, x, by_rows=by_rows) for name, x in shown],
    )
    return Section(
        key="audit_figures",
        title="Figures",
        words=words,
        sheets=[sheet],
        drawings=[draw(known, f, folder)] if known else [],
        data=data,
    )


def figure_row(name: str, x: Figures, *, by_rows: bool) -> tuple[Cell, ...]:
    """One result as a row of the table."""
    row = (
        name, x.rows, f"{x.patients} ({x.positives})", number(x.fold_auc), span(x.fold_low, x.fold_high), number(x.auc),
        span(x.low, x.high),
    )  # fmt: skip
    if not by_rows:
        return row
    return (
        *row, number(x.row_auc), span(x.naive_low, x.naive_high), span(x.row_low, x.row_high), number(x.too_narrow, 2),
    )  # fmt: skip


def best_section(luck: Luck) -> Section:
    """What the highest of several results is worth."""
    data = {"findings": sentences([luck]), **asdict(luck.best)}
    return Section("audit_best", "The best of many", [*alarms([luck]), SHUFFLES], data=data)


def as_json(x: Figures) -> dict[str, object]:
    """The figures of a result as audit.json has them."""
    return {**asdict(x), "no_folds": WHY_NO_FOLDS[x.no_folds] if x.no_folds else ""}


def sentences(findings: Iterable[Finding]) -> list[str]:
    """Findings in words."""
    return [sentence(finding) for finding in findings]


def alarms(findings: Sequence[Finding]) -> list[str]:
    """Those that a page shows as alarms, in words."""
    return sentences(finding for finding in findings if finding.kind.alarm)
