"""Decoding in worker processes under limits: a file whose decoder crashes, hangs or asks for all memory costs that file.

A worker says in shared memory which file it is at. Where it dies, the series is read again by a new worker; the file at
which a second one dies, or the first one out of time, is left out with its reason. Nothing of a series that was not
decoded to its end is ever handed on, so that a worker that is killed loses nothing and doubles nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from queue import SimpleQueue
from typing import Any

import numpy as np

from features.scans.find import Series
from features.scans.prepare import Images

_NO_MEMORY = 71  # exit status of a worker
Prepare = Callable[..., Images]  # (series, left_out=, reading=), as `slices.prepare_series`


@dataclass(frozen=True)
class Limits:
    """Of a worker: seconds for one file, and bytes of memory besides what it needs to start."""

    seconds: float = 120
    memory: int = 6 * 1024**3


def decoded(
    todo: list[Series], prepare: Prepare, workers: int, limits: Limits | None = None
) -> Generator[tuple[Series, Images]]:
    """Prepare the series in order, in `workers` processes a few series ahead of the consumer; 0 decodes here, unbounded.

    Raises ValueError where workers do not start, and what `prepare` raises.
    """
    if workers == 0:
        yield from ((s, prepare(s)) for s in todo)
        return
    crew = [_Worker(prepare, limits or Limits()) for _ in range(min(workers, len(todo)))]
    idle: SimpleQueue[_Worker] = SimpleQueue()
    for worker in crew:
        idle.put(worker)

    def ask(series: Series) -> Images:
        worker = idle.get()
        try:
            return worker.prepare_series(series)
        finally:
            idle.put(worker)

    waiting: deque[tuple[Series, Future[Images]]] = deque()
    threads = ThreadPoolExecutor(max(1, len(crew)))  # one per process: it waits, and takes in what comes
    try:
        for series in todo:
            waiting.append((series, threads.submit(ask, series)))
            if len(waiting) > 2 * workers:
                series, images = waiting.popleft()
                yield series, images.result()
        while waiting:
            series, images = waiting.popleft()
            yield series, images.result()
    finally:
        for worker in crew:
            worker.close()
        threads.shutdown(cancel_futures=True)
        for worker in crew:
            worker.end()


class _LostError(Exception):
    """A worker died; `at` is the index of the file it was reading, -1 before the first, the number of files after the last."""

    def __init__(self, at: int, out_of_time: bool, reason: str) -> None:
        super().__init__(reason)
        self.at, self.out_of_time, self.reason = at, out_of_time, reason


class _Worker:
    """One decoding process, started when it is needed and replaced when it is lost."""

    def __init__(self, prepare: Prepare, limits: Limits) -> None:
        self._prepare, self._limits = prepare, limits
        self._lock = threading.Lock()
        self._closed = False
        self._process: Any = None
        self._connection: Any = None
        self._at: Any = None

    def prepare_series(self, series: Series) -> Images:
        """The images of a series, without the files that no worker survives."""
        left_out: dict[str, str] = {}
        deaths: Counter[int] = Counter()
        while True:
            try:
                self._start()
                return self._ask(series, left_out)
            except _LostError as lost:
                self.end()
                deaths[lost.at] += 1
                if deaths[lost.at] < 2 and not lost.out_of_time:
                    continue
                if lost.at < 0:
                    raise ValueError(
                        f"decoding processes do not start (the last {lost.reason}); finished series are kept, run the "
                        "same command again, with --workers 0 to see the cause"
                    ) from None
                files = series.files[lost.at : lost.at + 1] or series.files  # none: it died of all of them together
                left_out.update(dict.fromkeys(files, f"the decoder {lost.reason}"))

    def close(self) -> None:
        """End the process at once, whatever it does; whoever waits for it gets an error."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()

    def _start(self) -> None:
        with self._lock:
            if self._closed:
                raise InterruptedError("decoding was stopped")
            if self._process is not None:
                return
            context = multiprocessing.get_context("spawn")
            self._at = context.RawValue("q", -1)
            self._connection, theirs = context.Pipe()
            self._process = context.Process(
                target=_work, args=(theirs, self._at, self._prepare, self._limits), daemon=True
            )
            with _deaf_to_interrupts():
                self._process.start()
            theirs.close()

    def _ask(self, series: Series, left_out: dict[str, str]) -> Images:
        self._at.value = -1
        try:
            self._connection.send((series, left_out))
            found, shape = self._connection.recv()
            if isinstance(found, BaseException):
                raise found
            if shape[0]:
                found.pixels = np.empty(shape, np.uint8)
                self._connection.recv_bytes_into(found.pixels.data.cast("B"))
            return found  # type: ignore[no-any-return]
        except (EOFError, ConnectionError):
            self._process.join()
            code = self._process.exitcode
        out_of_time = code == -getattr(signal, "SIGALRM", 0)
        reason = f"took longer than {self._limits.seconds:g} s" if out_of_time else _death(code, self._limits.memory)
        raise _LostError(self._at.value, out_of_time, reason)

    def end(self) -> None:
        """End the process and wait until it is gone; the next series gets a new one."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process.join()
                self._connection.close()
                self._process = None


def _death(code: int, memory: int) -> str:
    if code == _NO_MEMORY:
        return f"needed more than {memory / 1024**3:.3g} GiB"
    if code < 0:
        return f"was killed by {signal.Signals(-code).name} (it crashed, or memory ran out)"
    return f"ended with exit status {code}"


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Processes that this thread starts inside never hear Ctrl-C, not even while they import; the parent hears it."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # whose start, as part of the first process's, would undo what follows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work(connection: Any, at: Any, prepare: Prepare, limits: Limits) -> None:
    """The life of a worker: series in, images out, until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and ends its workers
    with open(os.devnull, "w") as nowhere:  # noqa: PTH123 - decoders print what headers say
        for stream in (1, 2):
            os.dup2(nowhere.fileno(), stream)
    _bound_memory(limits.memory)
    timed = hasattr(signal, "setitimer")
    if timed:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)  # the kernel ends a decoder that no exception would stop

    def reading(k: int) -> None:
        at.value = k
        if timed:
            signal.setitimer(signal.ITIMER_REAL, limits.seconds if k < len(series.files) else 0)

    while True:
        try:
            series, left_out = connection.recv()
        except EOFError:
            return
        pixels = np.empty((0,), np.uint8)
        try:
            answer: Any = prepare(series, left_out=left_out, reading=reading)
            pixels, answer.pixels = answer.pixels, answer.pixels[:0]
        except MemoryError:
            os._exit(_NO_MEMORY)
        except Exception as error:
            answer = error
        reading(len(series.files))
        connection.send((answer, pixels.shape))
        if len(pixels):
            connection.send_bytes(np.ascontiguousarray(pixels).data.cast("B"))


def _bound_memory(limit: int) -> None:
    """Let allocations fail beyond `limit` bytes more than the process has now, where the platform can."""
    try:
        import resource
        from pathlib import Path

        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        soft = now + limit
        resource.setrlimit(resource.RLIMIT_AS, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
    except (ImportError, OSError, ValueError):
        return
