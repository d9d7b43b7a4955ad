"""One score per patient, and how sure we are: `evaluate` makes a report of runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evaluation.api import Report, evaluate, read_runs
    from evaluation.read_run import Run

__all__ = ["Report", "Run", "evaluate", "read_runs"]
_HOMES = {
    "Report": "evaluation.api",
    "Run": "evaluation.read_run",
    "evaluate": "evaluation.api",
    "read_runs": "evaluation.api",
}


def __getattr__(name: str) -> object:
    """The public names, imported when they are asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
