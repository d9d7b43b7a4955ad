"""SIGTERM ends a command as Ctrl-C does: what is half done is cleared away, and the exit status names the signal."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

AGAIN = 0.05  # seconds


class Terminated(KeyboardInterrupt):
    """SIGTERM has come; whoever clears up after Ctrl-C clears up after this."""


def exit_status(stop: KeyboardInterrupt) -> int:
    """What a shell expects of a process that a signal ended: 128 and the number of the signal."""
    return 128 + (signal.SIGTERM if isinstance(stop, Terminated) else signal.SIGINT)


@contextmanager
def terminable() -> Iterator[None]:
    """Inside the block SIGTERM raises `Terminated`; only the main thread can ask for that, in others nothing changes.

    Where a signal comes while Python runs what may raise nothing (`__del__`, a callback of its own), it drops the exception;
    SIGTERM and Ctrl-C are then sent once more, a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise Terminated

    def dropped(what: sys.UnraisableHookArgs) -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):
            number = signal.SIGTERM if isinstance(what.exc_value, Terminated) else signal.SIGINT
            threading.Timer(AGAIN, os.kill, (os.getpid(), number)).start()
        else:
            hook(what)

    before, hook = signal.signal(signal.SIGTERM, stop), sys.unraisablehook
    sys.unraisablehook = dropped
    try:
        yield
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)
