"""Files that are there whole or not at all: written under a temporary name, synced, renamed."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A file that takes the place of another when it is whole.

    `with atomic_file(path) as temporary`: what is written to `temporary`, a name in the same folder, is synced and renamed to `path`
    when the block is done. If the block fails, `path` stays as it was; what a kill leaves is deleted by `recover`.

    Parameters
    ----------
    path : the file to make or to replace; its folder is made

    Raises
    ------
    OSError : there is no room, or no right to write
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{token_hex(4)}.tmp")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text as UTF-8, atomically, line ends as they are."""
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


@contextmanager
def atomic_files(out: Path) -> Iterator[Path]:
    """`with atomic_files(out) as folder`: files written to `folder` take their places in `out` when the block is done.

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
            _sync(written)
            written.replace(place)
        _sync(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            out.rmdir()  # only where nothing is in it


@contextmanager
def atomic_directory(out: Path) -> Iterator[Path]:
    """`with atomic_directory(out) as folder`: a temporary folder beside `out`, synced and renamed to it when the block is done.

    What was there before is replaced in one step where the system can exchange two folders (Linux, not on every file system),
    else in two, between which `recover` knows the way back. If the block fails it stays, and the temporary folder goes.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".tmp", dir=out.parent))
    try:
        temporary.chmod(0o755)
        yield temporary
        for written in [*temporary.rglob("*"), temporary]:
            _sync(written)
        if out.exists() and _exchanged(temporary, out):
            pass
        elif out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".old", dir=out.parent))
            out.rename(old / out.name)
            try:
                temporary.rename(out)
            except BaseException:
                (old / out.name).rename(out)
                raise
            finally:
                shutil.rmtree(old)
        else:
            temporary.rename(out)
        _sync(out.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def recover(out: Path) -> None:
    """Put back what a killed process was about to replace, and delete what it left half-written beside `out`.

    For whoever alone may write `out` now.
    """
    if not out.parent.is_dir():
        return
    left = re.compile(rf"\.{re.escape(out.name)}\.([a-z0-9_]{{8}}|\d+)\.(tmp|old)")  # version 0.1.0 numbered its files
    stumps = [p for p in out.parent.iterdir() if left.fullmatch(p.name)]
    for old in stumps:
        if old.suffix == ".old" and (old / out.name).exists() and not out.exists():
            (old / out.name).rename(out)
    for stump in stumps:
        if stump.is_dir():
            shutil.rmtree(stump)
        else:
            stump.unlink()


def _exchanged(a: Path, b: Path) -> bool:
    """Exchange two names in one step (renameat2 of Linux); False, and nothing done, where that cannot be."""
    renameat2 = getattr(ctypes.CDLL(None), "renameat2", None)
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    return renameat2 is not None and renameat2(here, os.fsencode(a), here, os.fsencode(b), exchange) == 0


def _sync(path: Path) -> None:
    """Make a file's or folder's content survive a power cut (fsync)."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
