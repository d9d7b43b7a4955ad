"""Who trained, who validated, who was tested, as the columns of predictions or the rows of a list tell it.

Where there are only folds, the other folds are taken to have trained. Where no fold has both training and test, the folds are
parts of one split, and all are compared.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from core.ids import natural_key
from evaluation.audit.files.foreign import Foreign

Parts = tuple[frozenset[str], frozenset[str], frozenset[str]]


class Member(NamedTuple):
    """Where an id is; '' where nothing is told. part : train, val or test."""

    repeat: str
    fold: str
    part: str
    id: str


@dataclass(frozen=True)
class Split:
    """One fold.

    Parameters
    ----------
    scheme : splits of one scheme make up one cross-validation
    name : of this one
    train, val, test : ids
    assumed : whether nobody said who trained, and the other folds are taken to have
    """

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

    @property
    def parts(self) -> Parts:
        """Who trained, validated and was tested."""
        return self.train, self.val, self.test

    def order(self) -> tuple[list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        """Sort key: by scheme, then by name, fold 10 behind fold 2."""
        return natural_key(self.scheme), natural_key(self.name)


def splits_of(foreign: Foreign) -> tuple[list[Split], bool]:
    """The splits that the columns of a predictions file tell.

    Returns
    -------
    The splits, and whether its folds may be repeats without a number. That is so where patients are in several folds, there is
    no column of repeats, and nobody's rows are divided among the folds for certain: a patient has the same slides in each
    fold, or slides have no names and patients equally many rows.
    """
    members: dict[str, list[Member]] = defaultdict(list)
    for i, model in enumerate(foreign.model):
        if foreign.fold[i] or foreign.part[i]:
            members[model].append(Member(foreign.repeat[i], foreign.fold[i], foreign.part[i], foreign.patient[i]))
    out: dict[Parts, Split] = {}  # each once, since models often share their folds
    for model, mine in members.items():
        for s in gather("", mine):
            out.setdefault(s.parts, replace(s, scheme=f"{model} {s.scheme}".strip()))
    splits = sorted(out.values(), key=Split.order)
    if len({s.name for s in splits}) < len(splits):
        splits = [replace(s, name=f"{s.scheme}, {s.name}") for s in splits]
    certain = "repeat" in foreign.columns or not all(s.assumed for s in splits)
    return splits, any(s.leaked for s in splits) and not certain and not _divided(foreign)


def distinct(splits: Iterable[Split]) -> tuple[list[Split], int]:
    """Without the folds that repeat another (CLAM writes each twice), and how many those were."""
    splits = list(splits)
    kept = {s.parts: s for s in reversed(splits)}
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


def gather(source: str, members: Iterable[Member]) -> list[Split]:
    """Splits of the ids of a list; where no part is told, the rest of the repeat trains each fold. `source` : the name of the list."""
    repeats: dict[str, dict[str, dict[str, set[str]]]] = defaultdict(lambda: defaultdict(lambda: defaultdict(set)))
    for repeat, fold, part, name in members:
        repeats[repeat][fold][part].add(name)
    out = []
    for repeat, folds in repeats.items():
        scheme = _joined_name(source, "repeat", repeat)
        told = any(part for parts in folds.values() for part in parts)
        for fold, parts in (_met(folds) if told else folds).items():
            name = _joined_name(scheme, "fold", fold) or "the file"
            if told:
                test = parts["test"] | parts[""]
                train = parts["train"]
            else:
                test = parts[""]
                train = set().union(*(other[""] for f, other in folds.items() if f != fold))
            split = Split(
                scheme=scheme,
                name=name,
                train=frozenset(train),
                val=frozenset(parts["val"]),
                test=frozenset(test),
                assumed=not told,
            )
            out.append(split)
    return out


def _met(folds: Mapping[str, Mapping[str, set[str]]]) -> dict[str, dict[str, set[str]]]:
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


def _joined_name(name: str, what: str, number: str) -> str:
    """'folds.csv, fold 3' of 'folds.csv', 'fold' and '3'; what is blank is left out."""
    return ", ".join(filter(None, (name, f"{what} {number}" if number else "")))
