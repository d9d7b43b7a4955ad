"""Killed at any moment, an extraction or a run goes on as if nothing had been; the second process stops and says why."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import killed
import numpy as np
import pytest
from cohort_material import make_cohort
from stand_ins import CheapEmbedder

from core.system.files import atomic_directory
from features.cache.checks import verify
from features.cache.reader import Cache

HERE = Path(__file__).resolve().parents[1]
Job = Callable[..., int]


@pytest.fixture(scope="module")
def job() -> Iterator[Job]:
    """`job(what=..., kill_at=..., ...)`: one job of killed.py in a process of its own; its exit status."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "killed.py")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None

    def send(**content: Any) -> int:
        process.stdin.write(json.dumps({k: str(v) if isinstance(v, Path) else v for k, v in content.items()}) + "\n")
        process.stdin.flush()
        return int(process.stdout.readline())

    yield send
    process.communicate()


def moments(marks: Path, wanted: dict[str, int], seed: int) -> list[tuple[str, int]]:
    """(phase, number of a call) drawn at random, so many of each phase."""
    steps = json.loads(marks.read_text())
    rng = np.random.default_rng(seed)
    drawn = []
    for phase, n in wanted.items():
        inside = [c for (a, name), (b, _) in zip(steps, steps[1:], strict=False) if name == phase for c in range(a, b)]
        assert inside, f"no call in the phase {phase!r}: {sorted({name for _, name in steps})}"
        drawn += [(phase, int(c)) for c in rng.choice(inside, n)]
    return drawn


def test_each_phase_begins_with_a_function_that_there_is() -> None:
    assert set(killed.phases().values()) >= {*NEW, *LATER, *RUN}
    with pytest.raises(
        LookupError, match="PHASES of tests/killed.py names features.table:no_such, which is not there any more"
    ):
        killed.code_of("features.table:no_such")
    with pytest.raises(LookupError, match="No module named 'features.no_such'"):
        killed.code_of("features.no_such:extract")


# --- extraction ----------------------------------------------------------------------------------------

NEW = {"looking": 5, "decoding": 8, "embedding": 6, "writing": 12, "publishing": 3, "clearing away": 6}
LATER = {"looking": 4, "decoding": 4, "writing": 8, "clearing away": 4}
RUN = {"recovering": 2, "writing a run": 6, "syncing": 8}


@pytest.mark.slow
@pytest.mark.parametrize("existing", [False, True], ids=["a new cache", "an existing cache"])
def test_an_extraction_killed_at_any_moment_goes_on(tmp_path: Path, job: Job, existing: bool) -> None:
    cohort, out, log = make_cohort(tmp_path / "cohort", "ab"), tmp_path / "run/f.h5", tmp_path / "log"
    whole, old = tmp_path / "whole/f.h5", tmp_path / "old.h5"
    if existing:
        assert job(what="extract", cohort=cohort, out=old, log=log) == 0
        make_cohort(cohort, "c")
        whole.parent.mkdir()
        shutil.copy(old, whole)
    log.unlink(missing_ok=True)
    assert job(what="extract", cohort=cohort, out=whole, log=log, marks=tmp_path / "marks") == 0
    n_images, n_series, expected = log.stat().st_size, 3, whole.read_bytes()
    assert n_images == (6 if existing else 12)

    for phase, moment in moments(tmp_path / "marks", LATER if existing else NEW, seed=int(existing)):
        shutil.rmtree(out.parent, ignore_errors=True)
        out.parent.mkdir()
        if existing:
            shutil.copy(old, out)
        log.write_bytes(b"")
        assert job(what="extract", cohort=cohort, out=out, log=log, kill_at=moment) == -signal.SIGKILL, phase
        if existing:
            assert out.read_bytes() in (old.read_bytes(), expected), f"{phase}: the cache is worse than before"
        else:
            assert not out.exists() or out.read_bytes() == expected, f"{phase}: half a cache has the final name"
        assert job(what="extract", cohort=cohort, out=out, log=log) == 0
        assert out.read_bytes() == expected, f"{phase}, call {moment}: another file than without the kill"
        again = log.stat().st_size - n_images
        assert 0 <= again <= n_series, f"{phase}: {again} slices were computed twice; one series has {n_series}"
        assert [p.name for p in out.parent.iterdir()] == ["f.h5"], f"{phase}: something was left behind"
    assert verify(out) == []


@pytest.mark.slow
def test_an_extraction_that_is_killed_again_and_again_ends(tmp_path: Path, job: Job) -> None:
    cohort, out, log = make_cohort(tmp_path / "cohort", "abc"), tmp_path / "f.h5", tmp_path / "log"
    rng = np.random.default_rng(7)
    kills = 0
    while (
        job(what="extract", cohort=cohort, out=out, log=log, kill_at=int(rng.integers(16_000, 40_000 + 8_000 * kills)))
        != 0
    ):
        kills += 1
    assert 2 <= kills < 40, kills
    assert 18 <= log.stat().st_size <= 18 + 3 * kills
    with Cache(out) as cache:
        assert list(zip(cache.series["patient"], cache.series["n_rows"], strict=True)) == [
            (p, 3) for p in "abc" for _ in range(2)
        ]
    assert verify(out) == []


# --- runs ----------------------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, bytes]:
    """{relative path: bytes} of all files in a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.mark.slow
def test_a_run_killed_while_it_is_written_leaves_the_old_one_or_the_new_one(tmp_path: Path, job: Job) -> None:
    old, new, out = tmp_path / "old/r", tmp_path / "new/r", tmp_path / "runs/r"
    assert job(what="run", out=old, seed=1) == 0
    assert job(what="run", out=new, seed=2) == 0
    shutil.copytree(old, out)
    assert job(what="run", out=out, seed=2, marks=tmp_path / "marks") == 0
    assert content(out) == content(new) != content(old)
    for phase, moment in moments(tmp_path / "marks", RUN, seed=3):
        shutil.rmtree(out.parent)
        shutil.copytree(old, out)
        assert job(what="run", out=out, seed=2, kill_at=moment) == -signal.SIGKILL
        assert content(out) in (content(old), content(new)), f"{phase}: neither the old run nor the new one"
        assert job(what="run", out=out, seed=2) == 0
        assert content(out) == content(new)
        assert [p.name for p in out.parent.iterdir()] == ["r"], f"{phase}: something was left behind"


def test_a_replacement_in_two_steps_is_taken_back(tmp_path: Path) -> None:
    from core.system.files import recover

    (tmp_path / ".r.abcdefgh.old/r").mkdir(parents=True)  # where two folders cannot be exchanged
    (tmp_path / ".r.abcdefgh.old/r/run.json").write_text("{}")
    (tmp_path / ".r.12345678.tmp").mkdir()
    (tmp_path / ".r.12345679.tmp").touch()  # of a file
    (tmp_path / ".r.4711.tmp").touch()  # of a file, as version 0.1.0 called them
    (tmp_path / ".r.2.12345678.tmp").mkdir()  # of another run
    recover(tmp_path / "r")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".r.2.12345678.tmp", "r"]
    assert (tmp_path / "r/run.json").read_text() == "{}"


def test_where_folders_cannot_be_exchanged_two_renames_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.system import files

    monkeypatch.setattr(files, "_exchanged", lambda a, b: False)
    for text in ("old", "new"):
        with atomic_directory(tmp_path / "r") as folder:
            (folder / "x").write_text(text)
    assert content(tmp_path) == {"r/x": b"new"}


# --- locks ---------------------------------------------------------------------------------------------

HOLD = "import sys, time; from pathlib import Path; from core.system.lock import file_lock\nwith file_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock of tmp_path / "f.h5"."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "f.h5")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_second_process_says_who_holds_the_output(
    tmp_path: Path, holder: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    import socket

    import evaluate
    import train_head
    from core.system.lock import file_lock
    from features.extraction import extract
    from features.scans.find import find_scans

    out = tmp_path / "f.h5"
    who = f"process {holder.pid} on {socket.gethostname()} is writing {str(out)!r}; wait until it is done"
    with pytest.raises(ValueError, match=who):
        extract(find_scans([]), out, embed=CheapEmbedder())
    assert train_head.main(["no.h5", "no.csv", "--out", str(out)]) == 2
    assert who in capsys.readouterr().err
    assert evaluate.main(["no-run", "--out", str(out)]) == 2
    assert who in capsys.readouterr().err

    holder.kill()
    holder.wait()
    assert (tmp_path / ".f.h5.lock").exists(), "a killed process cannot clear away"
    with file_lock(out) as notes:
        assert notes == [
            f"a lock left by process {holder.pid} on {socket.gethostname()}, which is gone, was taken over"
        ]
    assert list(tmp_path.iterdir()) == []


def test_without_flock_the_file_is_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.system import lock

    monkeypatch.setitem(sys.modules, "fcntl", None)
    with lock.file_lock(tmp_path / "f.h5"):
        with pytest.raises(ValueError, match="cannot tell whether it lives; delete that file if it does not"):
            with lock.file_lock(tmp_path / "f.h5"):
                pass
    with lock.file_lock(tmp_path / "f.h5") as notes:
        assert notes == []


# --- signals -------------------------------------------------------------------------------------------

DOOR = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its jobs in the background ignore it
sys.path.insert(0, {tests!r})
import features.backbones.keras_applications, extract_features
from conftest import CheapEmbedder
class Slow(CheapEmbedder):
    device, origin = "CPU", "here"
    def __init__(self, *_, **__): super().__init__()
    def __call__(self, images):
        print("embedding", flush=True)
        time.sleep({wait})
        return super().__call__(images)
features.backbones.keras_applications.Embedder = Slow
sys.exit(extract_features.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "to_all", "at_once"),
    [(signal.SIGTERM, False, False), (signal.SIGINT, True, False), (signal.SIGINT, True, True)],
    ids=["SIGTERM", "Ctrl-C", "Ctrl-C while decoders start"],
)
def test_a_signal_stops_an_extraction_that_goes_on_later(
    tmp_path: Path, number: int, to_all: bool, at_once: bool
) -> None:
    cohort, out = make_cohort(tmp_path / "cohort", "ab"), tmp_path / "f.h5"

    def start(wait: float) -> subprocess.Popen[str]:
        script = DOOR.format(tests=str(HERE), wait=wait)
        command = [sys.executable, "-c", script, str(cohort), "--out", str(out), "--workers", "2"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, **pipes, text=True, cwd=HERE.parent, start_new_session=True)

    process = start(wait=30)
    assert process.stdout is not None
    parts = tmp_path / "f.h5.parts"
    while not parts.exists() if at_once else process.stdout.readline() != "embedding\n":
        assert process.poll() is None
        time.sleep(0.01)
    time.sleep(0.05)  # so that the decoders of `at_once` are importing
    (os.killpg if to_all else os.kill)(process.pid, number)  # a terminal sends Ctrl-C to the whole group
    _, said = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert said.endswith("stopped; finished series are kept, run the same command again to go on\n")
    assert "Traceback" not in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cohort", "f.h5.parts"]
    until = time.monotonic() + 10
    with pytest.raises(ProcessLookupError):  # nobody of the group is left
        while time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(0.05)

    said, _ = (process := start(wait=0)).communicate(timeout=60)
    assert process.returncode == 0
    assert "4 series extracted" in said
    from features.extraction import extract
    from features.scans.find import find_scans

    extract(find_scans([cohort]), tmp_path / "whole.h5", embed=CheapEmbedder(), workers=0)
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()


# --- disks ---------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)], capture_output=True)
    if done.returncode:
        pytest.skip("needs the right to mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path, leave: int) -> Path:
    """A file that leaves so many bytes of a file system free."""
    free = os.statvfs(folder).f_bavail * os.statvfs(folder).f_frsize
    (folder / "ballast").write_bytes(bytes(free - leave))
    return folder / "ballast"


@pytest.mark.slow
def test_a_full_disk_costs_nothing_that_is_done(tmp_path: Path, small_disk: Path) -> None:
    from features.extraction import extract
    from features.scans.find import find_scans

    cohort, out, embed = make_cohort(tmp_path / "cohort", "ab"), small_disk / "f.h5", CheapEmbedder()
    extract(find_scans([cohort]), out, embed=embed, workers=0)
    before = out.read_bytes()
    make_cohort(cohort, "cdef")
    for leave in (0, 4096, 100_000, 350_000):
        ballast = fill(small_disk, leave)
        with pytest.raises((OSError, ValueError), match="No space left on device"):
            extract(find_scans([cohort]), out, embed=embed, workers=0)
        ballast.unlink()
        assert out.read_bytes() == before
        assert not list(small_disk.glob(".f.h5*"))
    assert list((small_disk / "f.h5.parts").iterdir()), "some parts were finished before the disk was full"
    extract(find_scans([cohort]), out, embed=embed, workers=0)
    extract(find_scans([cohort]), tmp_path / "whole.h5", embed=embed, workers=0)
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def test_a_full_disk_leaves_the_run_that_is_there(tmp_path: Path, small_disk: Path, job: Job) -> None:
    out = small_disk / "r"
    assert job(what="run", out=out, seed=1) == 0
    before = content(out)
    for leave in (0, 4096, 8192):
        ballast = fill(small_disk, leave)
        assert job(what="run", out=out, seed=2) == 1
        assert content(out) == before
        ballast.unlink()
        assert [p.name for p in small_disk.iterdir()] == ["r"]


@pytest.mark.slow
def test_a_full_disk_ends_each_command_in_words(tmp_path: Path, small_disk: Path, job: Job) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(small_disk)], check=True)
    cohort, said = make_cohort(tmp_path / "cohort", "abcdefgh"), tmp_path / "said"
    labels = tmp_path / "labels.csv"
    labels.write_text("id,label\n" + "".join(f"{p},{k % 2}\n" for k, p in enumerate("abcdefghi")))
    cache, run, report = small_disk / "f.h5", small_disk / "r", small_disk / "report"
    options = ["--head", "logistic", "--folds", "2", "--permutations", "0", "--jobs", "1", "--overwrite"]
    doors: dict[str, tuple[Path, list[Any], tuple[int, ...]]] = {
        "extract_features": (cache, [cohort, "--workers", "0"], (0, 20_000, 290_000)),
        "train_head": (run, [cache, labels, *options], (0, 20_000)),
        "evaluate": (report, [run, "--replicates", "20"], (0, 200_000)),
    }

    def call(door: str, *more: str) -> int:
        out, arguments, _ = doors[door]
        return job(what="door", door=door, out=out, arguments=[*map(str, arguments), *more], said=said)

    for door in doors:
        assert call(door) == 0, said.read_text()
    make_cohort(cohort, "i")
    for door, (out, _, levels) in doors.items():
        seed = [] if door == "extract_features" else ["--seed", "1"]
        before = content(small_disk)
        for leave in levels:
            ballast = fill(small_disk, leave)
            assert call(door, *seed) == 2, f"{door} with {leave} bytes free"
            ballast.unlink()
            words = said.read_text()
            assert f"{door}.py: " in words and "No space left on device" in words and "Traceback" not in words
            after = {name: raw for name, raw in content(small_disk).items() if ".parts/" not in name}
            assert after == before, f"{door} with {leave} bytes free: what was there is not as it was"
        assert call(door, *seed) == 0, said.read_text()
        assert content(out.parent) != before
        assert not list(small_disk.rglob(".*")), "something was left behind"
    assert sorted(p.name for p in small_disk.iterdir()) == ["f.h5", "r", "report"]


def test_a_read_only_target_is_named(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import train_head
    from features.extraction import extract
    from features.scans.find import find_scans

    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    named = f"cannot write '{small_disk}/f.h5': Read-only file system"
    with pytest.raises(ValueError, match=named):
        extract(find_scans([make_cohort(tmp_path / "cohort", "a")]), small_disk / "f.h5", embed=CheapEmbedder())
    assert train_head.main(["no.h5", "no.csv", "--out", str(small_disk / "f.h5")]) == 2
    assert named in capsys.readouterr().err


# --- the real network and the real doors ---------------------------------------------------------------


@pytest.mark.slow
def test_the_real_network_killed_gives_the_same_file(tmp_path: Path, shared: Path) -> None:
    from features.backbones.keras_applications import Embedder
    from features.extraction import extract
    from features.scans.find import find_scans

    cohort, out, parts = make_cohort(tmp_path / "cohort", "ab", slices=2), tmp_path / "f.h5", tmp_path / "f.h5.parts"
    weights = str(shared / "weights/vgg16_imagenet_notop.h5")
    command = [sys.executable, "extract_features.py", str(cohort), "--out", str(out), "--weights", weights]
    for finished in (1, 2, 3):  # again and again, each time a series further
        process = subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while len(list(parts.glob("*.h5"))) < finished:
            assert process.poll() is None, "it ended before it could be killed"
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert not out.exists()
    done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True)
    kept = int(done.stdout.split(" were there already")[0].split()[-1])
    assert kept >= 3, "what was finished was not computed again"
    extract(
        find_scans([cohort]), tmp_path / "whole.h5", embed=Embedder(weights=weights, precision="float32"), workers=0
    )
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()


def training(folder: Path, job: Job) -> dict[str, Any]:
    """The job of a training on a cache and labels in a folder; it lacks `out`."""
    cohort, cache, labels = make_cohort(folder / "cohort", "abcdefgh"), folder / "f.h5", folder / "labels.csv"
    assert job(what="extract", cohort=cohort, out=cache, log=folder / "log") == 0
    labels.write_text("id,label\n" + "".join(f"{p},{k % 2}\n" for k, p in enumerate("abcdefgh")))
    options = ["--head", "logistic", "--folds", "2", "--permutations", "0", "--jobs", "1", "--sequence", "FLAIR"]
    return {"what": "door", "arguments": [str(cache), str(labels), *options]}


@pytest.mark.slow
def test_a_training_killed_at_any_moment_gives_the_same_run(tmp_path: Path, job: Job) -> None:
    train, out = training(tmp_path, job), tmp_path / "runs/r"
    start = time.monotonic()
    assert job(**train, out=tmp_path / "whole/r") == 0
    seconds = time.monotonic() - start
    expected = content(tmp_path / "whole/r")
    expected.pop("run.json")  # holds the path that was asked for
    for moment in np.random.default_rng(5).uniform(0.05, 1, 3) * seconds:
        assert job(**train, out=out, kill_after=float(moment)) in (-signal.SIGALRM, 0)
        if not out.exists():
            assert job(**train, out=out) == 0
        found = content(out)
        assert json.loads(found.pop("run.json"))["tables"]
        assert found == expected
        assert [p.name for p in out.parent.iterdir() if p.name != ".r.lock"] == ["r"]
        shutil.rmtree(out.parent)


@pytest.mark.slow
def test_a_report_killed_at_any_moment_leaves_the_one_before(tmp_path: Path, job: Job) -> None:
    run, out = tmp_path / "r", tmp_path / "report"
    assert job(**training(tmp_path, job), out=run) == 0
    report: dict[str, Any] = {"what": "door", "door": "evaluate", "out": out}
    options = [str(run), "--replicates", "20", "--seed"]
    start = time.monotonic()
    assert job(**report, arguments=[*options, "1"]) == 0
    seconds, new = time.monotonic() - start, content(out)
    shutil.rmtree(out)
    assert job(**report, arguments=[*options, "0"]) == 0
    old = content(out)
    for moment in np.random.default_rng(8).uniform(0.1, 0.9, 3) * seconds:
        status = job(**report, arguments=[*options, "1"], kill_after=float(moment))
        found = {name: raw for name, raw in content(out).items() if not name.startswith(".unfinished/")}
        assert status in (-signal.SIGALRM, 0)
        assert {"report.html", "report.json"} <= set(found)
        torn = [name for name, raw in found.items() if raw not in (old.get(name), new.get(name))]
        assert torn == [], "neither of the old report nor of the new one"
    assert job(**report, arguments=[*options, "1"]) == 0
    assert content(out) == new != old
