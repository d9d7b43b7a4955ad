"""One patient under two names: exact copies of slices by their digests, near copies by their vectors (`features.copies.matching`)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from core.documents import Document
from core.predictions import TABLE
from features.copies.fingerprint import Fingerprint, Stored, fingerprint, from_arrays
from features.copies.matching import near_copies
from features.table import Table

How = Literal["exact", "near", "row"]

TEST = (
    "Slices that are not blank were compared by the digest of their pixels (exact copies) and by the cosine of their "
    "vectors (near copies: more than half of the slices have a partner; pairs of series to compare are proposed "
    "by locality-sensitive hashing, so that a copy can be missed); rows of a table by all their values."
)


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


def known_patients(tables: Iterable[Table], arrays: Mapping[str, Stored]) -> list[Pair]:
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


def describe(pairs: Sequence[Pair], labels: Mapping[str, int]) -> Document:
    """What run.json says: the test in words, the pairs, and those whose labels contradict each other."""
    conflicts = sorted({(p.a, p.b) for p in pairs if labels[p.a] != labels[p.b]})
    return {"test": TEST, "pairs": [asdict(p) for p in pairs], "conflicts": [list(names) for names in conflicts]}


def _pairs(sequence: str, a: Fingerprint, b: Fingerprint) -> list[Pair]:
    """All pairs of a patient of `a` and another of `b`; where both ways find something, the one that finds more."""
    (owner_a, digest_a), (owner_b, digest_b) = _held(a), _held(b)
    size_a, size_b = np.bincount(owner_a), np.bincount(owner_b)
    low, high = (np.searchsorted(digest_b, digest_a, side) for side in ("left", "right"))
    several = np.flatnonzero(high - low > (a is b))  # within one cohort every digest finds itself
    shared = Counter((int(owner_a[k]), int(j)) for k in several for j in owner_b[low[k] : high[k]])
    exact: How = "row" if sequence == TABLE else "exact"
    found = {(i, j): (exact, n, int(min(size_a[i], size_b[j]))) for (i, j), n in shared.items()}
    near: How = "near"
    found |= {pair: (near, n, of) for pair, (n, of) in near_copies(a, b).items() if n > shared[pair]}
    names = [(str(a.patients[i]), str(b.patients[j]), sequence, *what) for (i, j), what in found.items()]
    return [Pair(*fields) for fields in sorted(names) if fields[0] != fields[1]]


def _held(f: Fingerprint) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
    """(owner, digest) of all slices in the order of digests, each once for an owner."""
    order = np.lexsort((f.owner, f.digest))
    owner, digest = f.owner[order], f.digest[order]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(owner) != 0) | (digest[1:] != digest[:-1])
    return owner[first], digest[first]
