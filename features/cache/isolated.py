"""Open or verify a cache in a process of its own: HDF5 hangs or crashes on some damaged files, and that is an answer too."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from multiprocessing.connection import Connection
from pathlib import Path

from features.cache.checks import verify
from features.cache.reader import Cache

BASE_SECONDS = 30
BYTES_PER_SECOND = 20e6  # a tenth of what two cores check


def try_to_open(path: Path, seconds: int = BASE_SECONDS) -> None:
    """Raise ValueError where HDF5 hangs or crashes on the tables of a cache; whatever else is wrong, opening it will say.

    A fork tries it first, which costs little more than the opening itself. Linux only: elsewhere forks are not safe.
    """
    if sys.platform != "linux":
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: this one takes no lock of theirs
        pid = os.fork()
    if pid == 0:
        try:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel ends what no exception would stop
            signal.alarm(seconds)
            with Cache(path) as cache:
                assert cache.skipped is not None
        finally:
            os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status:
        what = f"came to no end within {seconds} s" if status == -signal.SIGALRM else f"crashed (exit status {status})"
        raise ValueError(f"{str(path)!r} is damaged: HDF5 {what} when it opened it; extract it again")


def verify_apart(path: Path, seconds: float | None = None) -> list[str]:
    """As `features.cache.checks.verify`, but ends whatever the file does to HDF5; `seconds` : by default enough for its size.

    Raises ValueError where the file is no cache of a version known here.
    """
    if seconds is None:
        seconds = BASE_SECONDS + (path.stat().st_size / BYTES_PER_SECOND if path.exists() else 0)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_answer, args=(path, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not ours.poll(seconds):
            return [f"HDF5 came to no end within {seconds:.0f} s, as it does on some damaged files; extract it again"]
        kind, answer = ours.recv()
    except EOFError:
        process.join()
        return [f"HDF5 crashed on it (exit status {process.exitcode}); extract it again"]
    finally:
        process.kill()
        process.join()
        ours.close()
    if kind == "refused":
        raise ValueError(answer[0])
    return list(answer)


def _answer(path: Path, out: Connection) -> None:
    try:
        out.send(("problems", verify(path)))
    except ValueError as error:
        out.send(("refused", [str(error)]))
