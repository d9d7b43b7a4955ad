"""Which sequences, planes and slices the patients have, and whether results differ between such groups of patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.metrics import auc, ones
from core.predictions import Scored
from core.text import interval_text, some
from evaluation.read_run import Run, is_table
from evaluation.report.section import Cell, Section, Sheet
from evaluation.statistics.intervals import bootstrap_weights, percentile_interval
from evaluation.statistics.power import FEW_PATIENTS, few

FACTORS = {"sequences": "Sequences present", "plane": "Plane", "slices": "Slices that are not blank"}
_QUANTILES = (0, 0.25, 0.5, 0.75, 1)
_SHOWN = 5  # pairs of strata named in words


def strata_section(
    scored: Sequence[Scored], runs: Sequence[Run], *, replicates: int = 2000, seed: int = 0
) -> Section | None:
    """The availability of sequences, and every patient-level AUC by sequences present, by plane and by slice count.

    A stratum's AUC is that of its patients' pooled out-of-fold scores with a patient-bootstrap interval; with fewer than
    ten patients in a class it has none. Leaking runs are left out, and so are runs of an older version, which do not know what their
    patients have. None where all runs are of tables of features: these have no scans.
    """
    tables = [r.name for r in runs if is_table(r.about)]
    if len(tables) == len(runs):
        return None
    words: list[str] = []
    sheets: list[Sheet] = []
    data: dict[str, Any] = {}
    known = [r for r in runs if r.about.get("availability") is not None and not r.about.get("leak")]
    for run in known:
        lead = f"{run.name}: " if len(runs) > 1 else ""
        entries = [e for s in scored if s.run == run.name for e in _entries(s, run.about, replicates, seed)]
        words += [lead + _missing(run.about), lead + _differences(entries)]
        sheets += _availability(run.about, lead) + _results(entries, lead)
        data[run.name] = entries
    if others := [r.name for r in runs if r not in known and r.name not in tables]:
        words.append(
            f"Not stratified: {', '.join(others)} (leaking, or older than the record of which sequences a patient has)."
        )
    if tables:
        words.append(f"Of a table of features, without scans: {', '.join(tables)}.")
    return Section("strata", "Missing sequences, planes and slice counts", words, sheets, data={"runs": data})


def strata(sequence: str, patients: Sequence[str], about: Mapping[str, Any]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """{factor: {stratum: (n,) which of the patients}} for a result on `sequence`, a single one or a fusion of all.

    Who lacks several sequences is grouped by how many. Slice counts are cut at the tertiles of these patients; a fusion
    counts the slices of all its sequences together.
    """
    own = [sequence] if sequence in about["sequences"] else about["sequences"]
    there = [about["availability"].get(p, {}) for p in patients]
    counts = np.array([sum(t[q]["slices"] for q in own if q in t) for t in there], int)
    third = np.searchsorted(np.quantile(counts, [1 / 3, 2 / 3]), counts) if len(counts) else counts
    ranges = {k: f"{counts[third == k].min()} to {counts[third == k].max()}" for k in sorted(set(third.tolist()))}
    names = {
        "sequences": [_present(t, about["sequences"], group=True) for t in there],
        "plane": [_plane({t[q]["plane"] for q in own if q in t}) for t in there],
        "slices": [ranges[k] for k in third.tolist()],
    }
    order = {"sequences": sorted(set(names["sequences"]), key=_shorter), "plane": sorted(set(names["plane"]))}
    order["slices"] = list(ranges.values())
    return {f: {name: np.array(names[f]) == name for name in order[f]} for f in FACTORS}


def _present(there: Mapping[str, Any], sequences: Sequence[str], *, group: bool = False) -> str:
    lacking = [q for q in sequences if q not in there]
    if len(lacking) == len(sequences):
        return "none"
    if group and len(lacking) > 1:
        return f"without {len(lacking)} of {len(sequences)}"
    return f"without {', '.join(lacking)}" if lacking else "all"


def _shorter(name: str) -> tuple[int, str]:
    """A key that puts "all" first and long lists of what is lacking last."""
    return len(name), name


def _plane(planes: set[str]) -> str:
    return planes.pop() if len(planes) == 1 else ("several planes" if planes else "none")


def _entries(s: Scored, about: Mapping[str, Any], replicates: int, seed: int) -> list[dict[str, Any]]:
    """One result in each stratum, as report.json holds it; a factor of one stratum has none."""
    return [
        {
            "head": s.head, "sequence": s.sequence, "factor": factor, "stratum": name, "patients": int(inside.sum()),
            "positive": int(s.y[inside].sum()), "auc": _auc(s, inside, replicates, seed),
        }
        for factor, members in strata(s.sequence, s.units, about).items() if len(members) > 1
        for name, inside in members.items()
    ]  # fmt: skip


def _auc(s: Scored, inside: NDArray[np.bool_], replicates: int, seed: int) -> dict[str, float] | None:
    """The AUC of some patients, averaged over repeats, with its interval; None where a class has too few."""
    y = s.y[inside]
    if few(y) or not np.isfinite(s.scores[:, inside]).all():
        return None
    weights = np.concatenate([ones(len(y)), bootstrap_weights(y, replicates, np.random.default_rng(seed))])
    values = np.mean([auc(y, row[inside], weights) for row in s.scores], axis=0)
    low, high = percentile_interval(values[1:])
    return {"estimate": float(values[0]), "low": low, "high": high}


def _missing(about: Mapping[str, Any]) -> str:
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


def _differences(entries: Sequence[Mapping[str, Any]]) -> str:
    """Whether intervals of strata overlap; nothing is tested, since nobody asked about one stratum beforehand."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for e in entries:
        if e["auc"]:
            groups.setdefault((e["head"], e["sequence"], e["factor"]), []).append(e)
    pairs = [(key, a, b) for key, group in groups.items() for a, b in combinations(group, 2)]
    if not pairs:
        return (
            f"No two groups of patients have {FEW_PATIENTS} of each class, so results are not compared between groups."
        )
    apart = [
        f"{head} on {sequence}, {a['stratum']} and {b['stratum']}"
        for (head, sequence, _), a, b in pairs
        if a["auc"]["high"] < b["auc"]["low"] or b["auc"]["high"] < a["auc"]["low"]
    ]
    if not apart:
        return (
            f"Between groups of patients the intervals of a result overlap in all {len(pairs)} pairs that are large enough: no sign "
            "that results depend on the sequences present, the plane or the slice count, and no proof that they do not."
        )
    listed = some(apart, _SHOWN, "; ")
    return (
        f"In {len(apart)} of {len(pairs)} pairs of groups the intervals of a result do not overlap: {listed}. The intervals "
        "take the fold models as given, so they are too narrow, and among so many pairs some part by chance: see whether it repeats in other data before reading anything into it."
    )


def _availability(about: Mapping[str, Any], lead: str) -> list[Sheet]:
    """Patients by sequences present, by plane, and quantiles of the slice count, of all labelled patients."""
    labels, sequences = about["patients"]["labels"], about["sequences"]
    there = {p: about["availability"].get(p, {}) for p in labels}
    sets = Counter(_present(t, sequences) for t in there.values())
    positive = Counter(_present(t, sequences) for p, t in there.items() if labels[p] == 1)
    by_set = [(name, n, positive[name]) for name, n in sorted(sets.items(), key=lambda item: _shorter(item[0]))]
    planes = sorted({series["plane"] for t in there.values() for series in t.values()})
    by_plane: list[tuple[Cell, ...]] = []
    by_count: list[tuple[Cell, ...]] = []
    for q in sequences:
        own = [t[q] for t in there.values() if q in t]
        by_plane.append((q, *(sum(s["plane"] == p for s in own) for p in planes), len(there) - len(own)))
        if own:
            counts = np.quantile([s["slices"] for s in own], _QUANTILES, method="inverted_cdf")
            by_count.append((q, *map(int, counts)))
    return [
        Sheet(f"{lead}Patients by sequences present", ("Sequences present", "Patients", "Positive"), by_set),
        Sheet(f"{lead}Patients by plane", ("Sequence", *planes, "missing"), by_plane),
        Sheet(
            f"{lead}Slices that are not blank, per patient",
            ("Sequence", "lowest", "25 %", "median", "75 %", "highest"),
            by_count,
        ),
    ]


def _results(entries: Sequence[Mapping[str, Any]], lead: str) -> list[Sheet]:
    """One sheet per factor: a row per sequence and stratum, a column per head."""
    out = []
    for factor, title in FACTORS.items():
        rows: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
        for e in entries:
            if e["factor"] == factor:
                rows.setdefault((e["sequence"], e["stratum"]), {})[e["head"]] = e
        heads = list(dict.fromkeys(head for row in rows.values() for head in row))
        cells: list[list[Cell]] = []
        for (sequence, stratum), row in rows.items():
            first = next(iter(row.values()))
            figures: list[Cell] = [_cell(row[head]) if head in row else None for head in heads]
            cells.append([f"{sequence}: {stratum}", first["patients"], first["positive"], *figures])
        if cells:
            columns = (f"Sequence: {title.lower()}", "Patients", "Positive", *(f"AUC {head}" for head in heads))
            out.append(Sheet(f"{lead}AUC pooled (95 % CI) by {title.lower()}", columns, cells))
    return out


def _cell(entry: Mapping[str, Any]) -> str:
    return interval_text(entry["auc"]) if entry["auc"] else "too few"
