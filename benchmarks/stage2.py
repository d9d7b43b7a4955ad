"""Stage 2 through its door on 43,000 slices of 585 patients, beside what one would write without it.

The peer is Keras's `fit` with early stopping on a validation set, scikit-learn on the raw columns in float64, and LightGBM with
the parameters of the boosted head, fold after fold, each with the threads that it takes by itself. It is measured on a part, one
fold and two epochs, and scaled to five folds and to the epochs that early stopping ran here.
"""

from __future__ import annotations

import csv
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, python, seconds
from benchmarks.vectors import ROWS, cohort, labels_of

FOLDS, EPOCHS = 5, 2
PLAIN = ("--repeats", "1", "--permutations", "0", "--no-shortcuts")
LOADED = 54_000


def measure() -> list[Row]:
    """Doors in processes of their own; the peer in another."""
    with tempfile.TemporaryDirectory() as folder:
        return [*_heads(Path(folder)), *_logistic(Path(folder)), *_helps(), _load(Path(folder))]


def _door(folder: Path, *options: str) -> tuple[float, float]:
    cache, labels = cohort(folder)
    elapsed, peak, _ = python(
        "train_head.py", str(cache), str(labels), "--overwrite", "--out", str(folder / "run"), *options
    )
    return elapsed, peak


def _heads(folder: Path) -> list[Row]:
    cache, labels = cohort(folder)
    naive = json.loads(python("-m", "benchmarks.stage2", str(cache), str(labels))[2].splitlines()[-1])
    together, peak = _door(folder, *PLAIN)
    with (folder / "run" / "curves.csv").open(newline="") as f:
        epochs = sum(1 for _ in csv.DictReader(f))
    apart = {head: _door(folder, *PLAIN, "--head", head)[0] for head in ("dense", "logistic", "boosted")}
    peers = {
        "dense": naive["start"] + FOLDS * naive["compile"] + epochs * naive["epoch"],
        "logistic": FOLDS * naive["logistic"],
        "boosted": FOLDS * naive["boosted"],
    }
    total = sum(peers.values())
    rows = [
        Row(
            f"three heads, {FOLDS} folds, {ROWS} slices",
            "s",
            together,
            total,
            total / together,
            note=f"peak {peak:.0f} MiB",
        )
    ]
    for head, peer in peers.items():
        note = f"{epochs} epochs in all" if head == "dense" else ""
        rows.append(Row(f"{head} head alone", "s", apart[head], peer, peer / apart[head], note=note))
    return rows


def _logistic(folder: Path) -> list[Row]:
    experiments = {
        "logistic, 1 repeat, no permutations, no shortcuts": PLAIN,
        "logistic, defaults (2 repeats, 200 permutations, shortcuts)": (),
        "logistic, patients as rows, 10 repeats, no permutations": ("--unit", "patient", "--repeats", "10", "--permutations", "0"),
    }  # fmt: skip
    rows = []
    for name, options in experiments.items():
        times = [_door(folder, "--head", "logistic", *options)[0] for _ in range(3)]
        rows.append(Row(name, "s", statistics.median(times), note="door to table, median of 3"))
    return rows


def _helps() -> list[Row]:
    doors = {"extract_features.py": ["extract_features.py"], "train_head.py": ["train_head.py"], "evaluate.py": ["evaluate.py"], "python -m features": ["-m", "features"]}  # fmt: skip
    return [
        Row(f"{name} --help", "s", statistics.median(python(*door, "--help")[0] for _ in range(5)))
        for name, door in doors.items()
    ]


def _load(folder: Path) -> Row:
    """Ours checks every vector against the digests; the limit reads the same bytes and checks nothing."""
    import h5py

    from features import table

    cache, _ = cohort(folder, LOADED)
    source = table.open_source(cache)

    def plain() -> None:
        with h5py.File(cache) as f:
            f["features"][()]

    ours, limit = (
        statistics.median(seconds(call) for _ in range(7)) for call in (lambda: table.load(source, "FLAIR"), plain)
    )
    return Row(f"load and check {LOADED} vectors", "s", ours, limit=limit, note="limit: the bare read, unchecked")


def naive(cache: Path, labels: Path) -> dict[str, float]:
    """Seconds of the peer's parts: {start, compile, epoch, logistic, boosted}, one fold each."""
    from features import table
    from heads.folds import patient_folds, row_splits

    y_of = labels_of()
    t = table.load(table.open_source(cache), "FLAIR")
    y = [y_of[p] for p in t.patient]
    folds, _ = patient_folds(y_of, folds=FOLDS, repeats=1, seed=0)
    split = row_splits(folds, t.patient, t.view)[0]
    import numpy as np

    X, target = t.X[split.train], np.array(y)[split.train]
    return {
        **_keras(X, target),
        "logistic": seconds(lambda: _sklearn(X, target)),
        "boosted": seconds(lambda: _lightgbm(X, target)),
    }


def _keras(X: Any, y: Any) -> dict[str, float]:
    started = time.perf_counter()
    import keras

    loaded = time.perf_counter()
    n = round(0.85 * len(X))
    layers = [keras.layers.Dense(k, activation="relu") for k in (128, 64, 32, 16)]
    model = keras.Sequential([keras.Input((X.shape[1],)), *layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.RMSprop(5e-4), "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)

    def fit(epochs: int) -> None:
        model.fit(
            X[:n], y[:n], batch_size=32, epochs=epochs, validation_data=(X[n:], y[n:]), callbacks=[stop], verbose=0
        )

    first = seconds(lambda: fit(1))
    epoch = seconds(lambda: fit(EPOCHS)) / EPOCHS
    return {"start": loaded - started, "compile": max(0.0, first - epoch), "epoch": epoch}


def _sklearn(X: Any, y: Any) -> None:
    import warnings

    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        LogisticRegression(C=0.01, max_iter=2000, tol=1e-5).fit(X.astype("float64"), y)


def _lightgbm(X: Any, y: Any) -> None:
    import lightgbm

    options = {
        "learning_rate": 0.05,
        "num_leaves": 8,
        "colsample_bytree": 0.3,
        "min_child_samples": 1,
        "reg_lambda": 1.0,
    }
    lightgbm.LGBMClassifier(n_estimators=200, verbosity=-1, **options).fit(X, y)


if __name__ == "__main__":
    print(json.dumps(naive(Path(sys.argv[1]), Path(sys.argv[2]))))
