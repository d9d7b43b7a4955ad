"""`python -m features`: what ends it, and what it says of it."""

from __future__ import annotations

import os
import signal

import pytest

from cli import cache as door


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_in_one_line(
    number: signal.Signals, status: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(_: object) -> list[str]:
        os.kill(os.getpid(), number)
        return []

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    monkeypatch.setattr(door, "_info", stopped)
    try:
        assert door.main(["info", "f.h5"]) == status
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err == "python -m features: stopped; run the same command again\n"
