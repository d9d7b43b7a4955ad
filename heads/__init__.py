"""Stage 2: one score per slice (or patient), out of fold, from dense, logistic and boosted heads, and those of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.lazy import lazy_names

if TYPE_CHECKING:
    from heads.base import HEADS, Capabilities, Fitted, Head
    from heads.hyperparameters import hyperparameter
    from heads.training.api import cross_validate
    from heads.training.options import TrainOptions
    from heads.training.run import Run
    from heads.training.train import train

__all__ = [
    "Capabilities",
    "Fitted",
    "HEADS",
    "Head",
    "Run",
    "TrainOptions",
    "cross_validate",
    "hyperparameter",
    "train",
]
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "HEADS": "base",
        "Capabilities": "base",
        "Fitted": "base",
        "Head": "base",
        "hyperparameter": "hyperparameters",
        "cross_validate": "training.api",
        "TrainOptions": "training.options",
        "Run": "training.run",
        "train": "training.train",
    },
)
