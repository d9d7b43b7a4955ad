"""Patients that are in training and in test at once, as counts; and the one sentence that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SENTENCE = re.compile(r"LEAKS: (\d+) of (\d+) test patients are also in training")


@dataclass(frozen=True)
class Leak:
    """What a split that leaks has in common between training and test.

    Parameters
    ----------
    shared : test patients that are also in training, in the worst table
    tested : test patients of that table
    said : the sentence of a file that kept it in other words and without the counts, which are 0 there; "" otherwise
    """

    shared: int
    tested: int
    said: str = ""

    def as_json(self) -> dict[str, int]:
        """{shared, tested}, for a file."""
        return {"shared": self.shared, "tested": self.tested}

    @classmethod
    def from_json(cls, sentence: str | None, counts: Mapping[str, int] | None = None) -> Leak | None:
        """The leak of a run.

        Parameters
        ----------
        sentence : the `leak` of its run.json, None or "" where it does not leak
        counts : its `leak_counts`, which runs of before do not have; their sentence holds the numbers

        Returns
        -------
        None where the run does not leak.
        """
        if not sentence:
            return None
        if counts is not None:
            return cls(counts["shared"], counts["tested"])
        found = _SENTENCE.fullmatch(sentence)
        return cls(int(found[1]), int(found[2])) if found else cls(0, 0, sentence)


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
