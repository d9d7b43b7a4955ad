"""The options of stage 1, which the command line, the documentation and Python share."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from core.options import at_least, check_choices, option
from features.backbones.registry import BACKBONES, MARGINS, PRECISIONS


def spare_cores() -> int:
    """How many processes decode by default: a core is left to the network."""
    return max(1, (os.cpu_count() or 1) - 1)


def _backbones() -> str:
    return f"{', '.join(BACKBONES)} (default: vgg16)"


@dataclass(frozen=True)
class ExtractOptions:
    """What an extraction is asked for. Raises ValueError for a value that is none of the choices."""

    cohort: list[Path] = option(help="folder with one folder per patient", parse=Path, many=True, positional=True)
    out: Path = option(help="the cache to make or to extend", parse=Path, metavar="CACHE.h5")
    sequence: list[str] | None = option(None, "FLAIR, T1w, T1wCE, T2w (default: all)", metavar="SEQ", many=True)
    exclude: list[str] = option(
        help="patients to leave out",
        factory=list,
        metavar="ID",
        many=True,
        details="leave patients out (`109` leaves out `00109` and `BraTS2021_00109`); give it on every rerun",
    )
    plane: str = option("axial", "how NIfTI volumes are cut (default: axial)", choices=("axial", "coronal", "sagittal"))
    normalize: str = option(
        "series",
        "8-bit mapping by percentiles of the series or slice, or by the type's full range (default: series)",
        choices=("series", "slice", "none"),
        details="8-bit mapping: by the percentiles of the series (default) or of the slice, or `none`: by the full range of the stored type. 8-bit files are taken as they are",
    )
    resize: str = option("pad", "pad to a square in millimetres, or stretch (default: pad)", choices=("pad", "stretch"))
    backbone: str = option("vgg16", _backbones)
    weights: str = option(
        "imagenet",
        "default: imagenet, verified by digest",
        metavar="imagenet|random|FILE",
        details="`imagenet` (default; each array verified by SHA-256 for VGG16), a file, or `random`, which the cache and the report shout about",
    )
    preprocess: str | None = option(None, "the backbone's own name, or unit for RGB/255 (default: the backbone's own)")
    precision: str = option(
        "auto",
        "auto: mixed float16 on a GPU, float32 on a CPU",
        choices=PRECISIONS,
        details="`auto` (mixed float16 on a GPU, float32 on a CPU), float32, float16, bfloat16",
    )
    dtype: str = option("float32", "of the stored vectors (default: float32)", choices=("float32", "float16"))
    margins: str = option(
        "auto",
        "skip: VGG leaves out the black around the brain, with the same vectors to 1e-6; auto: skip on a CPU",
        choices=MARGINS,
        details="`skip`: VGG is computed only where a slice is not black and as far around as it reaches; the vectors agree with those of `compute` to 1e-6 (relative). `auto` (default) skips on a CPU, about 1.4 times faster on skull-stripped slices; on a GPU it was not measured, so there it computes",
    )
    batch: int | None = option(
        None,
        "slices per step of the network (default: 16 on a CPU, 32 on a GPU)",
        parse=at_least(1),
        metavar="N",
    )
    augment: int = option(
        0,
        "store N random views of each slice too, for training only",
        parse=at_least(0),
        metavar="N",
        details="store N random views of each slice too (rotation 20 degrees, shifts 0.1, zoom 0.2, flip); heads train on them, nothing is scored on them",
    )
    seed: int = option(0, "of the random views and of random weights (default: 0)", parse=int)
    workers: int = option(
        help="decoding processes; 0 decodes in this one, which a broken file can crash (default: cores - 1)",
        factory=spare_cores,
        parse=at_least(0),
        metavar="N",
        details="decoding processes. A file that crashes its decoder, takes longer than 120 s or more than 6 GiB is skipped with its reason; 0 decodes in the process itself, without these limits: a broken JPEG that crashes its decoder then ends the command (finished series are kept)",
    )
    strict: bool = option(False, "stop at the first file that cannot be used")
    accept_versions: bool = option(False, "extend a cache made with other versions of the libraries")

    def __post_init__(self) -> None:
        """Refuse what the command line would refuse."""
        check_choices(self)
