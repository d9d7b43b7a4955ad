"""Groups of patients by sequences present, plane and slice count, and the AUC of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from core.documents import Known
from core.metrics import auc, ones
from core.predictions import Scored
from evaluation.statistics.intervals import bootstrap_weights, percentile_interval
from evaluation.statistics.power import few

FACTORS = ("sequences", "plane", "slices")


@dataclass(frozen=True)
class SubgroupAuc:
    """One result in one stratum; auc : {estimate, low, high} of its pooled scores, None where a class has too few patients."""

    head: str
    sequence: str
    factor: str
    stratum: str
    patients: int
    positive: int
    auc: dict[str, float] | None


@dataclass(frozen=True)
class Overlap:
    """Of the pairs of strata with an interval each: how many, and those whose intervals lie apart."""

    pairs: int
    apart: list[tuple[SubgroupAuc, SubgroupAuc]]


def strata(sequence: str, patients: Sequence[str], about: Known) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The strata of a result on `sequence`, a single one or a fusion of all.

    Who lacks several sequences is grouped by how many. Slice counts are cut at the tertiles of these patients; a fusion
    counts the slices of all its sequences together.

    Parameters
    ----------
    sequence : of the result; patients : n ids; about : run.json with `sequences` and `availability`

    Returns
    -------
    {factor: {stratum: (n,) which of the patients}}
    """
    own = [sequence] if sequence in about["sequences"] else about["sequences"]
    there = [about["availability"].get(p, {}) for p in patients]
    counts = np.array([sum(t[q]["slices"] for q in own if q in t) for t in there], int)
    third = np.searchsorted(np.quantile(counts, [1 / 3, 2 / 3]), counts) if len(counts) else counts
    ranges = {k: f"{counts[third == k].min()} to {counts[third == k].max()}" for k in sorted(set(third.tolist()))}
    names = {
        "sequences": [present(t, about["sequences"], group=True) for t in there],
        "plane": [_plane({t[q]["plane"] for q in own if q in t}) for t in there],
        "slices": [ranges[k] for k in third.tolist()],
    }
    order = {
        "sequences": sorted(set(names["sequences"]), key=all_first),
        "plane": sorted(set(names["plane"])),
        "slices": list(ranges.values()),
    }
    return {f: {name: np.array(names[f]) == name for name in order[f]} for f in FACTORS}


def present(there: Known, sequences: Sequence[str], *, group: bool = False) -> str:
    """Which sequences a patient has, as the name of a stratum; `group` : several lacking ones are counted, not named."""
    lacking = [q for q in sequences if q not in there]
    if len(lacking) == len(sequences):
        return "none"
    if group and len(lacking) > 1:
        return f"without {len(lacking)} of {len(sequences)}"
    return f"without {', '.join(lacking)}" if lacking else "all"


def all_first(stratum: str) -> tuple[int, str]:
    """A key that puts "all" first and long lists of what is lacking last."""
    return len(stratum), stratum


def _plane(planes: set[str]) -> str:
    if len(planes) == 1:
        return planes.pop()
    return "several planes" if planes else "none"


def subgroup_aucs(s: Scored, about: Known, *, replicates: int, seed: int) -> list[SubgroupAuc]:
    """One result in each stratum; a factor of one stratum has none.

    Parameters
    ----------
    s : scores (R, n) by patient; about : see `strata`; replicates, seed : of the bootstrap over patients
    """
    return [
        SubgroupAuc(
            head=s.head,
            sequence=s.sequence,
            factor=factor,
            stratum=name,
            patients=int(inside.sum()),
            positive=int(s.y[inside].sum()),
            auc=_auc(s, inside, replicates, seed),
        )
        for factor, members in strata(s.sequence, s.units, about).items()
        if len(members) > 1
        for name, inside in members.items()
    ]


def _auc(s: Scored, inside: NDArray[np.bool_], replicates: int, seed: int) -> dict[str, float] | None:
    """The AUC of some patients, averaged over repeats, with its interval; None where a class has too few."""
    y = s.y[inside]
    if few(y) or not np.isfinite(s.scores[:, inside]).all():
        return None
    weights = np.concatenate([ones(len(y)), bootstrap_weights(y, replicates, np.random.default_rng(seed))])
    values = np.mean([auc(y, row[inside], weights) for row in s.scores], axis=0)
    low, high = percentile_interval(values[1:])
    return {"estimate": float(values[0]), "low": low, "high": high}


def overlap(found: Sequence[SubgroupAuc]) -> Overlap:
    """Whether intervals of strata of one result and factor overlap; nothing is tested, since nobody asked about one beforehand."""
    groups: dict[tuple[str, str, str], list[SubgroupAuc]] = {}
    for f in found:
        if f.auc:
            groups.setdefault((f.head, f.sequence, f.factor), []).append(f)
    pairs = [pair for group in groups.values() for pair in combinations(group, 2)]
    return Overlap(len(pairs), [(a, b) for a, b in pairs if _apart(a.auc, b.auc)])


def _apart(a: dict[str, float] | None, b: dict[str, float] | None) -> bool:
    return a is not None and b is not None and (a["high"] < b["low"] or b["high"] < a["low"])
