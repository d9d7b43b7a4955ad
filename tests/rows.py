"""The tables that heads are tried on in tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass
class Rows:
    sequence: str
    X: np.ndarray
    patient: np.ndarray
    view: np.ndarray


@dataclass
class Slices(Rows):
    slice_id: np.ndarray
