"""A network from outside is a function and a line: the door, its help and the cache follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from stand_ins import CheapEmbedder

import extract_features
from features import extract
from features.__main__ import main as look
from features.backbones.registry import BACKBONES, BackboneOptions, Embed, load_backbone
from features.cache.reader import Cache

Write = Callable[..., Path]


@pytest.fixture
def tiles() -> Iterator[list[BackboneOptions]]:
    """A network called tiles; what it was asked for."""
    asked: list[BackboneOptions] = []

    @BACKBONES.register("tiles")
    def tiles(options: BackboneOptions) -> Embed:
        asked.append(options)
        return CheapEmbedder()

    yield asked
    BACKBONES.unregister("tiles")


@pytest.fixture
def cohort(tmp_path: Path, write_dicom: Write) -> Path:
    for k in range(3):
        pixels = np.random.default_rng(k).integers(1, 3000, (16, 16)).astype(np.uint16)
        write_dicom(tmp_path / f"cohort/1/FLAIR/{k}.dcm", pixels, InstanceNumber=k)
    return tmp_path / "cohort"


def test_the_door_takes_a_network_that_was_registered(
    tiles: list[BackboneOptions], cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(cohort), "--out", str(tmp_path / "f.h5"), "--backbone", "tiles", "--workers", "0", "--batch", "5"]
    assert extract_features.main(arguments) == 0
    assert "tiles on the CPU, float32, custom weights from nowhere" in capsys.readouterr().out
    assert tiles == [BackboneOptions(batch=5)]
    assert ", tiles (default: vgg16)" in " ".join(extract_features.parser().format_help().split())
    with Cache(tmp_path / "f.h5") as cache:
        assert (cache.n, cache.dim, cache.settings["backbone"]) == (3, 16, "tiles")


def test_so_does_python(tiles: list[BackboneOptions], cohort: Path, tmp_path: Path) -> None:
    summary = extract(cohort, tmp_path / "f.h5", backbone="tiles", workers=0, weights="random", seed=3)
    assert (summary.n_slices_new, summary.scans.patients) == (3, ["1"])
    assert tiles == [BackboneOptions(weights="random", seed=3)]
    again = extract([str(cohort)], str(tmp_path / "f.h5"), embed=CheapEmbedder(), workers=0)
    assert (again.n_series_kept, again.n_series_new) == (1, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"normalize": "whole"}, "--normalize 'whole'; expected one of series, slice, none"),
        ({"backbone": "alexnet"}, "unknown backbone 'alexnet'; expected one of vgg16, vgg19"),
        ({"sequence": ["PET"]}, "unknown sequence 'PET'"),
    ],
)
def test_python_refuses_what_the_command_line_refuses(
    cohort: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        extract(cohort, tmp_path / "f.h5", **options)
    with pytest.raises(TypeError, match="normalise"):
        extract(cohort, tmp_path / "f.h5", normalise="series")


def test_a_name_stands_for_one_network(tiles: list[BackboneOptions]) -> None:
    with pytest.raises(ValueError, match="there is a backbone 'tiles' already"):
        BACKBONES.register("tiles")(lambda _: CheapEmbedder())
    assert load_backbone("tiles").dim == 16


@pytest.mark.parametrize("lacking", ["rows/plane", "rows/view", "skipped/reason"])
def test_a_cache_that_lacks_a_column_is_refused_in_words(
    tiles: list[BackboneOptions], lacking: str, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "f.h5"
    command = [str(cohort), "--backbone", "tiles", "--workers", "0", "--out", str(out)]
    assert extract_features.main(command) == 0
    with h5py.File(out, "r+") as f:
        del f[lacking]
    for run in (lambda: extract_features.main(command), lambda: look(["info", str(out)])):
        assert run() == 2
        assert f"is a damaged cache (it has no /{lacking}); extract it again" in capsys.readouterr().err


def test_python_is_silent_and_the_command_speaks(
    tiles: list[BackboneOptions], cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    extract(cohort, tmp_path / "a.h5", backbone="tiles", workers=0)
    extract(cohort, tmp_path / "b.h5", backbone="tiles", workers=0, say=said.append)
    assert capsys.readouterr().out == ""
    command = [str(cohort), "--backbone", "tiles", "--workers", "0", "--out", str(tmp_path / "c.h5")]
    assert extract_features.main(command) == 0
    capsys.readouterr()
    for options in tiles:
        options.say("heard")
    assert said == ["heard"]
    assert capsys.readouterr().out == "heard\n"


def test_a_bar_shows_the_series(tiles: list[BackboneOptions], cohort: Path, tmp_path: Path, capsys: Any) -> None:
    extract(cohort, tmp_path / "f.h5", backbone="tiles", workers=0, progress=True)
    assert "1/1" in capsys.readouterr().err
