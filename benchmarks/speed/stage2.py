"""Stage 2 through its door on 43,000 slices of 585 patients, beside what one would write without it.

The peer is Keras's `fit` with early stopping on a validation set, scikit-learn on the raw columns in float64, and LightGBM with
the parameters of the boosted head, fold after fold, each with the threads that it takes by itself. It is measured on the first
fold, and scaled to five folds and to the epochs that early stopping ran here. The dense head is timed a second time for 50 epochs
without early stopping, where what happens once, the start of TensorFlow and the compiler, counts for less; Keras's epochs are
scaled from two.
"""

from __future__ import annotations

import csv
import itertools
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, python, seconds
from benchmarks.vectors import DIM, ROWS, cohort, labels_of

FOLDS, EPOCHS = 5, 50
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
    peer = json.loads(python("-m", "benchmarks.speed.stage2", "peer", str(cache))[2].splitlines()[-1])
    together, peak = _door(folder, *PLAIN)
    with (folder / "run" / "curves.csv").open(newline="") as f:
        epochs = sum(1 for _ in csv.DictReader(f))
    quality = _quality(folder / "run" / "predictions.csv")
    apart = {head: _door(folder, *PLAIN, "--head", head)[0] for head in ("dense", "logistic", "boosted")}
    seconds_of = {
        "dense": peer["start"] + FOLDS * peer["compile"] + epochs * peer["epoch"],
        "logistic": FOLDS * peer["logistic"],
        "boosted": FOLDS * peer["boosted"],
    }
    total = sum(seconds_of.values())
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
    for head, naive in seconds_of.items():
        (ours, loss), (first, first_loss) = quality[head]
        auc, log_loss = peer[f"{head} quality"]
        note = f"mean AUC {ours:.3f}, log loss {loss:.3f}; in the first fold {first:.3f}, {first_loss:.3f}, the peer {auc:.3f}, {log_loss:.3f}"
        if head == "dense":
            note += f"; {epochs} epochs in all, of the peer {peer['epoch']:.2f} s each"
        rows.append(Row(f"{head} head alone", "s", apart[head], naive, naive / apart[head], note=note))
    fixed = python("-m", "benchmarks.speed.stage2", "fixed", str(cache))[0]
    naive = peer["start"] + FOLDS * (peer["compile"] + EPOCHS * peer["whole epoch"])
    note = f"no early stopping; of the peer {peer['whole epoch']:.2f} s each; start and load included; limit: its products on two cores"
    question = f"dense head, {FOLDS} folds x {EPOCHS} epochs"
    return [*rows, Row(question, "s", fixed, naive, naive / fixed, limit=_products(), note=note)]


def _products() -> float:
    """Seconds of the matrix products of the fixed training on two cores, at the rate of those of its first layer."""
    import numpy as np
    from threadpoolctl import threadpool_limits

    from heads.dense import Dense

    head = Dense()
    sizes = [DIM, *head.hidden, 1]
    weights = [a * b for a, b in itertools.pairwise(sizes)]
    # Forward, gradients of the weights, and gradients of the inputs but for those of the first layer.
    operations = 2 * (2 * sum(weights) + sum(weights[1:])) * ROWS * (FOLDS - 1) * EPOCHS
    x, w = np.ones((head.batch_size, DIM), np.float32), np.ones((DIM, sizes[1]), np.float32)
    n = 4000
    with threadpool_limits(1):
        took = min(seconds(lambda: [x @ w for _ in range(n)]) for _ in range(5))
    return operations / (2 * n * x.size * sizes[1] / took) / 2


def _quality(predictions: Path) -> dict[str, tuple[tuple[float, float], tuple[float, float]]]:
    """{head: ((mean AUC of the folds, mean log loss), both of the first fold)}, of patients."""
    with predictions.open(newline="") as f:
        rows = list(csv.DictReader(f))
    found: dict[str, Any] = {}
    for head in dict.fromkeys(r["head"] for r in rows):
        folds: list[list[Any]] = [[r for r in rows if r["head"] == head and r["fold"] == str(k)] for k in range(FOLDS)]
        each = [_of_patients([int(r["label"]) for r in fold], [float(r["score"]) for r in fold]) for fold in folds]
        found[head] = (statistics.mean(a for a, _ in each), statistics.mean(loss for _, loss in each)), each[0]
    return found


def _of_patients(y: Any, score: Any) -> tuple[float, float]:
    from sklearn.metrics import log_loss, roc_auc_score

    return float(roc_auc_score(y, score)), float(log_loss(y, score))


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
    """Ours checks every vector against the digests; the limit reads the same bytes and hashes them on two cores."""
    import hashlib
    from concurrent.futures import ThreadPoolExecutor

    import h5py
    import numpy as np

    from features import table

    cache, _ = cohort(folder, LOADED)
    source = table.open_source(cache)

    def plain() -> None:
        with h5py.File(cache) as f:
            halves = np.array_split(f["features"][()].view(np.uint8), 2)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda half: hashlib.blake2b(half.data), halves))

    ours, limit = (
        statistics.median(seconds(call) for _ in range(7))
        for call in (lambda: table.load_table(source, "FLAIR"), plain)
    )
    return Row(f"load and check {LOADED} vectors", "s", ours, limit=limit, note="limit: read and hashed on two cores")


def _first_fold(cache: Path) -> tuple[Any, Any, Any]:
    """(table, its labels by row, row splits)."""
    import numpy as np

    from features import table
    from heads.folds import patient_folds, row_splits

    y_of = labels_of()
    t = table.load_table(table.open_source(cache), "FLAIR")
    folds, _ = patient_folds(y_of, folds=FOLDS, repeats=1, seed=0)
    return t, np.array([y_of[p] for p in t.patient]), row_splits(folds, t.patient, t.view)


def peer(cache: Path) -> dict[str, Any]:
    """Seconds of the peer's parts, one fold each, and the AUC and log loss of its test patients."""
    import numpy as np

    t, y, splits = _first_fold(cache)
    train, test = splits[0].train, splits[0].test
    patients, owner = np.unique(t.patient[test].astype(str), return_inverse=True)
    label = np.array([labels_of()[p] for p in patients])
    X, target = t.X[train], y[train]
    validation = np.isin(t.patient[train], np.unique(t.patient[train])[::7])  # of patients, as the heads hold them back

    def quality(score: Any) -> tuple[float, float]:
        return _of_patients(label, np.bincount(owner, score) / np.bincount(owner))

    found, score = _keras(X, target, validation, t.X[test])
    found["dense quality"] = quality(score)
    for name, fit in {"logistic": _sklearn, "boosted": _lightgbm}.items():
        start = time.perf_counter()
        model = fit(X, target)
        found[name] = time.perf_counter() - start
        found[f"{name} quality"] = quality(model.predict_proba(t.X[test])[:, 1])
    return found


def fixed(cache: Path) -> None:
    """The dense head on five folds for all epochs: nothing is held back, so that nothing stops it."""
    import os

    import numpy as np

    from heads.crossfit import cross_fit
    from heads.dense import Dense

    t, _, splits = _first_fold(cache)
    for split in splits:
        split.validation = np.empty(0, np.intp)
    found = cross_fit([Dense(epochs=EPOCHS)], [t], labels_of(), {"FLAIR": splits}, seed=0, jobs=os.cpu_count() or 1)
    assert [len(f.curve) for f in found] == [EPOCHS] * FOLDS


def _keras(X: Any, y: Any, validation: Any, new: Any) -> tuple[dict[str, Any], Any]:
    """Seconds, and the scores of new rows."""
    started = time.perf_counter()
    import keras

    loaded = time.perf_counter()
    layers = [keras.layers.Dense(k, activation="relu") for k in (128, 64, 32, 16)]
    model = keras.Sequential([keras.Input((X.shape[1],)), *layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(keras.optimizers.RMSprop(5e-4), "binary_crossentropy", metrics=["accuracy"])
    stop = keras.callbacks.EarlyStopping(patience=8, restore_best_weights=True)
    held, rest = (X[validation], y[validation]), (X[~validation], y[~validation])
    fit = {"batch_size": 32, "verbose": 0}
    first = seconds(lambda: model.fit(*rest, epochs=1, validation_data=held, **fit))
    ran: list[int] = []

    def to_the_end() -> None:
        ran.extend(model.fit(*rest, epochs=EPOCHS, validation_data=held, callbacks=[stop], **fit).epoch)

    epoch = seconds(to_the_end) / len(ran)
    score = model.predict(new, verbose=0)[:, 0]
    whole = seconds(lambda: model.fit(X, y, epochs=2, **fit)) / 2
    return {"start": loaded - started, "compile": max(0.0, first - epoch), "epoch": epoch, "whole epoch": whole}, score


def _sklearn(X: Any, y: Any) -> Any:
    import warnings

    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LogisticRegression(C=0.01, max_iter=2000, tol=1e-5).fit(X.astype("float64"), y)


def _lightgbm(X: Any, y: Any) -> Any:
    import lightgbm

    options = {
        "learning_rate": 0.05,
        "num_leaves": 8,
        "colsample_bytree": 0.3,
        "min_child_samples": 1,
        "reg_lambda": 1.0,
    }
    return lightgbm.LGBMClassifier(n_estimators=200, verbosity=-1, **options).fit(X, y)


if __name__ == "__main__":
    if sys.argv[1] == "peer":
        print(json.dumps(peer(Path(sys.argv[2]))))
    else:
        fixed(Path(sys.argv[2]))
