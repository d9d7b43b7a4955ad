"""What a training says to the user as it goes on: its events in words."""

from __future__ import annotations

from cli.words.copies import copies_lines
from core.text import some
from heads.folds import FewerFolds
from heads.training.events import (
    Compared,
    Demonstrating,
    DrawingCurve,
    Event,
    Fitting,
    FittingAcquisition,
    Joined,
    Separated,
    Shuffling,
    WithoutSlices,
)
from heads.training.record_words import join_lines


def say(text: str) -> None:
    """Print to the user at once, also into a pipe."""
    print(text, flush=True)


def tell(event: Event) -> None:
    """Print an event of a training."""
    say(words(event))


def words(event: Event) -> str:
    """An event of a training, in words."""
    match event:
        case Joined(join):
            return "\n".join(join_lines(join))
        case WithoutSlices(sequence, patients):
            return f"  {sequence}: no usable slice in {len(patients)} patients: {some(patients)}"
        case Compared(pairs, labels, seconds, of_rows):
            return "\n".join(copies_lines(pairs, labels, seconds, of_rows=of_rows))
        case FewerFolds(asked, used, grouped):
            kind = "groups of patients who share images" if grouped else "patients"
            return (
                f"  note: {asked} folds were asked for, but the smaller class has {used} {kind}: {used} folds are used"
            )
        case Separated(file, patients):
            return f"  LEAKS: {file} puts patients that share images into different folds: {some(patients)}"
        case _:
            return _of_fits(event)


def _of_fits(event: Event) -> str:
    """An event about fits, in words."""
    match event:
        case Fitting(n, heads, sequences, None):
            return f"  fitting {n} times: {', '.join(heads)} on {', '.join(sequences)}"
        case Fitting(n, heads, _, drawn):
            return f"  fitting {n} times on inner folds: {drawn} configurations of {', '.join(heads)}"
        case FittingAcquisition(n, heads):
            return f"  fitting {n} times: {', '.join(heads)} on how the scans were made"
        case DrawingCurve(sizes, heads, sequences):
            return f"  learning curve: {sizes} sizes, {', '.join(heads)} on {', '.join(sequences)}"
        case Shuffling(n, heads, slow):
            return f"  shuffling the labels {n} times: {', '.join(heads)}{' (slow)' if slow else ''}"
        case Demonstrating(heads, sequences, draws):
            return f"  {', '.join(heads)} on {', '.join(sequences)}, {draws} shuffles of the labels"
    raise AssertionError(event)
