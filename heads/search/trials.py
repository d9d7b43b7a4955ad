"""The ledger of a run: every configuration that was tried, and how often the reported folds were looked at."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from heads.crossfit import Head
from heads.search.space import Configuration

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


def looks(out: Path, about: Mapping[str, Any], results: int) -> dict[str, int]:
    """How often the folds of these patients were looked at: `results` times now, and earlier by the run that `out` holds.

    about : what run.json will say of patients, arguments, features and code. Replacing a run does not undo that its figures were
    seen. A run of other patients or labels does not count, nor does the very same run, whose figures are these.
    """
    earlier = 0
    try:
        before = json.loads((out / "run.json").read_text(encoding="utf-8"))
        if before["patients"]["labels"] == about["patients"]["labels"]:
            known = before.get("looks")
            earlier = known["total"] if known else _results(out / "predictions.csv")
            if known and _origin(before) == _origin(about):
                earlier = known["earlier"]
    except (OSError, ValueError, KeyError, TypeError):  # no run, or a damaged one, whose figures nobody could read
        pass
    return {"results": results, "earlier": earlier, "total": results + earlier}


def _origin(about: Mapping[str, Any]) -> str | float:
    """All that the figures of a run depend on, as one text; NaN, which equals nothing, where the code is not known."""
    if about.get("dirty") is not False:
        return float("nan")
    arguments = {k: v for k, v in about["arguments"].items() if k not in ("out", "overwrite", "jobs")}
    made = (about["features"]["digest"], about["labels"], about["code_version"], about["commit"], about["versions"])
    return json.dumps([arguments, made], sort_keys=True)


def _results(predictions: Path) -> int:
    with predictions.open(newline="", encoding="utf-8") as f:
        return len({(row["head"], row["sequence"]) for row in csv.DictReader(f)})
