"""run.json as a record with named fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from core.documents import Document, Known
from core.leak import Leak, leak_sentence
from core.question import LabelQuestion
from core.system.provenance import PARTS
from heads.folds import Fold
from heads.run_files import RUN_FORMAT, RUN_VERSION


@dataclass(frozen=True)
class PatientsRecord:
    """Who took part and who did not: `labels` {patient: 0 or 1}, and the others by why they are left out.

    missing_sequence : {sequence: patients without a usable slice}
    """

    labels: Mapping[str, int]
    unlabelled: Sequence[str] = ()
    without_row: Sequence[str] = ()
    without_scans: Sequence[str] = ()
    missing_sequence: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class FeaturesRecord:
    """The features: name of the file, digest of its content, settings of the extraction, and files that it skipped."""

    file: str
    digest: str
    settings: Known
    skipped: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class LabelsRecord:
    """The file of labels: its name and SHA-256."""

    file: str
    sha256: str


@dataclass(frozen=True)
class TuningRecord:
    """Configurations drawn per head and fold, inner folds, and the scores that another configuration gave."""

    draws: int
    inner_folds: int
    stand_ins: Sequence[Known] = ()


@dataclass(frozen=True)
class LooksRecord:
    """How often the reported folds were looked at: `results` now, `earlier` by runs that --overwrite replaced."""

    results: int
    earlier: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.results + self.earlier

    def as_json(self) -> dict[str, int]:
        """{results, earlier, total}."""
        return {"results": self.results, "earlier": self.earlier, "total": self.total}


@dataclass(kw_only=True)
class RunHeader:
    """What a run and a leak demonstration say of where they come from.

    Parameters
    ----------
    run : its name
    arguments : the options, {name: value}
    seed, split_seed : of heads, and of the folds
    question : what label 1 and 0 stand for
    join : how ids of features and labels were joined, a line each
    fused : the sequence under which the fused result stands, None without one
    split : 'patient', 'slice' or 'file'
    leak : patients in training and test at once, None where there is none
    """

    run: str
    arguments: Known
    seed: int
    split_seed: int
    question: LabelQuestion
    join: Sequence[str]
    patients: PatientsRecord
    fused: str | None
    split: str
    leak: Leak | None
    features: FeaturesRecord
    labels: LabelsRecord
    provenance: Known

    def as_json(self) -> Document:
        """The content of run.json, without digests of tables."""
        out: Document = {"format": RUN_FORMAT, "format_version": RUN_VERSION}
        out |= {
            f.name: _plain(getattr(self, f.name))
            for f in fields(self)
            if f.name not in ("question", "leak", "provenance")
        }
        out |= {"question": str(self.question), "question_parts": self.question.as_json()}
        out["leak"] = None if self.leak is None else leak_sentence(self.leak)
        if self.leak is not None:
            out["leak_counts"] = self.leak.as_json()
        return out | dict(self.provenance)


@dataclass(kw_only=True)
class RunRecord(RunHeader):
    """What run.json says of a run.

    Parameters
    ----------
    sequences : those that were trained on, one by one
    shortcuts : the sequence under which the acquisition baseline stands, None without one
    availability : {patient: {sequence: {slices, plane}}}, None for a table
    tuning : None without --tune
    looks : how often the reported folds were looked at
    folds : the test patients of each fold, empty for a slice split
    duplicates : the test for patients with the same images, and what it found
    tables : {file name: SHA-256}, once it is written
    """

    sequences: Sequence[str]
    shortcuts: str | None = None
    availability: Known | None = None
    tuning: TuningRecord | None = None
    looks: LooksRecord | None = None
    folds: Sequence[Fold] = ()
    duplicates: Known | None = None
    tables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, about: Known) -> RunRecord:
        """The record of a run.json, also of an older version of the project.

        Parameters
        ----------
        about : its content

        Raises
        ------
        ValueError : something is missing that every run says, or is of another kind
        """
        lacking = sorted(REQUIRED - set(about))
        if lacking:
            raise ValueError(f"lacks {', '.join(lacking)}; train the run again")
        for name, kind, what in _KINDS:
            if not isinstance(about.get(name), kind | None):
                raise ValueError(f"has the {name} {about[name]!r}; expected {what}. Train the run again")
        try:
            return cls(**_values(about))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"is damaged ({type(error).__name__}: {error}); train the run again") from None


REQUIRED = {
    "arguments", "question", "join", "patients", "sequences", "fused", "split", "folds", "leak", "tables", "features", "labels", "seed",
    "commit", "dirty", "code_version", "versions", "python", "command",
}  # fmt: skip
_KINDS = (
    ("arguments", dict, "an object"),
    ("patients", dict, "an object"),
    ("features", dict, "an object"),
    ("labels", dict, "an object"),
    ("tables", dict, "an object"),
    ("tuning", dict, "an object"),
    ("looks", dict, "an object"),
    ("duplicates", dict, "an object"),
    ("leak_counts", dict, "an object"),
    ("leak", str, "a text"),
    ("question", str, "a text"),
    ("question_parts", dict, "an object"),
    ("join", list, "a list"),
    ("sequences", list, "a list"),
    ("folds", list, "a list"),
)


def _values(about: Known) -> Document:
    """The fields of a `RunRecord` from what a run.json says."""
    looks, tuning = about.get("looks"), about.get("tuning")
    values = {f.name: about[f.name] for f in fields(RunRecord) if f.name in about}
    return values | {
        "run": about.get("run", ""),
        "split_seed": about.get("split_seed", about["seed"]),
        "question": LabelQuestion.from_json(about.get("question_parts") or about["question"] or ""),
        "leak": Leak.from_json(about["leak"], about.get("leak_counts")),
        "patients": _made(PatientsRecord, about["patients"] or {"labels": {}}),
        "features": _made(FeaturesRecord, about["features"] or {"file": "", "digest": "", "settings": {}}),
        "labels": _made(LabelsRecord, about["labels"] or {"file": "", "sha256": ""}),
        "folds": [Fold(f["repeat"], f["fold"], tuple(f["test"])) for f in about["folds"] or ()],
        "tuning": None if tuning is None else _made(TuningRecord, tuning),
        "looks": None if looks is None else LooksRecord(looks["results"], looks["earlier"]),
        "tables": about["tables"] or {},
        "sequences": about["sequences"] or [],
        "arguments": about["arguments"] or {},
        "provenance": {name: about[name] for name in PARTS},
    }


def _made(cls: type, values: Known) -> Any:
    """A record of the values that it knows; a later version may say more."""
    return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def _plain(value: Any) -> Any:
    """A part of a record as JSON has it."""
    if isinstance(value, LooksRecord):
        return value.as_json()
    if isinstance(value, PatientsRecord | FeaturesRecord | LabelsRecord | TuningRecord):
        return asdict(value)
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [{"repeat": v.repeat, "fold": v.fold, "test": v.test} if isinstance(v, Fold) else v for v in value]
    return value
