"""The sentences that run.json keeps, and the doors print: how labels and patients were joined."""

from __future__ import annotations

from core.text import some
from features.labels import Join


def join_lines(joined: Join) -> list[str]:
    """How labels and patients were joined, a line each."""
    lines = [f"{len(joined.labels)} patients with label: {joined.question}"]
    if joined.as_written:
        lines.append(f"  {len(joined.as_written)} ids joined as written")
    if joined.by_number:
        a, b = joined.by_number[0]
        lines.append(f"  {len(joined.by_number)} ids joined by number ({a!r} is {b!r} in the labels)")
    for names, what in (
        (joined.unlabelled, "in the features have no known label, left out"),
        (joined.without_row, "in the features have no row in the labels, left out"),
        (joined.without_scans, "in the labels have no features"),
    ):
        if names:
            lines.append(f"  {len(names)} patients {what}: {some(names)}")
    if joined.n_without_value:
        lines.append(f"  {joined.n_without_value} patients of the labels have no value there")
    if joined.other:
        found = ", ".join(f"{v!r} {n} x" for v, n in joined.other.items())
        lines.append(f"  values that are neither class: {found}")
    return lines
