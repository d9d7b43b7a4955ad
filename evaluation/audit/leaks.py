"""Who is in training, validation and test at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluation.audit.files.foreign import Foreign
from evaluation.audit.files.splits import Split, often_tested
from evaluation.audit.findings import (
    FileWarning,
    Finding,
    FindingKind,
    NoOverlap,
    OtherPart,
    Overlap,
    Repeated,
    SameFolds,
    Unknown,
)


@dataclass(frozen=True)
class Leaks:
    """What was found of leaks.

    Parameters
    ----------
    splits : that were looked at
    findings : in the order in which they are told
    training_known : whether training and test were compared, or the file says itself that it leaks
    tested : patients
    in_training, in_validation : tested patients who are there too
    """

    splits: tuple[Split, ...]
    findings: tuple[Finding, ...]
    training_known: bool
    tested: frozenset[str]
    in_training: frozenset[str]
    in_validation: frozenset[str]

    @property
    def found(self) -> bool:
        """Whether tested patients were in training."""
        return any(finding.kind.leak for finding in self.findings)


def find_leaks(splits: Sequence[Split], f: Foreign, unclear: bool) -> Leaks:
    """Look for patients in more than one of training, validation and test.

    Parameters
    ----------
    splits : of the split files and of the predictions themselves, ids of patients
    f : the predictions
    unclear : whether folds may be repeats that are not numbered
    """
    compared = [s for s in splits if s.train and not s.test.isdisjoint(f.patient)]
    says_leak = any(warning.leak for warning in f.warnings)
    findings: list[Finding] = [
        FileWarning(FindingKind.WARNED_OF_LEAK if warning.leak else FindingKind.WARNED, warning.text)
        for warning in f.warnings
    ]
    findings += [*_training(compared, splits, f, unclear, says_leak), *_validation(splits, f)]
    assert compared or all(finding.kind is not FindingKind.NO_LEAK for finding in findings)
    leaked = _all(s.leaked for s in splits)
    if stopped := _all(s.train & s.val for s in splits):
        findings.append(Overlap(FindingKind.VALIDATION_IN_TRAINING, tuple(sorted(stopped))))
    if (often := often_tested(splits)) and not leaked:
        findings.append(Repeated(FindingKind.TESTED_OFTEN, len(often), max(often.values())))
    return Leaks(
        splits=tuple(splits),
        findings=tuple(findings),
        training_known=bool(compared) or says_leak,
        tested=_all(s.test for s in splits),
        in_training=leaked | _only_trained(splits, f),
        in_validation=_all(s.selected for s in splits),
    )


def _training(
    compared: Sequence[Split], splits: Sequence[Split], f: Foreign, unclear: bool, says_leak: bool
) -> list[Finding]:
    """Whether tested patients were in training. `compared` : the splits with both; `says_leak` : the file tells it itself."""
    leaked, tested = _all(s.leaked for s in compared), _all(s.test for s in compared)
    trained = _only_trained(splits, f)
    out: list[Finding] = []
    if leaked:
        kind = FindingKind.LEAK_UNCLEAR if unclear else FindingKind.LEAK
        assumed = any(s.assumed and s.leaked for s in compared)
        out.append(Overlap(kind, tuple(sorted(leaked)), len(tested), assumed))
    if trained:
        out.append(Overlap(FindingKind.LEAK_UNTESTED, tuple(sorted(trained)), len(f.tested)))
    if out or (says_leak and not compared):
        return out
    units = f.units if f.own_slides else ""
    if not compared:
        return [_unknown(splits, f, units)]
    return [
        NoOverlap(
            FindingKind.NO_LEAK,
            tested=len(tested),
            folds=len(compared),
            assumed=any(s.assumed for s in compared),
            others=len(f.tested - tested),
            units=units,
        )
    ]


def _unknown(splits: Sequence[Split], f: Foreign, units: str) -> Unknown:
    """Why training and test cannot be compared."""
    return Unknown(
        FindingKind.LEAK_UNKNOWN,
        most_rows=max(Counter(zip(f.patient, f.model, f.repeat, strict=True)).values()),
        columns=tuple(f.columns[what] for what in ("fold", "part") if what in f.columns),
        split_files=bool(splits),
        trained=bool(_all(s.train for s in splits)),
        units=units,
    )


def _validation(splits: Sequence[Split], f: Foreign) -> list[Finding]:
    """Whether what was chosen on validation patients was chosen on the test."""
    out: list[Finding] = []
    selected = _all(s.selected for s in splits)
    if same := sum(bool(s.val) and s.val == s.test for s in splits):
        out.append(SameFolds(FindingKind.VALIDATION_AS_TEST, same, len(splits)))
    elif selected:
        out.append(Overlap(FindingKind.VALIDATION_IN_TEST, tuple(sorted(selected))))
    if f.reported != "test":
        out.append(OtherPart(FindingKind.NOT_TESTED, f.reported))
    return out


def _only_trained(splits: Sequence[Split], f: Foreign) -> frozenset[str]:
    """Patients with a score that some split trains on and none tests."""
    told = [s for s in splits if not s.assumed]
    return (f.tested & _all(s.train for s in told)) - _all(s.test for s in told)


def _all(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*parts)
