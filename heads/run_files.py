"""The files of a run: their names, their columns, and what a row of each is. Each stands here and nowhere else."""

from __future__ import annotations

from typing import NamedTuple

from core.predictions import Prediction
from heads.controls.learning_curve import LearningRow
from heads.controls.permutation import PermutationRow

RUN_FORMAT, RUN_VERSION = "mgmt-radiogenomics/run", 1
RUN_FILE = "run.json"
DEMONSTRATION_FILE = "leak.json"

PREDICTIONS, SLICES, CURVES = "predictions.csv", "slices.csv", "curves.csv"
MAIN_TABLES = (PREDICTIONS, SLICES, CURVES)  # every run has them
TRIALS, LEARNING, PERMUTATIONS = "ledger.csv", "learning.csv", "permutations.csv"

PREDICTION_COLUMNS = Prediction._fields
LEARNING_COLUMNS = LearningRow._fields
PERMUTATION_COLUMNS = PermutationRow._fields
WARNING_COLUMN = "warning"  # added to every table of a run that leaks


class SliceRow(NamedTuple):
    """A row of slices.csv: the score of one slice; `slice` is its source and instance."""

    run: str
    head: str
    sequence: str
    repeat: int
    fold: int
    patient_id: str
    label: int
    slice: str
    score: float


class CurveRow(NamedTuple):
    """A row of curves.csv: one epoch of one fold; "" where no rows were held back."""

    run: str
    head: str
    sequence: str
    repeat: int
    fold: int
    epoch: int
    loss: float
    accuracy: float
    val_loss: float | str
    val_accuracy: float | str


class TrialRow(NamedTuple):
    """A row of ledger.csv: one configuration in one fold, "" where there was none or nothing to judge it by."""

    run: str
    head: str
    sequence: str
    slices: str
    aggregate: str
    parameters: str
    repeat: int | str = ""
    fold: int | str = ""
    inner_auc: float | str = ""
    inner_log_loss: float | str = ""
    threshold: float | str = ""
    chosen: int = 1
    best_head: int = 0


SLICE_COLUMNS, CURVE_COLUMNS, TRIAL_COLUMNS = SliceRow._fields, CurveRow._fields, TrialRow._fields
