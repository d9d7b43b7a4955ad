"""The ledger of a run: every configuration that was tried, and how often the reported folds were looked at."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heads.crossfit import Head
from heads.space import Configuration

LEDGER_COLUMNS = (
    "run", "head", "sequence", "slices", "aggregate", "parameters", "repeat", "fold", "inner_auc", "inner_log_loss",
    "threshold", "chosen", "best_head",
)  # fmt: skip


def plain_rows(
    run: str, results: Iterable[tuple[str, str]], heads: Sequence[Head], slices: str, aggregate: str
) -> Iterator[tuple[Any, ...]]:
    """The rows of ledger.csv of a run without tuning: its results, (head, sequence), tried on the reported folds alone."""
    known = {head.name: head for head in heads}
    for head, sequence in results:
        c = Configuration(known[head], sequence, slices, aggregate)
        yield run, head, sequence, slices, aggregate, c.parameters, "", "", "", "", "", 1, 0


def looks(out: Path, labels: Mapping[str, int], results: int) -> dict[str, int]:
    """How often the folds of these patients were looked at: `results` times now, and earlier by the run that `out` holds.

    Replacing a run does not undo that its figures were seen. A run of other patients or labels does not count.
    """
    earlier = 0
    try:
        before = json.loads((out / "run.json").read_text(encoding="utf-8"))
        if before["patients"]["labels"] == dict(labels):
            earlier = before["looks"]["total"] if "looks" in before else _results(out / "predictions.csv")
    except (OSError, ValueError, KeyError, TypeError):  # no run, or a damaged one, whose figures nobody could read
        pass
    return {"results": results, "earlier": earlier, "total": results + earlier}


def _results(predictions: Path) -> int:
    with predictions.open(newline="", encoding="utf-8") as f:
        return len({(row["head"], row["sequence"]) for row in csv.DictReader(f)})
