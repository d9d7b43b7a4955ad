"""Scores for new patients: scores.csv, and a challenge submission with exactly the ids asked for, in their order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core.predictions import Prediction
from core.tables import neutral

ID_COLUMN, VALUE_COLUMN = "BraTS21ID", "MGMT_value"


def submission_rows(
    scores: Mapping[str, float],
    header: Sequence[str] | None,
    ids: Sequence[tuple[str, str | None]],
    missing_score: float | None,
) -> tuple[list[list[str]], list[str]]:
    """Lay out a submission.

    Parameters
    ----------
    scores : {patient: probability of label 1}
    header : of the sample, None for the challenge's own
    ids : (id as it must be written, patient it belongs to or None), in the order asked for
    missing_score : for ids without a score; None where there must be none

    Returns
    -------
    Header and rows to write, and the ids that got `missing_score`.

    Raises
    ------
    ValueError : an id has no score, and no `missing_score` is given; nothing is made up
    """
    without = [name for name, patient in ids if patient is None or patient not in scores]
    if without and missing_score is None:
        raise ValueError(
            f"{len(without)} of the {len(ids)} ids asked for have no score, first {without[0]!r}; extract their scans, use "
            "another --sequence (or a fused one), or say what to write for them with --missing-score 0.5"
        )
    rows = [list(header) if header else [ID_COLUMN, VALUE_COLUMN]]
    for name, patient in ids:
        score = scores[patient] if patient is not None and patient in scores else missing_score
        rows.append([name, f"{score:.6f}"])
    return rows, without


def trained_sentence(n: int, m: int) -> str:
    """What every output carries that scores patients of the training."""
    return f"TRAINED ON: {n} of {m} patients scored here were in the training of the heads; their scores mean nothing"


def score_rows(predictions: Sequence[Prediction], warning: str = "") -> list[Sequence[object]]:
    """Lay out scores.csv.

    Parameters
    ----------
    predictions : of new patients; the label is blank where it is not known
    warning : gets a column of its own

    Returns
    -------
    Header and rows.
    """
    rows: list[Sequence[object]] = [
        ("run", "head", "sequence", "patient_id", "label", "score", "n_slices", *(["warning"] if warning else []))
    ]
    for p in predictions:
        label = "" if p.label < 0 else p.label
        row = tuple(map(neutral, (p.run, p.head, p.sequence, p.patient_id, label, p.score, p.n_slices)))
        rows.append((*row, warning) if warning else row)
    return rows
