"""Stage 2: one score per slice (or patient), out of fold, from dense, logistic and boosted heads, and those of your own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from heads.base import HEADS, Capabilities, Fitted, Head
    from heads.hyperparameters import hyperparameter
    from heads.training.api import cross_validate
    from heads.training.options import TrainOptions
    from heads.training.run import Run
    from heads.training.train import train

_HOMES = {
    "HEADS": "base",
    "Capabilities": "base",
    "Fitted": "base",
    "Head": "base",
    "hyperparameter": "hyperparameters",
    "cross_validate": "training.api",
    "TrainOptions": "training.options",
    "Run": "training.run",
    "train": "training.train",
}
__all__ = [
    "HEADS",
    "Capabilities",
    "Fitted",
    "Head",
    "Run",
    "TrainOptions",
    "cross_validate",
    "hyperparameter",
    "train",
]


def __getattr__(name: str) -> object:
    """The public names, imported when they are asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'heads' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
