"""An audit of somebody else's predictions in words, tables and a figure: leaks first, then figures, then the best of many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.assess import without_nan
from evaluation.audit import PERMUTATIONS, Best, Figures, best_of, figures, scores_of
from evaluation.audit_leaks import leak_section, rows_section
from evaluation.figures import BLUE, GREY, ORANGE, Drawing, canvas, save
from evaluation.foreign import Foreign
from evaluation.identity import Number, alike, natural, tie, tied_sentence
from evaluation.power import FEW_PATIENTS, power_line
from evaluation.sections import Section, Sheet
from evaluation.splits import Split, distinct, splits_of
from evaluation.submission import write_text
from evaluation.summary import number

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
    shown = figures_section(all_figures, f, folder, replicates, clean if known else None)
    sections = [rows_section(f, alike(set(f.patient), number_of), notes), leaks, shown]
    enough = [s for s, known in zip(models, all_figures, strict=True) if known.smaller_class >= FEW_PATIENTS]
    if len(enough) > 1:
        sections.append(best_section(best_of(enough, seed=seed)))
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
) -> Section:
    """AUCs of rows and of patients with their intervals, and what the number of patients can show.

    clean : where patients leak, the figures of those who do not; None where nobody leaks
    """
    known = [x for x in all_figures if x.smaller_class >= FEW_PATIENTS]
    findings, drawings = [], []
    for x in all_figures:
        if x not in known:
            findings.append(
                f"{_named(x, f)}: with {x.positives} positive and {x.patients - x.positives} negative patients nothing can be said of a new "
                f"patient; at least {FEW_PATIENTS} of each are needed."
            )
    if not all_figures:
        findings.append("No row has both a label and a score, so there are no figures.")
    if known:
        top = max(known, key=lambda x: x.auc)
        findings += _finding(top, f, len(known), leaks=clean is not None)
        drawings.append(drawing(known, f, folder))
    if clean is not None:
        findings.append(_without_leaks(clean, f))
    columns = (
        "Result", "Rows", "Patients (positive)", "AUC of rows", "95 %, as if rows were independent", "95 %, patients drawn", "ratio of the widths",
        "AUC of patients", "95 % interval", "AUC by fold",
    )  # fmt: skip
    rows = [
        (
            name, x.rows, f"{x.patients} ({x.positives})", number(x.row_auc), _span(x.naive_low, x.naive_high),
            _span(x.row_low, x.row_high), number(x.too_narrow, 2), number(x.auc), _span(x.low, x.high), number(x.fold_auc),
        )
        for name, x in (
            *((_named(x, f), x) for x in all_figures),
            *((f"{_named(x, f)}, without leaking patients", x) for x in clean or ()),
        )
    ]  # fmt: skip
    words = [
        *findings,
        "AUC of rows: all rows of a result in one ranking. Its interval is given twice: as DeLong's formula gives it for independent "
        f"rows, and by a bootstrap that draws patients with all their rows ({replicates} replicates). AUC of patients: the mean of a "
        "patient's rows, in each repeat, averaged over repeats; interval by the same bootstrap. AUC by fold: of the test patients of one fold at a time, averaged; where there is nothing to find, the "
        "ranking of all folds together is biased below 0.5, and this one is not. None of them knows how another training "
        "sample would have changed the model.",
    ]
    data = {
        "findings": findings,
        "results": [asdict(x) for x in all_figures],
        "without_leaking_patients": None if clean is None else [asdict(x) for x in clean],
    }
    return Section("audit_figures", "Figures", words, [Sheet("Rows and patients", columns, rows)], drawings, data)


def best_section(best: Best) -> Section:
    """What the highest of several results is worth."""
    finding = (
        f"The file holds {best.results} results, of which the highest AUC of patients is {number(best.auc)}{f' ({best.model})' * bool(best.model)}. "
        f"If no score knew anything of the label, the highest of {best.results} would still be {number(best.expected)} on average and above "
        f"{number(best.upper)} in one case of twenty; {_share(best.p)} of {PERMUTATIONS} shuffles of the labels reach {number(best.auc)}. "
    )
    finding += (
        "The highest is more than luck, but its own figure is optimistic all the same."
        if best.p <= 0.05
        else "The highest is not distinguishable from the luck of picking it."
    )
    word = (
        "Labels were shuffled among patients, the same for all results, so that results that resemble each other count as few. The scores "
        "were kept: what a leak does, or a choice among results that are not in the file, is not in these figures."
    )
    return Section("audit_best", "The best of many", [finding, word], data={"findings": [finding], **asdict(best)})


def drawing(all_figures: Sequence[Figures], f: Foreign, folder: Path) -> Drawing:
    """AUC of rows and of patients with their intervals, a line of three per result."""
    shown = sorted(all_figures, key=lambda x: -x.auc)[:SHOWN]
    with canvas(6.2, 1.3 + 0.55 * len(shown)) as fig:
        ax = fig.subplots()
        for i, x in enumerate(shown):
            for offset, colour, value, low, high, label in (
                (-0.22, ORANGE, x.row_auc, x.naive_low, x.naive_high, "rows, as if independent"),
                (0.0, GREY, x.row_auc, x.row_low, x.row_high, "rows, patients drawn"),
                (0.22, BLUE, x.auc, x.low, x.high, "patients"),
            ):
                ax.plot([low, high], [i + offset] * 2, color=colour, lw=2, solid_capstyle="round")
                ax.plot(value, i + offset, "o", color=colour, ms=5, label=None if i else label)
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.5, -0.5), xlabel="AUC with 95 % interval")
        ax.set_yticks(range(len(shown)), [_named(x, f) for x in shown])
        fig.legend(loc="outside lower center", ncols=3, fontsize=8)
        alt = "AUC of rows and of patients. " + "; ".join(
            f"{_named(x, f)}: rows {number(x.row_auc)} ({_span(x.naive_low, x.naive_high)} as if independent, "
            f"{_span(x.row_low, x.row_high)} with patients drawn), patients {number(x.auc)} ({_span(x.low, x.high)})"
            for x in shown
        )
        return save(fig, folder, "audit", "Rows against patients", alt)


def _without_leaks(clean: Sequence[Figures], f: Foreign) -> str:
    """What is left of the figures when patients who were in training do not count."""
    told = [x for x in clean if x.smaller_class >= FEW_PATIENTS]
    if not told:
        most = max((x.patients for x in clean), default=0)
        return f"Without the patients who were in training {most or 'none'} are left, too few for a figure that holds for a new patient."
    best = max(told, key=lambda x: x.auc)
    which = f", the highest of {len(told)} results" * (len(told) > 1)
    return (
        f"Without the patients who were in training: {_named(best, f)}{which}, AUC of patients {number(best.auc)}, 95 % interval "
        f"{_span(best.low, best.high)}, from {best.patients} patients ({best.positives} positive)."
    )


def _finding(x: Figures, f: Foreign, results: int, *, leaks: bool) -> list[str]:
    out = [
        f"{_named(x, f)}: AUC of patients {number(x.auc)}, 95 % interval {_span(x.low, x.high)}, from {x.patients} patients ({x.positives} positive)"
        f"{f', the highest of {results} results' * (results > 1)}."
    ]
    if x.high < 0.5:
        out.append(
            "The interval lies below 0.5: the scores may be those of the other class (--positive, --score-column), or folds were pooled "
            "whose models score differently."
        )
    elif x.low <= 0.5:
        out.append("The interval contains 0.5: this is not distinguishable from chance.")
    else:
        may = ", which patients that are known from training can bring about" if leaks else ""
        out.append(f"The interval lies above 0.5{may}.")
    if x.rows > x.patients * x.repeats:
        out.append(
            f"The AUC of its {x.rows} rows is {number(x.row_auc)}. Rows of a patient are not independent: counted as if they were, the 95 % "
            f"interval is {_span(x.naive_low, x.naive_high)}, and with patients drawn {_span(x.row_low, x.row_high)}"
            + (f", {number(x.too_narrow, 1)} times as wide." if x.too_narrow == x.too_narrow else ".")
        )
    power = power_line(x.auc, x.positives, x.patients - x.positives)
    out.append(
        f"{x.patients} patients can detect an AUC of {number(power.detectable, 2)} or higher with 80 % power; an AUC such as this one is known "
        f"to about {number(power.half_width, 2)} either way."
    )
    return out


def _named(x: Figures, f: Foreign) -> str:
    """A result by its model, or by its file where that is the only one."""
    return x.model or f.name


def _span(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}" if low < high else "n/a"


def _share(p: float) -> str:
    return f"{100 * p:.1f} %"
