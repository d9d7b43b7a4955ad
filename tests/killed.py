"""Jobs in forks of a small process: a job can be killed at any call that it makes, without a new start of Python.

Read by `test_crashes.py`, which starts this file and sends it one job per line as JSON; each answer is an exit status.
`kill_at` : the number of the call, Python's or C's, at which the job kills itself; `log` : a file that gets one byte per image
that was embedded; `kill_after` : seconds, for jobs that make too many calls to count; `marks` : a file that gets the numbers of
the calls at which each phase began, and of the last one.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import operator
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import CodeType
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from stand_ins import CheapEmbedder  # noqa: E402

from core.system.files import recover  # noqa: E402
from core.system.lock import file_lock  # noqa: E402
from features.extraction import extract  # noqa: E402
from features.scans.find import find_scans  # noqa: E402
from heads.bundle import Bundle  # noqa: E402
from heads.logistic import FittedLogistic  # noqa: E402
from heads.run_writer import write_run  # noqa: E402
from heads.standardise import Standardiser  # noqa: E402

# The functions with which a phase begins, as module:name.
PHASES = {
    "features.extraction:_extend": "looking", "features.scans.prepare:prepare_series": "decoding", "killed:Logged.__call__": "embedding",
    "features.cache.writer:write": "writing", "features.cache.parts:Parts.publish": "publishing", "shutil:rmtree": "clearing away",
    "core.system.files:recover": "recovering", "heads.run_writer:write_run": "writing a run", "core.system.files:_sync": "syncing",
}  # fmt: skip


def code_of(place: str) -> CodeType:
    """The code of the function at 'module:name'. Raises LookupError, with what to do, where there is none."""
    module, _, name = place.partition(":")
    try:
        found = operator.attrgetter(name)(sys.modules.get(module) or importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise LookupError(f"PHASES of tests/killed.py names {place}, which is not there any more: {error}") from None
    found = inspect.unwrap(found)
    return found.__code__ if inspect.isfunction(found) else type(found).__call__.__code__


def phases() -> dict[CodeType, str]:
    """{code of a function: the phase that begins with it}."""
    return {code_of(place): phase for place, phase in PHASES.items()}


# What the doors import late, and their forks would import anew each time. None of it starts a thread.
DOOR_MODULES = (
    "joblib", "scipy.stats", "sklearn.linear_model", "sklearn.preprocessing", "heads.controls.permutation", "heads.search.tune", "features.acquisition",
    "evaluation.api", "evaluation.report.performance.subgroups", "evaluation.report.performance.stability", "evaluation.report.performance.calibration",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
)  # fmt: skip


class Logged(CheapEmbedder):
    """The cheap embedder, which leaves a byte per image in a file."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self.log = log

    def __call__(self, images: np.ndarray) -> np.ndarray:
        vectors = super().__call__(images)
        with self.log.open("ab") as f:
            f.write(b"." * len(images))
        return vectors


def do_extract(out: str, cohort: str, log: str, workers: int = 0) -> None:
    extract(find_scans([Path(cohort)]), Path(out), embed=Logged(Path(log)), workers=workers, skip_blank_and_equal=False)


def do_run(out: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    with file_lock(Path(out)):
        recover(Path(out))
        about = {"head": "logistic", "sequence": "FLAIR"}
        head = FittedLogistic(Standardiser(np.zeros(4), np.ones(4)), rng.normal(size=4), 0.5)
        rows = [("r", "logistic", "FLAIR", 0, k % 2, str(k), k % 2, float(rng.random()), 1) for k in range(6)]
        write_run(Path(out), {"seed": seed}, rows, [], [], [Bundle(head, about)], overwrite=True)


def do_door(out: str, arguments: list[str], door: str = "train_head", said: str = os.devnull) -> int:
    """A command with the cheap embedder; what it prints is in `said`. Its exit status."""
    import features.backbones.keras_applications

    embedder = CheapEmbedder()
    embedder.device, embedder.origin = "CPU", "the tests"  # type: ignore[attr-defined]
    features.backbones.keras_applications.Embedder = lambda *_, **__: embedder  # type: ignore[assignment, misc]
    main = importlib.import_module(door).main
    with (
        Path(said).open("w") as f,
        contextlib.redirect_stdout(f),
        contextlib.redirect_stderr(f),
    ):  # stdout is for our answers
        return int(main([*arguments, "--out", out]))


def run(job: dict[str, Any]) -> int:
    kill_at, marks = job.pop("kill_at", None), job.pop("marks", None)
    signal.setitimer(signal.ITIMER_REAL, job.pop("kill_after", 0))  # SIGALRM, which nobody catches
    job_of: Any = {"extract": do_extract, "run": do_run, "door": do_door}[job.pop("what")]
    count, found = 0, []
    begins = phases() if marks else {}

    def watch(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1
            if count == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if event == "call" and frame.f_code in begins:
                found.append((count, begins[frame.f_code]))

    if kill_at or marks:
        sys.setprofile(watch)
    status = job_of(**job) or 0
    sys.setprofile(None)
    if marks:
        Path(marks).write_text(json.dumps([*found, (count, "end")]))
    return status


def main() -> None:
    os.fsync = lambda handle: None  # kills lose no page of the kernel, only power cuts do
    with tempfile.TemporaryDirectory() as folder:  # what is only done once is done before the forks
        image = Path(folder, "cohort/p/FLAIR/0.png")
        image.parent.mkdir(parents=True)
        Image.fromarray(np.eye(8, dtype=np.uint8)).save(image)
        do_extract(f"{folder}/f.h5", f"{folder}/cohort", f"{folder}/log")
        do_run(f"{folder}/r", 0)
    for line in sys.stdin:
        if json.loads(line)["what"] == "door":
            for name in DOOR_MODULES:
                importlib.import_module(name)
        pid = os.fork()
        if pid == 0:
            try:
                status = run(json.loads(line))
            except BaseException as error:
                print(repr(error), file=sys.stderr, flush=True)
                os._exit(1)
            os._exit(status)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    sys.modules["killed"] = sys.modules["__main__"]  # so that PHASES finds what stands here
    main()
