"""Stage 1: one vector per MRI slice, kept in an HDF5 cache (`python -m features --help`).

from features import extract, load

extract("cohort/train", "train.h5")
load("train.h5", "labels.csv").to_frame()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.lazy import lazy_names

if TYPE_CHECKING:
    from features.dataset import Dataset, load
    from features.extraction import Summary, extract
    from features.table import Table

__all__ = ["Dataset", "Summary", "Table", "extract", "load"]
__getattr__, __dir__ = lazy_names(
    __name__,
    {"extract": "extraction", "Summary": "extraction", "load": "dataset", "Dataset": "dataset", "Table": "table"},
)
