"""The images that come back are those that extraction saw, under every setting that matters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.cache.reader import Cache
from features.extraction import extract
from features.reload import check_ids, find_series, images_of, load_embedder, tolerance
from features.scans.find import find_scans
from features.scans.prepare import pixel_digest
from features.table import load_table, open_source


@pytest.fixture
def cohort(tmp_path: Path, write_dicom: Callable[..., Path]) -> Path:
    """Two patients, 5 slices of 24 x 40 pixels each, the first one blank."""
    rng = np.random.default_rng(0)
    for patient in ("00007", "00012"):
        for k in range(5):
            pixels = rng.integers(50, 900, (24, 40)).astype(np.uint16) * np.uint16(k > 0)
            write_dicom(
                tmp_path / "train" / patient / "T2w" / f"Image-{k + 3}.dcm", pixels, InstanceNumber=k + 3,
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0], ImagePositionPatient=[0, 0, -3 * k], PixelSpacing=[1, 1],
            )  # fmt: skip
    return tmp_path / "train"


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"normalize": "slice", "resize": "stretch"}, {"normalize": "none", "augment": 2}]
)
@pytest.mark.parametrize(
    ("slices", "keep_blank"), [("all", False), ("all", True), ("middle:3", False), ("largest", False)]
)
def test_images_are_those_of_the_cache_row_by_row(
    cohort: Path, tmp_path: Path, cheap_embedder: Any, options: dict[str, Any], slices: str, keep_blank: bool
) -> None:
    extract(find_scans([cohort]), tmp_path / "f.h5", embed=cheap_embedder, workers=0, **options)
    source = open_source(tmp_path / "f.h5")
    table = load_table(source, "T2w", slices=slices, keep_blank=keep_blank)
    rows = table.take((table.patient == "00012") & (table.view == 0))
    series = find_series(cohort, ["00012"], ["T2w"])["00012", "T2w"]
    images, ids = images_of(series, source.settings, slices=slices, keep_blank=keep_blank)
    assert ids == list(rows.slice_id)
    with Cache(tmp_path / "f.h5") as cache:
        names = [f"{s}#{i}" for s, i in zip(cache.column("source"), cache.column("instance"), strict=True)]
        digests = dict(zip(names[::-1], cache.column("pixel_digest")[::-1], strict=True))  # the images before the views
    assert [pixel_digest(image) for image in images] == [digests[name] for name in ids]
    np.testing.assert_array_equal(cheap_embedder(images), rows.X)


def test_only_images_of_the_planes_that_are_asked_for(cohort: Path, tmp_path: Path, cheap_embedder: Any) -> None:
    extract(find_scans([cohort]), tmp_path / "f.h5", embed=cheap_embedder, workers=0)
    settings = open_source(tmp_path / "f.h5").settings
    series = find_series(cohort, ["00012"], ["T2w"])["00012", "T2w"]
    assert len(images_of(series, settings, planes=["axial", "coronal"])[1]) == 4
    assert images_of(series, settings, planes=["coronal"])[1] == []


def test_only_what_is_asked_for_is_found(cohort: Path) -> None:
    assert set(find_series(cohort, ["00007"], ["T2w", "FLAIR"])) == {("00007", "T2w")}
    with pytest.raises(
        ValueError, match="has no folder '00099'; give the folder that the features were extracted from"
    ):
        find_series(cohort, ["00007", "00099"], ["T2w"])


def test_rules_of_another_version_are_refused(cohort: Path) -> None:
    series = find_series(cohort, ["00007"], ["T2w"])["00007", "T2w"]
    settings = {
        "preprocessing": "slices-0",
        "normalize": "series",
        "resize": "pad",
        "plane": "axial",
        "input_size": 224,
    }
    with pytest.raises(ValueError, match="made by the rules 'slices-0'"):
        images_of(series, settings)


def test_a_lacking_and_a_surplus_slice_are_named() -> None:
    check_ids(["b#1", "a#1"], ["a#1", "b#1"], Path("train"))
    with pytest.raises(ValueError, match=r"'train' lacks the slice 'b#1' of the run \(1 lacking, 1 too many\)"):
        check_ids(["a#1", "c#1"], ["a#1", "b#1"], Path("train"))
    with pytest.raises(ValueError, match=r"has a slice 'c#1' that the run has not \(0 lacking, 1 too many\)"):
        check_ids(["a#1", "c#1"], ["a#1"], Path("train"))


class Asked:
    """A network that remembers what was asked of it."""

    dim, precision, settings, device, origin = 4, "float32", {}, "CPU", "nowhere"

    def __init__(self, backbone: str, **options: Any) -> None:
        self.backbone, self.options = backbone, options

    def maps(self, images: Any) -> Any:
        return images


def test_the_network_is_loaded_as_the_features_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("features.backbones.keras_applications.Embedder", Asked)
    settings = {"backbone": "vgg16", "weights": "imagenet", "preprocess": "unit", "precision": "float16"}
    asked: Any = load_embedder(settings)
    wanted = {"weights": "imagenet", "preprocess": "unit", "precision": "float16"}
    assert (asked.backbone, {k: asked.options[k] for k in wanted}) == ("vgg16", wanted)
    mixed: Any = load_embedder({**settings, "weights": "custom", "precision": "float16+float32"}, "mine.h5")
    assert (mixed.options["weights"], mixed.options["precision"]) == ("mine.h5", "float32")
    careful: Any = load_embedder({**settings, "precision": "bfloat16-diffused"})
    assert careful.options["precision"] == "bfloat16"
    assert load_embedder(settings, say=print).options["say"] is print  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="weights of your own; name the file with --weights FILE"):
        load_embedder({**settings, "weights": "custom"})


def test_a_network_without_maps_cannot_be_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Asked, "maps")
    monkeypatch.setattr("features.backbones.keras_applications.Embedder", Asked)
    settings = {"backbone": "vgg16", "weights": "imagenet", "preprocess": "unit", "precision": "float16"}
    with pytest.raises(ValueError, match="the backbone 'vgg16' gives no maps"):
        load_embedder(settings)


def test_half_precision_is_given_more_room() -> None:
    assert tolerance({"precision": "float32", "dtype": "float32"}) < 0.01
    for settings in ({"precision": "float16", "dtype": "float32"}, {"precision": "float32", "dtype": "float16"}):
        assert tolerance(settings) == 0.05
