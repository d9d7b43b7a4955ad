"""Who trained, who validated, who was tested: from split files of CLAM and STAMP, a list, or a file of predictions.

CLAM writes `splits_k.csv`, columns train, val and test of slide ids, and the same as `splits_k_bool.csv`, a row per slide with
True or False (github.com/mahmoodlab/CLAM, save_splits). STAMP writes `splits.json`, {"splits": [{"train_patients": [...],
"test_patients": [...]}]} (github.com/KatherLab/STAMP, modeling/crossval.py). A list has an id and a part (train, val, test), a
fold, or both, and optionally a repeat; where there is only a fold, the other folds are taken to have trained. Where no fold has
both training and test, the folds are parts of one split, and all are compared.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.ids import PATIENT_COLUMNS, column_key, usual_column
from evaluation.audit.ids import natural, slides_to_patients
from evaluation.audit.reader import PARTS, REPEAT_COLUMNS, SLIDE_COLUMNS, SPLIT_COLUMNS, Foreign

ReadCsv = Callable[[Path], tuple[list[str], list[tuple[int, list[str]]]]]
Member = tuple[str, str, str, str]  # repeat, fold, part, id


@dataclass(frozen=True)
class Split:
    """One fold. scheme : splits of one scheme make up one cross-validation; assumed : that the other folds trained."""

    scheme: str
    name: str
    train: frozenset[str]
    val: frozenset[str]
    test: frozenset[str]
    assumed: bool = False

    @property
    def leaked(self) -> frozenset[str]:
        """Tested patients that are also in training."""
        return self.train & self.test

    @property
    def selected(self) -> frozenset[str]:
        """Tested patients that are also in validation."""
        return self.val & self.test

    @property
    def ids(self) -> frozenset[str]:
        """Everybody."""
        return self.train | self.val | self.test

    def renamed(self, patients: Mapping[str, str]) -> Split:
        """The same with each id replaced by its patient."""
        train, val, test = (frozenset(patients[i] for i in part) for part in (self.train, self.val, self.test))
        return replace(self, train=train, val=val, test=test)


def read_splits(path: Path, read_csv: ReadCsv) -> list[Split]:
    """The splits of one file, ids as written. Raises ValueError for a file of none of the forms above."""
    if path.suffix.lower() == ".json":
        return _from_json(path)
    if path.stem.endswith("_descriptor"):
        raise ValueError(f"{str(path)!r} counts slides and names none; leave it out, the files beside it name them")
    header, rows = read_csv(path)
    names = [column_key(h) for h in header]
    if {"train", "test"} <= set(names):
        return [_from_clam(path, names, [cells for _, cells in rows])]
    ids = usual_column(header, (*PATIENT_COLUMNS, *SLIDE_COLUMNS))
    told = [names.index(c) for c in SPLIT_COLUMNS if c in names]
    if ids is None or not told:
        raise ValueError(
            f"{str(path)!r} is no split file: expected the columns train, val and test (CLAM), an id with fold or split, or a "
            f"JSON file of splits (STAMP); it has {', '.join(header[:12])}"
        )
    repeat = next((names.index(c) for c in REPEAT_COLUMNS if c in names), None)
    members = []
    for number, row in rows:
        parts = [PARTS[row[at].lower()] for at in told if row[at].lower() in PARTS]
        folds = [row[at] for at in told if row[at] and row[at].lower() not in PARTS]
        if not row[ids] or not (parts or folds):
            raise ValueError(f"{str(path)!r}, row {number}: the id or its fold is blank")
        members.append((row[repeat] if repeat is not None else "", "".join(folds[:1]), "".join(parts[:1]), row[ids]))
    return _gather(path.name, members)


def read_slides(path: Path, read_csv: ReadCsv) -> dict[str, str]:
    """{slide id without suffix: patient} from a table such as CLAM's (case_id, slide_id) or STAMP's (PATIENT, FILENAME).

    Raises ValueError where a column is missing, or a slide has two patients.
    """
    header, rows = read_csv(path)
    patient, slide = usual_column(header, PATIENT_COLUMNS), usual_column(header, SLIDE_COLUMNS)
    if patient is None or slide is None:
        raise ValueError(
            f"{str(path)!r} needs a column of slides and one of patients, such as slide_id and case_id; it has {', '.join(header[:12])}"
        )
    return slides_to_patients(((row[slide], row[patient]) for _, row in rows), repr(str(path)))


def splits_of(foreign: Foreign) -> tuple[list[Split], bool]:
    """The splits that the columns of a predictions file tell; and whether its folds may be repeats without a number.

    The latter where patients are in several folds, there is no column of repeats, and nobody's rows are divided among the
    folds for certain: a patient has the same slides in each fold, or slides have no names and patients equally many rows.
    """
    members: dict[str, list[Member]] = defaultdict(list)
    for i, model in enumerate(foreign.model):
        if foreign.fold[i] or foreign.part[i]:
            members[model].append((foreign.repeat[i], foreign.fold[i], foreign.part[i], foreign.patient[i]))
    out: dict[Any, Split] = {}  # each once, since models often share their folds
    for model, mine in members.items():
        for s in _gather("", mine):
            out.setdefault((s.train, s.val, s.test), replace(s, scheme=f"{model} {s.scheme}".strip()))
    splits = sorted(out.values(), key=lambda s: (natural(s.scheme), natural(s.name)))
    if len({s.name for s in splits}) < len(splits):
        splits = [replace(s, name=f"{s.scheme}, {s.name}") for s in splits]
    certain = "repeat" in foreign.columns or not all(s.assumed for s in splits)
    return splits, any(s.leaked for s in splits) and not certain and not _divided(foreign)


def distinct(splits: Iterable[Split]) -> tuple[list[Split], int]:
    """Without the folds that repeat another (CLAM writes each twice), and how many those were."""
    splits = list(splits)
    kept = {(s.train, s.val, s.test): s for s in reversed(splits)}
    return list(reversed(kept.values())), len(splits) - len(kept)


def often_tested(splits: Sequence[Split]) -> dict[str, int]:
    """{patient: in how many test sets of one scheme}, of those who are in more than one."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for s in splits:
        counts[s.scheme].update(s.test)
    out: Counter[str] = Counter()
    for each in counts.values():
        out |= each
    return {p: n for p, n in out.items() if n > 1}


def _divided(f: Foreign) -> bool:
    """Whether the rows of a patient are divided among folds for certain."""
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    slides: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for model, patient, fold, slide in zip(f.model, f.patient, f.fold, f.slide, strict=True):
        rows[model][patient] += 1
        slides[model, patient][fold].add(slide)
    if "slides" not in f.columns:
        return any(len(set(counts.values())) > 1 for counts in rows.values())
    return any(len({frozenset(own) for own in folds.values()}) > 1 for folds in slides.values())


def _gather(source: str, members: Iterable[Member]) -> list[Split]:
    """Splits from (repeat, fold, part, id); where no part is told, the rest of the repeat trains each fold."""
    repeats: dict[str, dict[str, dict[str, set[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for repeat, fold, part, name in members:
        repeats[repeat][fold][part].add(name)
    out = []
    for repeat, folds in repeats.items():
        scheme = ", ".join(filter(None, (source, f"repeat {repeat}" * bool(repeat))))
        told = any(part for parts in folds.values() for part in parts)
        for fold, parts in (_joined(folds) if told else folds).items():
            name = ", ".join(filter(None, (scheme, f"fold {fold}" * bool(fold)))) or "the file"
            if told:
                test = parts["test"] | parts[""]
                train = parts["train"]
            else:
                test = parts[""]
                train = set().union(*(other[""] for f, other in folds.items() if f != fold))
            out.append(Split(scheme, name, frozenset(train), frozenset(parts["val"]), frozenset(test), not told))
    return out


def _joined(folds: Mapping[str, Mapping[str, set[str]]]) -> dict[str, dict[str, set[str]]]:
    """{fold: {part: ids}} as it is where a fold has training and test; else training meets the test rows of all folds.

    Each fold of training does so by itself where one has its own validation, which is no part of the others' training.
    """
    each = {
        fold: {part: parts.get(part, set()) for part in ("train", "val", "test", "")} for fold, parts in folds.items()
    }
    if any(parts["train"] and (parts["test"] or parts[""]) for parts in each.values()):
        return each
    if any(parts["train"] and parts["val"] for parts in each.values()):
        tested = set[str]().union(*(parts["test"] | parts[""] for parts in each.values()))
        return {fold: {**parts, "test": tested} for fold, parts in each.items() if parts["train"] or not tested}
    return {
        "": {part: set[str]().union(*(parts[part] for parts in each.values())) for part in ("train", "val", "test", "")}
    }


def _from_clam(path: Path, names: Sequence[str], rows: Sequence[Sequence[str]]) -> Split:
    at = {part: names.index(part) for part in ("train", "val", "test") if part in names}
    rest = [i for i in range(len(names)) if i not in at.values()]
    parts: dict[str, frozenset[str]] = {"val": frozenset()}
    boolean = {row[i].lower() for row in rows for i in at.values()} <= {"true", "false"}
    if boolean and not rest:
        raise ValueError(f"{str(path)!r} says True and False, but has no column of ids beside train, val and test")
    for part, i in at.items():
        chosen = (row[rest[0]] for row in rows if row[i].lower() == "true") if boolean else (row[i] for row in rows)
        parts[part] = frozenset(filter(None, chosen))
    return Split(path.parent.as_posix(), path.name, parts["train"], parts["val"], parts["test"])


def _from_json(path: Path) -> list[Split]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        listed = content["splits"]
        out = []
        for k, s in enumerate(listed):
            train, test = (frozenset(map(str, s[f"{part}_patients"])) for part in ("train", "test"))
            val = frozenset(str(p) for key in ("val_patients", "valid_patients") for p in s.get(key, ()))
            out.append(Split(path.as_posix(), f"{path.name}, split {k}", train, val, test))
    except FileNotFoundError:
        raise ValueError(f"{str(path)!r} does not exist; expected a split file") from None
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{str(path)!r} is no split file of STAMP ({type(error).__name__}: {error}); expected "
            '{"splits": [{"train_patients": [...], "test_patients": [...]}, ...]}'
        ) from None
    return out
