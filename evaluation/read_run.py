"""Read runs back: run.json, predictions.csv, slices.csv, curves.csv, joined by ids."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.predictions import Prediction, Scored, _matrix, group_results
from core.tables import original

RUN_FORMAT, RUN_VERSION = "mgmt-radiogenomics/run", 1
MAIN_TABLES = ("predictions.csv", "slices.csv", "curves.csv")
RUN_KEYS = {
    "arguments", "question", "join", "patients", "sequences", "fused", "split", "folds", "leak", "tables", "features", "labels", "seed",
    "commit", "dirty", "code_version", "versions", "python", "command",
}  # fmt: skip


@dataclass
class Run:
    """A run as read from its folder."""

    path: Path
    name: str
    about: dict[str, Any]
    scored: list[Scored]
    slices: list[Scored]
    curves: list[dict[str, str]]
    more: dict[str, list[dict[str, str]]] = field(default_factory=dict)  # further tables by file name


def is_table(about: Mapping[str, Any]) -> bool:
    """Whether a run was trained on a table of features: patients and columns, neither scans nor slices."""
    return "table_columns" in about.get("features", {}).get("settings", {})


def read_run(path: Path, name: str | None = None) -> Run:
    """Read a run; `name` replaces the folder's name. Raises ValueError where a file is missing or damaged."""
    name = name or path.name
    try:
        about = json.loads((path / "run.json").read_text(encoding="utf-8"))
        if not isinstance(about, dict):
            raise ValueError(f"{str(path / 'run.json')!r} holds no description of a run")
        if about.get("format") != RUN_FORMAT or about.get("format_version") != RUN_VERSION:
            raise ValueError(
                f"{str(path)!r} is not a run of version {RUN_VERSION} (format {about.get('format')!r} {about.get('format_version')})"
            )
        lacking = sorted(RUN_KEYS - set(about))
        if lacking:
            raise ValueError(f"{str(path / 'run.json')!r} lacks {', '.join(lacking)}; train the run again")
        outside = [name for name in about["tables"] if Path(name).name != name]
        if outside:
            raise ValueError(
                f"{str(path / 'run.json')!r} names the table {outside[0]!r}; expected files of the run's own folder"
            )
        predictions, slices, curves = (_read(path / name, about["tables"].get(name)) for name in MAIN_TABLES)
        more = {name: _read(path / name, digest) for name, digest in about["tables"].items() if name not in MAIN_TABLES}
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ValueError(f"{str(path)!r} is not a run: {_instead(path, Path(error.filename).name)}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{str(path / 'run.json')!r} is not readable JSON ({error})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{str(path)!r} has a damaged file ({error})") from None
    try:
        scored = group_results(
            Prediction(name, r["head"], r["sequence"], int(r["repeat"]), int(r["fold"]), r["patient_id"], int(r["label"]), float(r["score"]), int(r["n_slices"]))
            for r in predictions
        )  # fmt: skip
        by_slice = _group_slices(name, slices)
        for c in curves:
            int(c["epoch"]), float(c["loss"]), float(c["accuracy"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{str(path)!r} has a damaged table ({error})") from None
    return Run(path, name, about, scored, by_slice, curves, more)


def _group_slices(run: str, rows: list[dict[str, str]]) -> list[Scored]:
    groups: dict[tuple[str, str], list[tuple[str, str, int, int, int, float, int]]] = defaultdict(list)
    for r in rows:
        groups[r["head"], r["sequence"]].append(
            (
                f"{r['patient_id']}/{r['slice']}",
                r["patient_id"],
                int(r["label"]),
                int(r["repeat"]),
                int(r["fold"]),
                float(r["score"]),
                1,
            )
        )
    return [_matrix(run, head, sequence, group_rows) for (head, sequence), group_rows in groups.items()]


def _instead(path: Path, missing: str) -> str:
    """What a path is that holds no run, and what to do."""
    if not path.exists():
        return "it does not exist; make runs with train_head.py --out"
    if path.is_file():
        return (
            f"it is a file; train heads on features with train_head.py {path} LABELS.csv --out runs/NAME, or score them with the heads "
            f"of a run: evaluate.py RUN --cache {path}"
        )
    inside = sorted(p.parent.name for p in path.glob("*/run.json"))
    if inside:
        return f"it is a folder of runs; name them: {' '.join(str(path / name) for name in inside[:4])}{' ...' * (len(inside) > 4)}"
    return f"{missing} is missing; make runs with train_head.py --out"


def _read(path: Path, digest: str) -> list[dict[str, str]]:
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{str(path)!r} is not as the run wrote it (its SHA-256 differs from run.json's); train again")
    rows = csv.DictReader(io.StringIO(content.decode("utf-8"), newline=""))
    return [{k: original(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
