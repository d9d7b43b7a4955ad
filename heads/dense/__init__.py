"""The notebook's dense head: TensorFlow trains it, numpy scores."""

from heads.dense.head import OPTIMIZERS, PATIENCE, Dense, FittedDense, inner_validation

__all__ = ["OPTIMIZERS", "PATIENCE", "Dense", "FittedDense", "inner_validation"]
