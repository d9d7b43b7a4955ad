"""What a command writes is there whole, or what was there before is: a full disk or an error costs no earlier report."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """`with staged(out) as folder`: files written to `folder` take their places in `out` when the block is done.

    If the block fails, `out` stays as it was. For whoever alone may write `out` now; a kill in the midst of the renames leaves
    whole files of both. Other files in `out` are left alone.
    """
    folder = out / ".unfinished"
    shutil.rmtree(folder, ignore_errors=True)  # of a killed process
    folder.mkdir(parents=True)
    try:
        yield folder
        for written in sorted(p for p in folder.rglob("*") if p.is_file()):
            place = out / written.relative_to(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            written.replace(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            out.rmdir()  # only where nothing is in it
