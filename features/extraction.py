"""Stage 1: a cohort -> its cache. Decode in worker processes, embed, keep each series as a part, publish the cache."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from core import __version__
from core.ids import natural_key
from core.system.lock import file_lock
from core.text import some
from features.backbones.registry import BackboneOptions, Embed, Say, load_backbone, silent
from features.cache.isolated import try_to_open
from features.cache.parts import Parts
from features.cache.reader import Cache
from features.cache.schema import SeriesRows, Settings
from features.options import ExtractOptions
from features.scans.find import SEQUENCES, Scans, Series, Skipped, find_scans, match_sequence
from features.scans.prepare import PREPROCESSING, Images, pixel_digest, prepare_series
from features.scans.workers import decoded

LIBRARIES = ("tensorflow", "keras", "numpy", "pydicom", "pillow", "nibabel")
Cohort = str | Path | Sequence[str | Path] | Scans


class Bar(Protocol):
    """What of a tqdm bar is used."""

    def update(self) -> object:
        """One series more."""
        ...

    def set_postfix_str(self, s: str, refresh: bool = True) -> object:
        """Words behind the bar."""
        ...

    def close(self) -> object:
        """The end."""
        ...


MakeBar = Callable[..., Bar]  # as tqdm: total=, unit=


@dataclass
class Summary:
    """What an extraction did and what its cache now holds.

    Attributes
    ----------
    cache : the file
    scans : what was found on disk
    n_patients : patients in the cache
    n_series_new, n_series_kept : series extracted now, and there already
    n_slices_new, seconds : slices of the new series (views too), and how long all took
    slices : {(sequence, plane): images in the cache, without augmented views}
    n_blank, n_views : blank images, and augmented views, in the cache
    skipped : what the cache says was left out
    empty : (patient, sequence) without a readable slice
    notes : what the user should know, in words
    """

    cache: Path
    scans: Scans = field(default_factory=Scans)
    n_patients: int = 0
    n_series_new: int = 0
    n_series_kept: int = 0
    n_slices_new: int = 0
    seconds: float = 0.0
    slices: Counter[tuple[str, str]] = field(default_factory=Counter)
    n_blank: int = 0
    n_views: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    empty: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def extract(
    cohort: Cohort,
    out: str | Path,
    *,
    embed: Embed | None = None,
    progress: bool | MakeBar = False,
    skip_blank_and_equal: bool = True,
    say: Say = silent,
    **options: Any,
) -> Summary:
    """Extract what is missing from the cache `out`, or make it.

    A series is either wholly in the cache or not at all. Each finished series is kept as a part in `<out>.parts/` until all
    are done; then the cache is published by a rename. A rerun uses the cache and the parts that are there; one process at a
    time writes `out`.

    Parameters
    ----------
    cohort : folder with a folder per patient, several of them, or what `find_scans` found
    out : the cache, an .h5 file
    embed : what turns (n, s, s) uint8 into (n, d) float32; by default the `backbone` of the options
    progress : True for a bar, in a notebook too; or tqdm, or something called like it
    skip_blank_and_equal : embed equal images of a series once, and the all-black image once
    say : is called with what the user should know of the network's weights; silent by default
    **options : fields of `ExtractOptions`, the flags of extract_features.py: sequence, plane, normalize, workers ...

    Returns
    -------
    Summary

    Raises
    ------
    ValueError : nothing to read, an option that cannot be meant, a cache that was made with other settings (named), another process
        that is writing it; and with `strict` the first file that cannot be used
    """
    folders = [] if isinstance(cohort, Scans) else [cohort] if isinstance(cohort, str | Path) else list(cohort)
    chosen = ExtractOptions(cohort=[Path(f) for f in folders], out=Path(out), **options)
    check_cache(chosen.out)
    scans = cohort if isinstance(cohort, Scans) else find_cohort(chosen)
    if embed is None:
        embed = load_backbone(chosen.backbone, BackboneOptions.of(chosen, say))
    return extract_scans(scans, embed, chosen, progress=progress, skip_blank_and_equal=skip_blank_and_equal)


def check_cache(out: Path) -> None:
    """Make the folder of a cache; raise ValueError where a cache is there that HDF5 does not survive.

    It is looked at in a fork, so before a network has its threads.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.exists():
        try_to_open(out)


def find_cohort(options: ExtractOptions) -> Scans:
    """The scans of the cohort folders; raises ValueError as `find_scans` does."""
    wanted = [match_sequence(s) or s for s in options.sequence or SEQUENCES]
    return find_scans(options.cohort, sequences=wanted, exclude=options.exclude)


def extract_scans(
    scans: Scans,
    embed: Embed,
    options: ExtractOptions,
    *,
    progress: bool | MakeBar = False,
    skip_blank_and_equal: bool = True,
) -> Summary:
    """As `extract`, of scans that were found and with a network that was loaded."""
    if options.strict and scans.skipped:
        raise ValueError(_refusal(scans.skipped[0]))
    with file_lock(options.out) as notes:
        summary = Summary(options.out, scans, notes=notes)
        return _extend(summary, embed, options, progress, skip_blank_and_equal)


def _extend(
    summary: Summary, embed: Embed, options: ExtractOptions, progress: bool | MakeBar, skip_blank_and_equal: bool
) -> Summary:
    """The rest of `extract_scans`, for whoever holds the lock."""
    started = time.monotonic()
    scans, notes = summary.scans, summary.notes
    parts = Parts(options.out, settings_of(embed, options))
    notes += parts.find(accept_versions=options.accept_versions)
    todo: list[Series] = []
    kept: list[Series] = []
    for series in scans.series:
        (kept if _is_held(series, parts) else todo).append(series)
    summary.n_series_kept = len(kept)
    notes += _before(scans, todo, kept, parts)
    prepare = partial(
        prepare_series,
        size=int(embed.settings["input_size"]),
        normalize=options.normalize,
        resize=options.resize,
        plane=options.plane,
        augment=options.augment,
        seed=options.seed,
    )
    embed_images = without_repeats(embed) if skip_blank_and_equal else embed
    if todo:
        parts.folder.mkdir(exist_ok=True)
    with closing(decoded(todo, prepare, options.workers)) as prepared, _bar(progress, len(todo)) as bar:
        for series, images in prepared:
            if options.strict and images.skipped:
                raise ValueError(_refusal(images.skipped[0]))
            notes += [f"warning: {series.patient} {series.sequence}: {oddity}" for oddity in _oddities(images)]
            vectors = embed_images(images.pixels) if len(images.pixels) else np.empty((0, embed.dim), np.float32)
            parts.keep(_rows(series, images, vectors, embed.precision, options.dtype))
            summary.n_series_new += 1
            summary.n_slices_new += len(vectors)
            if bar is not None:
                rate = summary.n_slices_new / (time.monotonic() - started)
                bar.set_postfix_str(f"{rate:.1f} slices/s, {summary.n_slices_new} slices", refresh=False)
                bar.update()
    if todo or parts.unpublished(scans.skipped):
        parts.publish(scans.patients, scans.skipped)
    summary.seconds = time.monotonic() - started
    _describe(summary)
    return summary


def settings_of(embed: Embed, options: ExtractOptions) -> Settings:
    """All that rows of one cache have in common, from the network to the versions of the libraries."""
    return {
        **embed.settings,
        "precision": embed.precision,
        "dim": embed.dim,
        "dtype": options.dtype,
        "preprocessing": PREPROCESSING,
        "normalize": options.normalize,
        "resize": options.resize,
        "plane": options.plane,
        "augment": options.augment,
        "augment_seed": options.seed if options.augment else 0,
        "versions": json.dumps({name: version(name) for name in LIBRARIES}),
        "code_version": __version__,
    }


def without_repeats(embed: Embed) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Embed equal images once per series, and the all-black image once per run, alone in its batch."""
    black: list[NDArray[np.float32]] = []

    def embed_unique(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        flat = images.reshape(len(images), -1)
        blank = ~flat.any(axis=1)
        vectors = np.empty((len(images), embed.dim), np.float32)
        if blank.any():
            if not black:
                black.append(embed(np.zeros_like(images[:1])))
            vectors[blank] = black[0]
        rows = np.flatnonzero(~blank)
        first: dict[bytes, int] = {}
        same_as = np.array([first.setdefault(pixel_digest(images[i]), int(i)) for i in rows], np.intp)
        kept = rows[same_as == rows]
        if len(kept):
            vectors[kept] = embed(images[kept])
        vectors[rows] = vectors[same_as]
        return vectors

    return embed_unique


@contextmanager
def _bar(progress: bool | MakeBar, n: int) -> Iterator[Bar | None]:
    """A bar over n series; None where there is nothing to show."""
    if not n or progress is False:
        yield None
        return
    from tqdm.auto import tqdm  # in a notebook a widget

    make = progress if callable(progress) else tqdm
    with closing(make(total=n, unit="series")) as bar:
        yield bar


def _is_held(series: Series, parts: Parts) -> bool:
    held = parts.held.get((series.patient, series.sequence))
    return held is not None and held.fingerprint == series.fingerprint()


def _before(scans: Scans, todo: Sequence[Series], kept: Sequence[Series], parts: Parts) -> list[str]:
    """What the user should know of the cache as it is before this run, in words."""
    before = {patient for patient, _ in parts.held}
    changed = [s for s in todo if (s.patient, s.sequence) in parts.held]
    notes = [f"{s.patient} {s.sequence}: its files changed on disk; extracted again" for s in changed]
    made = parts.out.stat().st_mtime if parts.out.exists() else np.inf
    if later := [f"{s.patient} {s.sequence}" for s in kept if s.written_after(made)]:
        words = "files were written after the cache, but have the names and sizes of before, so these series are taken as unchanged"
        move = "if their content is another, extract to another --out"
        notes.append(f"warning: {words}: {some(later)}; {move}")
    if stale := [p for p in scans.excluded if p in before]:
        notes.append(f"warning: excluded, but in the cache already and left there: {some(stale)}; use another --out")
    added = sorted({s.patient for s in todo} - before, key=natural_key)
    if before and added:
        notes.append(f"{len(added)} patients are new to the cache: {some(added)}")
    return notes


def _oddities(images: Images) -> list[str]:
    """What makes a series unlikely to be one scan, in words."""
    image = images.columns["view"] == 0
    plane, position = images.columns["plane"][image], images.columns["position"][image]
    out = []
    if len(set(plane)) > 1:
        out.append(f"its slices lie in {len(set(plane))} planes ({', '.join(sorted(set(plane)))})")
    known = np.isfinite(position)
    where = list(zip(plane[known], position[known], strict=True))
    if len(set(where)) < len(where):
        out.append(f"{len(where) - len(set(where))} slices lie where another one lies already; is it one scan?")
    return out


def _rows(series: Series, images: Images, vectors: NDArray[np.float32], precision: str, dtype: str) -> SeriesRows:
    if dtype == "float16" and np.abs(vectors).max(initial=0) > np.finfo(np.float16).max:
        raise ValueError("a feature is too large for float16; use --dtype float32")
    return SeriesRows(
        patient=series.patient,
        sequence=series.sequence,
        fingerprint=series.fingerprint(),
        precision=precision,
        features=vectors.astype(dtype),
        columns=images.columns,
        skipped=images.skipped,
    )


def _refusal(skipped: Skipped) -> str:
    return f"--strict: {skipped.source}: {skipped.reason}"


def _describe(summary: Summary) -> None:
    """Fill in what the cache now holds."""
    with Cache(summary.cache) as cache:
        view = cache.column("view")
        keys = zip(cache.column("sequence")[view == 0], cache.column("plane")[view == 0], strict=True)
        summary.slices = Counter((str(s), str(p)) for s, p in keys)
        summary.n_blank = int((cache.column("brain_fraction")[view == 0] == 0).sum())
        summary.n_views = int((view > 0).sum())
        summary.n_patients = len(set(cache.series["patient"]))
        summary.skipped = cache.skipped
        rows = zip(cache.series["patient"], cache.series["sequence"], cache.series["n_rows"], strict=True)
        summary.empty = [(str(p), str(q)) for p, q, n in rows if n == 0]
