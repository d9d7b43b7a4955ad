"""HDF5 files of strangers: what they may not contain, and how much of them may be read, looked at before anything is read.

HDF5 can point out of a file (external and soft links, external storage, virtual datasets), run code of a plug-in to
decode a dataset (filters), and claim sizes that it does not hold. Nothing that is written here needs any of that.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import h5py

_DEEPEST = 12  # groups in groups; a cycle of hard links would go on for ever


def check_file(file: h5py.File, path: Path) -> None:
    """Raise ValueError, naming file and member, unless all that an open file holds lies plainly in the file itself."""
    _check_group(file, "", path, held_bytes(path), 0)


def held_bytes(path: Path) -> int:
    """The bytes of a file without its holes: a sparse file seems to be as large as it likes, and takes no room.

    Where the file system knows of no holes, its size. `st_blocks` is no measure: compressed or remote file systems count few.
    """
    size = path.stat().st_size
    if not hasattr(os, "SEEK_DATA"):  # Windows
        return size
    held, end = 0, 0
    with path.open("rb", buffering=0) as handle:
        while end < size:
            try:
                start = os.lseek(handle.fileno(), end, os.SEEK_DATA)
                end = os.lseek(handle.fileno(), start, os.SEEK_HOLE)
            except OSError as error:  # no more data; or a file system that cannot tell
                return held if error.errno == errno.ENXIO else size
            held += end - start
    return held


def _check_group(group: h5py.Group, name: str, path: Path, size: int, depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(_refusal(path, name, f"lies more than {_DEEPEST} groups deep"))
    for key in group:
        member = f"{name}/{key}"
        link = group.get(key, getlink=True)
        if not isinstance(link, h5py.HardLink):
            kind = "an external link" if isinstance(link, h5py.ExternalLink) else "a soft link"
            raise ValueError(_refusal(path, member, f"is {kind}"))
        item = group[key]
        if isinstance(item, h5py.Group):
            _check_group(item, member, path, size, depth + 1)
        elif isinstance(item, h5py.Dataset):
            _check_dataset(item, member, path, size)


def _check_dataset(dataset: h5py.Dataset, name: str, path: Path, size: int) -> None:
    storage = dataset.id.get_create_plist()
    if storage.get_layout() == h5py.h5d.VIRTUAL:
        raise ValueError(_refusal(path, name, "is a virtual dataset, made of other files"))
    if storage.get_external_count():
        raise ValueError(_refusal(path, name, "stores its values in another file"))
    if storage.get_nfilters():
        raise ValueError(_refusal(path, name, "is compressed or filtered"))
    claimed = dataset.id.get_type().get_size()
    for length in dataset.shape or ():
        claimed *= length
    if claimed > size:
        raise ValueError(_refusal(path, name, f"claims {claimed:,} bytes, more than the {size:,} that the file holds"))


def _refusal(path: Path, name: str, what: str) -> str:
    return f"{str(path)!r} is refused: {name} {what}; expected plain datasets inside the file. Ask whoever made it, or make it again"
