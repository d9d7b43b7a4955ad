"""Verifying ends, whatever a file does to HDF5; a flipped bit is found or changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cache_material import SETTINGS, flip, rows

from features.__main__ import main
from features.cache import isolated
from features.cache.isolated import verify_apart
from features.cache.writer import write


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    write(tmp_path / "f.h5", SETTINGS, [rows("00002"), rows("00010")])
    return tmp_path / "f.h5"


@pytest.mark.slow
def test_sound_damaged_and_foreign(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(cache)]) == 0
    with h5py.File(cache) as f:
        offset = f["features"].id.get_offset()
    flip(cache, offset)
    assert main(["verify", str(cache)]) == 1
    assert "patient '00002' FLAIR: its values differ from the digest" in capsys.readouterr().out
    cache.write_text("no HDF5")
    assert main(["verify", str(cache)]) == 2
    assert "is not a readable HDF5 file" in capsys.readouterr().err


def hangs(path: Path, out: object) -> None:
    signal.pause()


def crashes(path: Path, out: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fate", "words"), [(hangs, "to no end within 3 s"), (crashes, "crashed on it (exit status -11)")]
)
def test_a_hang_and_a_crash_are_answers(cache: Path, monkeypatch: pytest.MonkeyPatch, fate: Any, words: str) -> None:
    monkeypatch.setattr(isolated, "_answer", fate)
    (problem,) = verify_apart(cache, seconds=3)
    assert words in problem


@pytest.mark.slow
def test_flipped_bits_are_found_or_change_nothing() -> None:
    command = [sys.executable, "-m", "benchmarks.faults.flips", "250", "11"]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=Path(__file__).parents[3])
    met = json.loads(done.stdout)
    assert met["missed"] == []
    assert sum(map(len, met.values())) == 250
    assert len(met["named"]) > 5 and len(met["refused"]) > 15 and len(met["hung"] + met["crashed"]) < 10


def test_the_flips_that_are_tried_can_be_missed(tmp_path: Path) -> None:
    from benchmarks.faults import flips

    flips.make_cache(tmp_path / "f.h5")
    truth = flips.decoded(tmp_path / "f.h5")
    assert flips.outcome(tmp_path / "f.h5", truth) == "unchanged"
    assert flips.outcome(tmp_path / "f.h5", None) == "missed"
    with h5py.File(tmp_path / "f.h5", "r+") as f:
        f["rows/height"][0] += 1
    assert flips.outcome(tmp_path / "f.h5", truth) == "named"


@pytest.mark.parametrize("name", ["features", "rows/height", "rows/pixel_digest", "series/n_rows"])
def test_a_wrong_type_is_found_though_values_are_equal(cache: Path, name: str) -> None:
    other = {"f": "<f8", "i": "<i2", "S": "S40"}
    with h5py.File(cache, "r+") as f:
        values = f[name][()]
        del f[name]
        f[name] = values.astype(other[values.dtype.kind])
    (problem,) = verify_apart(cache)
    assert f"/{name}" in problem and "expected" in problem


def test_series_out_of_order_or_twice_are_found(tmp_path: Path) -> None:
    write(tmp_path / "f.h5", SETTINGS, [rows("1"), rows("2")])
    with h5py.File(tmp_path / "f.h5", "r+") as f:
        f["names/patient"][:] = np.array([b"2", b"1"], object)
    assert any(p == "patient '1' FLAIR stands twice, or out of order" for p in verify_apart(tmp_path / "f.h5"))


# --- opening -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fate", "words"),
    [
        (lambda path: signal.pause(), "HDF5 came to no end within 1 s when it opened it"),
        (lambda path: os.kill(os.getpid(), signal.SIGKILL), r"HDF5 crashed \(exit status -9\) when it opened it"),
    ],
)
def test_a_cache_that_hdf5_does_not_survive_is_refused(
    cache: Path, monkeypatch: pytest.MonkeyPatch, fate: Any, words: str
) -> None:
    isolated.try_to_open(cache)
    monkeypatch.setattr(isolated, "Cache", fate)
    with pytest.raises(ValueError, match=f"f.h5' is damaged: {words}; extract it again"):
        isolated.try_to_open(cache, seconds=1)


def test_every_command_that_opens_a_cache_survives_it(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import evaluate
    import extract_features
    import train_head
    from heads import run_writer

    monkeypatch.setattr(isolated, "Cache", lambda path: os.kill(os.getpid(), signal.SIGKILL))
    run_writer.write_run(tmp_path / "r", {"format": "mgmt-radiogenomics/run", "format_version": 1}, [], [], [], [])
    f, new = str(cache), str(tmp_path / "new")
    for command, arguments in [
        (main, ["info", f]),
        (main, ["repair", f, "--out", new]),
        (main, ["merge", f, "--out", new]),
        (main, ["dedupe", f, "--out", new]),
        (extract_features.main, [str(tmp_path), "--out", f, "--weights", "nowhere.h5"]),
        (train_head.main, [f, "labels.csv", "--out", new]),
        (evaluate.main, [str(tmp_path / "r"), "--cache", f, "--out", new]),
    ]:
        assert command(arguments) == 2
        assert "HDF5 crashed (exit status -9) when it opened it" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_is_no_cache_is_left_to_whoever_opens_it(tmp_path: Path) -> None:
    (tmp_path / "f.h5").write_text("no HDF5")
    for name in ("f.h5", "nowhere.h5"):
        isolated.try_to_open(tmp_path / name)
