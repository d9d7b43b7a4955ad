"""What the rows of somebody else's predictions are, and who is in training and test at once, in words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from core.text import some
from evaluation.audit.reader import Foreign
from evaluation.audit.splits import Split, often_tested
from evaluation.report.section import Section, Sheet

UNSEEN = "Ids alone were compared: one patient under two ids would not be noticed."
KNOWN = "The figures measure how well known patients are recognised, and do not hold for a new patient."


def rows_section(f: Foreign, same: Sequence[Sequence[str]], notes: Sequence[str]) -> Section:
    """What was read from which column, and what was left out.

    `same` : groups of ids that may be one patient; `notes` : how the ids of split files were tied to patients.
    """
    n, patients = len(f.patient), len(set(f.patient))
    each = Counter(zip(f.patient, f.model, f.repeat, strict=True)).values()
    models, repeats = len(set(f.model)), len(set(f.repeat))
    span = str(min(each)) if min(each) == max(each) else f"{min(each)} to {max(each)}"
    read = [f"{f.units if what == 'slides' else what} from {column!r}" for what, column in f.columns.items()]
    unused = f" Not used: {some(map(repr, f.unused))}." * bool(f.unused)
    words = [
        f"{f.name}: {n} rows, {patients} patients, {models} {'results' if models > 1 else 'result'}{f' of {repeats} repeats' * (repeats > 1)}, {span} "
        f"{'row' if span == '1' else 'rows'} for a patient in each. Read from these columns: {', '.join(read)}.{unused}",
        f"What is asked: {f.question}.",
    ]
    words += notes
    missing, unlabelled = int(np.isnan(f.score).sum()), int((f.y < 0).sum())
    if missing or unlabelled:
        words.append(
            f"Left out of the figures: {missing} rows without a score, {unlabelled} without a label of either class."
        )
    if f.contradictory:
        words.append(
            f"{len(f.contradictory)} patients have both labels ({some(sorted(f.contradictory), 6)}). They are left out of the figures; if the "
            "label belongs to slides and not to patients, this audit's figures do not apply."
        )
    if f.shortened:
        words.append(f"{f.shortened} ids are TCGA barcodes and were cut to the 12 characters that name the patient.")
    if f.own_slides:
        words.append(
            f"The file names {f.units}, not patients: {f.own_slides} rows count as patients of their own. --slides TABLE.csv tells whose they "
            f"are; without it, figures of patients are figures of {f.units}."
        )
    if same:
        words.append(
            f"{len(same)} groups of ids differ only in zeros or a prefix and count as different patients ({some(sorted(map(' and '.join, same)), 6)}). "
            "Write the ids alike if they are the same."
        )
    if f.copies:
        words.append(
            f"{f.copies} rows repeat another row word for word, as a rerun that appends to its file leaves them."
        )
    scores = f.score[np.isfinite(f.score)]
    if len(scores) and (scores.min() < 0 or scores.max() > 1):
        words.append(
            f"Scores reach from {scores.min():.3g} to {scores.max():.3g}, so they are no probabilities. An AUC uses their order alone; "
            "calibration is not computed."
        )
    if len(np.unique(scores)) == 2:
        words.append("The scores take two values only, as calls do. Name the column of scores with --score-column.")
    data = {
        "rows": n, "patients": patients, "columns": f.columns, "unused": list(f.unused), "rows_without_score": missing, "rows_without_label": unlabelled,
        "both_labels": f.contradictory, "slides_as_patients": f.own_slides, "alike": [list(s) for s in same], "copies": f.copies,
    }  # fmt: skip
    return Section("audit_rows", "What the file holds", words, data=data)


def leak_section(splits: Sequence[Split], f: Foreign, unclear: bool) -> Section:
    """Who is in more than one of training, validation and test.

    `unclear` : folds may be repeats that are not numbered. `data["findings"]` has what belongs into a verdict.
    """
    compared = [s for s in splits if s.train and not s.test.isdisjoint(f.patient)]
    says_leak = any("LEAKS: " in warning for warning in f.warnings)
    findings = [f"The file itself says: {warning}." for warning in f.warnings]
    findings += [*_training(compared, splits, f, unclear, says_leak), *_validation(splits, f)]
    assert compared or not any("No leak found" in w for w in findings)
    if stopped := _all(s.train & s.val for s in splits):
        findings.append(f"{len(stopped)} validation patients are also in training ({some(sorted(stopped), 6)}).")
    leaked, test = _all(s.leaked for s in splits), _all(s.test for s in splits)
    if (often := often_tested(splits)) and not leaked:
        findings.append(
            f"{len(often)} patients are tested in more than one fold, up to {max(often.values())} times: folds that share patients are "
            "not independent, and their spread is no standard error."
        )
    columns = (
        "Fold", "Training", "Validation", "Test", "Test in training", "Test in validation", "Test in training: who",
    )  # fmt: skip
    table = [
        (
            s.name,
            len(s.train),
            len(s.val),
            len(s.test),
            len(s.leaked),
            len(s.selected),
            some(sorted(s.leaked), 6) or "nobody",
        )
        for s in splits
    ]
    keys = ("name", "train", "val", "test", "test_in_training", "test_in_validation")
    data = {
        "findings": findings,
        "leaks": any("LEAKS: " in w for w in findings),
        "training_known": bool(compared) or says_leak,
        "test_patients": len(test),
        "in_training": sorted(leaked | _only_trained(splits, f)),
        "in_validation": sorted(_all(s.selected for s in splits)),
        "folds": [dict(zip(keys, row, strict=False)) for row in table],
    }
    sheets = [Sheet("Patients by fold", columns, table)] if splits else []
    return Section("audit_leaks", "Leaks", list(findings), sheets, data=data)


def _training(
    compared: Sequence[Split], splits: Sequence[Split], f: Foreign, unclear: bool, says_leak: bool
) -> list[str]:
    """Whether tested patients were in training. `compared` : the splits with both; `says_leak` : the file tells it itself."""
    leaked, tested = _all(s.leaked for s in compared), _all(s.test for s in compared)
    scored, trained = _scored(f), _only_trained(splits, f)
    out = []
    if leaked and unclear:
        out.append(
            f"NOT CLEAR: {len(leaked)} of {len(tested)} test patients are in more than one fold ({some(sorted(leaked), 6)}). If these are the folds of one "
            "cross-validation, they were also in training; if they are repeats, they may not have been. A column repeat would tell."
        )
    elif leaked:
        assumed = any(s.assumed and s.leaked for s in compared)
        basis = ", since their rows lie in several folds and the other folds train" * assumed
        out.append(
            f"LEAKS: {len(leaked)} of {len(tested)} test patients are also in training{basis} ({some(sorted(leaked), 6)}). {KNOWN}"
        )
    if trained:
        out.append(
            f"LEAKS: {len(trained)} of {len(scored)} patients with scores are in training and in no test set ({some(sorted(trained), 6)}). {KNOWN}"
        )
    if out or (says_leak and not compared):
        return out
    whose = (
        f" The file names {f.units}, not patients, and each counts as a patient: two of one patient would not be noticed."
        * bool(f.own_slides)
    )
    if not compared:
        return [f"A leak cannot be ruled out: {_why_unknown(splits, f)}{whose}"]
    folds = f"{len(compared)} folds" if len(compared) > 1 else "one fold"
    basis = ", if the other folds trained each" * any(s.assumed for s in compared)
    rest = len(scored - tested)
    alone = f" Of {rest} more patients with scores nothing says who trained: for them a leak cannot be ruled out."
    return [
        f"No leak found: none of {len(tested)} test patients is in training in {folds}{basis}.{alone * bool(rest)} {UNSEEN}{whose}"
    ]


def _why_unknown(splits: Sequence[Split], f: Foreign) -> str:
    """Why training and test cannot be compared, and what would tell."""
    most = max(Counter(zip(f.patient, f.model, f.repeat, strict=True)).values())
    rows = f" With up to {most} rows per patient, rows may have been split instead of patients." * (most > 1)
    told = [repr(f.columns[what]) for what in ("fold", "part") if what in f.columns]
    if not told and not splits:
        return (
            f"nothing says who trained.{rows} A column fold or split beside each row would tell (--fold-column, where it is called "
            "otherwise), or the split files (--splits)."
        )
    sources = [f"column {name}" for name in told] or ["the split files"]
    lacks = "no test patient of this file" if _all(s.train for s in splits) else "no training patient"
    return f"nothing says who trained ({' and '.join(sources)}: {lacks}).{rows} Split files with both (--splits) would tell."


def _scored(f: Foreign) -> frozenset[str]:
    """Patients with a score that counts as a test."""
    rows = zip(f.patient, f.score, f.part, strict=True)
    return frozenset(p for p, s, part in rows if np.isfinite(s) and (part or "test") == "test")


def _only_trained(splits: Sequence[Split], f: Foreign) -> frozenset[str]:
    """Patients with a score that some split trains on and none tests."""
    told = [s for s in splits if not s.assumed]
    return (_scored(f) & _all(s.train for s in told)) - _all(s.test for s in told)


def _validation(splits: Sequence[Split], f: Foreign) -> list[str]:
    """Whether what was chosen on validation patients was chosen on the test."""
    out = []
    selected = _all(s.selected for s in splits)
    same = sum(bool(s.val) and s.val == s.test for s in splits)
    if same:
        out.append(
            f"VALIDATION AS TEST: in {same} of {len(splits)} folds validation and test are the same patients. Whatever was chosen on "
            "them, such as the epoch, was chosen on the test; the figures are optimistic."
        )
    elif selected:
        out.append(
            f"{len(selected)} test patients are also in validation ({some(sorted(selected), 6)}): whatever was chosen there, such as the epoch, was "
            "partly chosen on the test."
        )
    if f.reported != "test":
        what = {"val": "validation", "train": "training"}[f.reported]
        out.append(f"No test row has a score: the figures are those of {what} rows, and are optimistic.")
    return out


def _all(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*parts)
