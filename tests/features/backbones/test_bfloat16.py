"""Rounding to bfloat16 that keeps the sum of a kernel's taps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cli.words.cache import precision_lines
from features.backbones.bfloat16 import diffused, has_arithmetic, rounded, to_bfloat16


def kernels() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(3, 3, 16, 32), scale=0.05).astype(np.float32)


@pytest.mark.slow
def test_rounding_is_that_of_tensorflow() -> None:
    tf = pytest.importorskip("tensorflow")
    halves = (np.arange(1 << 12, dtype=np.uint32) << 15 | 0x3F000000).view(np.float32)  # each second lies between two
    values = np.concatenate([kernels().ravel(), halves, np.float32([0, -0.0, 103.939, -1e-30, 3e38])])
    expected = tf.cast(tf.cast(values, tf.bfloat16), tf.float32).numpy()
    np.testing.assert_array_equal(rounded(values).view(np.uint32), expected.view(np.uint32))


def test_taps_are_values_of_bfloat16_near_the_old_ones_and_their_sum_is_kept() -> None:
    kernel = kernels()
    got, plain = diffused(kernel), rounded(kernel)
    np.testing.assert_array_equal(rounded(got), got)
    largest = np.abs(kernel).max(axis=(0, 1))
    assert (np.abs(got - kernel).max(axis=(0, 1)) <= 2**-7 * largest).all()

    def off(k: np.ndarray) -> np.ndarray:
        return np.abs((k.astype(float) - kernel).sum(axis=(0, 1)))

    assert (off(got) <= 2**-8 * largest).all(), "what the last tap leaves over: half a unit"
    assert np.sqrt((off(got) ** 2).mean()) < np.sqrt((off(plain) ** 2).mean()) / 2


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("flags\t\t: fpu avx2 avx512f avx512_bf16\n", True),
        ("flags\t\t: fpu amx_bf16\n", True),
        ("Features\t: fp asimd bf16\n", True),
        ("flags\t\t: fpu avx2 avx512f\n", False),
    ],
)
def test_processors_say_whether_they_compute_in_bfloat16(
    monkeypatch: pytest.MonkeyPatch, text: str, known: bool
) -> None:
    monkeypatch.setattr("features.backbones.bfloat16.Path.read_text", lambda _: text)
    assert has_arithmetic() is known


def test_a_system_that_does_not_tell_is_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("features.backbones.bfloat16.Path.read_text", absent)
    assert has_arithmetic() is None


@pytest.mark.parametrize(
    ("precision", "device", "arithmetic", "n"),
    [("bfloat16", "CPU", False, 1), ("bfloat16", "CPU", True, 0), ("bfloat16", "CPU", None, 0),
     ("bfloat16", "GPU", False, 0), ("float32", "CPU", False, 0)],
)  # fmt: skip
def test_the_user_is_told_where_bfloat16_brings_nothing(
    monkeypatch: pytest.MonkeyPatch, cheap_embedder: Any, precision: str, device: str, arithmetic: bool | None, n: int
) -> None:
    monkeypatch.setattr("cli.words.cache.has_arithmetic", lambda: arithmetic)
    cheap_embedder.device = device
    assert len(precision_lines(precision, cheap_embedder)) == n


def test_one_tap_is_rounded_to_the_nearest() -> None:
    kernel = kernels()[:1, :1]
    np.testing.assert_array_equal(diffused(kernel), rounded(kernel))


def test_the_model_computes_its_first_convolution_in_float32_and_holds_the_others_exactly() -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.layers.Conv2D(4, 3, activation="relu", dtype="mixed_bfloat16") for _ in range(3)]
    model = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    before = [np.asarray(layer.kernel) for layer in layers]
    to_bfloat16(model)
    assert [layer.compute_dtype for layer in layers] == ["float32", "bfloat16", "bfloat16"]
    np.testing.assert_array_equal(np.asarray(layers[0].kernel), before[0])
    for layer, kernel in zip(layers[1:], before[1:], strict=True):
        np.testing.assert_array_equal(np.asarray(layer.kernel), diffused(kernel))
    assert layers[0](np.ones((1, 16, 16, 3), np.float32)).dtype == "float32"
    assert model(np.ones((1, 16, 16, 3), np.float32)).dtype == "bfloat16"
