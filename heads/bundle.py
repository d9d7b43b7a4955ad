"""Save and load fitted heads without pickle: a zip of plain arrays (NumPy .npz) with a JSON description inside."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from core.documents import Document
from core.text import some
from heads.base import Arrays, Fitted, saved_as

FORMAT = "mgmt-radiogenomics/head"
VERSION = 1
_PREFIX = "fingerprint/"


@dataclass
class Bundle:
    """A fitted head and its description: head, sequence, parts, unit, slices, keep_blank, aggregate, train_patients,
    features (settings of the cache that it was trained on), n_columns, label; `kind` too where it was tuned, since `head`
    may be 'chosen'."""

    fitted: Fitted
    about: Document
    fingerprint: Arrays = field(default_factory=dict)  # of its training patients; empty in older files


def save_bundle(path: Path, bundle: Bundle) -> None:
    """Write a bundle; `path` must not exist yet."""
    about = {"format": FORMAT, "format_version": VERSION, **bundle.about}
    text = np.frombuffer(json.dumps(about, sort_keys=True).encode(), np.uint8)
    with path.open("xb") as f:
        marks = {_PREFIX + name: array for name, array in bundle.fingerprint.items()}
        np.savez(f, allow_pickle=False, about=text, **marks, **bundle.fitted.arrays())


def load_bundle(path: Path) -> Bundle:
    """Read a bundle; nothing in the file is executed.

    Parameters
    ----------
    path : what `save_bundle` wrote

    Returns
    -------
    The fitted head with its description.

    Raises
    ------
    ValueError : it is no bundle of a known version, or of a head that is not registered
    """
    try:
        arrays = read_npz(path)
        about = json.loads(arrays.pop("about").tobytes())
        if about.get("format") != FORMAT or about.get("format_version") != VERSION:
            raise ValueError(f"format {about.get('format')!r} version {about.get('format_version')}")
        marks = {n.removeprefix(_PREFIX): arrays.pop(n) for n in list(arrays) if n.startswith(_PREFIX)}
        _check_numbers(arrays)
        return Bundle(saved_as(about.get("kind", about["head"])).from_arrays(arrays), about, marks)
    except FileNotFoundError:
        raise ValueError(f"the fitted head {str(path)!r} does not exist") from None
    except Exception as error:  # zip, JSON and array readers each raise their own
        raise ValueError(
            f"{str(path)!r} is not a fitted head of version {VERSION} ({type(error).__name__}: {error})"
        ) from None


def _check_numbers(arrays: Arrays) -> None:
    """Raise ValueError for a head whose arithmetic would warn or give no number; a scale of infinity is of a constant column."""
    for name, array in arrays.items():
        if array.dtype.kind == "f" and name not in ("scale", "threshold") and not np.isfinite(array).all():
            raise ValueError(f"{name} holds values that are no finite numbers")
    if "scale" in arrays and not (arrays["scale"] > 0).all():
        raise ValueError("its columns have scales of 0 or less")


def read_npz(path: Path) -> Arrays:
    """The arrays of an .npz file that holds no more than it seems to: members are stored, not compressed, and as long as they say.

    Parameters
    ----------
    path : the file

    Raises
    ------
    ValueError : it is anything else; no array of a false size is made
    """
    arrays: Arrays = {}
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        members = archive.infolist()
        if sum(m.file_size for m in members) > path.stat().st_size:
            raise ValueError("its members claim more bytes than the file has")
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED or not member.filename.endswith(".npy"):
                raise ValueError(f"{member.filename!r} is no plain stored array")
            raw = io.BytesIO(archive.read(member))
            version = np.lib.format.read_magic(raw)
            if version != (1, 0):
                raise ValueError(f"{member.filename!r} has array format {version}")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(raw)
            held = raw.getbuffer().nbytes - raw.tell()
            if dtype.hasobject:
                raise ValueError(f"{member.filename!r} holds Python objects, which only pickle reads")
            if math.prod(shape) * dtype.itemsize != held:
                raise ValueError(f"{member.filename!r} claims {shape} of {dtype} and holds {held} bytes")
            values = np.frombuffer(raw.getbuffer()[raw.tell() :], dtype)
            arrays[member.filename.removesuffix(".npy")] = values.reshape(shape, order="F" if fortran else "C").copy()
    return arrays


# Settings that may differ between training and new features without changing what a column means.
_FREE_SETTINGS = ("augment", "augment_seed", "dtype")
_NOTED_SETTINGS = ("precision", "versions", "code_version")


def check_features(about: Document, settings: Document, columns: list[str]) -> list[str]:
    """Compare the features that a head was trained on with new ones.

    Parameters
    ----------
    about : description of the head
    settings, columns : of the new features

    Returns
    -------
    Notes on what differs harmlessly, a line each.

    Raises
    ------
    ValueError : settings differ in earnest; all of them are named
    """
    theirs = about["features"]
    different = [
        k for k in sorted(set(theirs) | set(settings)) if theirs.get(k) != settings.get(k) and k not in _FREE_SETTINGS
    ]
    serious = [k for k in different if k not in _NOTED_SETTINGS]
    if serious or about["table_columns"] != columns:
        named = "; ".join(f"{k} was {theirs.get(k)!r}, is {settings.get(k)!r}" for k in serious) or "other columns"
        raise ValueError(
            f"{about['head']} on {about['sequence']} was trained on other features: {named}; extract them alike"
        )
    return [f"warning: {k} was {theirs.get(k)} in training and is {settings.get(k)} here" for k in different]


def marked(bundles: Iterable[Bundle], arrays: Mapping[str, NDArray[np.generic]]) -> Iterator[Bundle]:
    """The bundles with the fingerprints of their own sequences; `arrays` : {`<sequence>/<field>`: array}."""
    for b in bundles:
        own = {name: a for name, a in arrays.items() if name.split("/")[0] in b.about["parts"]}
        yield replace(b, fingerprint=own)


def check_disjoint(about: Document, patients: Iterable[str], copies: Sequence[str] = ()) -> None:
    """Refuse patients that a head is to score and was trained on.

    Parameters
    ----------
    about : description of the head
    patients : those of the training, by their ids
    copies : those of the training under other names, in words

    Raises
    ------
    ValueError : there are any; they are named
    """
    known = sorted(patients)
    named = [f"{len(known)} of these patients ({some(known)})"] if known else []
    if copies:
        named.append(f"{len(copies)} under another name ({some(copies, comma='; ')})")
    if named:
        raise ValueError(
            f"{about['head']} on {about['sequence']} was trained on {' and '.join(named)}; "
            "its scores for them mean nothing. Leave them out, or pass --allow-trained."
        )
