"""Bootstrap, DeLong and label permutations beside the loops that one would write."""

from __future__ import annotations

import numpy as np

from benchmarks.timing import Row, in_turn, seconds
from benchmarks.vectors import PATIENTS, labels_of, series

REPLICATES, PART = 10_000, 500
PERMUTATIONS, FEW = 1_000, 5


def measure() -> list[Row]:
    """The peers run on a part, PART replicates and FEW permutations, and are scaled."""
    return [_bootstrap(), _delong(), _permutations()]


def _scores() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.array(list(labels_of().values()))
    return y, 1 / (1 + np.exp(-rng.normal(size=PATIENTS) - 0.5 * y))


def _bootstrap() -> Row:
    from sklearn.metrics import roc_auc_score

    from core.metrics import auc
    from evaluation.statistics.intervals import bootstrap_weights

    y, s = _scores()
    classes = [np.flatnonzero(y == label) for label in (0, 1)]

    def loop() -> None:
        rng = np.random.default_rng(0)
        for _ in range(PART):
            drawn = np.concatenate([rng.choice(c, len(c)) for c in classes])
            roc_auc_score(y[drawn], s[drawn])

    t = in_turn(lambda: auc(y, s, bootstrap_weights(y, REPLICATES, np.random.default_rng(0))), loop)
    scale = REPLICATES / PART
    note = f"peer: roc_auc_score in a loop, {PART} replicates times {scale:g}"
    return Row(
        f"{REPLICATES} bootstrap replicates of an AUC, {PATIENTS} patients",
        "s",
        t.ours,
        scale * t.peer,
        scale * t.ratio,
        note=note,
    )


def _delong() -> Row:
    from evaluation.statistics.delong import delong

    y, s = _scores()

    def pairs() -> None:
        a, b = s[y == 1], s[y == 0]
        wins = np.array([[(x > z) + 0.5 * (x == z) for z in b] for x in a])
        wins.mean(axis=1).var(ddof=1) / len(a) + wins.mean(axis=0).var(ddof=1) / len(b)

    t = in_turn(lambda: [delong(y, s) for _ in range(100)], pairs)
    return Row(
        f"DeLong's variance, {PATIENTS} patients",
        "ms",
        10 * t.ours,
        1000 * t.peer,
        100 * t.ratio,
        note="peer: all pairs in Python",
    )


def _permutations() -> Row:
    """Labels dealt out, folds made anew, columns scaled and the head fitted inside the fold, the AUC by fold."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from features.table import Table
    from heads.controls.permutation import Draw, batched_rows, shuffled_labels
    from heads.folds import patient_folds
    from heads.logistic import Logistic

    labels = labels_of()
    patients = sorted(labels)
    X = np.stack([s.features.mean(axis=0) for s in series()])
    names = np.array(patients, object)
    table = Table("FLAIR", X, names, np.zeros(len(X), np.int16), names)
    y = np.array([labels[p] for p in patients])

    def ours() -> None:
        dealt = shuffled_labels(labels, PERMUTATIONS, 0)
        draws = [Draw(d, patient_folds(d, folds=5, repeats=1, seed=0)[0]) for d in dealt]
        batched_rows("run", [Logistic()], [table], draws, aggregator="mean")

    def loop() -> None:
        rng = np.random.default_rng(0)
        for _ in range(FEW):
            drawn = rng.permutation(y)
            for train, test in StratifiedKFold(5, shuffle=True, random_state=0).split(X, drawn):
                model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
                score = model.fit(X[train].astype(float), drawn[train]).predict_proba(X[test].astype(float))[:, 1]
                roc_auc_score(drawn[test], score)

    ours_s = seconds(ours)
    loop()
    peer = PERMUTATIONS / FEW * seconds(loop)
    note = f"scores agree to 1e-3 (tests/heads/controls/test_permutation.py); peer: {FEW} permutations times {PERMUTATIONS / FEW:g}"
    return Row(
        f"{PERMUTATIONS} label permutations of the logistic head, patients as rows",
        "s",
        ours_s,
        peer,
        peer / ours_s,
        note=note,
    )
