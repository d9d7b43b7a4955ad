"""Which sequences, planes and slices the patients have, and whether results differ between such groups of patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.documents import Document, Known
from core.text import interval_text, some
from evaluation.read_run import is_table
from evaluation.report.context import ReportContext
from evaluation.report.section import Cell, Section, Sheet, section
from evaluation.statistics.power import FEW_PATIENTS
from evaluation.statistics.subgroups import Overlap, SubgroupAuc, all_first, overlap, present, subgroup_aucs

TITLES = {"sequences": "Sequences present", "plane": "Plane", "slices": "Slices that are not blank"}
_QUANTILES = (0, 0.25, 0.5, 0.75, 1)
_SHOWN = 5  # pairs of strata named in words


@section(order=90)
def strata_section(context: ReportContext) -> Section | None:
    """The availability of sequences, and every patient-level AUC by sequences present, by plane and by slice count.

    A stratum's AUC is that of its patients' pooled out-of-fold scores with a patient-bootstrap interval; with fewer than
    ten patients in a class it has none. Leaking runs are left out, and so are runs of an older version, which do not know what their
    patients have. None where all runs are of tables of features: these have no scans.
    """
    runs = context.runs
    tables = [r.name for r in runs if is_table(r.about)]
    if len(tables) == len(runs):
        return None
    words: list[str] = []
    sheets: list[Sheet] = []
    data: Document = {}
    known = [r for r in runs if r.about.get("availability") is not None and r.name not in context.leaks]
    sampling = {"replicates": context.options.replicates, "seed": context.options.seed}
    for run in known:
        lead = f"{run.name}: " if len(runs) > 1 else ""
        found = [f for s in context.scored if s.run == run.name for f in subgroup_aucs(s, run.about, **sampling)]
        words += [lead + _missing(run.about), lead + _differences(overlap(found))]
        sheets += _availability(run.about, lead) + _results(found, lead)
        data[run.name] = [_data(f) for f in found]
    if others := [r.name for r in runs if r not in known and r.name not in tables]:
        words.append(
            f"Not stratified: {', '.join(others)} (leaking, or older than the record of which sequences a patient has)."
        )
    if tables:
        words.append(f"Of a table of features, without scans: {', '.join(tables)}.")
    return Section("strata", "Missing sequences, planes and slice counts", words, sheets, data={"runs": data})


def _missing(about: Known) -> str:
    labels, sequences = about["patients"]["labels"], about["sequences"]
    there = {p: about["availability"].get(p, {}) for p in labels}
    lacking = {q: n for q in sequences if (n := sum(q not in t for t in there.values()))}
    if not lacking:
        return f"All {len(labels)} patients have {', '.join(sequences)}."
    complete = sum(all(q in t for q in sequences) for t in there.values())
    return (
        f"{complete} of {len(labels)} patients have all of {', '.join(sequences)}; "
        f"{', '.join(f'{n} lack {q}' for q, n in lacking.items())}. A result on one sequence leaves out who lacks it; a fusion of "
        "scores averages what a patient has, and a fusion of features imputes what is missing inside the fold."
    )


def _differences(found: Overlap) -> str:
    """Whether intervals of strata overlap."""
    if not found.pairs:
        return (
            f"No two groups of patients have {FEW_PATIENTS} of each class, so results are not compared between groups."
        )
    if not found.apart:
        return (
            f"Between groups of patients the intervals of a result overlap in all {found.pairs} pairs that are large enough: no sign "
            "that results depend on the sequences present, the plane or the slice count, and no proof that they do not."
        )
    apart = [f"{a.head} on {a.sequence}, {a.stratum} and {b.stratum}" for a, b in found.apart]
    return (
        f"In {len(apart)} of {found.pairs} pairs of groups the intervals of a result do not overlap: {some(apart, _SHOWN, '; ')}. The intervals "
        "take the fold models as given, so they are too narrow, and among so many pairs some part by chance: see whether it repeats in other data before reading anything into it."
    )


def _availability(about: Known, lead: str) -> list[Sheet]:
    """Patients by sequences present, by plane, and quantiles of the slice count, of all labelled patients."""
    labels, sequences = about["patients"]["labels"], about["sequences"]
    there = {p: about["availability"].get(p, {}) for p in labels}
    sets = Counter(present(t, sequences) for t in there.values())
    positive = Counter(present(t, sequences) for p, t in there.items() if labels[p] == 1)
    by_set = [(name, sets[name], positive[name]) for name in sorted(sets, key=all_first)]
    planes = sorted({series["plane"] for t in there.values() for series in t.values()})
    by_plane: list[tuple[Cell, ...]] = []
    by_count: list[tuple[Cell, ...]] = []
    for q in sequences:
        own = [t[q] for t in there.values() if q in t]
        by_plane.append((q, *(sum(s["plane"] == p for s in own) for p in planes), len(there) - len(own)))
        if own:
            counts = np.quantile([s["slices"] for s in own], _QUANTILES, method="inverted_cdf")
            by_count.append((q, *map(int, counts)))
    counted = ("Sequence", "lowest", "25 %", "median", "75 %", "highest")
    return [
        Sheet(f"{lead}Patients by sequences present", ("Sequences present", "Patients", "Positive"), by_set),
        Sheet(f"{lead}Patients by plane", ("Sequence", *planes, "missing"), by_plane),
        Sheet(f"{lead}Slices that are not blank, per patient", counted, by_count),
    ]


def _results(found: Sequence[SubgroupAuc], lead: str) -> list[Sheet]:
    """One sheet per factor: a row per sequence and stratum, a column per head."""
    out = []
    for factor, title in TITLES.items():
        rows: dict[tuple[str, str], dict[str, SubgroupAuc]] = {}
        for f in found:
            if f.factor == factor:
                rows.setdefault((f.sequence, f.stratum), {})[f.head] = f
        heads = list(dict.fromkeys(head for row in rows.values() for head in row))
        cells: list[list[Cell]] = []
        for (sequence, stratum), row in rows.items():
            first = next(iter(row.values()))
            figures: list[Cell] = [_cell(row[head]) if head in row else None for head in heads]
            cells.append([f"{sequence}: {stratum}", first.patients, first.positive, *figures])
        if cells:
            columns = (f"Sequence: {title.lower()}", "Patients", "Positive", *(f"AUC {head}" for head in heads))
            out.append(Sheet(f"{lead}AUC pooled (95 % CI) by {title.lower()}", columns, cells))
    return out


def _cell(found: SubgroupAuc) -> str:
    return interval_text(found.auc) if found.auc else "too few"


def _data(found: SubgroupAuc) -> Document:
    names = ("head", "sequence", "factor", "stratum", "patients", "positive", "auc")
    return {name: getattr(found, name) for name in names}
