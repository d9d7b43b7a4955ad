"""What is said of patients who are copies of each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from features.copies.duplicates import Pair, sentences


def copies_lines(
    pairs: Sequence[Pair], labels: Mapping[str, int], seconds: float, *, of_rows: bool = False
) -> list[str]:
    """What the user is told, a line each; contradicting labels are shouted. `of_rows`: a table of patients was compared."""
    if not pairs:
        how = "by all values of their rows" if of_rows else "by pixels or by features"
        return [f"  no patient is a copy of another, {how} ({seconds:.1f} s)"]
    found = sentences(pairs)
    out = [f"  {len(found)} pairs of patients share images; each stays in one fold ({seconds:.1f} s):"]
    out += [f"    {a} and {b}: {words}" for (a, b), words in list(found.items())[:8]]
    if len(found) > 8:
        out.append(f"    and {len(found) - 8} more pairs, in run.json")
    conflicts = [
        f"  LABEL CONFLICT: {a} is {labels[a]} and {b} is {labels[b]}, but they share images; a label is wrong, or an image"
        for a, b in found
        if labels[a] != labels[b]
    ]
    out += conflicts[:8]
    if len(conflicts) > 8:
        out.append(f"  and {len(conflicts) - 8} more LABEL CONFLICTS, in run.json")
    return out
