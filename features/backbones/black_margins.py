"""VGG's convolutions only where an image differs from a black one; everywhere else the black image's maps are taken.

A skull-stripped slice is black outside a box. The maps of a 3 x 3 network can differ from those of an all-black image
only in that box and as far around it as the convolutions before reach, one pixel each, which poolings halve. So each map
is computed over that window alone, and what surrounds it comes from the maps of the black image, which are computed once.
The same sums are made, so the vectors agree with those of the whole network to float rounding (1e-6 relative).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.scans.prepare import box as box_of

if TYPE_CHECKING:
    from keras import Model
    from tensorflow import DType, Tensor

    Convolve = Callable[[Tensor, Tensor, Tensor], Tensor]  # maps, kernel, bias -> maps

WORTH = 0.9  # of the operations of the whole image; windows that need more are not worth their copies
_PER_GROUP = 0.3  # what it costs to run a group of images, in whole images


@dataclass(frozen=True)
class Box:
    """Rows top ... bottom - 1 and columns left ... right - 1 of a square map of `size` pixels."""

    top: int
    bottom: int
    left: int
    right: int
    size: int

    def grown(self, by: int) -> Box:
        """Further out by `by` pixels on every side, also beyond the map."""
        return Box(self.top - by, self.bottom + by, self.left - by, self.right + by, self.size)

    def clipped(self) -> Box:
        """What lies inside the map."""
        return Box(
            max(self.top, 0), min(self.bottom, self.size), max(self.left, 0), min(self.right, self.size), self.size
        )

    def even(self) -> Box:
        """Out to even bounds, as 2 x 2 pooling needs them."""
        return Box(self.top // 2 * 2, -(-self.bottom // 2) * 2, self.left // 2 * 2, -(-self.right // 2) * 2, self.size)

    def pooled(self) -> Box:
        """The box after 2 x 2 pooling."""
        return Box(self.top // 2, self.bottom // 2, self.left // 2, self.right // 2, self.size // 2)

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
            self.size,
        )

    @classmethod
    def frame(cls, size: int) -> Box:
        """The whole map."""
        return cls(0, size, 0, size, size)

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.bottom - self.top) * (self.right - self.left)

    @property
    def whole(self) -> bool:
        """Whether it covers the map."""
        return self.area == self.size**2


def boxes(images: NDArray[np.uint8]) -> list[Box]:
    """The smallest box around the pixels above 0 of each of (n, s, s) images; the whole image where all are 0."""
    size = images.shape[1]
    found = [box_of(image != 0) for image in images]
    return [Box(r.start, r.stop, c.start, c.stop, size) if r.stop else Box.frame(size) for r, c in found]


@dataclass(frozen=True)
class Stage:
    """Convolutions between two places where the surroundings are put back, and whether 2 x 2 pooling follows."""

    kernels: tuple[Tensor, ...]  # (3, 3, in, out)
    biases: tuple[Tensor, ...]
    pool: bool

    def output(self, box: Box) -> Box:
        """Where the maps after the last convolution differ, if those before the first do in `box`."""
        out = box.grown(len(self.kernels)).clipped()
        return out.even() if self.pool else out

    @cached_property
    def _sizes(self) -> list[int]:
        return [int(np.prod(k.shape)) for k in self.kernels]

    def operations(self, box: Box) -> float:
        """Multiplications per image."""
        out = self.output(box)
        return sum(out.grown(len(self._sizes) - 1 - i).clipped().area * s for i, s in enumerate(self._sizes))


def stages_of(model: Model) -> list[Stage] | None:
    """A Keras model cut into stages; None where it is no chain of 3 x 3 convolutions with ReLU and 2 x 2 max pooling.

    Kernels have the type in which their layer computes. The surroundings are put back before each block, and, where maps
    are small and many convolutions would widen the window, before each convolution of a block of three or four.
    """
    import tensorflow as tf

    blocks: list[list[tuple[Tensor, Tensor]]] = [[]]
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "Conv2D":
            plain = (layer.kernel_size, layer.strides, layer.dilation_rate) == ((3, 3), (1, 1), (1, 1))
            if not plain or layer.padding != "same" or layer.activation.__name__ != "relu" or not layer.use_bias:
                return None
            blocks[-1].append((tf.cast(layer.kernel, layer.compute_dtype), tf.cast(layer.bias, layer.compute_dtype)))
        elif kind == "MaxPooling2D":
            if (layer.pool_size, layer.strides, layer.padding) != ((2, 2), (2, 2), "valid"):
                return None
            blocks.append([])
        elif kind != "InputLayer":
            return None
    if blocks.pop() or not all(blocks):
        return None
    out = []
    for block in blocks:
        parts = [block] if len(block) < 3 else [[c] for c in block]
        for part in parts:
            kernels, biases = zip(*part, strict=True)
            out.append(Stage(kernels, biases, pool=part is parts[-1]))
    return out


class Margins:
    """The convolutional part of VGG in `stages`. prepare : (n, s, s) uint8 -> (n, s, s, 3), a black pixel to a constant."""

    def __init__(self, stages: Sequence[Stage], prepare: Callable[[Tensor], Tensor], size: int) -> None:  # noqa: D107
        import tensorflow as tf

        first, dtype = (stages[k].kernels[k].dtype for k in (0, -1))  # of the images, of all other maps
        self._tf, self._stages, self._size = tf, stages, size
        self._whole = operations(stages, Box.frame(size))
        self._prepare: Callable[[Tensor], Tensor] = lambda grey: tf.cast(prepare(tf.convert_to_tensor(grey)), first)

        def convolve(x: Tensor, kernel: Tensor, bias: Tensor, padding: str) -> Tensor:
            return tf.cast(tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, padding), bias)), dtype)

        def surround(x: Tensor, around: Tensor, rims: Tensor) -> Tensor:
            rims = tf.reshape(rims, [2, 2])
            outside = 1 - tf.pad(tf.ones(tf.shape(x)[1:3], x.dtype), rims)
            return tf.pad(x, tf.pad(rims, [[1, 1], [0, 0]])) + around * outside[None, :, :, None]

        def compiled(padding: str) -> dict[DType, Convolve]:
            """By the type of what goes in; compiled, so that convolution, bias and ReLU are one pass."""
            shapes: tuple[list[int | None], ...] = ([None] * 4, [3, 3, None, None], [None])
            specs = {kind: [tf.TensorSpec(shape, kind) for shape in shapes] for kind in {first, dtype}}
            return {k: tf.function(partial(convolve, padding=padding), input_signature=s) for k, s in specs.items()}

        self._convolve, self._convolve_whole = compiled("VALID"), compiled("SAME")
        signature = [
            tf.TensorSpec([None] * 4, dtype),
            tf.TensorSpec([1, None, None, None], dtype),
            tf.TensorSpec([4], tf.int32),
        ]
        self._surround = tf.function(surround, input_signature=signature)

    @cached_property
    def _black(self) -> list[Tensor]:
        """The black image's maps before each stage, with a rim of zeros as wide as the stage reaches, and after all."""
        tf = self._tf
        whole = Box.frame(self._size)
        x = self._prepare(np.zeros((1, self._size, self._size), np.uint8))
        out = []
        for stage in self._stages:
            rim = len(stage.kernels)
            out.append(tf.pad(x, [[0, 0], [rim, rim], [rim, rim], [0, 0]]))
            x, whole = self._run(stage, out[-1], whole)
        return [*out, x]

    def __call__(self, images: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
        """(n, s, s) uint8, black outside `box` -> (n, d), the mean over the map after the last pooling."""
        tf, black = self._tf, self._black
        first = self._stages[0]
        start = box if box.whole else first.output(box).grown(len(first.kernels))
        inside = start.clipped()
        x = self._prepare(images[:, inside.top : inside.bottom, inside.left : inside.right])
        x = self._zeros_outside(x, start)
        for k, stage in enumerate(self._stages):
            if box.whole:
                for kernel, bias in zip(stage.kernels, stage.biases, strict=True):
                    x = self._convolve_whole[x.dtype](x, kernel, bias)
                x, box = self._pooled(stage, x, box)
                continue
            if k:
                x = self._surrounded(x, box, stage.output(box).grown(len(stage.kernels)), black[k], len(stage.kernels))
            x, box = self._run(stage, x, box)
        if not box.whole:
            x = self._surrounded(x, box, Box.frame(box.size), black[-1], 0)
        return np.asarray(tf.reduce_mean(tf.cast(x, tf.float32), axis=(1, 2)))

    def _run(self, stage: Stage, x: Tensor, box: Box) -> tuple[Tensor, Box]:
        """Maps over the window that the stage needs for `box` -> the maps after it, and the box in which they differ."""
        out = stage.output(box)
        reach = len(stage.kernels)
        for kernel, bias in zip(stage.kernels, stage.biases, strict=True):
            x = self._convolve[x.dtype](x, kernel, bias)
            reach -= 1
            if reach:
                x = self._zeros_outside(x, out.grown(reach), cut=True)
        return self._pooled(stage, x, out)

    def _pooled(self, stage: Stage, x: Tensor, box: Box) -> tuple[Tensor, Box]:
        return (self._tf.nn.max_pool2d(x, 2, 2, "VALID"), box.pooled()) if stage.pool else (x, box)

    def _zeros_outside(self, x: Tensor, window: Box, *, cut: bool = False) -> Tensor:
        """Zeros where the window lies outside the map, as convolutions with padding have them; `cut`: x has values there."""
        inside = window.clipped()
        if inside == window:
            return x
        rim = [
            [inside.top - window.top, window.bottom - inside.bottom],
            [inside.left - window.left, window.right - inside.right],
        ]
        if cut:
            rows, columns = inside.bottom - inside.top, inside.right - inside.left
            x = x[:, rim[0][0] : rim[0][0] + rows, rim[1][0] : rim[1][0] + columns]
        return self._tf.pad(x, [[0, 0], *rim, [0, 0]])

    def _surrounded(self, x: Tensor, box: Box, window: Box, black: Tensor, rim: int) -> Tensor:
        """x (n, ...) over `box`, widened to `window` by the black image's maps, which start `rim` pixels further out."""
        rows, columns = slice(window.top + rim, window.bottom + rim), slice(window.left + rim, window.right + rim)
        rims = [box.top - window.top, window.bottom - box.bottom, box.left - window.left, window.right - box.right]
        return self._surround(x, black[:, rows, columns], np.array(rims, np.int32))

    def operations(self, box: Box) -> float:
        """Multiplications for one image, as a share of those of the whole image."""
        return operations(self._stages, box) / self._whole

    def groups(self, of: Sequence[Box], batch: int) -> list[tuple[slice, Box | None]]:
        """Runs of at most `batch` neighbouring images that are best computed together, and the box around each run.

        None instead of a box: the whole image. The runs are the cheapest cut by the count of operations.
        """
        n = len(of)
        best = [0.0] + [np.inf] * n  # the cost of the first images
        last: list[tuple[int, Box | None]] = [(0, None)] * (n + 1)  # where their last run starts, and its box
        for start in range(n):
            box = of[start]
            for stop in range(start + 1, min(start + batch, n) + 1):
                box = box.joined(of[stop - 1])
                share = self.operations(box)
                whole = share > WORTH
                cost = best[start] + (stop - start) * (1.0 if whole else share) + _PER_GROUP
                if cost < best[stop]:
                    best[stop], last[stop] = cost, (start, None if whole else box)
        runs: list[tuple[slice, Box | None]] = []
        stop = n
        while stop:
            start, around = last[stop]
            runs.append((slice(start, stop), around))
            stop = start
        return runs[::-1]


def operations(stages: Sequence[Stage], box: Box) -> float:
    """Multiplications for one image that is black outside `box`."""
    total = 0.0
    for stage in stages:
        total += stage.operations(box)
        out = stage.output(box)
        box = out.pooled() if stage.pool else out
    return total
