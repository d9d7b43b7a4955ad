"""Extract, kill, resume, extend, damage, verify, repair, merge and train in a loop of random choices, for half an hour.

What must hold is checked after each step: a cache is the one of before or that of a fresh extraction, byte for byte; `verify`
finds what was damaged; a run is the old one or the new one. `python -m benchmarks soak`; SOAK_MINUTES and SOAK_SEED change
30 minutes and seed 0. One core, no network: a mean of tiles stands in for VGG16.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_PATIENTS = 14


class Tiles:
    """Mean intensities of 4 x 4 tiles, (n, 16) float32, in place of the network."""

    dim, precision, device, origin = 16, "float32", "CPU", "nowhere"
    settings = {  # noqa: RUF012
        "backbone": "tiles", "weights": "custom", "weights_sha256": "0" * 64, "preprocess": "unit", "input_size": 224,
        "pooling": "tile mean",
    }  # fmt: skip

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(n, 224, 224) uint8 -> (n, 16) float32."""
        tiles = images.reshape(len(images), 4, 56, 4, 56).astype(np.float32)
        return np.asarray(tiles.mean(axis=(2, 4)).reshape(len(images), 16) / 255)


class Soak:
    """A cohort, a cache and a run in a folder, and what must hold of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        """Start with two patients and nothing extracted."""
        self.rng = np.random.default_rng(seed)
        self.folder, self.cohort, self.cache, self.run = folder, folder / "cohort", folder / "f.h5", folder / "runs/r"
        self.counts: Counter[str] = Counter()
        self.violations: list[str] = []
        self.n_patients = 0
        self.seconds = 0.2  # that the last work took
        self.begin()

    def begin(self) -> None:
        """A new cohort of two patients."""
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.n_patients = 0
        self.grow()
        self.grow()

    def step(self) -> None:
        """One random choice."""
        choices: list[tuple[Callable[[], None], float]] = [
            (self.grow, 1), (self.change, 1), (self.extract, 2), (self.stop_extraction, 5), (self.damage, 1),
            (self.merge, 0.5), (self.train, 0.7), (self.stop_training, 0.7),
        ]  # fmt: skip
        weights = np.array([w for _, w in choices])
        what = choices[int(self.rng.choice(len(choices), p=weights / weights.sum()))][0]
        self.counts[what.__name__.replace("_", " ")] += 1
        what()
        if self.n_patients > MOST_PATIENTS:
            self.begin()

    def must(self, holds: bool, words: str) -> None:
        """Count a check, and a violation where it fails."""
        self.counts["checks"] += 1
        if not holds:
            self.violations.append(f"after {sum(self.counts.values())} steps and checks: {words}")

    # --- steps ---

    def grow(self) -> None:
        """One more patient."""
        for sequence in ("FLAIR", "T1w")[: int(self.rng.integers(1, 3))]:
            for k in range(int(self.rng.integers(1, 5))):
                self.image(f"{self.n_patients:05d}/{sequence}/{k}.png")
        self.n_patients += 1

    def change(self) -> None:
        """One more image in a series that is there: another one under an old name is noticed by its size alone."""
        series = sorted(p for p in self.cohort.glob("*/*"))
        some = series[int(self.rng.integers(len(series)))]
        self.image(f"{some.relative_to(self.cohort)}/{100 + len(list(some.iterdir()))}.png")

    def extract(self) -> None:
        """To the end, against a fresh extraction."""
        self.must(self.forked(lambda: self.extraction(self.cache)) == 0, "an extraction failed")
        self.must(self.cache.read_bytes() == self.fresh().read_bytes(), "the cache is not that of a fresh extraction")
        self.must(
            not list(self.folder.glob(".f.h5*")) and not list(self.folder.glob("f.h5.*")), "something was left behind"
        )

    def stop_extraction(self) -> None:
        """Killed, or asked to stop, at any time; the cache is the old one or the new one."""
        if self.rng.random() < 0.7:
            self.grow()
        before = self.cache.read_bytes() if self.cache.exists() else b""
        how = signal.SIGKILL if self.rng.random() < 0.7 else signal.SIGTERM
        self.fresh()  # so many seconds does it take
        status = self.forked(lambda: self.extraction(self.cache), stop=how, within=self.seconds)
        self.counts[f"extractions ended by {how.name}"] += status != 0
        self.must(status in (0, -how, 143), f"a stopped extraction ended with {status}")
        after = self.cache.read_bytes() if self.cache.exists() else b""
        self.must(after == before or after == self.fresh().read_bytes(), "a stopped extraction changed the cache")

    def damage(self) -> None:
        """A bit of a vector or column of a copy; verify names its patient, and repair and extraction bring it back."""
        from features.cache.checks import verify
        from features.cache.reader import Cache
        from features.cache.repair import repair
        from features.cache.schema import COLUMNS

        self.extract()
        import h5py

        with h5py.File(self.cache) as f:
            name = ["features", *(f"rows/{c}" for c in COLUMNS)][int(self.rng.integers(len(COLUMNS) + 1))]
            start, size = f[name].id.get_offset(), f[name].id.get_storage_size()
        copy, mended = self.folder / "copy.h5", self.folder / "mended.h5"
        raw = bytearray(self.cache.read_bytes())
        at = int(self.rng.integers(size))
        raw[start + at] ^= 1 << int(self.rng.integers(8))
        copy.write_bytes(raw)
        with Cache(self.cache) as cache:
            patient = str(cache.column("patient")[at * cache.n // size])
        problems = verify(copy)
        self.must(bool(problems) and all(repr(patient) in p for p in problems), f"a flipped bit in {name}: {problems}")
        repair(copy, mended)
        self.must(verify(mended) == [], "a mended cache is not sound")
        self.must(self.forked(lambda: self.extraction(mended)) == 0, "a mended cache cannot be extended")
        self.must(mended.read_bytes() == self.cache.read_bytes(), "a mended and extended cache is another one")
        copy.unlink()
        mended.unlink()

    def merge(self) -> None:
        """The cache with an extraction of its first patients is the cache itself."""
        from features.cache.merge import merge

        self.extract()
        part, joined = self.folder / "part.h5", self.folder / "joined.h5"
        self.forked(lambda: self.extraction(part, exclude=[f"{k:05d}" for k in range(1, self.n_patients)]))
        merge([part, self.cache], joined)
        self.must(joined.read_bytes() == self.cache.read_bytes(), "a merged cache is not the cache of both")
        part.unlink()
        joined.unlink()

    def train(self) -> None:
        """A run, whole and the same as the next one of the same command."""
        self.extract()
        if self.n_patients >= 6:
            self.must(self.forked(self.training) == 0, "a training failed")
            self.must((self.run / "run.json").exists(), "there is no run")

    def stop_training(self) -> None:
        """Killed at any time; the run is whole, and its scores are those of before or those of the new cache."""
        self.train()
        if self.n_patients < 6:
            return
        before = content(self.run)
        self.must(self.forked(self.training) == 0, "a training failed")  # and so many seconds does one take
        how = signal.SIGKILL if self.rng.random() < 0.7 else signal.SIGTERM
        status = self.forked(self.training, stop=how, within=self.seconds)
        self.counts[f"trainings ended by {how.name}"] += status != 0
        after = content(self.run)
        tables = {name: raw for name, raw in after.items() if name != "run.json"}  # which counts the looks at the folds
        self.must(
            tables == {name: raw for name, raw in before.items() if name != "run.json"},
            "a stopped training harmed its run",
        )
        self.must(self.forked(self.training) == 0, "a training after a stop failed")
        again = {name: raw for name, raw in content(self.run).items() if name != "run.json"}
        self.must(again == tables, "the same training gave other tables or heads")
        self.must([p.name for p in self.run.parent.iterdir()] == ["r"], "something was left beside a run")

    # --- jobs ---

    def image(self, name: str) -> None:
        """A small PNG with random pixels."""
        from PIL import Image

        path = self.cohort / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = self.rng.integers(0, 255, tuple(self.rng.integers(4, 20, 2)), np.uint8)
        Image.fromarray(pixels).save(path)

    def extraction(self, out: Path, exclude: list[str] | None = None) -> None:
        """The extraction of the cohort to `out`."""
        from features.extraction import extract
        from features.scans.find import find_scans

        extract(find_scans([self.cohort], exclude=exclude or []), out, embed=Tiles(), workers=0)

    def fresh(self) -> Path:
        """An extraction of the cohort into an empty folder."""
        folder = self.folder / "fresh"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.must(self.forked(lambda: self.extraction(folder / "f.h5")) == 0, "a fresh extraction failed")
        return folder / "f.h5"

    def training(self) -> None:
        """The logistic head on the cache; labels go in turn."""
        import train_head

        labels = self.folder / "labels.csv"
        labels.write_text("id,label\n" + "".join(f"{k:05d},{k % 2}\n" for k in range(self.n_patients)))
        options = ["--head", "logistic", "--folds", "2", "--permutations", "0", "--jobs", "1", "--overwrite"]
        with contextlib.redirect_stdout(io.StringIO()):
            status = train_head.main(
                [str(self.cache), str(labels), *options, "--sequence", "FLAIR", "--out", str(self.run)]
            )
        os._exit(status)

    def forked(self, work: Callable[[], None], stop: signal.Signals | None = None, within: float = 0.0) -> int:
        """The exit status of some work in a fork, which is sent a signal at a random time within so many seconds."""
        from core.system.signals import Terminated, terminable

        start = time.monotonic()
        pid = os.fork()
        if pid == 0:
            status = 1
            with contextlib.suppress(BaseException):
                try:
                    with terminable():
                        work()
                    status = 0
                except Terminated:
                    status = 143
                except Exception as error:
                    print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
            os._exit(status)
        if stop is not None:
            time.sleep(float(self.rng.uniform(0, within)))
            os.kill(pid, stop)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.seconds = time.monotonic() - start
        return status


def content(folder: Path) -> dict[str, bytes]:
    """{relative path: bytes} of all files in a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def soak(minutes: float, seed: int, say: Callable[[str], Any] = print) -> Soak:
    """Step after step until the time is over or something was violated; counts are said every five minutes."""
    start = said = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        s = Soak(Path(folder), seed)
        while time.monotonic() < start + 60 * minutes and not s.violations:
            s.step()
            if time.monotonic() > said + 300:
                said = time.monotonic()
                say(f"{(said - start) / 60:.0f} min: {dict(s.counts)}")
        say(f"{(time.monotonic() - start) / 60:.1f} min, seed {seed}: {dict(s.counts)}")
        say(f"{len(s.violations)} violations" + "".join(f"\n  {v}" for v in s.violations))
    return s


def main() -> None:
    """Half an hour, or SOAK_MINUTES."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    s = soak(float(os.environ.get("SOAK_MINUTES", "30")), int(os.environ.get("SOAK_SEED", "0")))
    if s.violations:
        sys.exit(1)
