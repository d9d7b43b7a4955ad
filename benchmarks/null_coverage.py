"""How often do 95 % intervals of a cross-validated AUC contain 0.5 where there is nothing to find?

Cohorts of noise with the real folds, logistic head and assessment. The share should be 0.95; it is lower, since the
intervals do not know how the fold models would differ on another cohort (Bates, Hastie and Tibshirani, JASA 2023).
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from evaluation.assess import Assessment, assess
from evaluation.patients import Prediction
from evaluation.runs import group
from heads.folds import patient_folds, row_splits
from heads.logistic import Logistic

COHORTS, COLUMNS, REPLICATES = 200, 20, 400


def cohort(n: int, seed: int, rng: np.random.Generator) -> Assessment:
    """One cohort of n patients with `COLUMNS` columns of noise, assessed."""
    y = np.arange(n) % 2
    X = rng.normal(size=(n, COLUMNS)).astype(np.float32)
    patients = np.array([f"{i:04d}" for i in range(n)], object)
    folds, _ = patient_folds(dict(zip(patients, y.tolist(), strict=True)), folds=5, repeats=1, seed=seed)
    predictions = []
    for s in row_splits(folds, patients, np.zeros(n, np.int16)):
        head, _ = Logistic().fit(X[s.train], y[s.train], np.ones(len(s.train)), patient=patients[s.train], seed=0)
        predictions += [
            Prediction("null", "logistic", "noise", s.repeat, s.fold, patients[i], int(y[i]), float(score), 1)
            for i, score in zip(s.test, head.scores(X[s.test]), strict=True)
        ]
    return assess(group(predictions)[0], level="patient", replicates=REPLICATES)


def main() -> None:
    """Print a line per cohort size."""
    rng = np.random.default_rng(0)
    print(f"{COHORTS} cohorts each; share of intervals that contain 0.5, and mean AUC")
    print("patients  bootstrap  DeLong  influence curve   pooled AUC  AUC by fold")
    with threadpool_limits(1):
        for n in (40, 120, 400):
            results = [cohort(n, seed, rng) for seed in range(COHORTS)]
            intervals = [(a.values["auc"], a.delong, a.fold_auc_interval) for a in results]
            shares = [np.mean([row[k]["low"] <= 0.5 <= row[k]["high"] for row in intervals]) for k in range(3)]
            pooled = np.mean([a.values["auc"]["estimate"] for a in results])
            by_fold = np.mean([a.mean_fold_auc for a in results])
            print(f"{n:8}  {shares[0]:9.3f}  {shares[1]:6.3f}  {shares[2]:15.3f}   {pooled:10.3f}  {by_fold:11.3f}")


if __name__ == "__main__":
    main()
