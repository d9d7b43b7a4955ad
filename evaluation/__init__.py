"""One score per patient, and how sure we are: `evaluate` makes a report of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.lazy import lazy_names

if TYPE_CHECKING:
    from evaluation.api import Report, evaluate, read_runs
    from evaluation.read_run import Run

__all__ = ["Report", "Run", "evaluate", "read_runs"]
__getattr__, __dir__ = lazy_names(__name__, {"Report": "api", "Run": "read_run", "evaluate": "api", "read_runs": "api"})
