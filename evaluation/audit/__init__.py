"""Somebody else's predictions: leaks and optimism. Nothing else imports it.

`audit(AuditOptions(predictions=Path("predictions.csv")))` gives an `Audit`.
"""

from __future__ import annotations

from core.lazy import lazy_names

__all__ = ["Audit", "AuditOptions", "audit"]
__getattr__, __dir__ = lazy_names(__name__, {"audit": "auditing", "Audit": "auditing", "AuditOptions": "options"})
