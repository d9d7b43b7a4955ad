"""Patients of a cohort that share images, as training found them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from evaluation.read_run import Run, is_table


class Likeness(Enum):
    """How two series are alike."""

    EXACT = "exact"
    NEAR = "near"
    ROW = "row"


@dataclass(frozen=True)
class SharedSeries:
    """One sequence that patients a and b share: `n` of `of` slices; labels are 0 or 1."""

    a: str
    b: str
    sequence: str
    how: Likeness
    n: int
    of: int
    labels: tuple[int, int]


@dataclass(frozen=True)
class CopiesFound:
    """What training looked for and found.

    looked : False for runs of older versions; test : by which test, in the words of the run; of_rows : rows of a table
    patients : pairs of patients; conflicts : (patient, label) of each side; separated : patients put into different folds
    kept_together : whether each group of copies is in one fold
    """

    run: str
    looked: bool
    test: str = ""
    of_rows: bool = False
    series: Sequence[SharedSeries] = ()
    patients: int = 0
    conflicts: Sequence[tuple[tuple[str, int], tuple[str, int]]] = ()
    separated: Sequence[str] = ()
    kept_together: bool = False


def copies_found(run: Run) -> CopiesFound:
    """What `duplicates` of run.json says."""
    found = run.about.get("duplicates")
    if found is None:
        return CopiesFound(run.name, looked=False)
    labels = run.about["patients"]["labels"]
    series = [
        SharedSeries(
            a=p["a"],
            b=p["b"],
            sequence=p["sequence"],
            how=Likeness(p["how"]),
            n=p["n"],
            of=p["of"],
            labels=(labels[p["a"]], labels[p["b"]]),
        )
        for p in found["pairs"]
    ]
    return CopiesFound(
        run=run.name,
        looked=True,
        test=found["test"],
        of_rows=is_table(run.about),
        series=series,
        patients=len({(s.a, s.b) for s in series}),
        conflicts=[((a, labels[a]), (b, labels[b])) for a, b in found["conflicts"]],
        separated=list(found["separated"]),
        kept_together=run.about["split"] == "patient",
    )
