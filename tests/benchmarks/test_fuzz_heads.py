"""Changed files of boosted heads give scores or are refused."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from benchmarks.faults import fuzz_heads as fuzz


@pytest.mark.slow
def test_changed_heads_give_scores_or_are_refused() -> None:
    met = fuzz.fuzz(fuzz.file_of_ours(), fuzz.changed_member, fuzz.scores_of_file, 300, seed=4)
    assert met["scores"] + met["refused"] == 300, met
    assert met["refused"] > 100 and met["scores"] > 20, met


def test_crashes_and_bad_scores_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "SECONDS", 0.2)

    def read(content: bytes) -> np.ndarray:
        if content == b"k":
            os.kill(os.getpid(), signal.SIGKILL)
        if content == b"h":
            signal.pause()
        if content == b"e":
            raise KeyError
        return np.full(len(fuzz.X), np.nan if content == b"n" else 0.5)

    kinds = iter(b"khenn" + b"s" * 9)
    first = {k: bytes([kind]) for k, kind in enumerate(kinds)}
    met = fuzz.fuzz(b"", lambda whole, other, rng: first[_number(rng)], read, 14)
    assert met == {"scores": 9, "no scores": 2, "other error": 1, "crashed": 1, "hung": 1}


def _number(rng: np.random.Generator) -> int:
    return int(rng.bit_generator.seed_seq.entropy[1])  # type: ignore[attr-defined]
