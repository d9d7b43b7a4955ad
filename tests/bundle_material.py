"""Fitted heads and their descriptions, for the tests of bundles."""

from __future__ import annotations

from typing import Any

import numpy as np

from heads.base import Fitted
from heads.boosted import Boosted
from heads.crossfit import patient_weights
from heads.dense import FittedDense
from heads.logistic import Logistic
from heads.standardise import Standardiser

PATIENT = np.array([f"p{i // 2}" for i in range(40)])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)).astype(np.float32)
Y = np.arange(40) % 2


def about(**changes: Any) -> dict[str, Any]:
    return {
        "head": "logistic",
        "sequence": "FLAIR",
        "features": {"backbone": "vgg16", "weights_sha256": "ab", "precision": "float32", "augment": 0},
        "table_columns": [],
        "train_patients": ["00000", "00002"],
        **changes,
    }


def fitted_head(kind: str) -> Fitted:
    if kind == "dense":
        shapes = [(5, 3), (3, 1)]
        return FittedDense(
            Standardiser.fit(X, np.ones(40)),
            [RNG.normal(size=s).astype(np.float32) for s in shapes],
            [RNG.normal(size=s[1]).astype(np.float32) for s in shapes],
        )
    head = Logistic() if kind == "logistic" else Boosted(rounds=10)
    return head.fit(X, Y, patient_weights(PATIENT), patient=PATIENT, seed=0)[0]
