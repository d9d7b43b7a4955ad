"""A decoder that crashes, hangs or asks for all memory costs its file, and a lost worker costs nothing."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.scans.find import Series, Skipped
from features.scans.prepare import Images, prepare_series
from features.scans.workers import Limits, decoded


def hostile(series: Series, *, left_out: Mapping[str, str], reading: Callable[[int], object]) -> Images:
    """A stand-in for `prepare_series`: each file does what it is named for, or becomes an image of its number."""
    images, skipped = [], []
    for k, name in enumerate(series.files):
        reading(k)
        if name in left_out:
            skipped.append(Skipped(series.patient, series.sequence, name, left_out[name]))
            continue
        mark = series.cohort / f"{series.patient}-{name}"
        if name == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        elif name == "hang":
            time.sleep(600)
        elif name == "bomb":
            np.ones(2**31, np.uint8)
        elif name == "killed once" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif name == "wrong":
            raise ArithmeticError("a mistake of ours")
        elif name == "exit":
            os._exit(3)
        images.append(np.full((4, 4), k, np.uint8))
    reading(len(series.files))
    if series.sequence == "too large":
        np.ones(2**31, np.uint8)
    return Images(np.array(images, np.uint8).reshape(-1, 4, 4), {"worker": np.full(len(images), os.getpid())}, skipped)


def decoders() -> list[Any]:
    """Decoding processes that are alive; heads of other tests may have left processes that wait for more work."""
    return [p for p in multiprocessing.active_children() if "Loky" not in p.name]


def series(cohort: Path, patient: str, *files: str, sequence: str = "FLAIR") -> Series:
    return Series(patient, sequence, cohort, files)


@pytest.mark.slow
def test_each_bad_file_costs_itself_and_a_lost_worker_nothing(tmp_path: Path) -> None:
    todo = [
        series(tmp_path, "1", "a", "crash", "b", "hang", "c", "bomb", "exit", "d"),
        series(tmp_path, "2", "a", "killed once", "b"),
        series(tmp_path, "3", "a", "b"),
        series(tmp_path, "4", "crash"),
    ]
    found = list(decoded(todo, hostile, 2, Limits(seconds=1, memory=2**30)))
    assert [s for s, _ in found] == todo
    assert [images.pixels[:, 0, 0].tolist() for _, images in found] == [[0, 2, 4, 7], [0, 1, 2], [0, 1], []]
    assert [len(images.columns["worker"]) for _, images in found] == [4, 3, 2, 0]
    assert [(s.source, s.reason) for _, images in found for s in images.skipped] == [
        ("crash", "the decoder was killed by SIGSEGV (it crashed, or memory ran out)"),
        ("hang", "the decoder took longer than 1 s"),
        ("bomb", "the decoder needed more than 1 GiB"),
        ("exit", "the decoder ended with exit status 3"),
        ("crash", "the decoder was killed by SIGSEGV (it crashed, or memory ran out)"),
    ]
    assert decoders() == []


@pytest.mark.slow
def test_a_series_that_is_too_large_as_a_whole_is_left_out_as_a_whole(tmp_path: Path) -> None:
    large = series(tmp_path, "1", "a", "b", sequence="too large")
    ((_, images),) = decoded([large], partial(_only_if_any, tmp_path), 1, Limits(memory=2**30))
    assert (len(images.pixels), {s.reason for s in images.skipped}) == (0, {"the decoder needed more than 1 GiB"})
    assert [s.source for s in images.skipped] == ["a", "b"]


def _only_if_any(_: Path, wanted: Series, *, left_out: Mapping[str, str], reading: Callable[[int], object]) -> Images:
    if set(wanted.files) <= set(left_out):
        wanted = Series(wanted.patient, "FLAIR", wanted.cohort, wanted.files)
    return hostile(wanted, left_out=left_out, reading=reading)


def test_our_own_mistakes_are_no_fault_of_a_file(tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError, match="a mistake of ours"):
        list(decoded([series(tmp_path, "1", "wrong")], hostile, 1))
    assert decoders() == []


def unable(*_: object, **__: object) -> Images:
    os._exit(9)


@pytest.mark.slow
def test_workers_that_do_not_start_end_the_run_in_words(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"do not start \(the last ended with exit status 9\).*--workers 0"):
        list(decoded([series(tmp_path, "1", "a")], unable, 1))


@pytest.mark.slow
def test_workers_end_at_once_when_the_consumer_stops(tmp_path: Path) -> None:
    found = decoded([series(tmp_path, str(k), "a") for k in (1, 2)] + [series(tmp_path, "3", "hang")], hostile, 1)
    next(found)
    time.sleep(0.3)  # the worker goes on to what hangs
    start = time.monotonic()
    found.close()
    assert time.monotonic() - start < 10
    assert decoders() == []


@pytest.mark.slow
def test_workers_give_what_this_process_gives(tmp_path: Path, write_dicom: Callable[..., Path]) -> None:
    rng = np.random.default_rng(0)
    for k in range(3):
        write_dicom(tmp_path / f"{k}.dcm", rng.integers(0, 999, (20, 30)).astype(np.uint16), InstanceNumber=k)
    todo = [
        series(tmp_path, "1", "0.dcm", "1.dcm", "gone.dcm"),
        series(tmp_path, "2", "gone.dcm"),
        series(tmp_path, "3"),
    ]
    prepare = partial(prepare_series, size=32, normalize="series", resize="pad", plane="axial")
    for (a, here), (b, there) in zip(decoded(todo, prepare, 0), decoded(todo, prepare, 1), strict=True):
        assert a == b
        np.testing.assert_array_equal(here.pixels, there.pixels)
        assert here.pixels.dtype == there.pixels.dtype
        np.testing.assert_equal(here.columns, there.columns)
        assert here.skipped == there.skipped
