"""Frozen ImageNet backbone + global average pooling: (n, 224, 224) uint8 -> (n, d) float32. TensorFlow lives here.

VGG16: Simonyan and Zisserman, arXiv:1409.1556. The other backbones go through the same door.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.backbones.bfloat16 import to_bfloat16
from features.backbones.black_margins import Margins, boxes, stages_of
from features.backbones.registry import DIFFUSED, MARGINS, PRECISIONS, Say, silent
from features.backbones.weights import (
    Origin,
    Place,
    Weights,
    WeightsKind,
    check_plain,
    find_imagenet,
    from_file,
    keras_models_dir,
    total_sha256,
)

if TYPE_CHECKING:
    from keras import Model
    from tensorflow import Tensor

INPUT_SIZE = 224


@dataclass(frozen=True)
class Application:
    """A row of the table: names inside `keras.applications`, and the length of the pooled vector."""

    application: str  # keras.applications.<application>(include_top=False)
    module: str  # keras.applications.<module>.preprocess_input: the preprocessing it was trained with
    dim: int


APPLICATIONS = {
    "vgg16": Application("VGG16", "vgg16", 512),
    "vgg19": Application("VGG19", "vgg19", 512),
    "resnet50": Application("ResNet50", "resnet50", 2048),
    "densenet121": Application("DenseNet121", "densenet", 1024),
    "efficientnetv2b0": Application("EfficientNetV2B0", "efficientnet_v2", 1280),
}
CAREFUL = ("vgg16", "vgg19")  # of 3 x 3 kernels; where most kernels have one tap, there is no sum to keep
BATCH = {"CPU": 16, "GPU": 32}


class Embedder:
    """A callable (n, 224, 224) uint8 -> (n, dim) float32, with what a cache must record about it.

    `settings` : backbone, weights kind and digest, preprocess, pooling; `precision`; `device`: 'GPU' or 'CPU'.
    """

    def __init__(
        self,
        backbone: str = "vgg16",
        *,
        weights: str = "imagenet",
        preprocess: str | None = None,
        precision: str = "auto",
        margins: str = "auto",
        batch: int | None = None,
        seed: int = 0,
        say: Say = silent,
    ) -> None:
        """Load the backbone.

        Parameters
        ----------
        backbone : one of `APPLICATIONS`
        weights : 'imagenet', 'random' or a file
        preprocess : the backbone's own name or 'unit'
        precision : one of PRECISIONS; 'auto' is mixed float16 on a GPU, float32 on a CPU
        margins : 'skip' computes VGG only where an image is not black (`features.backbones.black_margins`), 'compute' everywhere,
            'auto' skips on a CPU, where it was measured to pay
        batch : images per step, by default 16 on a CPU and 32 on a GPU
        seed : of random weights
        say : is called with what the user should know; silent by default

        Raises
        ------
        ValueError : an unknown name, or weights that are nowhere to be had
        """
        preprocess = preprocess or backbone
        _check(backbone, preprocess, precision, margins)
        import keras
        import tensorflow as tf

        self.device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
        if precision == "auto":
            precision = "float16" if self.device == "GPU" else "float32"
        if precision in ("float32", "bfloat16"):  # the first convolution of the second is in float32 too
            tf.config.experimental.enable_tensor_float_32_execution(False)  # TF32 keeps 10 bits of the mantissa
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
        self.dim = APPLICATIONS[backbone].dim
        self.precision = precision
        self.batch = batch or BATCH[self.device]
        model, kind, sha256, self.origin = _load(keras, backbone, weights, precision, seed, say)
        if precision == "bfloat16" and backbone in CAREFUL:
            to_bfloat16(model)  # after the digest of the weights was taken
            self.precision = DIFFUSED
        self.model = model  # (n, 224, 224, 3) preprocessed -> (n, 7, 7, dim)
        self.settings = {
            "backbone": backbone,
            "weights": str(kind),
            "weights_sha256": sha256,
            "preprocess": preprocess,
            "input_size": INPUT_SIZE,
            "pooling": "global average",
        }
        own = getattr(keras.applications, APPLICATIONS[backbone].module).preprocess_input

        def prepare(grey: Tensor) -> Tensor:
            images = tf.repeat(tf.cast(grey, tf.float32)[..., None], 3, axis=-1)  # (n, 224, 224, 3) RGB, 0 ... 255
            return images / 255.0 if preprocess == "unit" else own(images)

        def forward(grey: Tensor) -> tuple[Tensor, Tensor]:
            maps = tf.cast(model(prepare(grey), training=False), tf.float32)  # (n, 7, 7, dim)
            return tf.reduce_mean(maps, axis=(1, 2)), maps

        grey_images = tf.TensorSpec([None, INPUT_SIZE, INPUT_SIZE], tf.uint8)
        self._forward = tf.function(forward, input_signature=[grey_images])
        skip = margins == "skip" or (margins == "auto" and self.device == "CPU")
        stages = stages_of(model) if skip else None
        if margins == "skip" and stages is None:
            raise ValueError(f"--margins skip goes with vgg16 and vgg19, not with {backbone}; leave it out")
        self._margins = Margins(stages, prepare, INPUT_SIZE) if stages else None

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 224, 224) uint8 -> (n, dim) float32. Raises ValueError where a vector overflows the precision."""
        if self._margins is None:
            return self._in_batches(images, 0, (self.dim,))
        out = np.empty((len(images), self.dim), np.float32)
        for rows, box in self._margins.groups(boxes(images), self.batch):
            out[rows] = (
                self._in_batches(images[rows], 0, (self.dim,)) if box is None else self._margins(images[rows], box)
            )
        return self._finite(out)

    def maps(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 224, 224) uint8 -> (n, h, w, dim) float32, the activations before pooling: 7 x 7 cells.

        Their mean over h and w is the vector that a call gives. Raises ValueError as a call does.
        """
        return self._in_batches(images, 1, self.model.output_shape[1:])

    def _in_batches(self, images: NDArray[np.uint8], which: int, shape: tuple[int, ...]) -> NDArray[np.float32]:
        out = np.empty((len(images), *shape), np.float32)
        for start in range(0, len(images), self.batch):
            part = slice(start, start + self.batch)
            out[part] = self._forward(images[part])[which].numpy()
        return self._finite(out)

    def _finite(self, out: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(out).all():
            raise ValueError(f"features overflow in {self.precision}; extract with --precision float32")
        return out


def _check(backbone: str, preprocess: str, precision: str, margins: str) -> None:
    """Refuse names that are not known, or do not go together."""
    if backbone not in APPLICATIONS:
        raise ValueError(f"unknown backbone {backbone!r}; expected one of {', '.join(APPLICATIONS)}")
    if preprocess not in (backbone, "unit"):
        raise ValueError(f"--preprocess {preprocess} does not go with {backbone}; expected {backbone} or unit")
    if precision not in PRECISIONS:
        raise ValueError(f"unknown precision {precision!r}; expected one of {', '.join(PRECISIONS)}")
    if margins not in MARGINS:
        raise ValueError(f"unknown margins {margins!r}; expected one of {', '.join(MARGINS)}")


def _load(
    keras: ModuleType, backbone: str, weights: str, precision: str, seed: int, say: Say
) -> tuple[Model, WeightsKind, str, Origin]:
    """The model with its weights; their kind, digest and origin."""
    application = getattr(keras.applications, APPLICATIONS[backbone].application)
    verified: Weights | None = None
    file: str | None = None
    if backbone == "vgg16" and weights != "random":
        verified = find_imagenet(say) if weights == "imagenet" else from_file(Path(weights))
    elif weights not in ("random", "imagenet"):
        file = weights
        check_plain(Path(file))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision if precision == "float32" else f"mixed_{precision}")
    try:
        keras.utils.set_random_seed(seed)
        start = "imagenet" if weights == "imagenet" and verified is None else None
        model = application(include_top=False, weights=start, input_shape=(INPUT_SIZE, INPUT_SIZE, 3))
        if file:
            model.load_weights(file)
    except Exception as error:
        if weights == "random":
            raise
        where = keras_models_dir()
        raise ValueError(
            f"no weights for {backbone} ({str(error).strip().splitlines()[0]}); put Keras's notop file into {where}, "
            "or name a file with --weights FILE"
        ) from None
    finally:
        keras.config.set_dtype_policy(before)
    if verified is not None:
        for layer in model.layers:
            if layer.weights:
                layer.set_weights([verified.arrays[f"{layer.name}/{part}"] for part in ("kernel", "bias")])
        return model, verified.kind, verified.sha256, verified.origin
    arrays = {f"{i:04d}/{w.path}": np.asarray(w) for i, w in enumerate(model.weights)}
    digest = total_sha256(arrays)
    if file is not None:
        return model, WeightsKind.CUSTOM, digest, Origin(Place.FILE, Path(file).name)
    if weights == "random":
        return model, WeightsKind.RANDOM, digest, Origin(Place.SEED)
    return model, WeightsKind.IMAGENET, digest, Origin(Place.KERAS)
