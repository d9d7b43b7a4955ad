"""A run in memory: predictions, fitted heads, controls and their record; `save` makes the folder that evaluate.py reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from core.leak import Leak, leak_sentence
from core.metrics import mean_fold_auc
from core.predictions import Predictions, ResultKey
from core.text import number
from features.copies.fingerprint import Fingerprint, to_arrays
from heads.bundle import marked
from heads.controls.learning_curve import LearningRow
from heads.controls.permutation import PermutationRow
from heads.run_files import LEARNING, LEARNING_COLUMNS, PERMUTATION_COLUMNS, PERMUTATIONS, TRIAL_COLUMNS, TRIALS
from heads.run_record import RunRecord
from heads.run_writer import write_run
from heads.search.trials import looks
from heads.training.outcome import Outcome

if TYPE_CHECKING:
    import pandas as pd


class Table(NamedTuple):
    """A table of a run: its columns, and rows in their order."""

    columns: Sequence[str]
    rows: Iterable[Sequence[object]]


@dataclass
class Run:
    """What `train` and `cross_validate` give.

    Parameters
    ----------
    record : what run.json says
    predictions : the score of every patient in every fold, those of the acquisition baseline last
    outcome : scores of slices, training curves, trials and fitted heads
    learning : rows of learning.csv; permutations : rows of permutations.csv; both empty where they were not asked for
    fingerprints : {sequence: what makes its patients known again}
    """

    record: RunRecord
    predictions: Predictions
    outcome: Outcome
    learning: Sequence[LearningRow] = ()
    permutations: Sequence[PermutationRow] = ()
    fingerprints: Mapping[str, Fingerprint] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name of the run."""
        return self.record.run

    @property
    def leak(self) -> Leak | None:
        """Patients in training and test at once, None where there is none."""
        return self.record.leak

    @property
    def results(self) -> list[ResultKey]:
        """The results without the acquisition baseline."""
        return [key for key in self.predictions.result_keys() if key.sequence != self.record.shortcuts]

    def tables(self) -> dict[str, Table]:
        """{file name: further table} of the run, besides predictions, slices and curves."""
        out = {TRIALS: Table(TRIAL_COLUMNS, self.outcome.trial_rows())}
        if self.learning:
            out[LEARNING] = Table(LEARNING_COLUMNS, self.learning)
        if self.permutations:
            out[PERMUTATIONS] = Table(PERMUTATION_COLUMNS, self.permutations)
        return out

    def to_frame(self) -> pd.DataFrame:
        """The predictions as a pandas DataFrame: run, head, sequence, repeat, fold, patient_id, label, score, n_slices."""
        return self.predictions.to_frame()

    def renamed(self, name: str) -> Run:
        """The same run under another name."""
        outcome: Any = self.outcome  # a dataclass of whichever kind
        return replace(
            self,
            record=replace(self.record, run=name),
            predictions=self.predictions.renamed(name),
            outcome=replace(outcome, run=name),
            learning=[row._replace(run=name) for row in self.learning],
            permutations=[row._replace(run=name) for row in self.permutations],
        )

    def save(self, out: str | Path, *, overwrite: bool = False) -> Path:
        """Write the folder of the run, whole or not at all.

        Parameters
        ----------
        out : the folder; its name is the name of the run
        overwrite : whether a run that is there is replaced; that its figures were seen is kept in the record

        Returns
        -------
        The folder.

        Raises
        ------
        ValueError : `out` is there and may not be replaced, or is no run
        """
        out = Path(out)
        run = self if out.name == self.name else self.renamed(out.name)
        record = replace(run.record, arguments={**run.record.arguments, "out": str(out)})
        record.looks = looks(out, record.as_json(), len(self.results))
        write_run(
            out,
            record.as_json(),
            run.predictions,
            run.outcome.slice_rows(),
            run.outcome.curve_rows(),
            marked(run.outcome.bundles(), to_arrays(self.fingerprints)),
            fold_heads=run.outcome.fold_bundles(),
            more=run.tables(),
            overwrite=overwrite,
        )
        return out

    def _repr_html_(self) -> str:
        rows = [
            f"<tr><td>{escape(s.head)}</td><td>{escape(s.sequence)}</td><td>{len(s.patients)}</td>"
            f"<td>{number(mean_fold_auc(s.y, s.scores, s.fold))}</td></tr>"
            for s in self.predictions.grouped()
        ]
        warning = f"<p><strong>{escape(leak_sentence(self.leak))}</strong></p>" if self.leak else ""
        head = "<tr><th>head</th><th>sequence</th><th>patients</th><th>AUC by fold</th></tr>"
        return f"<p>Run {escape(self.name)}: {escape(str(self.record.question))}</p>{warning}<table>{head}{''.join(rows)}</table>"
