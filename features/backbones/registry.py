"""The networks by name. Another one, of whatever framework, is a function here or in a file of your own, registered in one line.

@BACKBONES.register("tiles")
def tiles(options: BackboneOptions) -> Embed:
    return Tiles()  # dim, precision, settings, device, origin, and a call (n, s, s) uint8 -> (n, dim) float32
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from core.registry import Registry
from features.cache.schema import Settings

PRECISIONS = ("auto", "float32", "float16", "bfloat16")
DIFFUSED = "bfloat16-diffused"  # what a cache says of VGG in bfloat16 (features.backbones.bfloat16)
ASKED_AS = {DIFFUSED: "bfloat16"}  # the option that makes a precision, where it is called otherwise
MARGINS = ("auto", "skip", "compute")
Say: TypeAlias = Callable[[str], None]


def silent(words: str) -> None:
    """Say nothing: what a library does unless it is asked to speak."""


class Embed(Protocol):
    """What turns images into vectors.

    Attributes
    ----------
    dim : length of a vector
    precision : what it computes in, `float32`; rows of one cache that differ in it are told apart
    settings : all else that the vectors depend on but the images: backbone, weights, weights_sha256, preprocess, input_size (the side
        of the images in pixels), pooling; texts and numbers, kept with the cache
    """

    dim: int
    precision: str
    settings: Settings

    @property
    def device(self) -> str:
        """'CPU' or 'GPU'."""
        ...

    @property
    def origin(self) -> object:
        """Where its weights are from, as `str` says it."""
        ...

    def __call__(self, images: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """(n, input_size, input_size) uint8 -> (n, dim) float32."""
        ...


@runtime_checkable
class Maps(Protocol):
    """An `Embed` whose vectors are means of maps; `evaluate.py --explain` draws these."""

    precision: str
    settings: Settings

    def maps(self, images: NDArray[np.uint8], /) -> NDArray[np.float32]:
        """(n, input_size, input_size) uint8 -> (n, h, w, dim) float32, whose mean over h and w is the vector."""
        ...


@dataclass(frozen=True)
class BackboneOptions:
    """What a network may be asked for. One that cannot do it raises ValueError; the defaults any of them can.

    Parameters
    ----------
    weights : 'imagenet', 'random', or a file
    preprocess : the network's own name or 'unit'; None for its own
    precision : one of `PRECISIONS`
    margins : one of `MARGINS`
    batch : images a step; None for what suits the device
    seed : of random weights
    say : is called with what the user should know, such as where weights are fetched from; silent by default
    """

    weights: str = "imagenet"
    preprocess: str | None = None
    precision: str = "auto"
    margins: str = "auto"
    batch: int | None = None
    seed: int = 0
    say: Say = field(default=silent, compare=False)

    @classmethod
    def of(cls, options: object, say: Say = silent) -> BackboneOptions:
        """Those of the fields of a larger dataclass of options that a network is asked for."""
        return cls(**{name: getattr(options, name) for name in cls.__dataclass_fields__ if name != "say"}, say=say)


BACKBONES: Registry[Callable[[BackboneOptions], Embed]] = Registry("backbone")


def load_backbone(name: str, options: BackboneOptions | None = None) -> Embed:
    """The network of a name.

    Parameters
    ----------
    name : one of `BACKBONES`
    options : what is asked of it; by default ImageNet weights in the precision that suits the device

    Raises
    ------
    ValueError : there is none of that name, it cannot do what is asked, or its weights are nowhere to be had
    """
    return BACKBONES[name](options or BackboneOptions())


def load_maps(settings: Settings, options: BackboneOptions) -> Maps:
    """The network that made the features of `settings`, where it can draw maps. Raises ValueError where it cannot."""
    embed = load_backbone(settings["backbone"], options)
    if not isinstance(embed, Maps):
        raise ValueError(
            f"the backbone {settings['backbone']!r} gives no maps, and only these can be drawn over an image"
        )
    return embed


def _keras(name: str, options: BackboneOptions) -> Embed:
    from features.backbones.keras_applications import Embedder  # TensorFlow takes seconds

    return Embedder(name, **vars(options))


@BACKBONES.register("vgg16")
def vgg16(options: BackboneOptions) -> Embed:
    """VGG16 of Keras, 512 numbers (Simonyan and Zisserman, arXiv:1409.1556)."""
    return _keras("vgg16", options)


@BACKBONES.register("vgg19")
def vgg19(options: BackboneOptions) -> Embed:
    """VGG19 of Keras, 512 numbers (Simonyan and Zisserman, arXiv:1409.1556)."""
    return _keras("vgg19", options)


@BACKBONES.register("resnet50")
def resnet50(options: BackboneOptions) -> Embed:
    """ResNet50 of Keras, 2048 numbers (He et al., arXiv:1512.03385)."""
    return _keras("resnet50", options)


@BACKBONES.register("densenet121")
def densenet121(options: BackboneOptions) -> Embed:
    """DenseNet121 of Keras, 1024 numbers (Huang et al., arXiv:1608.06993)."""
    return _keras("densenet121", options)


@BACKBONES.register("efficientnetv2b0")
def efficientnetv2b0(options: BackboneOptions) -> Embed:
    """EfficientNetV2B0 of Keras, 1280 numbers (Tan and Le, arXiv:2104.00298)."""
    return _keras("efficientnetv2b0", options)
