"""Other runs that lie beside those of a report: their names, and nothing that a figure could depend on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from evaluation.read_run import Run
from heads.run_files import RUN_FILE, RUN_FORMAT

Asked = tuple[str, str]  # the question, and the digest of the file of labels


def neighbours(runs: Sequence[Run]) -> list[str]:
    """Names of the other runs in the folders of these that ask the same question of the same labels, sorted.

    Of a neighbour only run.json is opened, and of that only the question and the digest of the labels are looked at. A
    neighbour that cannot be read or understood is passed over.

    Parameters
    ----------
    runs : of a report; runs that lie in no folder have no neighbours

    Returns
    -------
    Names, without those of the runs themselves.
    """
    given = {run.path.resolve() for run in runs if (run.path / RUN_FILE).exists()}
    asked = {_asked(run.about) for run in runs} - {None}
    folders = sorted({path.parent for path in given})
    return [path.name for folder in folders for path in _beside(folder, given) if _read(path / RUN_FILE) in asked]


def _beside(folder: Path, given: set[Path]) -> Iterator[Path]:
    try:
        files = sorted(folder.glob(f"[!.]*/{RUN_FILE}"))
    except OSError:
        return
    yield from (f.parent for f in files if f.parent.resolve() not in given)


def _read(file: Path) -> Asked | None:
    """What a run asks; None where its run.json cannot be read, whatever it holds."""
    try:
        about = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return _asked(about) if isinstance(about, dict) and about.get("format") == RUN_FORMAT else None


def _asked(about: dict[str, object]) -> Asked | None:
    labels = about.get("labels")
    if not isinstance(labels, dict) or "sha256" not in labels:
        return None
    return str(about.get("question")), str(labels["sha256"])
