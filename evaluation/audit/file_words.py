"""What somebody else's file holds, in English: what was read from which column, what was left out, what looks odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from core.text import some
from evaluation.audit.files.foreign import Foreign
from evaluation.audit.files.ids import BARCODE, Tied, Way
from evaluation.audit.words import names

WAYS = {
    Way.WRITTEN: "as written",
    Way.SLIDE: "by the patient of their slide",
    Way.BARCODE: f"by the first {BARCODE} characters of their TCGA barcode",
    Way.NUMBER: "by number",
    Way.ELSEWHERE: "name patients that are not among the predictions",
    Way.APART: "are not among the predictions and count as patients of their own",
}


def file_sentences(f: Foreign, alike: Sequence[Sequence[str]], notes: Sequence[str]) -> list[str]:
    """What the file holds, a paragraph per entry.

    Parameters
    ----------
    f : the predictions
    alike : groups of ids that may be one patient
    notes : how the ids of split files were tied to patients, in words
    """
    return [_read(f), f"What is asked: {_asked(f)}.", *notes, *_left_out(f), *_ids(f, alike), *_scores(f)]


def tied_sentence(tied: Tied) -> str:
    """How the ids of split files were tied to the patients of the predictions."""
    ways = tied.ways
    joined = [
        f"{len(ways[way])} {WAYS[way]}{_example(tied, way)}"
        for way in Way
        if way not in (Way.ELSEWHERE, Way.APART) and ways[way]
    ]
    text = f"Ids of the split files: {len(tied.patients)}. "
    text += (
        f"Tied to patients of the predictions: {'; '.join(joined)}. " if joined else "None is among the predictions. "
    )
    if ways[Way.ELSEWHERE]:
        text += f"{len(ways[Way.ELSEWHERE])} {WAYS[Way.ELSEWHERE]}. "
    if apart := ways[Way.APART]:
        text += f"{len(apart)} {WAYS[Way.APART]} (first {apart[0]!r})"
        text += (
            ": if they are slides, two of one patient would not be noticed; --slides TABLE.csv tells whose they are."
        )
    return text.strip()


def repeated_sentence(n: int) -> str:
    """That split files say the same twice."""
    return f"{n} of the split files repeat another and count once."


def untested_sentence(n: int) -> str:
    """That patients are left out whom the split files never test."""
    return (
        f"{n} patients of the predictions are in training or validation of the split files and in no test; "
        "they are left out of every figure."
    )


def _example(tied: Tied, way: Way) -> str:
    changed = next((i for i in tied.ways[way] if tied.patients[i] != i), None)
    return "" if changed is None else f" ({changed!r} is {tied.patients[changed]!r})"


def _read(f: Foreign) -> str:
    """How many rows there are, and what was read from which column."""
    each = Counter(zip(f.patient, f.model, f.repeat, strict=True)).values()
    models, repeats = len(set(f.model)), len(set(f.repeat))
    span = str(min(each)) if min(each) == max(each) else f"{min(each)} to {max(each)}"
    read = [f"{f.units if what == 'slides' else what} from {column!r}" for what, column in f.columns.items()]
    unused = f" Not used: {some(map(repr, f.unused))}." if f.unused else ""
    return (
        f"{f.name}: {len(f.patient)} rows, {len(set(f.patient))} patients, {models} {'results' if models > 1 else 'result'}"
        f"{f' of {repeats} repeats' if repeats > 1 else ''}, {span} {'row' if max(each) == 1 else 'rows'} for a patient in each. "
        f"Read from these columns: {', '.join(read)}.{unused}"
    )


def _asked(f: Foreign) -> str:
    taken = f" ({f.question.positive} was taken for positive)" if f.positive_assumed else ""
    return f"{f.question}{taken}"


def _left_out(f: Foreign) -> list[str]:
    """Rows and patients that do not count."""
    words = []
    missing, unlabelled = missing_rows(f)
    if missing or unlabelled:
        words.append(
            f"Left out of the figures: {missing} rows without a score, {unlabelled} without a label of either class."
        )
    if f.contradictory:
        words.append(
            f"{len(f.contradictory)} patients have both labels ({names(f.contradictory)}). They are left out of the figures; if the "
            "label belongs to slides and not to patients, this audit's figures do not apply."
        )
    return words


def missing_rows(f: Foreign) -> tuple[int, int]:
    """Rows without a score, and rows without a label."""
    return int(np.isnan(f.score).sum()), int((f.y < 0).sum())


def _ids(f: Foreign, alike: Sequence[Sequence[str]]) -> list[str]:
    """What is odd in the ids."""
    words = []
    if f.shortened:
        words.append(
            f"{f.shortened} ids are TCGA barcodes and were cut to the {BARCODE} characters that name the patient."
        )
    if f.own_slides:
        words.append(
            f"The file names {f.units}, not patients: {f.own_slides} rows count as patients of their own. --slides TABLE.csv tells whose they "
            f"are; without it, figures of patients are figures of {f.units}."
        )
    if alike:
        words.append(
            f"{len(alike)} groups of ids differ only in zeros or a prefix and count as different patients "
            f"({names(map(' and '.join, alike))}). Write the ids alike if they are the same."
        )
    if f.copies:
        words.append(
            f"{f.copies} rows repeat another row word for word, as a rerun that appends to its file leaves them."
        )
    return words


def _scores(f: Foreign) -> list[str]:
    """What is odd in the scores."""
    words = []
    scores = f.score[np.isfinite(f.score)]
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        words.append(
            f"Scores reach from {scores.min():.3g} to {scores.max():.3g}, so they are no probabilities. An AUC uses their order alone; "
            "calibration is not computed."
        )
    if len(np.unique(scores)) == 2:
        words.append("The scores take two values only, as calls do. Name the column of scores with --score-column.")
    return words
