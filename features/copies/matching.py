"""Series whose slices are each other's nearest: near copies, among any number of series in time that grows with the slices.

Two series are near copies where more than half of the slices of the shorter one have a partner: each is the other's
nearest, and their cosine exceeds 0.6. Which pairs of series are worth that comparison is found by sorting: sketches that
agree in most bits agree in the bits from some byte on, so that sorted by these they lie side by side: locality-sensitive
hashing (Charikar, STOC 2002; Ravichandran et al., ACL 2005), with rotations by a byte for permutations. Every slice is
compared with the next few in 32 such orders, never with all. What this finds of changed copies of real patients, and among
how many others, is measured by `python -m benchmarks copies`.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from features.copies.fingerprint import SKETCH_BITS, Fingerprint

COSINE = 0.6
SHARE = 0.5  # of the shorter series
LEAST_SLICES = 8  # of a series; with fewer, a majority comes by chance
# Two series are compared slice by slice where so many of one found an alike one of the other, and such a share of the shorter.
HITS, HIT_SHARE = 3, 0.1
NEXT = 8  # neighbours in an order
_DIFFER = SKETCH_BITS / np.pi * np.arccos(COSINE)  # bits in which two sketches differ at that cosine
_BYTES = SKETCH_BITS // 8
_AT_ONCE = 8  # orders
_BLOCK = 1 << 14  # slices whose differences stay in the processor's own memory

Words = NDArray[np.uint64]
Ints = NDArray[np.int64]


def near_copies(a: Fingerprint, b: Fingerprint) -> dict[tuple[int, int], tuple[int, int]]:
    """{(patient of a, patient of b): (slices with a partner, slices of the shorter series)} of the near copies.

    Where `a` is `b`, each pair once, the first patient first.
    """
    if not a.sketch.size or not b.sketch.size:
        return {}
    words_a, rows_a = _words(a.sketch), _rows(a)
    words_b, rows_b = (words_a, rows_a) if a is b else (_words(b.sketch), _rows(b))
    found = {}
    for i, j in _alike(a, b, words_a if a is b else np.concatenate([words_a, words_b], axis=1)):
        differ = _differences(words_a[:, rows_a[i], None], words_b[:, None, rows_b[j]])
        best = differ.argmin(axis=1)
        here = np.arange(len(differ))
        mutual = (differ.argmin(axis=0)[best] == here) & (differ[here, best] < _DIFFER)
        n, of = int(mutual.sum()), min(differ.shape)
        if n > SHARE * of:
            found[i, j] = n, of
    return found


def _words(sketch: NDArray[np.uint8]) -> Words:
    """(4, n) words."""
    return np.ascontiguousarray(np.ascontiguousarray(sketch).view(np.uint64).T)


def _rows(f: Fingerprint) -> list[slice]:
    """The slices of each patient."""
    starts = np.searchsorted(f.owner, np.arange(len(f.patients) + 1)).tolist()
    return [slice(*ends) for ends in zip(starts, starts[1:], strict=False)]


def _differences(mine: Words, theirs: Words) -> NDArray[np.uint16]:
    """Bits in which sketches differ, whose four words are the first axis."""
    out: NDArray[np.uint16] = np.bitwise_count(mine[0] ^ theirs[0]).astype(np.uint16)
    for k in range(1, len(mine)):
        out += np.bitwise_count(mine[k] ^ theirs[k])
    return out


def _alike(a: Fingerprint, b: Fingerprint, words: Words) -> list[tuple[int, int]]:
    """The pairs of series, in order, of which enough slices found an alike one of the other; `words` : of both."""
    same = a is b
    sketch = a.sketch if same else np.concatenate([a.sketch, b.sketch])
    owner = a.owner if same else np.concatenate([a.owner, b.owner + np.int32(len(a.patients))])
    group = owner if same else (owner >= len(a.patients)).astype(np.int32)  # pairs lie in two of them
    lengths = np.bincount(owner)
    n = len(lengths)
    hits = np.empty(0, np.int64)  # slice * n + patient in whose series it found something, each once
    with ThreadPoolExecutor(os.cpu_count()) as threads:  # numpy leaves the interpreter to the others
        for start in range(0, _BYTES, _AT_ONCE):
            found = threads.map(lambda first: _meetings(sketch, words, group, first), range(start, start + _AT_ONCE))
            one, other = np.concatenate(list(found), axis=1)
            hits, _ = _counts(np.concatenate([hits, one * n + owner[other], other * n + owner[one]]))
    pairs, count = _counts(owner[hits // n] * np.int64(n) + hits % n)
    i, j = np.divmod(pairs, n)
    shorter = np.minimum(lengths[i], lengths[j])
    enough = (count >= np.maximum(HITS, HIT_SHARE * shorter)) & (shorter >= LEAST_SLICES)
    ordered = {(min(pair), max(pair)) for pair in zip(i[enough].tolist(), j[enough].tolist(), strict=True)}
    return sorted((p, q - (0 if same else len(a.patients))) for p, q in ordered)


def _counts(values: Ints) -> tuple[Ints, Ints]:
    """The different values in order, and how often each is there; np.unique took ten times as long."""
    ordered = np.sort(values)
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[first], np.diff(first, append=len(ordered))


def _meetings(sketch: NDArray[np.uint8], words: Words, group: NDArray[np.int32], first: int) -> Ints:
    """(2, m) slices of two groups that are alike and neighbours in the order of their bits from byte `first` on."""
    key = np.take(sketch, np.arange(first, first + 8) % _BYTES, axis=1).view(">u8")[:, 0].astype(np.uint64)
    order = np.argsort(key, kind="stable")
    found = [np.empty((2, 0), np.int64)]
    for start in range(0, len(order), _BLOCK):
        here = order[start : start + _BLOCK + NEXT]
        mine, of = words[:, here], group[here]
        for step in range(1, min(NEXT, len(here) - 1) + 1):
            last = min(_BLOCK, len(here) - step)
            alike = _differences(mine[:, :last], mine[:, step : step + last]) < _DIFFER
            k = np.flatnonzero(alike & (of[:last] != of[step : step + last]))
            found.append(np.stack([here[k], here[k + step]]))
    return np.concatenate(found, axis=1)
