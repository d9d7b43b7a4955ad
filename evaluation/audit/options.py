"""What an audit can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.options import option
from evaluation.audit.files.columns import Named
from evaluation.options import AUDIT, Sampling


@dataclass(frozen=True, kw_only=True)
class AuditOptions(Sampling):
    """The options of an audit.

    Those without an `option` of their own are flags that other commands of the same door have too, which adds them once.

    Parameters
    ----------
    predictions : a CSV file with a row per patient, slide or slice
    splits : split files of CLAM or STAMP, or lists
    slides : a table that says whose each slide is
    score_column, fold_column, patient_column, label_column : columns by name, where they are not recognised
    positive, negative : the labels that count as 1 and 0
    replicates, seed : of the bootstrap over patients
    """

    predictions: Path
    splits: Sequence[Path] | None = option(
        None,
        help="split files of CLAM or STAMP, or a list",
        parse=Path,
        many=True,
        metavar="SPLITS",
        group=AUDIT,
        details="with `--audit`: who trained: CLAM's `splits_k.csv` (or `_bool.csv`), STAMP's `splits.json`, or a CSV with an id and fold or split",
    )
    slides: Path | None = option(
        None,
        help="the patient of each slide, for ids of slides",
        parse=Path,
        metavar="TABLE.csv",
        group=AUDIT,
        details="with `--audit`: whose slides they are, such as CLAM's dataset CSV (`case_id`, `slide_id`) or STAMP's slide table (`PATIENT`, `FILENAME`)",
    )
    score_column: str | None = option(
        None,
        help="score column (recognised: score, p_1, <label>_1, ...)",
        metavar="NAME",
        group=AUDIT,
        details="with `--audit`: where the scores stand, if not in score, p_1, prob, `<label>_<positive>` or the like",
    )
    fold_column: str | None = option(
        None, help="column of folds (recognised: fold, split, set, subset)", metavar="NAME", group=AUDIT
    )
    patient_column: str | None = None
    label_column: str | None = None
    positive: str | None = None
    negative: str | None = None

    @property
    def named(self) -> Named:
        """The columns and labels that are not to be recognised."""
        return Named(
            patient=self.patient_column,
            label=self.label_column,
            score=self.score_column,
            fold=self.fold_column,
            positive=self.positive,
            negative=self.negative,
        )
