"""An audit of somebody else's predictions in words, tables and a figure: leaks first, then figures, then the best of many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.files import write_text
from core.text import number, p_text
from evaluation.audit.ids import Number, alike, natural, tie, tied_sentence
from evaluation.audit.leaks import leak_section, rows_section
from evaluation.audit.measures import Best, Figures, best_of, figures, scores_of
from evaluation.audit.reader import Foreign
from evaluation.audit.splits import Split, distinct, splits_of
from evaluation.audit.words import (
    NARROW,
    candidates_of,
    few_sentences,
    finding_sentences,
    result_named,
    span,
    without_leaks,
)
from evaluation.report.figures import BLUE, GREY, ORANGE, Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet
from evaluation.statistics.assess import without_nan
from evaluation.statistics.power import FEW_PATIENTS

SHOWN = 24  # models in the figure


def audit_sections(
    f: Foreign,
    read: Sequence[Split],
    slides: dict[str, str],
    number_of: Number,
    folder: Path,
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> tuple[list[str], list[Section]]:
    """The verdict, one paragraph per entry, and the sections of the audit of one predictions file.

    `read` : splits of the split files, ids as written; `slides` : {slide id without suffix: patient} of a table;
    `number_of` : the number of an id such as 00042, or None; `folder` : where the figure goes.
    """
    own, unclear = splits_of(f)
    notes: list[str] = []
    given, twice = distinct(read)
    if read:
        patients, ways = tie(
            sorted(frozenset[str]().union(*(s.ids for s in read))), set(f.patient), slides | f.whose_slides, number_of
        )
        given, notes = [s.renamed(patients) for s in given], [tied_sentence(patients, ways)]
        if twice:
            notes.append(f"{twice} of the split files repeat another and count once.")
        given.sort(key=lambda s: (natural(s.scheme), natural(s.name)))
        if any(s.train and s.test for s in given):  # what the file itself tells of test alone adds nothing
            own = [s for s in own if s.train or s.val]
        own = [s for s in own if (s.train, s.val, s.test) not in {(g.train, g.val, g.test) for g in given}]
    untested: set[str] = set()
    if given and not any(f.part):  # the file does not tell who was tested, the split files do
        untested = (set(f.patient) & frozenset[str]().union(*(s.ids for s in given))).difference(
            *(s.test for s in given)
        )
    if untested == set(f.patient):  # other people's split, or other ids: the leak section says so
        untested = set()
    if untested:
        notes.append(
            f"{len(untested)} patients of the predictions are in training or validation of the split files and in no test; "
            "they are left out of every figure."
        )
    leaks = leak_section([*given, *own], f, unclear and not any(s.leaked for s in given))
    models = [s for s in scores_of(f, untested) if len(s.patients)]
    all_figures = [figures(s, replicates=replicates, seed=seed) for s in models]
    known = set(leaks.data["in_training"]) if leaks.data["leaks"] else set()
    unknown = [s for s in scores_of(f, untested | known) if len(s.patients)] if known else []
    clean = [figures(s, replicates=replicates, seed=seed) for s in unknown]
    shown = figures_section(
        all_figures, f, folder, replicates, clean if known else None, leaks=bool(leaks.data["leaks"])
    )
    sections = [rows_section(f, alike(set(f.patient), number_of), notes), leaks, shown]
    candidates = candidates_of(all_figures)
    enough = [s for s, known in zip(models, all_figures, strict=True) if known in candidates]
    if len(enough) > 1:
        best = best_of(enough, seed=seed)
        above = next(x.lead[1] > 0.5 for x in candidates if x.model == best.model)
        sections.append(best_section(best, above, leaks=bool(leaks.data["leaks"])))
    words = [w for s in (leaks, shown, *sections[3:]) for w in s.data["findings"]]
    return words, sections


def write_json(
    path: Path, file: str, words: Sequence[str], sections: Sequence[Section], provenance: dict[str, Any]
) -> None:
    """audit.json: the file that was audited, the verdict, what each section found, and where the audit comes from."""
    content = {
        "format": "mgmt-radiogenomics/audit",
        "format_version": 1,
        "file": file,
        "verdict": list(words),
        **{s.key.removeprefix("audit_"): without_nan(s.data) for s in sections},
        "provenance": provenance,
    }
    write_text(path, json.dumps(content, indent=1, sort_keys=True, allow_nan=False) + "\n")


def figures_section(
    all_figures: Sequence[Figures],
    f: Foreign,
    folder: Path,
    replicates: int,
    clean: Sequence[Figures] | None = None,
    *,
    leaks: bool = False,
) -> Section:
    """AUCs of rows and of patients with their intervals, and what the number of patients can show.

    clean : where patients leak, the figures of those who do not; None where nobody does who is known
    leaks : whether patients leak
    """
    known = [x for x in all_figures if x.smaller_class >= FEW_PATIENTS]
    candidates = candidates_of(all_figures)
    findings, drawings = few_sentences(all_figures, f), []
    if not all_figures:
        left = (
            "Every patient with a label and a score was left out"
            if f.contradictory
            else "No row has both a label and a score"
        )
        findings.append(f"{left}, so there are no figures.")
    if candidates:
        top = max(candidates, key=lambda x: x.lead[0])
        findings += finding_sentences(top, f, len(candidates), leaks=leaks)
    if known:
        drawings.append(drawing(known, f, folder))
    if clean is not None:
        findings.append(without_leaks(candidates_of(clean), clean, f))
    by_rows = any(x.most_rows > 1 for x in all_figures)
    columns = (
        "Result", "Rows", "Patients (positive)", "AUC by fold", "95 % interval", "AUC of patients", "95 %, models as given",
        *(("AUC of rows", "95 %, as if rows were independent", "95 %, patients drawn", "ratio of the widths") if by_rows else ()),
    )  # fmt: skip
    shown = [(f"{result_named(x, f)}{', baseline' * x.baseline}", x) for x in all_figures]
    shown += [(f"{result_named(x, f)}, without leaking patients", x) for x in clean or ()]
    rows = [
        (
            name, x.rows, f"{x.patients} ({x.positives})", number(x.fold_auc), span(x.fold_low, x.fold_high), number(x.auc),
            span(x.low, x.high),
            *((number(x.row_auc), span(x.naive_low, x.naive_high), span(x.row_low, x.row_high), number(x.too_narrow, 2)) if by_rows else ()),
        )
        for name, x in shown
    ]  # fmt: skip
    why = dict.fromkeys(x.no_folds for x in known if x.no_folds)
    words = [
        *findings,
        "AUC by fold: of the test patients of one fold at a time, averaged; its interval allows for what another training sample "
        "would have changed, as a report of this project does. AUC of patients: the mean of a patient's rows, in each repeat, all folds "
        f"in one ranking, averaged over repeats; its interval, by a bootstrap that draws patients ({replicates} replicates), {NARROW}.",
        *[f"There is no AUC by fold where {' or '.join(why)}."] * bool(why),
        *[
            "AUC of rows: all rows of one repeat in one ranking, averaged over repeats. Its interval is given twice: as DeLong's formula "
            "gives it for independent rows, and by the bootstrap, each patient with all rows."
        ]
        * by_rows,
    ]
    data = {
        "findings": findings,
        "results": [asdict(x) for x in all_figures],
        "without_leaking_patients": None if clean is None else [asdict(x) for x in clean],
    }
    return Section(
        "audit_figures",
        "Figures",
        words,
        [Sheet("Rows and patients" if by_rows else "Patients", columns, rows)],
        drawings,
        data,
    )


def best_section(best: Best, above: bool, *, leaks: bool) -> Section:
    """What the highest of several results is worth. `above` : its own interval lies above 0.5; `leaks` : patients leak."""
    what = "AUC by fold" if best.by_fold else "AUC of patients"
    none = f"none of {best.permutations} shuffles of the labels reaches {number(best.auc)} (p = {best.p:.2g}, the least that they can give)"
    some = (
        f"{best.reached} of {best.permutations} shuffles of the labels reach {number(best.auc)} (p = {p_text(best.p)})"
    )
    finding = (
        f"The file holds {best.results} results, of which the highest {what} is {number(best.auc)}{f' ({best.model})' * bool(best.model)}. "
        f"If no score knew anything of the label, the highest of {best.results} would still be {number(best.expected)} on average and above "
        f"{number(best.upper)} in one case of twenty; {some if best.reached else none}. "
    )
    if best.p > 0.05:
        finding += "The highest is not distinguishable from the luck of picking it."
    elif leaks:
        finding += (
            "That is more than the luck of picking it, but patients that are known from training can bring it about."
        )
    elif above:
        finding += "The highest is more than luck, but its own figure is optimistic all the same."
    else:
        finding += (
            "That is more than the luck of picking it, if the models are taken as given; its own interval does not lie above 0.5 all the "
            "same, and says more."
        )
    word = (
        "Labels were shuffled among patients, the same for all results, so that results that resemble each other count as few. The scores "
        "were kept: what a leak does, or a choice among results that are not in the file, is not in these figures."
    )
    return Section("audit_best", "The best of many", [finding, word], data={"findings": [finding], **asdict(best)})


def drawing(all_figures: Sequence[Figures], f: Foreign, folder: Path) -> Drawing:
    """The AUCs of each result with their intervals: of rows where patients have several, of patients, and by fold."""
    shown = sorted(all_figures, key=lambda x: -x.lead[0])[:SHOWN]
    by_rows, by_fold = any(x.most_rows > 1 for x in shown), any(not x.no_folds for x in shown)
    with canvas(6.2, 1.3 + 0.55 * len(shown)) as fig:
        ax = fig.subplots()
        lines = [
            (-0.3, ORANGE, "o", "rows, as if independent", ("row_auc", "naive_low", "naive_high"), by_rows),
            (-0.1, GREY, "o", "rows, patients drawn", ("row_auc", "row_low", "row_high"), by_rows),
            (0.1, BLUE, "o", "patients", ("auc", "low", "high"), True),
            (0.3, BLUE, "D", "patients, by fold", ("fold_auc", "fold_low", "fold_high"), by_fold),
        ]  # fmt: skip
        lines = [line for line in lines if line[-1]]
        told = []
        for i, x in enumerate(shown):
            said = []
            for offset, colour, marker, label, names, _ in lines:
                value, low, high = (getattr(x, name) for name in names)
                ax.plot([low, high], [i + offset] * 2, color=colour, lw=2, solid_capstyle="round")
                ax.plot(value, i + offset, marker, color=colour, ms=5, label=None if i else label)
                said.append(f"{label} {number(value)} ({span(low, high)})")
            told.append(f"{result_named(x, f)}: {', '.join(said)}")
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.5, -0.5), xlabel="AUC with 95 % interval")
        ax.set_yticks(range(len(shown)), [result_named(x, f) for x in shown])
        fig.legend(loc="outside lower center", ncols=2, fontsize=8)
        alt = f"AUC with 95 % interval. {'; '.join(told)}"
        return save_figure(fig, folder, "audit", "Rows against patients" if by_rows else "AUC of patients", alt)
