"""The images of a run's slices once more, exactly as extraction made them, so that a score can be drawn over its image."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.backbones.registry import ASKED_AS, BackboneOptions, Maps, Say, load_maps, silent
from features.cache.merge import several
from features.cache.schema import Settings
from features.scans.find import Series, find_scans
from features.scans.prepare import PREPROCESSING, prepare_series
from features.table import choose


def find_series(cohort: Path, patients: Sequence[str], sequences: Sequence[str]) -> dict[tuple[str, str], Series]:
    """{(patient, sequence): its series} in a cohort folder, of all that are there of what is asked for.

    Patients are named as their folders, since the slices of a run are. Raises ValueError where a patient has no folder.
    """
    scans = find_scans([cohort], sequences=sequences)
    absent = [p for p in patients if p not in scans.patients]
    if absent:
        raise ValueError(
            f"the cohort {str(cohort)!r} has no folder {absent[0]!r}; give the folder that the features were extracted from"
        )
    return {(s.patient, s.sequence): s for s in scans.series if s.patient in patients}


def images_of(
    series: Series,
    settings: Settings,
    *,
    slices: str = "all",
    keep_blank: bool = False,
    planes: Sequence[str] | None = None,
) -> tuple[NDArray[np.uint8], list[str]]:
    """((n, size, size) uint8, n slice ids `source#instance`) of one series, in geometric order.

    `settings` : of the features, as the cache and the run have them; `slices`, `keep_blank`, `planes` : as in `features.table.load_table`.
    Raises ValueError where the settings name other rules from file to image than this version has.
    """
    if settings["preprocessing"] != PREPROCESSING:
        raise ValueError(
            f"the features were made by the rules {settings['preprocessing']!r} and this version has {PREPROCESSING!r}; its images "
            "would be others. Extract and train again"
        )
    options = {name: settings[name] for name in ("normalize", "resize", "plane")}
    prepared = prepare_series(series, size=settings["input_size"], **options)
    columns = prepared.columns
    there = np.isin(columns["plane"], list(planes)) if planes else np.ones(len(prepared.pixels), bool)
    rows = choose(np.flatnonzero(there), columns["brain_fraction"], slices, keep_blank)
    ids = [f"{s}#{i}" for s, i in zip(columns["source"][rows], columns["instance"][rows], strict=True)]
    return prepared.pixels[rows], ids


def check_ids(ids: Sequence[str], known: Sequence[str], cohort: Path) -> None:
    """Raise ValueError, naming the first slice, unless the cohort gives the slices that the run knows, no more and no less."""
    lacking, surplus = sorted(set(known) - set(ids)), sorted(set(ids) - set(known))
    if lacking or surplus:
        what = (
            f"lacks the slice {lacking[0]!r} of the run"
            if lacking
            else f"has a slice {surplus[0]!r} that the run has not"
        )
        raise ValueError(
            f"the cohort {str(cohort)!r} {what} ({len(lacking)} lacking, {len(surplus)} too many); the two do not belong together, "
            "give the folder that the features were extracted from"
        )


def load_embedder(settings: Settings, weights: str | None = None, say: Say = silent) -> Maps:
    """The network that made the features of `settings`; `weights` : a file, where ImageNet weights are not simply found;
    `say` : is called with what the user should know of them.

    Raises ValueError where they were made with weights of the user's own and none are given.
    """
    if settings["weights"] == "custom" and weights is None:
        raise ValueError("the features were made with weights of your own; name the file with --weights FILE")
    found = several(settings, "precision")
    options = BackboneOptions(
        weights=weights or settings["weights"],
        preprocess=settings["preprocess"],
        precision=ASKED_AS.get(found[0], found[0]) if len(found) == 1 else "float32",
        say=say,
    )
    return load_maps(settings, options)


def tolerance(settings: Settings) -> float:
    """How far a score may move when its vector is computed again, on other hardware too.

    In half precision vectors of one image differ by up to 3 % between machines; that is more than rounding a score, and
    still far less than another image makes.
    """
    return 2e-3 if settings["precision"] == settings["dtype"] == "float32" else 5e-2
