"""Two ways to the same answer, run in turn: A B A B, medians, and the ratio pair by pair."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    """One question with its answer.

    ours, peer, limit : what was measured, in `unit`; peer or limit is None where there is none
    ratio : how many times better ours is than the peer, whether more or less of the unit is better
    """

    question: str
    unit: str
    ours: float
    peer: float | None = None
    ratio: float | None = None
    limit: float | None = None
    note: str = ""

    @property
    def fraction(self) -> float | None:
        """What ours reaches of the limit, 0 ... 1."""
        if self.limit is None:
            return None
        return self.ours / self.limit if self.unit.endswith("/s") else self.limit / self.ours

    def to_json(self) -> dict[str, object]:
        """Every field and the fraction of the limit."""
        return {**asdict(self), "fraction": self.fraction}


def table_lines(rows: Sequence[Row]) -> list[str]:
    """A Markdown table: question, ours, peer, ratio, limit, fraction of the limit."""
    lines = ["| question | ours | peer | ratio | limit | fraction | remark |", "| --- " * 7 + "|"]
    for r in rows:
        ratio = "" if r.ratio is None else f"{r.ratio:.3g}"
        fraction = "" if r.fraction is None else f"{r.fraction:.2f}"
        amounts = [_amount(x, r.unit) for x in (r.ours, r.peer, r.limit)]
        lines.append(f"| {r.question} | {amounts[0]} | {amounts[1]} | {ratio} | {amounts[2]} | {fraction} | {r.note} |")
    return lines


def _amount(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}"


@dataclass(frozen=True)
class Timing:
    """Medians in seconds, and the median of peer / ours pair by pair."""

    ours: float
    peer: float
    ratio: float


def in_turn(ours: Callable[[], object], peer: Callable[[], object], rounds: int = 5, *, warm: bool = True) -> Timing:
    """Time two calls in turn. With `warm` each runs once before, uncounted."""
    pairs = []
    for k in range(rounds + warm):
        pair = (seconds(ours), seconds(peer))
        if k >= warm:
            pairs.append(pair)
    a, b = zip(*pairs, strict=True)
    return Timing(statistics.median(a), statistics.median(b), statistics.median(y / x for x, y in pairs))


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


# Started by a small process: on Linux a child begins with the peak memory of whoever started it.
_STARTER = """
import os, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.run([sys.executable, *sys.argv[2:]]).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
os.write(int(sys.argv[1]), f"{time.perf_counter() - start} {usage.ru_maxrss} {status}".encode())
"""


def python(*arguments: str, env: dict[str, str] | None = None) -> tuple[float, float, str]:
    """Run this Python with arguments in a process of its own: (wall seconds, peak memory in MiB, what it printed).

    The memory is that of the largest single process. Raises RuntimeError with what it printed where it fails.
    """
    told, tell = os.pipe()
    with open(told) as result:  # noqa: PTH123 - a pipe
        done = subprocess.run(
            [sys.executable, "-c", _STARTER, str(tell), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, **(env or {})},
            pass_fds=(tell,),
        )
        os.close(tell)
        wall, peak, status = result.read().split()
    if status != "0":
        raise RuntimeError(f"python {' '.join(arguments)} ended with {status}:\n{done.stdout[-2000:]}")
    return float(wall), _mib(int(peak)), done.stdout


def children_mib() -> float:
    """Peak memory in MiB of the largest child process that has ended."""
    return _mib(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _mib(maxrss: int) -> float:
    return maxrss / (1024 if sys.platform != "darwin" else 1024**2)
