"""Do image heads beat what is known without an image where there is anatomy to see, and only there?

Two phantom cohorts go through the three doors with the real network: in one the label shows in the lesion and nowhere
else, in the other in the number of slices alone. The same paired test, on the same table, has to tell them apart.
Files stay in build/benchmarks/shortcuts; a run that was stopped goes on where it was, as extraction does.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import evaluate
import extract_features
import train_head
from features.phantom import ideal_auc, make_phantom

OUT = Path("build/benchmarks/shortcuts")
SEQUENCE = "T1wCE"  # the necrotic core and its ring show best after contrast
COLUMNS = ("cohort", "image head", "its AUC", "best shortcut head", "its AUC", "difference", "p (Holm)", "in words")


@dataclass(frozen=True)
class Cohort:
    """A phantom cohort; `effect` : distance of the classes in the lesion, `shortcut` : further slices of a positive."""

    name: str
    title: str
    patients: int
    effect: float
    shortcut: int
    seed: int
    slices: int = 8


COHORTS = (
    Cohort("anatomy", "in the lesion", patients=120, effect=6.0, shortcut=0, seed=11),
    Cohort("shortcut", "in the slice count", patients=60, effect=0.0, shortcut=2, seed=12),
)


def main() -> None:
    """Make both cohorts, extract, train, evaluate, and print the table of image heads against shortcut heads."""
    tables: list[Sequence[str]] = []
    findings = []
    for cohort in COHORTS:
        report = run(cohort, OUT / cohort.name)
        tables += rows(cohort, report)
        findings += [f"{cohort.title}: {said}" for said in report["sections"]["shortcuts"]["findings"]]
    print("\n".join(["", *lines(tables), "", *findings]), flush=True)


def run(cohort: Cohort, folder: Path) -> dict[str, Any]:
    """The report of one cohort, as report.json holds it; raises RuntimeError where a door refuses."""
    if not (folder / "cohort" / "train_labels.csv").exists():
        make_phantom(
            folder / "cohort",
            patients=cohort.patients,
            effect=cohort.effect,
            shortcut=cohort.shortcut,
            seed=cohort.seed,
            slices=cohort.slices,
            sequences=(SEQUENCE,),
        )
    cache, trained, report = folder / "features.h5", folder / "runs" / cohort.name, folder / "report"
    labels = folder / "cohort" / "train_labels.csv"
    for door, argv in (
        (extract_features.main, [folder / "cohort" / "train", "--out", cache]),
        (train_head.main, [cache, labels, "--head", "logistic", "boosted", "--out", trained, "--overwrite"]),
        (evaluate.main, [trained, "--out", report]),
    ):
        if door([str(a) for a in argv]):
            raise RuntimeError(f"{door.__module__} refused the cohort in {folder}; its reason stands above")
    content: dict[str, Any] = json.loads((report / "report.json").read_text(encoding="utf-8"))
    return content


def rows(cohort: Cohort, report: dict[str, Any]) -> list[Sequence[str]]:
    """One row per image head, in the order of COLUMNS."""
    (audit,) = report["sections"]["shortcuts"]["runs"].values()
    shortcut = next(h for h in audit["heads"] if h["head"] == audit["best"])
    images = {(r["head"], r["sequence"]): r["by_fold"] for r in report["results"] if r["level"] == "patient"}
    return [
        (
            f"{cohort.title}, {cohort.patients} patients (the best possible reader: {ideal_auc(cohort.effect):.3f})",
            c["a"][1],
            _auc(images[c["a"][1], c["a"][2]]),
            audit["best"],
            _auc(shortcut["auc"]),
            f"{c['difference']:+.3f} ({c['low']:+.2f} to {c['high']:+.2f})",
            "< 0.001" if c["p_holm"] < 0.001 else f"{c['p_holm']:.3f}",
            c["verdict"],
        )
        for c in audit["comparisons"]
    ]


def lines(table: Sequence[Sequence[str]]) -> list[str]:
    """The table in Markdown."""
    return [f"| {' | '.join(row)} |" for row in (COLUMNS, ["---"] * len(COLUMNS), *table)]


def _auc(value: dict[str, Any]) -> str:
    low, high = ("n/a" if value[k] is None else f"{value[k]:.2f}" for k in ("low", "high"))
    return f"{value['estimate']:.3f} ({low}-{high})"


if __name__ == "__main__":
    main()
