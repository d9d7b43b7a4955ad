"""Patients that are in training and in test at once, as counts; and the one sentence that says so."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Leak:
    """What a split that leaks has in common between training and test.

    Parameters
    ----------
    shared : test patients that are also in training, in the worst table
    tested : test patients of that table
    said : the sentence of an older run, which kept it without the counts; both counts are 0 there
    """

    shared: int
    tested: int
    said: str = ""


def leak_sentence(leak: Leak) -> str:
    """What every output of a leaking run carries.

    Parameters
    ----------
    leak : the counts, or an older run's own sentence

    Returns
    -------
    One line, without a full stop.
    """
    return leak.said or f"LEAKS: {leak.shared} of {leak.tested} test patients are also in training"
