"""The options of stage 3: of a report, of an audit, of scoring new patients, of explaining scores.

The command line, the documentation and Python read the same fields. Fields that two of these share are one flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.options import at_least, check_choices, option

THRESHOLDS = ("0.5", "youden")
RECALIBRATIONS = ("none", "platt", "isotonic")
NEW_PATIENTS = "new patients"
AUDIT = "somebody else's predictions"
EXPLAIN = "what a head uses"


@dataclass(frozen=True)
class Sampling:
    """The bootstrap over patients."""

    replicates: int = option(
        2000,
        "of the bootstrap over patients (default: 2000)",
        parse=at_least(1),
        details="of the bootstrap over patients (2000; at most 500 for calibration, where each is a regression)",
    )
    seed: int = option(0, "of the bootstrap (default: 0)", parse=int)


@dataclass(frozen=True)
class ReportOptions(Sampling):
    """How a report on runs is made.

    Raises ValueError for a choice that there is not.
    """

    threshold: str = option(
        "0.5",
        "youden: chosen on the other folds (default: 0.5)",
        choices=THRESHOLDS,
        details="0.5 (default), or youden: chosen on the inner folds of a tuned run, else on the other folds, never on the one that is reported",
    )
    recalibrate: str = option(
        "none",
        "map scores to probabilities for the calibration part, fitted on the other folds (default: none)",
        choices=RECALIBRATIONS,
        details="none (default), platt or isotonic: calibration and decision curves are of scores that went through a map fitted on the other folds of the same repeat. Those scores come from heads that trained on the fold, so the map is cross-fitted, not nested. All other figures stay as they are",
    )

    def __post_init__(self) -> None:
        """Check the choices, which the command line checks by itself; a threshold of 0.5 may be a number."""
        object.__setattr__(self, "threshold", str(self.threshold))
        check_choices(self)


@dataclass(frozen=True)
class Folders:
    """What a report reads and writes."""

    runs: list[Path] = option(
        factory=list,
        help="folders that train_head.py wrote",
        parse=Path,
        many=True,
        metavar="runs/NAME",
        positional=True,
    )
    out: Path = option(Path("report"), "folder to write to (default: report)", parse=Path)


@dataclass(frozen=True)
class Exports:
    """What a report writes for other programs, too."""

    export_stamp: Path | None = option(
        None,
        "write the predictions as STAMP's statistics read them, too",
        parse=Path,
        metavar="DIR",
        details="besides the report: a folder per result and repeat with `patient-preds.csv`, as STAMP's statistics read it",
    )


@dataclass(frozen=True)
class NewCache:
    """The features and labels of new patients."""

    cache: Path | None = option(
        None,
        "apply the fitted heads to these features",
        parse=Path,
        metavar="other.h5",
        group=NEW_PATIENTS,
        details="apply the fitted heads to new patients instead; scores.csv goes to `--out`",
    )
    labels: Path | None = option(
        None,
        "labels of the new patients, for metrics",
        parse=Path,
        metavar="other.csv",
        group=NEW_PATIENTS,
        details="their labels, for metrics and a verdict, each AUC beside the one that the head had in cross-validation. The interval is of the fitted head as it is: other patients to test on, not to train on; with `--patient-column`, `--label-column`, `--positive`, `--negative` as above",
    )


@dataclass(frozen=True)
class LabelColumns:
    """How a table of labels is read."""

    patient_column: str | None = option(None, metavar="NAME", group=NEW_PATIENTS)
    label_column: str | None = option(None, metavar="NAME", group=NEW_PATIENTS)
    positive: str | None = option(None, metavar="VALUE", group=NEW_PATIENTS)
    negative: str | None = option(None, metavar="VALUE", group=NEW_PATIENTS)


@dataclass(frozen=True)
class OneResult:
    """Which results of a run are meant."""

    head: str | None = option(
        None,
        "only this head (with --explain too)",
        group=NEW_PATIENTS,
        details="with `--cache` and `--explain`: only these (a report always shows all that were tried)",
    )
    sequence: str | None = option(
        None,
        "only this sequence (with --explain too), or the fused one as the run names it",
        group=NEW_PATIENTS,
    )


@dataclass(frozen=True)
class Submission:
    """What of the scores of new patients is submitted, and whose scores are allowed."""

    submission: Path | None = option(
        None,
        "write a challenge submission (one head, one sequence)",
        parse=Path,
        metavar="submission.csv",
        group=NEW_PATIENTS,
        details="a challenge submission, of one head and one sequence (or fused one, in quotes: `--sequence 'mean(FLAIR+T1wCE)'`)",
    )
    sample: Path | None = option(
        None, "the ids asked for, in their order", parse=Path, metavar="sample_submission.csv", group=NEW_PATIENTS
    )
    missing_score: float | None = option(
        None,
        "what to submit for an id without a score",
        parse=float,
        metavar="P",
        group=NEW_PATIENTS,
        details="what to submit for an id without a score; without it such an id is an error",
    )
    allow_trained: bool = option(False, "score patients that the heads were trained on, too", group=NEW_PATIENTS)


@dataclass(frozen=True)
class NewPatientOptions(Submission, OneResult, LabelColumns, NewCache, Sampling):
    """How fitted heads are applied to new patients."""


@dataclass(frozen=True)
class AuditedFile:
    """Somebody else's predictions; how they are read: `evaluation.audit.options`."""

    audit: Path | None = option(
        None,
        "look for leaks and optimism in these",
        parse=Path,
        metavar="PREDICTIONS.csv",
        group=AUDIT,
        details="instead of a report, and without runs: look for leaks and optimism in somebody else's predictions; see below",
    )


@dataclass(frozen=True)
class ExplainOptions(OneResult, Sampling):
    """Whose out-of-fold scores are explained, and from which images."""

    explain: list[str] | None = option(
        None,
        "draw the maps of the logistic head's out-of-fold scores",
        many=True,
        metavar="PATIENT",
        group=EXPLAIN,
        details="instead of a report: draw, for these patients of one run, the slices that carry the out-of-fold score of a logistic head and the exact map over each; goes to `--out`/explain",
    )
    cohort: Path | None = option(
        None, "the folder that the features were extracted from", parse=Path, metavar="DIR", group=EXPLAIN
    )
    weights: str | None = option(
        None, "of the network, where it is not found as stage 1 found it", metavar="FILE", group=EXPLAIN
    )
