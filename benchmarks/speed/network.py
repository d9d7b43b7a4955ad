"""Stage 1's network against `keras predict` on the same 224 x 224 slices: slices per second, agreement, batch and waiting.

Without MGMT_COHORT (a cohort folder; real scans are best) a phantom cohort is made. Weights as extract_features.py finds
them, or MGMT_WEIGHTS.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row, python, seconds
from features.scans import prepare
from features.scans.find import find_scans

ROUNDS, SLICES = 2, 200

Kind = tuple[str, str] | str  # precision and margins, or "keras"


def measure() -> list[Row]:
    """`keras predict` against the door's embedder in each precision; a whole command against the network alone."""
    weights = os.environ.get("MGMT_WEIGHTS", "imagenet")
    with tempfile.TemporaryDirectory() as folder:
        cohort = Path(os.environ.get("MGMT_COHORT") or _phantom(Path(folder)))
        images = _slices(cohort)
        return [*_network(images, weights), *_batches(images, weights), *_door(cohort, weights, Path(folder))]


def _network(images: list[NDArray[np.uint8]], weights: str) -> list[Row]:
    from keras.applications.vgg16 import preprocess_input

    from features.backbones.black_margins import Box, boxes, operations, stages_of
    from features.backbones.keras_applications import Embedder
    from features.extraction import without_repeats

    flat = np.concatenate(images)
    filled = flat.any(axis=(1, 2))
    device = _device()
    ways = ("skip", "compute") if device == "CPU" else ("compute",)
    kinds = [(precision, way) for precision in ("float32", "bfloat16") for way in ways]
    embeds = {kind: Embedder(weights=weights, precision=kind[0], margins=kind[1]) for kind in kinds}
    model = embeds["float32", "compute"].model

    def keras_predict() -> NDArray[np.float32]:
        grey = np.repeat(flat[..., None].astype(np.float32), 3, axis=-1)
        return np.asarray(model.predict(preprocess_input(grey), verbose=0).mean(axis=(1, 2)))

    def ours(kind: tuple[str, str]) -> NDArray[np.float32]:
        embed_series = without_repeats(embeds[kind])
        return np.concatenate([embed_series(series) for series in images])

    calls: dict[Kind, Callable[[], NDArray[np.float32]]] = {kind: partial(ours, kind) for kind in kinds}
    calls["keras"] = keras_predict
    took, vectors = _in_rounds(calls)
    # The limit: the multiplications that are needed, at the speed of a large matrix product.
    stages = stages_of(model)
    assert stages is not None
    needed = {"skip": sum(operations(stages, b) for b in boxes(flat[filled]))}
    needed["compute"] = filled.sum() * operations(stages, Box.frame(flat.shape[1]))
    rows = []
    for kind in kinds:
        off, length = (np.linalg.norm(v, axis=1) for v in (vectors[kind] - vectors["keras"], vectors["keras"]))
        apart = f"{np.linalg.norm(off) / np.linalg.norm(length):.1e}, worst slice {(off / length).max():.1e}"
        row = Row(
            question=f"network on the {device}, {kind[0]}, margins {kind[1]}, against keras predict",
            unit="slices/s",
            ours=len(flat) / statistics.median(took[kind]),
            peer=len(flat) / statistics.median(took["keras"]),
            ratio=statistics.median(k / t for k, t in zip(took["keras"], took[kind], strict=True)),
            limit=len(flat) / (2 * needed[kind[1]] / _matmul_rate(kind[0])),
            note=f"{len(flat)} slices, {1 - filled.mean():.0%} blank; relative L2 {apart}",
        )
        rows.append(row)
    return rows


def _in_rounds(
    calls: dict[Kind, Callable[[], NDArray[np.float32]]],
) -> tuple[dict[Kind, list[float]], dict[Kind, NDArray[np.float32]]]:
    """{kind: seconds of each round}, and {kind: the vectors}; the ways take turns."""
    took: dict[Kind, list[float]] = {kind: [] for kind in calls}
    vectors: dict[Kind, NDArray[np.float32]] = {}
    for k in range(ROUNDS + 1):
        for kind, call in calls.items():
            start = time.perf_counter()
            vectors[kind] = call()
            if k:  # the first round compiles, and computes the maps of the black image
                took[kind].append(time.perf_counter() - start)
    return took, vectors


def _matmul_rate(precision: str) -> float:
    """Operations per second of a large matrix product, the best of three."""
    import tensorflow as tf

    n = 4096 if _device() == "CPU" else 16384
    a = tf.cast(tf.random.normal([n, n]), precision)
    product = tf.function(lambda x: tf.reduce_sum(x @ x))
    product(a)
    return 2 * n**3 / min(seconds(lambda: product(a).numpy()) for _ in range(3))


def _batches(images: list[NDArray[np.uint8]], weights: str) -> list[Row]:
    """Slices per second of the whole network by precision and batch, on what TensorFlow sees."""
    from features.backbones.keras_applications import Embedder

    flat = np.concatenate(images)
    flat = flat[flat.any(axis=(1, 2))]
    rows = []
    for precision in ("float32", "bfloat16") if _device() == "CPU" else ("float32", "float16", "bfloat16"):
        embed = Embedder(weights=weights, precision=precision, margins="compute")
        for batch in (4, 16, 32) if embed.device == "CPU" else (16, 64, 256):
            embed.batch = batch
            some = flat[: 2 * batch] if embed.device == "CPU" else np.tile(flat, (1 + 2048 // len(flat), 1, 1))[:2048]
            embed(some[:batch])
            took = min(seconds(partial(embed, some)) for _ in range(2))
            rows.append(
                Row(f"whole network on the {embed.device}, {precision}, batch {batch}", "slices/s", len(some) / took)
            )
    return rows


def _door(cohort: Path, weights: str, folder: Path) -> list[Row]:
    """extract_features.py in a process of its own against its network alone, and its peak memory."""
    from features.backbones.keras_applications import Embedder
    from features.extraction import without_repeats

    sequence = "FLAIR"
    images = _slices(cohort, sequence, most=10**9)
    n = sum(map(len, images))
    embed = Embedder(weights=weights, precision="float32")
    embed(images[0][:4])

    def network() -> None:
        embed_series = without_repeats(embed)
        for series in images:
            embed_series(series)

    options = ["--sequence", sequence, "--weights", weights, "--precision", "float32"]
    single = folder / "one"
    first = sorted(p for p in cohort.iterdir() if (p / sequence).is_dir())[0]
    (single / first.name).mkdir(parents=True)
    (single / first.name / sequence).symlink_to((first / sequence).resolve())

    def door(of: Path, out: str) -> tuple[float, float]:
        wall, mib, _ = python("extract_features.py", str(of), *options, "--out", str(folder / out))
        return wall, mib

    turns = [(*door(cohort, f"{k}.h5"), seconds(network)) for k in range(2)]
    whole, peak, alone = min(t[0] for t in turns), max(t[1] for t in turns), min(t[2] for t in turns)
    start = door(single, "one.h5")[0] - len(_slices(single, sequence)[0]) * alone / n
    working = whole - start
    return [
        Row(
            "whole command without its start against the network alone", "s", working, alone, alone / working,
            note=f"{n} {sequence} slices; start {start:.1f} s (TensorFlow, weights, worker); whole {whole:.1f} s",
        ),
        Row("peak memory of the whole command", "MiB", peak, note="largest process, default batch"),
    ]  # fmt: skip


def _device() -> str:
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "CPU"


def _slices(cohort: Path, sequence: str | None = None, most: int = SLICES) -> list[NDArray[np.uint8]]:
    """The prepared slices by series, whole series until `most` are there."""
    wanted = [sequence] if sequence else ["FLAIR", "T1wCE", "T2w", "T1w"]
    out: list[NDArray[np.uint8]] = []
    for series in find_scans([cohort], sequences=wanted).series:
        if sum(map(len, out)) >= most:
            break
        options: dict[str, Any] = {"size": 224, "normalize": "series", "resize": "pad", "plane": "axial"}
        out.append(prepare.prepare_series(series, **options).pixels)
    return out


def _phantom(folder: Path) -> Path:
    python("-m", "features", "phantom", str(folder / "phantom"), "--patients", "6", "--slices", "40")
    return folder / "phantom" / "train"
