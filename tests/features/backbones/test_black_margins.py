"""The black around the brain left out: the vectors are those of the whole network, wherever the brain lies."""

from __future__ import annotations

import numpy as np
import pytest

from features.backbones.black_margins import Box, Margins, boxes, stages_of

SIZE = 224


def box_of(top: int, bottom: int, left: int, right: int) -> Box:
    return Box(top, bottom, left, right, SIZE)


@pytest.fixture(scope="module")
def narrow():
    """VGG16's layers with 8 channels each, random weights, and biases, so that black images light up too."""
    import keras

    keras.utils.set_random_seed(1)
    layers: list = [keras.Input((SIZE, SIZE, 3))]
    for n in (2, 2, 3, 3, 3):
        for _ in range(n):
            bias = keras.initializers.RandomNormal(stddev=0.1)
            layers.append(keras.layers.Conv2D(8, 3, padding="same", activation="relu", bias_initializer=bias))
        layers.append(keras.layers.MaxPooling2D())
    return keras.Sequential(layers)


def prepare(grey):
    import tensorflow as tf

    return tf.repeat(tf.cast(grey, tf.float32)[..., None], 3, axis=-1) / 64 - 1.5  # black is not zero


@pytest.fixture(scope="module")
def margins(narrow) -> Margins:
    return Margins(stages_of(narrow), prepare, SIZE)


def whole(narrow, images: np.ndarray) -> np.ndarray:
    return np.asarray(narrow(prepare(images))).mean(axis=(1, 2))


BOXES = [
    box_of(60, 170, 50, 150),
    box_of(0, 90, 0, 100),  # touches a corner
    box_of(130, 224, 120, 224),  # touches the opposite one
    box_of(0, 224, 100, 120),  # from edge to edge
    box_of(100, 110, 0, 224),
    box_of(111, 112, 113, 114),  # one pixel
    box_of(0, 1, 0, 1),
    box_of(223, 224, 0, 1),
    box_of(1, 223, 1, 223),  # all but the rim
    box_of(0, 224, 0, 224),  # full
    box_of(3, 4, 7, 200),
]


@pytest.mark.slow
@pytest.mark.parametrize("box", BOXES, ids=str)
def test_the_window_gives_the_vectors_of_the_whole_image(narrow, margins: Margins, box: Box) -> None:
    rng = np.random.default_rng(0)
    images = np.zeros((3, SIZE, SIZE), np.uint8)
    images[:, box.top : box.bottom, box.left : box.right] = rng.integers(
        1, 256, (3, box.bottom - box.top, box.right - box.left)
    )
    assert boxes(images) == [box] * 3
    expected, found = whole(narrow, images), margins(images, box)
    assert found.dtype == np.float32
    assert np.ptp(expected, axis=0).max() > 1e-6 * np.abs(expected).max()  # the images can be told apart
    assert np.linalg.norm(found - expected, axis=1).max() <= 1e-6 * np.linalg.norm(expected, axis=1).min()


@pytest.mark.slow
def test_random_boxes_agree_too(narrow, margins: Margins) -> None:
    rng = np.random.default_rng(3)
    for _ in range(15):
        top, left = rng.integers(0, SIZE, 2)
        bottom, right = rng.integers(top + 1, SIZE + 1), rng.integers(left + 1, SIZE + 1)
        box = box_of(int(top), int(bottom), int(left), int(right))
        image = np.zeros((1, SIZE, SIZE), np.uint8)
        image[0, top:bottom, left:right] = rng.integers(1, 256, (bottom - top, right - left))
        expected = whole(narrow, image)
        assert np.linalg.norm(margins(image, box) - expected) <= 1e-6 * np.linalg.norm(expected)


def test_an_empty_image_counts_as_the_whole_and_gives_the_black_vector(narrow, margins: Margins) -> None:
    black = np.zeros((2, SIZE, SIZE), np.uint8)
    (rows, box), *rest = margins.groups(boxes(black), 16)
    assert (rows, box, rest) == (slice(0, 2), None, [])
    assert margins(black, boxes(black)[0]) == pytest.approx(whole(narrow, black), rel=1e-6)


def test_a_wrong_box_does_not_give_the_vectors(narrow, margins: Margins) -> None:
    image = np.zeros((1, SIZE, SIZE), np.uint8)
    image[0, 60:170, 50:150] = 200
    wrong = margins(image, box_of(60, 120, 50, 100))
    assert np.linalg.norm(wrong - whole(narrow, image)) > 1e-3 * np.linalg.norm(wrong)


def test_groups_cover_all_images_in_order_and_hold_their_boxes(margins: Margins) -> None:
    rng = np.random.default_rng(5)
    of = []
    for k in range(40):
        top, left = (int(x) for x in rng.integers(20, 60, 2))
        of.append(box_of(0, SIZE, 0, SIZE) if k % 13 == 5 else box_of(top, top + 3 * k + 5, left, left + 2 * k + 9))
    found = list(margins.groups(of, 8))
    assert [r for rows, _ in found for r in range(rows.start, rows.stop)] == list(range(40))
    assert all(rows.stop - rows.start <= 8 for rows, _ in found)
    assert len(found) < 40
    for rows, box in found:
        for one in of[rows]:
            assert box is None or box.joined(one) == box
    shares = [1.0 if box is None else margins.operations(box) for rows, box in found for _ in of[rows]]
    assert np.mean(shares) < 0.8  # it pays
    assert max(shares) <= 1


def test_small_boxes_cost_little_and_the_whole_costs_one(margins: Margins) -> None:
    assert margins.operations(box_of(0, SIZE, 0, SIZE)) == 1
    assert margins.operations(box_of(100, 101, 100, 101)) < 0.4
    grown = [margins.operations(box_of(112 - k, 112 + k, 112 - k, 112 + k)) for k in range(10, 112, 10)]
    assert grown == sorted(grown)


def test_other_networks_are_not_taken_for_vgg() -> None:
    import keras

    start = keras.Input((SIZE, SIZE, 3))
    pool = keras.layers.MaxPooling2D()
    for layers in (
        [keras.layers.Conv2D(4, 3, padding="same"), pool],  # no ReLU
        [keras.layers.Conv2D(4, 5, padding="same", activation="relu"), pool],
        [keras.layers.Conv2D(4, 3, padding="valid", activation="relu"), pool],
        [keras.layers.Conv2D(4, 3, padding="same", activation="relu", strides=2), pool],
        [keras.layers.Conv2D(4, 3, padding="same", activation="relu")],  # no pooling at the end
        [keras.layers.Conv2D(4, 3, padding="same", activation="relu"), keras.layers.AveragePooling2D(2)],
        [keras.layers.Conv2D(4, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D(3)],
    ):
        assert stages_of(keras.Sequential([start, *layers])) is None
