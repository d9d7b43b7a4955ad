"""What an audit can find: values, which `evaluation.audit.words` says in English."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from evaluation.audit.results.best import Best
from evaluation.audit.results.measures import Figures


class FindingKind(Enum):
    """What was found."""

    WARNED = "the file's own column warning says something"
    WARNED_OF_LEAK = "the file's own column warning tells of a leak"
    LEAK = "tested patients are in training"
    LEAK_UNTESTED = "scored patients are in training, and in no test set"
    LEAK_UNCLEAR = "patients are in several folds, which may be repeats"
    LEAK_UNKNOWN = "nothing says who trained"
    NO_LEAK = "no tested patient is in training"
    VALIDATION_AS_TEST = "validation and test are the same patients"
    VALIDATION_IN_TEST = "some validation patients are tested"
    VALIDATION_IN_TRAINING = "some validation patients are in training"
    NOT_TESTED = "the figures are of another part than the test"
    TESTED_OFTEN = "patients are tested in several folds"
    FEW = "too few patients for figures"
    NO_FIGURES = "nothing to compute figures from"
    HIGHEST = "the figure of the highest result"
    BELOW_CHANCE = "its interval lies below 0.5"
    CHANCE = "its interval contains 0.5"
    ABOVE_CHANCE = "its interval lies above 0.5"
    NO_INTERVAL = "there is none"
    ONE_RANKING = "its AUC with all folds in one ranking"
    ROWS = "its AUC of rows, and their interval"
    POWER = "what so many patients can show"
    WITHOUT_LEAKS = "the figure without the patients who leak"
    LUCK = "what picking the highest is worth"

    @property
    def leak(self) -> bool:
        """Whether it says that tested patients were in training."""
        return self in (FindingKind.LEAK, FindingKind.LEAK_UNTESTED, FindingKind.WARNED_OF_LEAK)

    @property
    def alarm(self) -> bool:
        """Whether a page shows it as an alarm."""
        return self.leak or self is FindingKind.VALIDATION_AS_TEST


@dataclass(frozen=True)
class Finding:
    """One thing that was found; the kinds that have more to tell are the classes below."""

    kind: FindingKind


@dataclass(frozen=True)
class FileWarning(Finding):
    """WARNED, WARNED_OF_LEAK. text : what stands in the file."""

    text: str


@dataclass(frozen=True)
class Overlap(Finding):
    """LEAK, LEAK_UNTESTED, LEAK_UNCLEAR, VALIDATION_IN_TEST, VALIDATION_IN_TRAINING.

    patients : who is in two parts, sorted; of : among so many, 0 where that is not said; assumed : whether nobody said who
    trained, and the other folds are taken to have
    """

    patients: tuple[str, ...]
    of: int = 0
    assumed: bool = False


@dataclass(frozen=True)
class NoOverlap(Finding):
    """NO_LEAK. tested : patients; folds : that were compared; assumed : as above; others : scored patients of whom nothing says
    who trained; units : what stands for patients ('slides'), '' where patients do."""

    tested: int
    folds: int
    assumed: bool
    others: int
    units: str = ""


@dataclass(frozen=True)
class Unknown(Finding):
    """LEAK_UNKNOWN.

    most_rows : of a patient in one result; columns : those that tell folds or parts; split_files : whether any were given
    trained : whether somebody trained, so that it is the test that is missing; units : as above
    """

    most_rows: int
    columns: tuple[str, ...]
    split_files: bool
    trained: bool
    units: str = ""


@dataclass(frozen=True)
class SameFolds(Finding):
    """VALIDATION_AS_TEST. folds : in which validation is the test; of : all."""

    folds: int
    of: int


@dataclass(frozen=True)
class OtherPart(Finding):
    """NOT_TESTED. part : 'val' or 'train'."""

    part: str


@dataclass(frozen=True)
class Repeated(Finding):
    """TESTED_OFTEN. patients : how many; most : test sets of one patient."""

    patients: int
    most: int


@dataclass(frozen=True)
class Few(Finding):
    """FEW. results : names of those that have as many; positives, negatives : patients."""

    results: tuple[str, ...]
    positives: int
    negatives: int


@dataclass(frozen=True)
class NoFigures(Finding):
    """NO_FIGURES. contradictory : whether the patients with a label and a score have two labels."""

    contradictory: bool


@dataclass(frozen=True)
class OfResult(Finding):
    """HIGHEST, BELOW_CHANCE, CHANCE, ABOVE_CHANCE, NO_INTERVAL, ONE_RANKING, ROWS, POWER.

    figures : of the result; name : what it is called; results : among so many; leaks : whether patients leak
    """

    figures: Figures
    name: str
    results: int
    leaks: bool


@dataclass(frozen=True)
class Clean(Finding):
    """WITHOUT_LEAKS. best : the highest result without patients who leak, None with too few; name, results : as above; most : patients left."""

    best: Figures | None
    name: str
    results: int
    most: int


@dataclass(frozen=True)
class Luck(Finding):
    """LUCK. best : the highest; above : whether its own interval lies above 0.5; leaks : whether patients leak."""

    best: Best
    above: bool
    leaks: bool
