"""What fitted heads give a run: scores, slices, curves, trials and the heads themselves, as given or tuned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from core.documents import Document, Known
from core.leak import Leak, leak_sentence
from core.predictions import Predictions
from heads.base import Fitted, Head
from heads.bundle import Bundle
from heads.crossfit import FoldScores, SliceRows
from heads.run_files import CurveRow, SliceRow, TrialRow
from heads.run_record import TuningRecord
from heads.run_writer import curve_rows, slice_rows
from heads.search.space import Configuration


@dataclass(frozen=True)
class BundleFacts:
    """What all heads of a run have in common, and each of them keeps in its file.

    unit : 'slice' or 'patient'; slices, keep_blank, planes, aggregate : as they were asked for
    features : settings of the extraction; table_columns : of a table of patients; label : what 1 and 0 stand for
    sequences : those that are trained on one by one, which a fused head is made of
    """

    unit: str
    slices: str
    keep_blank: bool
    planes: Sequence[str] | None
    aggregate: str
    features: Known
    table_columns: Sequence[str]
    label: str
    leak: Leak | None
    sequences: Sequence[str]

    def about(self, head: str, sequence: str, **own: Any) -> Document:
        """The description of a head in its file; a fused one names the sequences that it is made of."""
        return {
            "unit": self.unit,
            "slices": self.slices,
            "keep_blank": self.keep_blank,
            "planes": self.planes,
            "aggregate": self.aggregate,
            "features": self.features,
            "table_columns": self.table_columns,
            "label": self.label,
            "leak": leak_sentence(self.leak) if self.leak else None,
            "head": head,
            "sequence": sequence,
            "parts": self.parts(sequence),
            **own,
        }

    def parts(self, sequence: str) -> list[str]:
        """The sequences that a table is made of."""
        return [sequence] if sequence in self.sequences else list(self.sequences)


class Outcome(Protocol):
    """What a run holds of its heads; rows are made when they are written."""

    def predictions(self) -> Predictions:
        """The scores of patients, without fusion."""
        ...

    def slice_rows(self) -> Iterator[SliceRow]:
        """The rows of slices.csv."""
        ...

    def curve_rows(self) -> Iterator[CurveRow]:
        """The rows of curves.csv."""
        ...

    def trial_rows(self) -> Iterator[TrialRow]:
        """The rows of ledger.csv."""
        ...

    def bundles(self) -> Iterator[Bundle]:
        """The heads for new patients."""
        ...

    def fold_bundles(self) -> Iterator[Bundle]:
        """The linear heads of the folds; they explain out-of-fold scores."""
        ...

    def tuning(self) -> TuningRecord | None:
        """What run.json says of the tuning, None without any."""
        ...


@dataclass
class AsGiven:
    """Heads with the hyper-parameters that were asked for.

    results : scores of each fold; fitted : {(head, sequence): refitted on all patients}; tables : by sequence
    """

    run: str
    heads: Sequence[Head]
    results: Sequence[FoldScores]
    fitted: Mapping[tuple[str, str], Fitted]
    tables: Mapping[str, SliceRows]
    labels: Mapping[str, int]
    facts: BundleFacts
    fused: bool = False  # whether the scores of sequences are averaged too

    def predictions(self) -> Predictions:
        """The scores of patients, the fused ones last."""
        own = Predictions.from_folds(self.run, self.results, self.tables, self.labels, self.facts.aggregate)
        return own + own.fused(self.facts.sequences) if self.fused else own

    def slice_rows(self) -> Iterator[SliceRow]:
        """The rows of slices.csv."""
        return slice_rows(self.run, self.results, self.tables, self.labels)

    def curve_rows(self) -> Iterator[CurveRow]:
        """The rows of curves.csv."""
        return curve_rows(self.run, self.results)

    def trial_rows(self) -> Iterator[TrialRow]:
        """The rows of ledger.csv."""
        keys = ((key.head, key.sequence) for key in self.predictions().result_keys())
        return given_rows(self.run, keys, self.heads, self.facts.slices, self.facts.aggregate)

    def bundles(self) -> Iterator[Bundle]:
        """The heads refitted on all patients."""
        for (head, sequence), f in self.fitted.items():
            table = self.tables[sequence]
            patients = sorted(set(table.patient))
            about = self.facts.about(head, sequence, train_patients=patients, n_columns=table.X.shape[1])
            yield Bundle(f, about)

    def fold_bundles(self) -> Iterator[Bundle]:
        """The linear heads of the folds with the ids of the patients that they scored; none of a run that leaks."""
        for r in [] if self.facts.leak else self.results:
            if r.fitted is not None:
                table = self.tables[r.sequence]
                tested = sorted(set(table.patient[r.rows]))
                where = {"repeat": r.repeat, "fold": r.fold}
                about = self.facts.about(r.head, r.sequence, test_patients=tested, n_columns=table.X.shape[1], **where)
                yield Bundle(r.fitted, about)

    def tuning(self) -> None:
        """Nothing was tuned."""
        return


def given_rows(
    run: str, results: Iterable[tuple[str, str]], heads: Sequence[Head], slices: str, aggregate: str
) -> Iterator[TrialRow]:
    """The rows of ledger.csv of a run without tuning: its results (head, sequence), tried on the reported folds alone."""
    known = {head.name: head for head in heads}
    for head, sequence in results:
        c = Configuration(known[head], sequence, slices, aggregate)
        yield TrialRow(
            run=run, head=head, sequence=sequence, slices=slices, aggregate=aggregate, parameters=c.parameters
        )
