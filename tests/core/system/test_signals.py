"""A signal ends a command, also where Python would drop what its handler raises."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from core.system.signals import Terminated, exit_status, terminable


class Last:
    """Sends this process a signal while it is deleted, where exceptions are dropped."""

    def __init__(self, number: signal.Signals) -> None:
        self.number = number

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


def wait() -> None:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("number", "error", "status"), [(signal.SIGTERM, Terminated, 143), (signal.SIGINT, KeyboardInterrupt, 130)]
)
def test_a_signal_that_python_dropped_comes_again(
    number: signal.Signals, error: type[KeyboardInterrupt], status: int
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    try:
        with pytest.raises(error) as caught, terminable():
            Last(number)
            wait()
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught.type is error
    assert exit_status(caught.value) == status


def test_after_the_block_everything_is_as_before() -> None:
    import sys

    handler, hook = signal.getsignal(signal.SIGTERM), sys.unraisablehook
    with terminable():
        assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) != (handler, hook)
    assert (signal.getsignal(signal.SIGTERM), sys.unraisablehook) == (handler, hook)


def test_other_dropped_errors_go_where_they_went(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    class Bad:
        def __del__(self) -> None:
            raise OSError("full")

    seen: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: seen.append(what.exc_value))
    with terminable():
        Bad()
    assert [str(error) for error in seen] == ["full"]


def test_a_thread_changes_nothing() -> None:
    found = []
    before = signal.getsignal(signal.SIGTERM)

    def work() -> None:
        with terminable():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [before]
