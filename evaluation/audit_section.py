"""An audit of somebody else's predictions in words, tables and a figure: leaks first, then figures, then the best of many."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from evaluation.assess import without_nan
from evaluation.audit import Best, Figures, best_of, figures, scores_of
from evaluation.audit_leaks import leak_section, rows_section
from evaluation.figures import BLUE, GREY, ORANGE, Drawing, canvas, save
from evaluation.foreign import Foreign
from evaluation.identity import Number, alike, natural, tie, tied_sentence
from evaluation.power import FEW_PATIENTS
from evaluation.sections import Section, Sheet
from evaluation.splits import Split, distinct, splits_of
from evaluation.submission import write_text
from evaluation.summary import named, number, p_said, p_text

SHOWN = 24  # models in the figure
NARROW = (
    "takes the models as given and is too narrow: it does not know how another training sample would have changed them"
)


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
    candidates = _candidates(all_figures)
    enough = [s for s, known in zip(models, all_figures, strict=True) if known in candidates]
    if len(enough) > 1:
        best = best_of(enough, seed=seed)
        sections.append(best_section(best, next(x.lead[1] > 0.5 for x in candidates if x.model == best.model)))
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
    candidates = _candidates(all_figures)
    findings, drawings = _few(all_figures, f), []
    if not all_figures:
        left = (
            "Every patient with a label and a score was left out"
            if f.contradictory
            else "No row has both a label and a score"
        )
        findings.append(f"{left}, so there are no figures.")
    if candidates:
        top = max(candidates, key=lambda x: x.lead[0])
        findings += _finding(top, f, len(candidates), leaks=clean is not None)
    if known:
        drawings.append(drawing(known, f, folder))
    if clean is not None:
        findings.append(_without_leaks(_candidates(clean), clean, f))
    by_rows = any(x.most_rows > 1 for x in all_figures)
    columns = (
        "Result", "Rows", "Patients (positive)", "AUC by fold", "95 % interval", "AUC of patients", "95 %, models as given",
        *(("AUC of rows", "95 %, as if rows were independent", "95 %, patients drawn", "ratio of the widths") if by_rows else ()),
    )  # fmt: skip
    shown = [(f"{_named(x, f)}{', baseline' * x.baseline}", x) for x in all_figures]
    shown += [(f"{_named(x, f)}, without leaking patients", x) for x in clean or ()]
    rows = [
        (
            name, x.rows, f"{x.patients} ({x.positives})", number(x.fold_auc), _span(x.fold_low, x.fold_high), number(x.auc),
            _span(x.low, x.high),
            *((number(x.row_auc), _span(x.naive_low, x.naive_high), _span(x.row_low, x.row_high), number(x.too_narrow, 2)) if by_rows else ()),
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


def best_section(best: Best, above: bool) -> Section:
    """What the highest of several results is worth. `above` : whether its own interval lies above 0.5."""
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
                said.append(f"{label} {number(value)} ({_span(low, high)})")
            told.append(f"{_named(x, f)}: {', '.join(said)}")
        ax.axvline(0.5, color=GREY, lw=1, ls="--", zorder=0)
        ax.set(xlim=(-0.02, 1.02), ylim=(len(shown) - 0.5, -0.5), xlabel="AUC with 95 % interval")
        ax.set_yticks(range(len(shown)), [_named(x, f) for x in shown])
        fig.legend(loc="outside lower center", ncols=2, fontsize=8)
        alt = f"AUC with 95 % interval. {'; '.join(told)}"
        return save(fig, folder, "audit", "Rows against patients" if by_rows else "AUC of patients", alt)


def _candidates(all_figures: Sequence[Figures]) -> list[Figures]:
    """Results that can be the highest: enough patients, and no baseline unless the file holds nothing else."""
    enough = [x for x in all_figures if x.smaller_class >= FEW_PATIENTS]
    return [x for x in enough if not x.baseline] or enough


def _few(all_figures: Sequence[Figures], f: Foreign) -> list[str]:
    """That nothing can be said of results with few patients, once for all that have as many."""
    alike: dict[tuple[int, int], list[str]] = {}
    for x in all_figures:
        if x.smaller_class < FEW_PATIENTS:
            alike.setdefault((x.positives, x.patients - x.positives), []).append(_named(x, f))
    return [
        f"{named(names, 4, '; ')}: with {positive} positive and {negative} negative patients nothing can be said of a new patient; "
        f"at least {FEW_PATIENTS} of each are needed."
        for (positive, negative), names in alike.items()
    ]


def _without_leaks(told: Sequence[Figures], clean: Sequence[Figures], f: Foreign) -> str:
    """What is left of the figures when patients who were in training do not count."""
    if not told:
        most = max((x.patients for x in clean), default=0)
        return (
            f"Without the patients who were in training {most or 'none'} are left, too few for a figure that holds for a new patient; "
            f"at least {FEW_PATIENTS} of each class are needed."
        )
    best = max(told, key=lambda x: x.auc)
    which = f", the highest of {len(told)} results" * (len(told) > 1)
    return (
        f"Without the patients who were in training: {_named(best, f)}{which}, AUC of patients {number(best.auc)}, 95 % interval "
        f"{_span(best.low, best.high)}, from {best.patients} patients ({best.positives} positive)."
    )


def _finding(x: Figures, f: Foreign, results: int, *, leaks: bool) -> list[str]:
    auc, low, high = x.lead
    what, p = (
        ("AUC of patients", "")
        if x.no_folds
        else ("AUC by fold", f", {p_said(x.fold_p)}" if x.fold_p == x.fold_p else "")
    )
    out = [
        f"{_named(x, f)}: {what} {number(auc)}, 95 % interval {_span(low, high)}{p}, from {x.patients} patients ({x.positives} positive)"
        f"{f', the highest of {results} results' * (results > 1)}."
    ]
    if high < 0.5:
        pooled = ", or folds were pooled whose models score differently" * bool(x.no_folds)
        out.append(
            f"The interval lies below 0.5: the scores may be those of the other class (--positive, --score-column){pooled}."
        )
    elif low <= 0.5:
        out.append("The interval contains 0.5: this is not distinguishable from chance.")
    elif low > 0.5:
        may = ", which patients that are known from training can bring about" if leaks else ""
        out.append(f"The interval lies above 0.5{may}.")
    elif not x.no_folds:
        out.append("There is no interval, since a fold holds fewer than two patients of a class.")
    if x.no_folds:
        out.append(f"The interval {NARROW}. There is no AUC by fold: {x.no_folds}.")
    else:
        out.append(
            f"With all folds in one ranking the AUC of patients is {number(x.auc)}, which is biased low where there is nothing to find; its "
            f"95 % interval, {_span(x.low, x.high)}, {NARROW}. The interval by fold allows for that."
        )
    if x.most_rows > 1:
        out.append(
            f"The AUC of its {x.rows} rows is {number(x.row_auc)}. Rows of a patient are not independent: counted as if they were, the 95 % "
            f"interval is {_span(x.naive_low, x.naive_high)}, and with patients drawn {_span(x.row_low, x.row_high)}"
            + (f", {number(x.too_narrow, 1)} times as wide." if x.too_narrow == x.too_narrow else ".")
        )
    if not leaks:
        can = (
            f"can detect an AUC of {number(x.detectable, 2)} or higher"
            if x.detectable == x.detectable
            else "can detect no AUC"
        )
        out.append(
            f"{x.patients} patients {can} with 80 % power; an AUC such as this one is known to about {number(x.half_width, 2)} either way."
        )
    return out


def _named(x: Figures, f: Foreign) -> str:
    """A result by its model, or by its file where that is the only one."""
    return x.model or f.name


def _span(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}" if low < high else "n/a"
