"""The leak demonstrator: the same heads on the same tables, with folds that keep slices whole and folds that keep patients
whole, under the true labels and under shuffled ones.

With shuffled labels there is nothing to find. Under folds that keep patients whole the labels of a test fold are then a
random order of its own, whatever was trained, so that the AUC within a fold is 0.5 on average; what a protocol reports above
that is its own doing (permuted labels as a control: Ojala and Garriga, JMLR 2010; on brain MRI: Yagis et al., Scientific
Reports 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.leak import Leak, leak_sentence
from heads.base import Head
from heads.controls.permutation import shuffled
from heads.crossfit import FoldScores, SliceRows, cross_fit
from heads.folds import RowSplit, leak_of, patient_folds, row_splits
from heads.standardise import Ids


@dataclass(frozen=True)
class Trial:
    """One head on one table under one split, out of fold.

    split : what the folds keep whole, 'slice', 'id' or 'patient'; draw : 0 for the true labels, from 1 up shuffled ones
    labels : {patient id: 0/1} of this draw; persons : {patient id: who it is}; scores : one entry per fold
    leak : patients that were in training and test of one fold at once, of those that were tested; none may be shared
    """

    head: str
    sequence: str
    split: str
    draw: int
    labels: Mapping[str, int]
    persons: Mapping[str, str]
    scores: list[FoldScores]
    leak: Leak

    @property
    def shared(self) -> int:
        """Patients in training and test of one fold at once."""
        return self.leak.shared

    @property
    def tested(self) -> int:
        """Patients that were tested."""
        return self.leak.tested

    @property
    def warning(self) -> str:
        """The leak in words, "" if there is none."""
        return leak_sentence(self.leak) if self.leak.shared else ""


def demonstrate(
    heads: Sequence[Head],
    tables: Sequence[SliceRows],
    labels: Mapping[str, int],
    *,
    draws: int,
    folds: int,
    seed: int,
    jobs: int = 1,
    persons: Mapping[str, str] | None = None,
) -> list[Trial]:
    """Every head on every table under every split: once with the true labels, then with shuffled ones.

    Each draw has its own stratified folds, as many for slices as for patients (the smaller class may allow fewer than
    `folds`), so that both splits are scored alike. The patient split of draw 0 is the one of a run with the same seed.

    Parameters
    ----------
    heads, tables, labels, seed, jobs : as in `cross_fit`
    draws : how many shuffles of the labels
    folds : of each split
    persons : {patient id: who it is}, where one patient is known to be there under several ids. Labels are then shuffled over
        persons, the patient split keeps persons whole, and a third split, 'id', keeps ids whole. An id shuffle would not see
        such a leak, since it gives the two ids of one patient labels of their own.

    Returns
    -------
    A trial per table, draw, head and split.

    Raises
    ------
    ValueError : a table has fewer than two patients in a class
    """
    trials = []
    for table in tables:
        own = {str(p): labels[str(p)] for p in table.patient}
        who = {p: p if persons is None else persons.get(p, p) for p in own}
        person = np.array([who[str(p)] for p in table.patient], object)
        for draw in range(draws + 1):
            given = shuffled(own, who, np.random.default_rng((seed, draw))) if draw else own
            try:
                splits = _splits(table, given, person, folds, seed + draw)
            except ValueError as error:
                raise ValueError(f"{table.sequence}: {error}") from None
            rows = [replace(s, repeat=k) for k, name in enumerate(splits) for s in splits[name]]
            results = cross_fit(heads, [table], given, {table.sequence: rows}, seed=seed + draw, jobs=jobs)
            for head in heads:
                for k, name in enumerate(splits):
                    scores = [r for r in results if (r.head, r.repeat) == (head.name, k)]
                    trials.append(
                        Trial(
                            head=head.name,
                            sequence=table.sequence,
                            split=name,
                            draw=draw,
                            labels=given,
                            persons=who,
                            scores=scores,
                            leak=leak_of(person, splits[name]),
                        )
                    )
    return trials


def _splits(
    table: SliceRows, labels: Mapping[str, int], person: Ids, folds: int, seed: int
) -> dict[str, list[RowSplit]]:
    """{what the folds keep whole: its splits}; patients first, so that their heads have the seeds of a run."""
    units = {"patient": person, "id": table.patient, "slice": table.slice_id}
    if all(person == table.patient):
        del units["id"]
    out: dict[str, list[RowSplit]] = {}
    for name, unit in units.items():
        y = {str(u): labels[str(p)] for u, p in zip(unit, table.patient, strict=True)}
        made, _ = patient_folds(y, folds=folds, repeats=1, seed=seed)
        folds = len(made)
        out[name] = row_splits(made, unit, table.view)
    return out
