"""The folds that the options ask for, and heads out of fold: as given, tuned, and again for every shuffle of the labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.aggregate import AGGREGATORS
from core.leak import Leak
from core.predictions import Predictions
from features.table import Table
from heads.base import BatchedHead, Head, shuffles_at_once
from heads.controls.permutation import Draw, PermutationRow, batched_rows, predicted_rows, shuffled_labels
from heads.crossfit import cross_fit, cross_fit_and_refit
from heads.folds import Fold, RowSplit, file_folds, leak_of, patient_folds, row_splits, separated, slice_split
from heads.search.nested import Nested, nested_predictions
from heads.search.space import Key
from heads.search.tune import INNER_FOLDS, Choice, tune
from heads.training.cohort import Cohort, tuning_tables
from heads.training.events import Fitting, FoldNote, Separated, Shuffling, Tell
from heads.training.options import TrainOptions
from heads.training.outcome import AsGiven, BundleFacts, Outcome

DEFAULT_PERMUTATIONS = 200


@dataclass
class Plan:
    """Folds over patients (none for a slice split), their rows by sequence, and the leak of a split that leaks."""

    folds: Sequence[Fold]
    splits: Mapping[str, Sequence[RowSplit]]
    leak: Leak | None = None


@dataclass
class Fit:
    """All that fitting needs: options, cohort, heads, folds; `tables` are those that tuning chooses from."""

    options: TrainOptions
    cohort: Cohort
    heads: Sequence[Head]
    plan: Plan
    tables: Mapping[Key, Table] = field(default_factory=dict)


def make_plan(options: TrainOptions, cohort: Cohort, tell: Tell) -> Plan:
    """The folds that the options ask for.

    Parameters
    ----------
    options : split, folds, repeats, split_file and seed
    cohort : patients who share images stay in one fold, but for a split file
    tell : hears where folds are not those that were asked for
    """
    if options.split == "slice":
        by_slice = {t.sequence: slice_split(t.view, t.slice_id) for t in cohort.tables}
        leaks = [leak_of(t.patient, [by_slice[t.sequence]]) for t in cohort.tables]
        worst = max(leaks, key=lambda leak: (leak.shared, leak.tested))
        return Plan([], {q: [s] for q, s in by_slice.items()}, worst)
    folds, note = folds_of(options, cohort.labels, cohort.groups)
    if note:
        tell(FoldNote(note))
    if options.split_file and (apart := separated(folds, cohort.groups)):
        tell(Separated(options.split_file, apart))
    return Plan(folds, {t.sequence: row_splits(folds, t.patient, t.view) for t in cohort.tables})


def folds_of(options: TrainOptions, labels: Mapping[str, int], groups: Mapping[str, str]) -> tuple[list[Fold], str]:
    """The folds over patients, and a note ("" if there is none)."""
    if options.split_file:
        return file_folds(options.split_file, labels), ""
    folds = 5 if options.folds is None else options.folds
    repeats = 2 if options.repeats is None else options.repeats
    return patient_folds(labels, folds=folds, repeats=repeats, seed=options.seed, groups=groups)


def fit(options: TrainOptions, cohort: Cohort, heads: Sequence[Head], plan: Plan, tell: Tell) -> tuple[Fit, Outcome]:
    """Every head out of fold, and refitted on all patients for new ones.

    Parameters
    ----------
    options : with `tune`, hyper-parameters and tables are chosen on inner folds
    tell : hears how many fits there will be

    Returns
    -------
    What was fitted, for the controls to fit again, and what came out.
    """
    facts = bundle_facts(options, cohort, plan)
    names = [h.name for h in heads]
    if options.tune:
        work = Fit(options, cohort, heads, plan, tuning_tables(options, cohort))
        n = len(heads) * options.tune * INNER_FOLDS * (len(plan.folds) + 1)
        tell(Fitting(n, names, list(plan.splits), configurations=options.tune))
        choices = _choices(work, heads, cohort.labels, plan.folds)
        return work, Nested(options.out.name, choices, work.tables, cohort.labels, facts)
    tell(Fitting(len(heads) * sum(len(s) + 1 for s in plan.splits.values()), names, list(plan.splits)))
    results, fitted = cross_fit_and_refit(
        heads, cohort.tables, cohort.labels, plan.splits, seed=options.seed, jobs=options.jobs
    )
    return Fit(options, cohort, heads, plan), AsGiven(
        run=options.out.name,
        heads=heads,
        results=results,
        fitted=fitted,
        tables=cohort.by_name,
        labels=cohort.labels,
        facts=facts,
        fused=options.fuse == "scores",
    )


def bundle_facts(options: TrainOptions, cohort: Cohort, plan: Plan) -> BundleFacts:
    """What every head of the run keeps in its file."""
    return BundleFacts(
        unit="patient" if cohort.per_patient else "slice",
        slices=options.slices,
        keep_blank=options.keep_blank,
        planes=options.plane,
        aggregate=options.aggregate,
        features=cohort.source.settings,
        table_columns=cohort.by_name[cohort.sequences[0]].columns,
        label=str(cohort.join.question),
        leak=plan.leak,
        sequences=cohort.sequences,
    )


def shuffle_labels(work: Fit, tell: Tell) -> list[PermutationRow]:
    """What every result reaches with the patients' labels shuffled and everything made again.

    Heads that can are fitted many at a time; the others only where a number of shuffles was asked for.

    Returns
    -------
    A row per result and draw, the true labels first; none without shuffles or for a slice split.
    """
    o, cohort = work.options, work.cohort
    batched: list[BatchedHead] = []
    others: list[Head] = []
    for head in work.heads:
        if shuffles_at_once(head) and not o.tune:
            batched.append(head)  # type: ignore[arg-type]
        elif o.permutations is not None:
            others.append(head)
    n = DEFAULT_PERMUTATIONS if o.permutations is None and batched else o.permutations
    if not n or o.split == "slice":
        return []
    tell(Shuffling(n, [h.name for h in (*batched, *others)], slow=bool(others)))
    dealt = [cohort.labels, *shuffled_labels(cohort.labels, n, o.seed)]
    draws = [Draw(labels, folds_of(o, labels, cohort.groups)[0]) for labels in dealt]
    fused = cohort.sequences if o.fuse == "scores" else []
    rows = batched_rows(o.out.name, batched, cohort.tables, draws, aggregator=o.aggregate, fused=fused)

    def predict(draw: Draw) -> Predictions:
        return _predict(work, others, draw)

    return rows + predicted_rows(draws, predict) if others else rows


def _predict(work: Fit, heads: Sequence[Head], draw: Draw) -> Predictions:
    """The scores of patients under other labels and folds."""
    o, cohort = work.options, work.cohort
    if o.tune:
        choices = _choices(work, heads, draw.labels, draw.folds)
        return nested_predictions(o.out.name, choices, draw.labels)
    splits = {t.sequence: row_splits(draw.folds, t.patient, t.view) for t in cohort.tables}
    results = cross_fit(heads, cohort.tables, draw.labels, splits, seed=o.seed, jobs=o.jobs)
    own = Predictions.from_folds(o.out.name, results, cohort.by_name, draw.labels, o.aggregate)
    return own + own.fused(cohort.sequences) if o.fuse == "scores" else own


def _choices(work: Fit, heads: Sequence[Head], labels: Mapping[str, int], folds: Sequence[Fold]) -> list[Choice]:
    """What every head chooses on inner folds; aggregators are choices where slice selections are."""
    o = work.options
    assert o.tune
    several = len({key.slices for key in work.tables}) > 1
    aggregators = [o.aggregate, *(a for a in AGGREGATORS if several and a != o.aggregate)]
    return tune(
        heads,
        work.tables,
        labels,
        folds,
        aggregators,
        draws=o.tune,
        seed=o.seed,
        jobs=o.jobs,
        groups=work.cohort.groups,
    )
