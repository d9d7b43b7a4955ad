"""Somebody else's predictions -> who leaks, what the figures are, and what the highest of them is worth."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from evaluation.audit.files.foreign import Foreign
from evaluation.audit.files.ids import Tied, tie
from evaluation.audit.files.reader import read_predictions
from evaluation.audit.files.split_files import read_slides, read_splits
from evaluation.audit.files.splits import Split, distinct, splits_of
from evaluation.audit.findings import Finding, Luck
from evaluation.audit.leaks import Leaks, find_leaks
from evaluation.audit.options import AuditOptions
from evaluation.audit.results.best import best_of
from evaluation.audit.results.measures import Figures, figures
from evaluation.audit.results.scores import Scores, scores_of
from evaluation.audit.results.verdict import candidates_of, figure_findings, luck


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the split files say.

    Parameters
    ----------
    splits : with patients in place of ids
    tied : how their ids were tied to patients; None without split files
    repeated : splits that say the same as another
    """

    splits: tuple[Split, ...] = ()
    tied: Tied | None = None
    repeated: int = 0


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found.

    Parameters
    ----------
    options : what was asked
    predictions : the file
    given : what the split files say
    untested : patients of the predictions whom the split files name and never test; no figure counts them
    leaks : who is in training, validation and test at once
    results : the figures of each result
    clean : the same without the patients who leak; None where nobody does who is known
    figure_findings : what the figures say
    luck : what the highest of several results is worth; None without several
    """

    options: AuditOptions
    predictions: Foreign
    given: Given
    untested: frozenset[str]
    leaks: Leaks
    results: tuple[Figures, ...]
    clean: tuple[Figures, ...] | None
    figure_findings: tuple[Finding, ...]
    luck: Luck | None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All, in the order in which they are told."""
        return (*self.leaks.findings, *self.figure_findings, *([self.luck] if self.luck else []))


def audit(options: AuditOptions) -> Audit:
    """Audit a file of predictions.

    Parameters
    ----------
    options : which file, which splits, which columns

    Returns
    -------
    What was found; `evaluation.audit.pages.write_audit` writes it down.

    Raises
    ------
    ValueError : a file that is not there or is not understood
    """
    slides = read_slides(options.slides) if options.slides else {}
    f = read_predictions(options.predictions, options.named, slides)
    given = _given([s for path in options.splits or () for s in read_splits(path)], f, slides)
    own, unclear = splits_of(f)
    splits = [*given.splits, *_beside(own, given.splits)]
    untested = _untested(given.splits, f)
    leaks = find_leaks(splits, f, unclear and not any(s.leaked for s in given.splits))
    scores = _known(f, untested)
    results = _figures(scores, options)
    known = leaks.in_training if leaks.found else frozenset()
    clean = tuple(_figures(_known(f, untested | known), options)) if known else None
    candidates = candidates_of(results)
    enough = [s for s, x in zip(scores, results, strict=True) if x in candidates]
    best = best_of(enough, seed=options.seed) if len(enough) > 1 else None
    return Audit(
        options=options,
        predictions=f,
        given=given,
        untested=untested,
        leaks=leaks,
        results=tuple(results),
        clean=clean,
        figure_findings=figure_findings(results, clean, f, leaks=leaks.found),
        luck=luck(best, candidates, leaks=leaks.found) if best else None,
    )


def _given(read: Sequence[Split], f: Foreign, slides: dict[str, str]) -> Given:
    """The splits of the split files, ids tied to the patients of the predictions, each once and in order."""
    if not read:
        return Given()
    splits, repeated = distinct(read)
    tied = tie(sorted(_ids(read)), set(f.patient), slides | f.whose_slides)
    renamed = sorted((s.renamed(tied.patients) for s in splits), key=Split.order)
    return Given(splits=tuple(renamed), tied=tied, repeated=repeated)


def _beside(own: Sequence[Split], given: Sequence[Split]) -> list[Split]:
    """The splits that the predictions tell themselves, where they add something to those of the split files."""
    if any(s.train and s.test for s in given):  # what the file itself tells of test alone adds nothing
        own = [s for s in own if s.train or s.val]
    return [s for s in own if s.parts not in {g.parts for g in given}]


def _untested(given: Sequence[Split], f: Foreign) -> frozenset[str]:
    """Patients of the predictions whom split files name and never test, where the predictions do not tell who was tested."""
    if not given or any(f.part):
        return frozenset()
    untested = (frozenset(f.patient) & _ids(given)).difference(*(s.test for s in given))
    if untested == set(f.patient):  # other people's split, or other ids: the findings of leaks say so
        return frozenset()
    return untested


def _ids(splits: Sequence[Split]) -> frozenset[str]:
    return frozenset[str]().union(*(s.ids for s in splits))


def _known(f: Foreign, without: Set[str]) -> list[Scores]:
    """The scores of each result that has patients left."""
    return [s for s in scores_of(f, without) if s.patients]


def _figures(scores: Sequence[Scores], options: AuditOptions) -> list[Figures]:
    return [figures(s, replicates=options.replicates, seed=options.seed) for s in scores]
