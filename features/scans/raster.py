"""PNG and JPEG -> one slice, without geometry."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from features.scans.orientation import MAX_PIXELS, UNKNOWN, RawSlice, UnusableError, cause, finite, luminance


def read_image(path: Path, source: str, _: str) -> list[RawSlice]:
    """The image of a file, colour as luminance. Raises UnusableError with a reason that quotes nothing of the file."""
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:  # others run interpreters
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise UnusableError(f"an image of {width * height} pixels; expected at most {MAX_PIXELS}")
            if image.format == "PNG" and image.mode in ("RGB", "RGBA", "LA") and _png_bit_depth(path) == 16:
                raise UnusableError("16-bit PNG with colour or alpha; save it as 16-bit greyscale")
            if image.mode.startswith("I") or image.mode == "F":
                pixels, eight_bit = np.asarray(image), False
            else:
                mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
                pixels, eight_bit = np.asarray(image.convert(mode)), True
    except UnusableError:
        raise
    except Exception as error:  # each format has its own exceptions
        raise UnusableError(f"cannot be decoded as an image ({cause(error)})") from None
    if pixels.ndim == 3:
        pixels = luminance(pixels)
    numbers = re.findall(r"\d+", path.stem)
    return [
        RawSlice(
            pixels=finite(pixels),
            source=source,
            instance=min(int(numbers[-1]), 2**31 - 1) if numbers else -1,
            spacing=(np.nan, np.nan),
            plane=UNKNOWN,
            position=np.nan,
            full_range=(0.0, 255.0 if eight_bit else 65535.0),
            eight_bit=eight_bit,
        )
    ]


def _png_bit_depth(path: Path) -> int:
    with path.open("rb") as f:
        return f.read(25)[24]  # IHDR is the first chunk, its bit depth at byte 24 (PNG 3rd edition, 11.2.1)
