"""How often the reported folds of a run were looked at: by itself, and by the runs that it replaces."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from core.documents import Known
from heads.run_files import PREDICTIONS, RUN_FILE
from heads.run_record import LooksRecord


def looks(out: Path, about: Known, results: int) -> LooksRecord:
    """How often the folds of these patients were looked at.

    Replacing a run does not undo that its figures were seen. A run of other patients or labels does not count, nor does the
    very same run, whose figures are these; and nothing else that lies in the parent folder does.

    Parameters
    ----------
    out : folder of the run, with the run that is replaced if there is one
    about : what run.json will say of patients, arguments, features and code
    results : how many this run has
    """
    earlier = 0
    try:
        before = json.loads((out / RUN_FILE).read_text(encoding="utf-8"))
        if before["patients"]["labels"] == about["patients"]["labels"]:
            known = before.get("looks")
            earlier = known["total"] if known else _results(out / PREDICTIONS)
            if known and _origin(before) == _origin(about):
                earlier = known["earlier"]
    except (OSError, ValueError, KeyError, TypeError):  # no run, or a damaged one, whose figures nobody could read
        pass
    return LooksRecord(results, earlier)


def _origin(about: Known) -> str | float:
    """All that the figures of a run depend on, as one text; NaN, which equals nothing, where the code is not known."""
    if about.get("dirty") is not False:
        return float("nan")
    arguments = {k: v for k, v in about["arguments"].items() if k not in ("out", "overwrite", "jobs")}
    made = (about["features"]["digest"], about["labels"], about["code_version"], about["commit"], about["versions"])
    return json.dumps([arguments, made], sort_keys=True)


def _results(predictions: Path) -> int:
    with predictions.open(newline="", encoding="utf-8") as f:
        return len({(row["head"], row["sequence"]) for row in csv.DictReader(f)})
