"""Somebody else's predictions: leaks and optimism. Nothing else imports it.

`audit(AuditOptions(predictions=Path("predictions.csv")))` gives an `Audit`.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {"audit": "auditing", "Audit": "auditing", "AuditOptions": "options"}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(_HOMES)
