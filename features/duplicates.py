"""One patient under two names: exact copies of slices by their digests, near copies by the cosines of their vectors.

Two series are near copies where more than half of the slices of the shorter one have a partner: each is the other's
nearest, and their cosine exceeds 0.6. Measured with VGG16 on FLAIR and T1wCE of eight real patients: the share of slices
with a partner was at most 0.09 between different patients, and 0.21 between 14 phantoms, which share one anatomy. In copies
of FLAIR with every second slice it was at least 0.80 after one change (mirrored; shifted by 3 of 224 pixels, also with 2 %
noise in the foreground; scaled by 5 %; turned by 3 degrees; JPEG quality 50; gamma 0.9). Mirrored, shifted and noisy at
once, or with noise in the black background too, six of eight copies were found.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from features.fingerprint import SKETCH_BITS, Fingerprint, fingerprint, from_arrays
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
_BLOCK = 2  # patients whose probes are compared at once with the slices of
_SERIES = 128  # others, so that the differences stay in the processor's own memory
_DIFFER = SKETCH_BITS / np.pi * np.arccos(COSINE)  # bits in which two sketches differ at that cosine

Words = NDArray[np.uint64]


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
    out += [f"    and {len(found) - 8} more, in run.json"] * (len(found) > 8)
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
    (owner_a, digest_a), (owner_b, digest_b) = _held(a), _held(b)
    size_a, size_b = np.bincount(owner_a), np.bincount(owner_b)
    low, high = (np.searchsorted(digest_b, digest_a, side) for side in ("left", "right"))
    several = np.flatnonzero(high - low > (a is b))  # within one cohort every digest finds itself
    shared = Counter((int(owner_a[k]), int(j)) for k in several for j in owner_b[low[k] : high[k]])
    exact: How = "row" if sequence == CSV_SEQUENCE else "exact"
    found = [(i, j, exact, n, int(min(size_a[i], size_b[j]))) for (i, j), n in shared.items()]
    near: How = "near"
    found += [(i, j, near, n, of) for (i, j), (n, of) in _near(a, b).items() if (i, j) not in shared]
    names = [(str(a.patients[i]), str(b.patients[j]), sequence, how, n, of) for i, j, how, n, of in found]
    return [Pair(*fields) for fields in sorted(names) if fields[0] != fields[1]]


def _held(f: Fingerprint) -> tuple[NDArray[np.int32], NDArray[np.uint64]]:
    """(owner, digest) of all slices in the order of digests, each once for an owner."""
    order = np.lexsort((f.owner, f.digest))
    owner, digest = f.owner[order], f.digest[order]
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(owner) != 0) | (digest[1:] != digest[:-1])
    return owner[first], digest[first]


def _near(a: Fingerprint, b: Fingerprint) -> dict[tuple[int, int], tuple[int, int]]:
    """{(patient of a, patient of b): (slices with a partner, slices of the shorter series)} of the near copies.

    For N slices of P patients in all: P * PROBES slices against N each way, then every slice of the few pairs where
    PROBE_HITS of them found something; N * N comparisons are never made.
    """
    if not a.sketch.size or not b.sketch.size:
        return {}
    words_a, words_b = (np.ascontiguousarray(np.ascontiguousarray(f.sketch).view(np.uint64).T) for f in (a, b))
    rows_a, rows_b = (np.split(np.arange(len(f.owner)), np.flatnonzero(np.diff(f.owner)) + 1) for f in (a, b))
    candidates = _promising(words_a, rows_a, words_b, rows_b)
    candidates |= {(i, j) for j, i in (candidates if a is b else _promising(words_b, rows_b, words_a, rows_a))}
    candidates -= {(i, j) for i, j in candidates if a is b and i >= j}
    found = {}
    for i, j in sorted(candidates):
        differ = _differences(words_a[:, rows_a[i]], words_b[:, rows_b[j]])
        best = differ.argmin(axis=1)
        here = np.arange(len(differ))
        mutual = (differ.argmin(axis=0)[best] == here) & (differ[here, best] < _DIFFER)
        n, of = int(mutual.sum()), min(differ.shape)
        if n > SHARE * of:
            found[i, j] = n, of
    return found


def _differences(a: Words, b: Words) -> NDArray[np.uint16]:
    """(4, m) and (4, n) words of sketches -> (m, n) bits in which they differ."""
    out = np.zeros((a.shape[1], b.shape[1]), np.uint16)
    for mine, theirs in zip(a, b, strict=True):
        out += np.bitwise_count(mine[:, None] ^ theirs)
    return out


def _promising(
    mine: Words, rows: Sequence[NDArray[np.intp]], others: Words, their_rows: Sequence[NDArray[np.intp]]
) -> set[tuple[int, int]]:
    """(patient, other patient) where a few slices spread over the patient's series find alike ones in the other's."""
    long = [i for i, r in enumerate(rows) if len(r) >= LEAST_SLICES]
    probes = [mine[:, rows[i][np.linspace(0, len(rows[i]) - 1, PROBES).astype(int)]] for i in long]

    def among(start: int) -> set[tuple[int, int]]:
        """The pairs with some of the others."""
        first = np.array([r[0] for r in their_rows[start : start + _SERIES]])
        lengths = np.array([len(r) for r in their_rows[start : start + _SERIES]])
        theirs = others[:, first[0] : first[-1] + lengths[-1]]
        found = set()
        for k in range(0, len(long), _BLOCK):
            some = np.concatenate(probes[k : k + _BLOCK], axis=1)
            least = np.minimum.reduceat(_differences(some, theirs), first - first[0], axis=1)
            hits = (least < _DIFFER).reshape(-1, PROBES, len(first)).sum(axis=1) >= PROBE_HITS
            found |= {(long[k + i], start + int(j)) for i, j in np.argwhere(hits & (lengths >= LEAST_SLICES))}
        return found

    with ThreadPoolExecutor(os.cpu_count()) as threads:  # numpy leaves the interpreter to the others
        return set().union(*threads.map(among, range(0, len(their_rows), _SERIES)))
