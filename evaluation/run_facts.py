"""What a run says of itself, as values: its leak, its question, its baseline."""

from __future__ import annotations

from collections.abc import Sequence

from core.leak import Leak
from core.predictions import Scored
from core.question import LabelQuestion
from evaluation.read_run import Run


def leaks_of(runs: Sequence[Run]) -> dict[str, Leak]:
    """{run: its leak}, of the runs that leak."""
    return {run.name: leak for run in runs if (leak := run.leak) is not None}


def question_of(run: Run) -> LabelQuestion:
    """What a run's labels stand for; an older run kept a sentence alone."""
    return LabelQuestion.from_json(run.about.get("question_parts") or run.about["question"])


def has_random_weights(runs: Sequence[Run]) -> bool:
    """Whether any run was trained on features of an untrained network."""
    return any(r.about["features"]["settings"].get("weights") == "random" for r in runs)


def baseline_of(run: Run) -> str | None:
    """The sequence under which a run keeps its heads that saw no image; None without them."""
    baseline: str | None = run.about.get("shortcuts")
    return baseline


def split_off(scored: Sequence[Scored], runs: Sequence[Run]) -> tuple[list[Scored], list[Scored]]:
    """(results on images, results of heads that saw none): the second are a baseline and no candidates for the best result."""
    name = {run.name: baseline_of(run) for run in runs}
    images = [s for s in scored if s.sequence != name[s.run]]
    return images, [s for s in scored if s.sequence == name[s.run]]
