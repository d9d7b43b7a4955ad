"""The rows of somebody else's predictions, once it is known what stands in which column."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from core.ids import column_key
from core.metrics import Array, Labels
from core.question import LabelQuestion
from evaluation.audit.files.ids import without_suffix


class Warned(NamedTuple):
    """What a file's own column `warning` says; `leak` : that tested patients were in training."""

    text: str
    leak: bool


@dataclass(frozen=True, kw_only=True)
class Foreign:
    """Rows of a predictions file, n of each; a text is '' where the file does not tell.

    Parameters
    ----------
    name : of the file
    columns : {what: the column that it was read from}
    question : what 1 and 0 stand for
    positive_assumed : whether the file's words were taken for 1 and 0 by what they mean, and nobody said so
    patient, slide, model, repeat, fold : texts
    part : 'train', 'val', 'test' or ''
    y : (n,) int, 0 or 1, -1 where unknown
    score : (n,) float64, NaN where missing
    own_slides : rows whose slide stands for the patient, since nothing says whose it is
    copies : rows that repeat another
    shortened : ids cut to a TCGA barcode
    warnings : what a column `warning` says, each once
    unused : columns that nothing was read from
    """

    name: str
    columns: dict[str, str]
    question: LabelQuestion
    patient: list[str]
    slide: list[str]
    model: list[str]
    repeat: list[str]
    fold: list[str]
    part: list[str]
    y: Labels
    score: Array
    positive_assumed: bool = False
    own_slides: int = 0
    copies: int = 0
    shortened: int = 0
    warnings: tuple[Warned, ...] = ()
    unused: tuple[str, ...] = ()

    @property
    def units(self) -> str:
        """What the file calls what it has rows of: 'slides', 'slices'."""
        return f"{column_key(self.columns.get('slides', 'slide')).removesuffix('_id').removesuffix('name')}s"

    @property
    def contradictory(self) -> list[str]:
        """Patients with both labels."""
        positive, negative = ({p for p, y in zip(self.patient, self.y, strict=True) if y == label} for label in (1, 0))
        return sorted(positive & negative)

    @property
    def whose_slides(self) -> dict[str, str]:
        """{slide without suffix: its patient}, of those that belong to one patient; a slice number belongs to many."""
        owners: dict[str, set[str]] = {}
        for slide, patient in zip(self.slide, self.patient, strict=True):
            owners.setdefault(without_suffix(slide), set()).add(patient)
        return {slide: min(own) for slide, own in owners.items() if slide and len(own) == 1}

    @property
    def reported(self) -> str:
        """The part that figures are about: 'test' (or rows that say nothing), else 'val', else 'train'."""
        scored = {p or "test" for p, s in zip(self.part, self.score, strict=True) if math.isfinite(s)}
        return next((part for part in ("test", "val", "train") if part in scored), "test")

    @property
    def tested(self) -> frozenset[str]:
        """Patients with a score that counts as a test."""
        rows = zip(self.patient, self.score, self.part, strict=True)
        return frozenset(p for p, s, part in rows if math.isfinite(s) and (part or "test") == "test")
