"""What a tuned run writes: one result per head and, with several heads, one of the best head of each fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.predictions import CHOSEN
from heads import run_writer
from heads.bundle import Bundle
from heads.search.space import Configuration, Key
from heads.search.tune import EVERYBODY, INNER_FOLDS, Choice, SliceRows, best_heads


@dataclass
class Nested:
    """The choices of all heads with the tables they are about; `sequences` are those that a fused table is made of."""

    run: str
    choices: Sequence[Choice]
    tables: Mapping[Key, SliceRows]
    labels: Mapping[str, int]
    sequences: list[str]

    @property
    def results(self) -> list[tuple[str, Choice]]:
        """(name of the result, choice): each head, then the best head of each fold under the name `chosen`.

        With one head that last result would be the same again, and is left out.
        """
        own = [(c.head, c) for c in self.choices]
        return own + [(CHOSEN, c) for c in best_heads(self.choices)] if len({c.head for c in self.choices}) > 1 else own

    def files(self, shared: Mapping[str, Any]) -> dict[str, Iterator[Any]]:
        """What a run holds besides its predictions; `shared` is what all its heads have in common."""
        return {
            "slices": self.slice_rows(),
            "curves": self.curve_rows(),
            "bundles": self.bundles(shared),
            "fold_heads": self.fold_bundles(shared),
            "ledger": self.ledger_rows(),
        }

    def about(self) -> dict[str, Any]:
        """What run.json says of the tuning."""
        return {"draws": len(self.choices[0].trials), "inner_folds": INNER_FOLDS, "stand_ins": self.stand_ins()}

    def patient_rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of predictions.csv."""
        for head, c in self.results:
            for patient, score, n, _ in c.patients:
                yield self.run, head, CHOSEN, c.repeat, c.fold, patient, self.labels[patient], score, n

    def slice_rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of slices.csv."""
        for head, c in self.results:
            for configuration, scores in c.scores:
                named = replace(scores, head=head, sequence=CHOSEN)
                yield from run_writer.slice_rows(self.run, [named], {CHOSEN: self._table(configuration)}, self.labels)

    def curve_rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of curves.csv, of each head's chosen configuration."""
        for c in self.choices:
            for configuration, scores in c.scores:
                if configuration == c.chosen.configuration:
                    yield from run_writer.curve_rows(self.run, [replace(scores, sequence=CHOSEN)])

    def ledger_rows(self) -> Iterator[tuple[Any, ...]]:
        """The rows of ledger.csv: every configuration in every fold; repeat and fold are blank for the final heads."""
        best = {id(c) for c in best_heads(self.choices)}
        for c in self.choices:
            where = ("", "") if c.fold == EVERYBODY.fold else (c.repeat, c.fold)
            for i, t in enumerate(c.trials):
                judged = ("", "", "") if t.problem else (t.auc, t.log_loss, t.threshold)
                chosen = i == c.best
                yield (
                    *(self.run, c.head, t.configuration.sequence, t.configuration.slices, t.configuration.aggregate),
                    *(t.configuration.parameters, *where, *judged, int(chosen), int(chosen and id(c) in best)),
                )

    def stand_ins(self) -> list[dict[str, Any]]:
        """The scores that another configuration gave, since the patient lacks the chosen sequence."""
        return [
            {"head": head, "repeat": c.repeat, "fold": c.fold, "patient": patient, "sequence": sequence}
            for head, c in self.results
            for patient, _, _, sequence in c.patients
            if sequence != c.chosen.configuration.sequence
        ]

    def bundles(self, shared: Mapping[str, Any]) -> Iterator[Bundle]:
        """The heads for new patients: chosen on inner folds of all patients, refitted on all of them."""
        everybody = sorted({str(p) for t in self.tables.values() for p in t.patient})  # the choice has seen them all
        for head, c in self.results:
            if c.fitted is not None:
                own = self._about(head, c.chosen.configuration)
                yield Bundle(c.fitted, {**shared, **own, "train_patients": everybody})

    def fold_bundles(self, shared: Mapping[str, Any]) -> Iterator[Bundle]:
        """The chosen linear heads of the folds with the ids of the patients that they scored."""
        for head, c in self.results:
            for configuration, scores in c.scores:
                if scores.fitted is not None and configuration == c.chosen.configuration:
                    tested = sorted(set(self._table(configuration).patient[scores.rows]))
                    own = {"repeat": c.repeat, "fold": c.fold, "test_patients": tested}
                    yield Bundle(scores.fitted, {**shared, **self._about(head, configuration), **own})

    def _table(self, c: Configuration) -> SliceRows:
        return self.tables[c.sequence, c.slices]

    def _about(self, head: str, c: Configuration) -> dict[str, Any]:
        return {
            "head": head,
            "kind": c.head.name,
            "sequence": CHOSEN,
            "parts": [c.sequence] if c.sequence in self.sequences else self.sequences,
            "slices": c.slices,
            "aggregate": c.aggregate,
            "parameters": c.parameters,
            "n_columns": self._table(c).X.shape[1],
        }
