"""The real network with the real weights on real images; slow, and skipped where the weights are not at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from features.backbones.bfloat16 import has_arithmetic
from features.backbones.keras_applications import APPLICATIONS, Embedder
from features.cache.reader import Cache
from features.extraction import extract
from features.scans.find import find_scans

pytestmark = pytest.mark.slow

NO_ARITHMETIC = "this processor has no bfloat16 arithmetic: TensorFlow rounds twice"
TWICE_ROUNDED = 1e-2  # measured on such a processor: 4.4e-3 for a photograph


@pytest.fixture(scope="module")
def weights(shared: Path) -> str:
    return str(shared / "weights" / "vgg16_imagenet_notop.h5")


@pytest.fixture(scope="module")
def vgg16(weights: str) -> Embedder:
    return Embedder("vgg16", weights=weights, precision="float32")


@pytest.fixture(scope="module")
def plain(weights: str):
    """Keras's own model with Keras's own loader, pooling and predict: the peer."""
    import keras

    model = keras.applications.VGG16(include_top=False, weights=None, pooling="avg", input_shape=(224, 224, 3))
    model.load_weights(weights)
    return model


@pytest.fixture(scope="module")
def photographs() -> np.ndarray:
    """(2, 224, 224, 3) uint8: the photographs that scikit-learn ships."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    images = [Image.fromarray(i).resize((224, 224)) for i in load_sample_images().images]
    return np.stack([np.asarray(i) for i in images])


def relative(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


@pytest.mark.slow
def test_extraction_of_real_scans_agrees_with_plain_keras(shared: Path, tmp_path: Path, vgg16: Embedder, plain) -> None:
    from keras.applications.vgg16 import preprocess_input

    from features.scans import prepare

    scans = find_scans([shared / "data" / "rsna_like_tcia" / "test"], sequences=["FLAIR", "T2w"])
    extract(scans, tmp_path / "f.h5", embed=vgg16, workers=1)
    series = scans.series[0]
    images = prepare.prepare_series(series, size=224, normalize="series", resize="pad", plane="axial").pixels
    grey = np.repeat(images[..., None].astype(np.float32), 3, axis=-1)
    expected = plain.predict(preprocess_input(grey), verbose=0)
    with Cache(tmp_path / "f.h5") as cache:
        k = [tuple(x) for x in zip(cache.series["patient"], cache.series["sequence"], strict=True)].index(
            (series.patient, series.sequence)
        )
        found = cache.series_rows(k).features
        assert len(cache.series["patient"]) == 4
        assert cache.settings["weights"] == "imagenet"
    assert found.shape == expected.shape
    assert relative(found, expected) < 1e-4
    each = np.linalg.norm(found - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert each.max() < 1e-4


@pytest.mark.slow
def test_natural_images_leave_block5_pool_mostly_zero(vgg16: Embedder, photographs: np.ndarray) -> None:
    from keras.applications.vgg16 import preprocess_input

    maps = np.asarray(vgg16.model(preprocess_input(photographs.astype(np.float32))))
    assert maps.shape == (2, 7, 7, 512)
    assert 0.80 < (maps == 0).mean() < 0.94


@pytest.mark.slow
def test_a_picture_and_its_mirror_look_alike(vgg16: Embedder, photographs: np.ndarray) -> None:
    grey = photographs.mean(axis=3).astype(np.uint8)
    a, b = vgg16(grey), vgg16(grey[:, :, ::-1])
    cosine = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert (cosine > 0.95).all()
    assert (cosine < 1 - 1e-6).all()


@pytest.mark.slow
def test_the_batch_size_does_not_change_the_vectors(vgg16: Embedder, weights: str, photographs: np.ndarray) -> None:
    grey = np.concatenate([photographs[..., c] for c in range(3)])
    one = Embedder("vgg16", weights=weights, precision="float32", batch=4)
    assert relative(one(grey), vgg16(grey)) < 1e-6


@pytest.mark.slow
def test_the_mean_of_the_maps_is_the_embedding_and_keras_has_the_same_maps(
    vgg16: Embedder, plain, photographs: np.ndarray
) -> None:
    from keras.applications.vgg16 import preprocess_input

    grey = photographs[..., 1]
    maps, vectors = vgg16.maps(grey), vgg16(grey)
    assert maps.shape == (2, 7, 7, 512)
    assert maps.dtype == np.float32
    each = np.linalg.norm(maps.mean(axis=(1, 2)) - vectors, axis=1) / np.linalg.norm(vectors, axis=1)
    assert each.max() < 1e-5
    pool = next(layer for layer in plain.layers if layer.name == "block5_pool")
    rgb = preprocess_input(np.repeat(grey[..., None], 3, axis=-1).astype(np.float32))
    import keras

    expected = keras.Model(plain.inputs, pool.output).predict(rgb, verbose=0)
    assert relative(maps, expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_skipping_the_margins_gives_the_same_vectors_on_real_slices(
    shared: Path, weights: str, vgg16: Embedder, precision: str
) -> None:
    from features.scans import prepare

    series = find_scans([shared / "data" / "rsna_like_tcia" / "test"], sequences=["FLAIR"]).series[0]
    images = prepare.prepare_series(series, size=224, normalize="series", resize="pad", plane="axial").pixels
    images = np.concatenate([images[images.any(axis=(1, 2))][::4], np.zeros((1, 224, 224), np.uint8)])
    skip = vgg16 if precision == "float32" else Embedder(weights=weights, precision=precision)
    expected = Embedder(weights=weights, precision=precision, margins="compute")(images)
    each = np.linalg.norm(skip(images) - expected, axis=1) / np.linalg.norm(expected, axis=1)
    assert skip._margins is not None
    assert each.max() < 1e-6
    if precision == "bfloat16":
        exact = vgg16(images)
        each = np.linalg.norm(expected - exact, axis=1) / np.linalg.norm(exact, axis=1)
        most = 3e-3 if has_arithmetic() else TWICE_ROUNDED
        assert each.max() < most, "plainly rounded weights and intensities are off by up to 1.1e-2"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [
        ("float16", 5e-3),
        pytest.param("bfloat16", 2e-3, marks=pytest.mark.skipif(not has_arithmetic(), reason=NO_ARITHMETIC)),
        ("bfloat16", TWICE_ROUNDED),
    ],
)
def test_lower_precision_stays_close(
    vgg16: Embedder, weights: str, photographs: np.ndarray, precision: str, tolerance: float
) -> None:
    grey = photographs[:1, :, :, 1]
    low = Embedder("vgg16", weights=weights, precision=precision)
    assert low.precision == {"bfloat16": "bfloat16-diffused"}.get(precision, precision)
    assert 0 < relative(low(grey), vgg16(grey)) < tolerance


@pytest.mark.slow
def test_unit_preprocessing_is_rgb_over_255(weights: str, plain, photographs: np.ndarray) -> None:
    grey = photographs[:1, :, :, 1]
    unit = Embedder("vgg16", weights=weights, preprocess="unit", precision="float32")
    expected = plain.predict(np.repeat(grey[..., None], 3, axis=-1).astype(np.float32) / 255, verbose=0)
    assert unit.settings["preprocess"] == "unit"
    assert relative(unit(grey), expected) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("backbone", list(APPLICATIONS))
def test_every_backbone_of_the_table_goes_through_the_same_door(backbone: str) -> None:
    embed = Embedder(backbone, weights="random", precision="float32", seed=3)
    vectors = embed(np.full((1, 224, 224), 90, np.uint8))
    assert vectors.shape == (1, APPLICATIONS[backbone].dim)
    assert vectors.dtype == np.float32
    assert embed.settings["weights"] == "random"
    assert embed.settings["preprocess"] == backbone


@pytest.mark.slow
def test_weights_by_name_are_known_for_what_they_are(weights: str, vgg16: Embedder, tmp_path: Path) -> None:
    from features.backbones.weights import read_keras_h5, write_keras_h5

    arrays = read_keras_h5(Path(weights))
    arrays["block5_conv3/bias"] = arrays["block5_conv3/bias"] + 1
    write_keras_h5(tmp_path / "mine.h5", arrays)
    mine = Embedder("vgg16", weights=str(tmp_path / "mine.h5"))
    assert vgg16.settings["weights"] == "imagenet"
    assert mine.settings["weights"] == "custom"
    assert mine.settings["weights_sha256"] != vgg16.settings["weights_sha256"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backbone": "vgg11"}, "unknown backbone 'vgg11'; expected one of vgg16"),
        ({"preprocess": "resnet50"}, "--preprocess resnet50 does not go with vgg16"),
        ({"precision": "float8"}, "unknown precision 'float8'"),
        ({"margins": "some"}, "unknown margins 'some'; expected one of auto, skip, compute"),
        ({"backbone": "resnet50", "weights": "random", "margins": "skip"}, "--margins skip goes with vgg16 and vgg19"),
        ({"weights": "nowhere.h5"}, "the weights file 'nowhere.h5' does not exist"),
        ({"backbone": "resnet50", "weights": "nowhere.h5"}, "the weights file 'nowhere.h5' does not exist"),
    ],
)
def test_wrong_options_are_refused_with_the_next_move(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Embedder(**options)
