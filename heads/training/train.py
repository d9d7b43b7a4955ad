"""Features + labels -> tables -> folds -> heads out of fold -> controls -> run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from core.predictions import Predictions, fused_name
from core.system.provenance import provenance
from features.acquisition import availability
from features.copies.duplicates import describe
from features.table import check_slices
from heads.base import capabilities
from heads.controls.acquisition import acquisition_predictions, acquisition_table
from heads.controls.leak_demo import Trial, demonstrate
from heads.controls.learning_curve import SHARES, LearningRow, learning_curve
from heads.folds import NOTEBOOK_SEED, separated
from heads.run_files import DEMONSTRATION_FILE
from heads.run_record import PatientsRecord, RunHeader, RunRecord
from heads.run_writer import check_new
from heads.training.cohort import Cohort, open_cohort
from heads.training.events import Demonstrating, DrawingCurve, FittingAcquisition, Tell, silent
from heads.training.fit import Fit, Plan, fit, make_plan, shuffle_labels
from heads.training.options import TrainOptions
from heads.training.outcome import Outcome
from heads.training.record_words import join_lines
from heads.training.run import Run


def train(options: TrainOptions, tell: Tell = silent, argv: Sequence[str] | None = None) -> Run:
    """Train heads on features and labels, out of fold.

    Parameters
    ----------
    options : what is asked for
    tell : hears what is going on, as values
    argv : the command line, for the record

    Returns
    -------
    The run, which is not written yet: `run.save(options.out)`.

    Raises
    ------
    ValueError : options contradict each other, a file is damaged, patients are too few, a fit does not converge
    """
    options.check()
    check_new(options.out, overwrite=options.overwrite)
    check_slices(options.slices)
    return run_on(options, open_cohort(options, tell), tell, argv)


def run_on(options: TrainOptions, cohort: Cohort, tell: Tell = silent, argv: Sequence[str] | None = None) -> Run:
    """The same on a cohort that is in memory already."""
    plan = make_plan(options, cohort, tell)
    work, outcome = fit(options, cohort, options.heads(), plan, tell)
    predictions = outcome.predictions()
    learning = draw_learning_curve(options, cohort, plan, tell)
    permutations = shuffle_labels(work, tell)
    baseline = fit_acquisition(work, tell)
    record = make_record(options, cohort, plan, outcome, baseline, argv)
    return Run(
        record=record,
        predictions=predictions + baseline,
        outcome=outcome,
        learning=learning,
        permutations=permutations,
        fingerprints=cohort.fingerprints,
    )


def draw_learning_curve(options: TrainOptions, cohort: Cohort, plan: Plan, tell: Tell) -> list[LearningRow]:
    """The chosen heads on the same folds with fewer training patients; empty where that is not asked for."""
    if not options.learning_curve:
        return []
    heads = options.heads(options.curve_names)
    tell(DrawingCurve(len(SHARES), [h.name for h in heads], list(cohort.by_name)))
    return learning_curve(
        options.out.name,
        heads,
        cohort.tables,
        cohort.labels,
        plan.folds,
        seed=options.seed,
        jobs=options.jobs,
        aggregator=options.aggregate,
    )


def fit_acquisition(work: Fit, tell: Tell) -> Predictions:
    """The scores of cheap heads that see no image, over the same folds; empty where there are no images or folds."""
    o, cohort = work.options, work.cohort
    heads = [h for h in work.heads if capabilities(h).cheap]
    if o.no_shortcuts or not cohort.has_scans or o.split == "slice" or not heads:
        return Predictions()
    table = acquisition_table(cohort.source, cohort.sequences, cohort.labels)
    tell(FittingAcquisition(len(heads) * len(work.plan.folds), [h.name for h in heads]))
    return acquisition_predictions(o.out.name, table, cohort.labels, heads, work.plan.folds, seed=o.seed, jobs=o.jobs)


def make_record(
    options: TrainOptions,
    cohort: Cohort,
    plan: Plan,
    outcome: Outcome,
    baseline: Predictions,
    argv: Sequence[str] | None,
) -> RunRecord:
    """What run.json says."""
    header = make_header(options, cohort, plan, argv)
    found = describe(cohort.pairs, cohort.labels)
    return RunRecord(
        **{f.name: getattr(header, f.name) for f in fields(header)},
        sequences=cohort.sequences,
        shortcuts=baseline[0].sequence if baseline else None,
        availability=availability(cohort.source) if cohort.has_scans else None,
        tuning=outcome.tuning(),
        folds=plan.folds,
        duplicates={**found, "separated": separated(plan.folds, cohort.groups)},
    )


def make_header(options: TrainOptions, cohort: Cohort, plan: Plan | None, argv: Sequence[str] | None) -> RunHeader:
    """What a run and a demonstration say of arguments, patients, features, labels and provenance."""
    names = [t.sequence for t in cohort.tables]
    joined = cohort.join
    return RunHeader(
        run=options.out.name,
        arguments=options.arguments(),
        seed=options.seed,
        split_seed=NOTEBOOK_SEED if options.split == "slice" else options.seed,
        question=joined.question,
        join=join_lines(joined),
        patients=PatientsRecord(
            labels=joined.labels,
            unlabelled=joined.unlabelled,
            without_row=joined.without_row,
            without_scans=joined.without_scans,
            missing_sequence={t.sequence: t.missing for t in cohort.tables},
        ),
        fused={"scores": fused_name(names), "features": names[-1]}.get(options.fuse or ""),
        split="file" if options.split_file else options.split,
        leak=plan.leak if plan else None,
        features=cohort.features_record,
        labels=cohort.labels_file,
        provenance=provenance(None if argv is None else list(argv)),
    )


@dataclass
class Demonstration:
    """What the leak demonstration gives: its trials, the cohort that they are about, and where it comes from."""

    header: RunHeader
    cohort: Cohort
    trials: list[Trial]


def demonstrate_leak(options: TrainOptions, tell: Tell = silent, argv: Sequence[str] | None = None) -> Demonstration:
    """The same heads under slice split and patient split, with the true labels and with shuffled ones.

    Parameters
    ----------
    options : `demonstrate_leak` is the number of shuffles
    tell : hears what is going on, as values
    argv : the command line, for the record

    Raises
    ------
    ValueError : options contradict each other, a file is damaged, or patients are too few
    """
    assert options.demonstrate_leak
    options.check()
    check_new(options.out, overwrite=options.overwrite, what="leak demonstration", mark=DEMONSTRATION_FILE)
    check_slices(options.slices)
    cohort, heads = open_cohort(options, tell), options.heads()
    tell(Demonstrating([h.name for h in heads], list(cohort.by_name), options.demonstrate_leak))
    trials = demonstrate(
        heads,
        cohort.tables,
        cohort.labels,
        draws=options.demonstrate_leak,
        folds=options.folds or 5,
        seed=options.seed,
        jobs=options.jobs,
        persons=cohort.groups,
    )
    return Demonstration(make_header(options, cohort, None, argv), cohort, trials)
