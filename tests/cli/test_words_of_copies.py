"""What a training says of patients who are copies of each other."""

from __future__ import annotations

from cli.words.copies import copies_lines
from features.copies.duplicates import Pair


def test_pairs_and_contradicting_labels_are_said() -> None:
    pairs = [Pair("a", "b", "FLAIR", "exact", 9, 10), Pair("a", "b", "T2w", "near", 7, 10), Pair("a", "c", "T2w", "near", 8, 9)]  # fmt: skip
    labels = {"a": 1, "b": 1, "c": 0}
    printed = copies_lines(pairs, labels, 1.23)
    assert printed[0] == "  2 pairs of patients share images; each stays in one fold (1.2 s):"
    assert printed[-1].startswith("  LABEL CONFLICT: a is 1 and c is 0")
    assert sum("CONFLICT" in line for line in printed) == 1
    picture = [Pair(f"a{k}", f"b{k}", "FLAIR", "exact", 1, 9) for k in range(20)]
    printed = copies_lines(picture, {f"{c}{k}": int(c == "a") for k in range(20) for c in "ab"}, 1)
    assert sum("LABEL CONFLICT:" in line for line in printed) == 8
    assert printed[-1] == "  and 12 more LABEL CONFLICTS, in run.json"
    assert copies_lines([], labels, 0) == ["  no patient is a copy of another, by pixels or by features (0.0 s)"]
    many = [Pair("a", f"b{k}", "FLAIR", "near", 9, 9) for k in range(10)]
    printed = copies_lines(many, {"a": 1} | {p.b: 1 for p in many}, 1)
    assert len(printed) == 10
    assert printed[-1] == "    and 2 more pairs, in run.json"
