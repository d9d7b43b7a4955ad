"""Made-up runs with a ledger of what was tried, for the tests of what is counted and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from core.predictions import Scored
from evaluation.read_run import Run

N = 24
LABELS = {f"{i:02}": i % 2 for i in range(N)}


def scored(run: str, head: str, sequence: str, seed: int = 0, n: int = N) -> Scored:
    ids = [f"{i:02}" for i in range(n)]
    y = np.arange(n) % 2
    fold = np.tile(np.arange(n) // 2 % 2, (2, 1))  # two repeats of two folds
    scores = np.random.default_rng(seed).uniform(size=(2, n))
    return Scored(run, head, sequence, ids, ids, np.arange(n), y, scores, fold, np.ones(n, int))


def row(head: str, repeat: int | str, fold: int | str, auc: float | str, **more: Any) -> dict[str, str]:
    given = {"run": "r", "sequence": "FLAIR", "slices": "all", "aggregate": "mean", "parameters": '{"C": 0.5}'}
    own = {"head": head, "repeat": repeat, "fold": fold, "inner_auc": auc, "inner_log_loss": 0.6, "threshold": 0.4}
    return {k: str(v) for k, v in {**given, **own, "chosen": 0, "best_head": 0, **more}.items()}


def make(name: str, results: list[Scored], ledger: list[dict[str, str]] | None = None, **about: Any) -> Run:
    given = {"patients": {"labels": LABELS}, "question": "MGMT", "tables": {"predictions.csv": name}, "shortcuts": None}
    return Run(Path(name), name, {**given, **about}, results, [], [], {} if ledger is None else {"ledger.csv": ledger})


def tuned(labels: dict[str, int] = LABELS, n: int = N) -> Run:
    """Two heads with two draws each in 2 x 2 folds; logistic always takes T2w, boosted either."""
    ledger = []
    for repeat, fold in [(0, 0), (0, 1), (1, 0), (1, 1), ("", "")]:
        odd = (repeat, fold) == (1, 1)
        cut = 0.1 + 0.2 * (repeat or 0) + 0.1 * (fold or 0)
        ledger += [
            row("logistic", repeat, fold, 0.5),
            row("logistic", repeat, fold, 0.7, chosen=1, best_head=int(not odd), sequence="T2w", threshold=cut),
            row("boosted", repeat, fold, 0.6, chosen=int(not odd), parameters='{"rounds": 50}'),
            row(
                "boosted",
                repeat,
                fold,
                0.8,
                chosen=int(odd),
                best_head=int(odd),
                parameters='{"rounds": 9}',
                sequence="T2w",
            ),
        ]
    results = [scored("r", h, "chosen", i, n) for i, h in enumerate(("logistic", "boosted", "chosen"))]
    about = {"draws": 2, "inner_folds": 3, "stand_ins": []}
    looks = {"results": 3, "earlier": 6, "total": 9}
    return make("r", results, ledger, tuning=about, looks=looks, patients={"labels": labels})
