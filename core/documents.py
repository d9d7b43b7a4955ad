"""JSON documents: run.json, report.json and the like, as Python reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]  # texts, numbers, booleans, None, and lists and dicts of them
Known: TypeAlias = Mapping[str, Any]  # one that is only read
