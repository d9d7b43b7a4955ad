"""One patient under two names: exact copies of slices by their digests, near copies by the cosines of their vectors.

Two series are near copies where more than half of the slices of the shorter one have a partner: each is the other's
nearest, and their cosine exceeds 0.6. Measured with VGG16 on FLAIR and T1wCE of eight real patients: the share of slices
with a partner was at most 0.09 between different patients, and 0.21 between 14 phantoms, which share one anatomy. In copies
of FLAIR with every second slice it was at least 0.80 after one change (mirrored; shifted by 3 of 224 pixels, also with 2 %
noise in the foreground; scaled by 5 %; turned by 3 degrees; JPEG quality 50; gamma 0.9). Mirrored, shifted and noisy at
once, or with noise in the black background too, six of eight copies were found.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.fingerprint import SKETCH_BITS, Fingerprint, Floats, fingerprint, from_arrays, signs
from features.table import CSV_SEQUENCE, Table

How = Literal["exact", "near", "row"]

TEST = (
    "Slices that are not blank were compared by the digest of their pixels (exact copies) and by the cosine of their "
    "vectors (near copies: more than half of the slices have a partner); rows of a table by all their values."
)
COSINE = 0.6
SHARE = 0.5  # of the shorter series
PROBES, PROBE_HITS = 8, 3  # slices of a series that are compared with all others, and how many must find something
LEAST_SLICES = 8  # of a series, for near copies; with fewer, a majority comes by chance
_BLOCK = 32  # patients whose probes are multiplied at once
_LEVEL = SKETCH_BITS * 2 / np.pi * np.arcsin(COSINE)  # the product of two sketches of +-1 at that cosine


@dataclass(frozen=True)
class Pair:
    """Two patients with the same content in one sequence: `n` of `of` slices of the shorter series (rows of a table: 1)."""

    a: str
    b: str
    sequence: str
    how: How
    n: int
    of: int

    def __str__(self) -> str:
        """What was found, without the names."""
        if self.how == "row":
            return "all values equal"
        return (
            f"{self.sequence} {self.n} of {self.of} slices {'identical' if self.how == 'exact' else 'nearly identical'}"
        )


def duplicate_patients(fingerprints: Mapping[str, Fingerprint]) -> list[Pair]:
    """The pairs of patients of a cohort, `a` before `b`, that share content; `fingerprints` by sequence."""
    return [p for sequence, f in fingerprints.items() for p in _pairs(sequence, f, f) if p.a < p.b]


def known_patients(tables: Iterable[Table], arrays: Mapping[str, NDArray[Any]]) -> list[Pair]:
    """The pairs of a new patient `a` and a patient `b` of a training, by the fingerprints of a fitted head.

    Sequences of which `arrays` (see `fingerprint.to_arrays`) has no fingerprint are passed over.
    """
    out = []
    for table in tables:
        if known := from_arrays(arrays, table.sequence):
            out += _pairs(table.sequence, fingerprint(table, known.scale), known)
    return out


def group_patients(pairs: Iterable[Pair]) -> dict[str, str]:
    """{patient: first patient of the group} of all who are linked by pairs, directly or through others."""
    root: dict[str, str] = {}

    def find(patient: str) -> str:
        while root.setdefault(patient, patient) != patient:
            patient = root[patient]
        return patient

    for pair in pairs:
        first, last = sorted((find(pair.a), find(pair.b)))
        root[last] = first
    return {patient: find(patient) for patient in sorted(root)}


def sentences(pairs: Sequence[Pair]) -> dict[tuple[str, str], str]:
    """{(a, b): what they share, in words}, over all sequences."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for pair in pairs:
        found[pair.a, pair.b].append(str(pair))
    return {names: ", ".join(parts) for names, parts in found.items()}


def describe(pairs: Sequence[Pair], labels: Mapping[str, int]) -> dict[str, Any]:
    """What run.json says: the test in words, the pairs, and those whose labels contradict each other."""
    conflicts = sorted({(p.a, p.b) for p in pairs if labels[p.a] != labels[p.b]})
    return {"test": TEST, "pairs": [asdict(p) for p in pairs], "conflicts": [list(names) for names in conflicts]}


def lines(pairs: Sequence[Pair], labels: Mapping[str, int], seconds: float, *, of_rows: bool = False) -> list[str]:
    """What the user is told, a line each; contradicting labels are shouted. `of_rows`: a table of patients was compared."""
    if not pairs:
        how = "by all values of their rows" if of_rows else "by pixels or by features"
        return [f"  no patient is a copy of another, {how} ({seconds:.1f} s)"]
    found = sentences(pairs)
    out = [f"  {len(found)} pairs of patients share images; each stays in one fold ({seconds:.1f} s):"]
    out += [f"    {a} and {b}: {words}" for (a, b), words in list(found.items())[:8]]
    if len(found) > 8:
        out.append(f"    ... and {len(found) - 8} more pairs, in run.json")
    out += [
        f"  LABEL CONFLICT: {a} is {labels[a]} and {b} is {labels[b]}, but they share images; one label is wrong"
        for a, b in found
        if labels[a] != labels[b]
    ]
    return out


def _pairs(sequence: str, a: Fingerprint, b: Fingerprint) -> list[Pair]:
    """All pairs of a patient of `a` and another of `b`. Near copies are not looked for among those that share pixels."""
    held_a, held_b = (set(zip(f.owner.tolist(), f.digest.tolist(), strict=True)) for f in (a, b))
    size_a, size_b = (Counter(owner for owner, _ in held) for held in (held_a, held_b))
    holders: dict[int, list[int]] = defaultdict(list)
    for owner, digest in held_b:
        holders[digest].append(owner)
    shared = Counter((i, j) for i, digest in held_a for j in holders.get(digest, ()))
    exact: How = "row" if sequence == CSV_SEQUENCE else "exact"
    found = [(i, j, exact, n, min(size_a[i], size_b[j])) for (i, j), n in shared.items()]
    near: How = "near"
    found += [(i, j, near, n, of) for (i, j), (n, of) in _near(a, b).items() if (i, j) not in shared]
    names = [(str(a.patients[i]), str(b.patients[j]), sequence, how, n, of) for i, j, how, n, of in found]
    return [Pair(*fields) for fields in sorted(names) if fields[0] != fields[1]]


def _near(a: Fingerprint, b: Fingerprint) -> dict[tuple[int, int], tuple[int, int]]:
    """{(patient of a, patient of b): (slices with a partner, slices of the shorter series)} of the near copies.

    For N slices of P patients in all: P * PROBES slices against N each way, then every slice of the few pairs where
    PROBE_HITS of them found something; N * N products are never made.
    """
    if not a.sketch.shape[1] or not b.sketch.shape[1]:
        return {}
    signs_a, signs_b = signs(a), signs(b)
    rows_a, rows_b = (np.split(np.arange(len(f.owner)), np.flatnonzero(np.diff(f.owner)) + 1) for f in (a, b))
    candidates = _promising(signs_a, rows_a, signs_b, rows_b)
    candidates |= {(i, j) for j, i in (candidates if a is b else _promising(signs_b, rows_b, signs_a, rows_a))}
    candidates -= {(i, j) for i, j in candidates if a is b and i >= j}
    found = {}
    for i, j in sorted(candidates):
        products = signs_a[rows_a[i]] @ signs_b[rows_b[j]].T
        best = products.argmax(axis=1)
        here = np.arange(len(products))
        mutual = (products.argmax(axis=0)[best] == here) & (products[here, best] > _LEVEL)
        n, of = int(mutual.sum()), min(products.shape)
        if n > SHARE * of:
            found[i, j] = n, of
    return found


def _promising(
    mine: Floats, rows: Sequence[NDArray[np.intp]], others: Floats, their_rows: Sequence[NDArray[np.intp]]
) -> set[tuple[int, int]]:
    """(patient, other patient) where a few slices spread over the patient's series find alike ones in the other's."""
    long = np.flatnonzero([len(r) >= LEAST_SLICES for r in rows])
    theirs_long = np.array([len(r) >= LEAST_SLICES for r in their_rows])
    found = set()
    for some in np.split(long, range(_BLOCK, len(long), _BLOCK)):
        if len(some) and theirs_long.any():
            probes = [rows[i][np.linspace(0, len(rows[i]) - 1, PROBES).astype(int)] for i in some]
            best = np.maximum.reduceat(mine[np.concatenate(probes)] @ others.T, [r[0] for r in their_rows], axis=1)
            hits = (best > _LEVEL).reshape(len(some), PROBES, -1).sum(axis=1) >= PROBE_HITS
            found |= {(int(some[k]), int(j)) for k, j in np.argwhere(hits & theirs_long)}
    return found
