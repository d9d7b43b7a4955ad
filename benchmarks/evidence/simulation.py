"""Do the intervals, p-values and comparisons of the report hold? Simulated cohorts with a known truth (`benchmarks.simulated`)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.simulated import Cell, comparisons, coverage, demonstrations, permutations, selection

CELLS = [Cell(n, effect) for n in (40, 120, 400) for effect in (0.0, 0.8, 1.6)] + [
    Cell(120, 0.0, share=0.2),
    Cell(120, 0.8, share=0.2),
    Cell(120, 0.0, slices=6),
    Cell(120, 0.8, slices=6),
    Cell(120, 0.0, "boosted"),
    Cell(120, 1.6, "boosted"),
]


COVERAGE = (
    "patients (positive)", "head", "slices", "effect", "true AUC", "by fold", "pooled", "u", "interval of the report", "influence curve",
    "bootstrap, pooled", "DeLong, pooled", "p < 0.05", "KS p",
)  # fmt: skip
PERMUTATIONS = ("patients", "effect", "p over shuffled labels <= 0.05", "KS p")
COMPARISONS = (
    "patients", "effect", "interval of the difference", "p < 0.05", "DeLong, pooled", "Nadeau-Bengio", "paired bootstrap interval",
)  # fmt: skip
SELECTION = ("patients", "sequences", "effect", "best of all", "nested choice", "mean of all")


def _say(cells: Sequence[object]) -> None:
    """A line of a table, at once."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def _head(columns: Sequence[str]) -> None:
    """The first two lines of a table."""
    _say(columns)
    _say(["---"] * len(columns))


def _coverages(cohorts: int) -> list[dict[str, Any]]:
    """Whether intervals hold the truth."""
    _head(COVERAGE)
    found = []
    for cell in CELLS:
        r = coverage(cell, cohorts)
        found.append(r)
        figures = [f"{r[k]:.3f}" for k in ("influence_curve", "bootstrap_pooled", "delong_pooled", "rejected")]
        positive = f"{cell.patients} ({round(cell.patients * cell.share)})"
        aucs = [
            f"{r['truth']:.3f}",
            f"{r['by_fold']:.3f}",
            f"{r['pooled']:.3f}",
            f"{r['u']:.2f}",
            f"**{r['interval']:.3f}**",
        ]
        _say([positive, cell.head, cell.slices, cell.effect, *aucs, *figures, _ks(r)])
    return found


def _shuffled(cohorts: int) -> list[dict[str, Any]]:
    """Whether p-values over shuffled labels are uniform where there is nothing."""
    print()
    _head(PERMUTATIONS)
    found = []
    for cell in (Cell(40, 0.0), Cell(120, 0.0), Cell(120, 0.0, slices=6), Cell(120, 0.8)):
        r = permutations(cell, cohorts)
        found.append(r)
        _say([cell.patients, cell.effect, f"{r['rejected']:.3f}", _ks(r)])
    return found


def _compared(cohorts: int) -> list[dict[str, Any]]:
    """Whether comparisons of two results hold."""
    print()
    _head(COMPARISONS)
    found = []
    for cell in (Cell(40, 0.0), Cell(120, 0.0), Cell(120, 0.8), Cell(120, 1.6), Cell(400, 0.8)):
        r = comparisons(cell, cohorts)
        found.append(r)
        figures = [f"{r[k]:.3f}" for k in ("interval", "rejected", "rejected_delong", "rejected_folds", "bootstrap")]
        _say([cell.patients, cell.effect, *figures])
    return found


def _selected(cohorts: int) -> list[dict[str, Any]]:
    """What picking the best of several sequences does."""
    print()
    _head(SELECTION)
    found = [selection(40, 4, effect, cohorts) for effect in (0.0, 0.8)]
    for r in found:
        _say([r["patients"], r["sequences"], r["effect"], *(f"{r[k]:.3f}" for k in ("best", "nested", "mean"))])
    return found


def _ks(r: dict[str, Any]) -> str:
    return "" if r["ks_p"] is None else f"{r['ks_p']:.2f}"


def main(cohorts: int = 500, out: Path = Path("simulation.json")) -> None:
    """Print the tables, and write them as JSON."""
    fewer = max(1, cohorts * 3 // 5)
    content = {
        "coverage": _coverages(cohorts),
        "permutations": _shuffled(cohorts),
        "comparisons": _compared(cohorts),
        "selection": _selected(fewer),
        "leaks": [demonstrations(fewer)],
    }
    (r,) = content["leaks"]
    print(
        f"\nleak demonstrator, {r['cohorts']} cohorts: slice split called inflated in {r['slice']:.3f}, patient split in "
        f"{r['patient']:.3f}"
    )
    out.write_text(json.dumps({"cohorts": cohorts, **content}, indent=1) + "\n", encoding="utf-8")
