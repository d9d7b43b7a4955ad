"""What a tuned run holds: one result per head and, with several heads, one of the best head of each fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.documents import Document
from core.predictions import CHOSEN, Prediction, Predictions
from heads.bundle import Bundle
from heads.crossfit import SliceRows
from heads.run_files import CurveRow, SliceRow, TrialRow
from heads.run_record import TuningRecord
from heads.run_writer import curve_rows, slice_rows
from heads.search.space import Configuration, Key
from heads.search.tune import EVERYBODY, INNER_FOLDS, Choice, best_heads
from heads.training.outcome import BundleFacts


@dataclass
class Nested:
    """The choices of all heads with the tables they are about."""

    run: str
    choices: Sequence[Choice]
    tables: Mapping[Key, SliceRows]
    labels: Mapping[str, int]
    facts: BundleFacts

    @property
    def results(self) -> list[tuple[str, Choice]]:
        """(name of the result, choice)."""
        return results_of(self.choices)

    def tuning(self) -> TuningRecord:
        """What run.json says of the tuning."""
        return TuningRecord(draws=len(self.choices[0].trials), inner_folds=INNER_FOLDS, stand_ins=self.stand_ins())

    def predictions(self) -> Predictions:
        """The scores of patients."""
        return nested_predictions(self.run, self.choices, self.labels)

    def slice_rows(self) -> Iterator[SliceRow]:
        """The rows of slices.csv."""
        for head, c in self.results:
            for configuration, scores in c.scores:
                named = replace(scores, head=head, sequence=CHOSEN)
                yield from slice_rows(self.run, [named], {CHOSEN: self.tables[configuration.key]}, self.labels)

    def curve_rows(self) -> Iterator[CurveRow]:
        """The rows of curves.csv, of each head's chosen configuration."""
        for c in self.choices:
            for configuration, scores in c.scores:
                if configuration == c.chosen.configuration:
                    yield from curve_rows(self.run, [replace(scores, sequence=CHOSEN)])

    def trial_rows(self) -> Iterator[TrialRow]:
        """The rows of ledger.csv: every configuration in every fold; repeat and fold are blank for the final heads."""
        best = {id(c) for c in best_heads(self.choices)}
        for c in self.choices:
            everybody = c.fold == EVERYBODY.fold
            for i, t in enumerate(c.trials):
                chosen = i == c.best
                yield TrialRow(
                    run=self.run,
                    head=c.head,
                    sequence=t.configuration.sequence,
                    slices=t.configuration.slices,
                    aggregate=t.configuration.aggregate,
                    parameters=t.configuration.parameters,
                    repeat="" if everybody else c.repeat,
                    fold="" if everybody else c.fold,
                    inner_auc="" if t.problem else t.auc,
                    inner_log_loss="" if t.problem else t.log_loss,
                    threshold="" if t.problem else t.threshold,
                    chosen=int(chosen),
                    best_head=int(chosen and id(c) in best),
                )

    def stand_ins(self) -> list[Document]:
        """The scores that another configuration gave, since the patient lacks the chosen sequence."""
        return [
            {"head": head, "repeat": c.repeat, "fold": c.fold, "patient": p.patient, "sequence": p.sequence}
            for head, c in self.results
            for p in c.patients
            if p.sequence != c.chosen.configuration.sequence
        ]

    def bundles(self) -> Iterator[Bundle]:
        """The heads for new patients: chosen on inner folds of all patients, refitted on all of them."""
        everybody = sorted({str(p) for t in self.tables.values() for p in t.patient})  # the choice has seen them all
        for head, c in self.results:
            if c.fitted is not None:
                yield Bundle(c.fitted, self._about(head, c.chosen.configuration, train_patients=everybody))

    def fold_bundles(self) -> Iterator[Bundle]:
        """The chosen linear heads of the folds with the ids of the patients that they scored."""
        for head, c in self.results:
            for configuration, scores in c.scores:
                if scores.fitted is not None and configuration == c.chosen.configuration:
                    tested = sorted(set(self.tables[configuration.key].patient[scores.rows]))
                    own = {"repeat": c.repeat, "fold": c.fold, "test_patients": tested}
                    yield Bundle(scores.fitted, self._about(head, configuration, **own))

    def _about(self, head: str, c: Configuration, **own: Any) -> Document:
        """The description of a chosen head in its file, with what was chosen of it."""
        return {
            **self.facts.about(head, CHOSEN),
            "kind": c.head.name,
            "parts": self.facts.parts(c.sequence),
            "slices": c.slices,
            "aggregate": c.aggregate,
            "parameters": c.parameters,
            "n_columns": self.tables[c.key].X.shape[1],
            **own,
        }


def results_of(choices: Sequence[Choice]) -> list[tuple[str, Choice]]:
    """(name of the result, choice): each head, then the best head of each fold under the name `chosen`.

    With one head that last result would be the same again, and is left out.
    """
    own = [(c.head, c) for c in choices]
    return own + [(CHOSEN, c) for c in best_heads(choices)] if len({c.head for c in choices}) > 1 else own


def nested_predictions(run: str, choices: Sequence[Choice], labels: Mapping[str, int]) -> Predictions:
    """The scores of patients in the outer folds, by what was chosen."""
    return Predictions(
        Prediction(
            run=run,
            head=head,
            sequence=CHOSEN,
            repeat=c.repeat,
            fold=c.fold,
            patient_id=p.patient,
            label=labels[p.patient],
            score=p.score,
            n_slices=p.rows,
        )
        for head, c in results_of(choices)
        for p in c.patients
    )
