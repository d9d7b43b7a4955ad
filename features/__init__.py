"""Stage 1: one vector per MRI slice, kept in an HDF5 cache (`python -m features --help`).

from features import extract, load

extract("cohort/train", "train.h5")
load("train.h5", "labels.csv").to_frame()
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from features.dataset import Dataset, load
    from features.extraction import Summary, extract
    from features.table import Table

_MODULES = {"extract": "extraction", "Summary": "extraction", "load": "dataset", "Dataset": "dataset", "Table": "table"}
__all__ = ["Dataset", "Summary", "Table", "extract", "load"]


def __getattr__(name: str) -> object:
    """The public names, imported when they are asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
