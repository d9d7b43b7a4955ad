"""Fitted heads on new patients: scores, what is known of these patients, and metrics where there are labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from core.aggregate import aggregate
from core.ids import match_ids
from core.leak import leak_sentence
from core.metrics import mean_fold_auc
from core.predictions import CHOSEN, Prediction, ResultKey, fuse_scores, group_results
from core.text import some
from evaluation.options import NewPatientOptions
from evaluation.read_run import Run, is_table
from evaluation.run_facts import baseline_of
from evaluation.statistics.assess import Assessment, assess
from evaluation.statistics.verdict import Verdict, judge_by_question
from features.copies.duplicates import known_patients, sentences
from features.labels import Join, join, read_labels
from features.table import Source, concatenate, load_table, named_sequences, open_source, pool, selection
from heads.bundle import Bundle, check_disjoint, check_features, load_bundle


@dataclass(frozen=True)
class NewPatients:
    """Features of new patients, and their labels where they are known.

    source : the opened cache or table; join : their labels, and whom they could not be joined to; None where none are known
    """

    source: Source
    join: Join | None = None

    @property
    def labels(self) -> Mapping[str, int]:
        """{patient: 0 or 1}, empty where none are known."""
        return {} if self.join is None else self.join.labels


@dataclass(frozen=True)
class Wanted:
    """Which results are asked for; None is any. `loaded` : the sequence that heads are looked for under, where it is one."""

    head: str | None
    sequence: str | None
    loaded: str | None


@dataclass
class Applied:
    """The scores of one run's heads.

    predictions : of repeat 0 and fold 0; label -1 where it is not known
    trained : patients that a head was trained on, under this id or another; notes : what a user should know
    """

    predictions: list[Prediction] = field(default_factory=list)
    trained: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class ExternalResults:
    """How good the scores of new patients are.

    assessments : of each result; verdicts : what they mean, none where a head was trained on a patient
    cross_validated : {result: its AUC by fold where it was trained}
    """

    assessments: list[Assessment]
    verdicts: list[Verdict]
    cross_validated: dict[ResultKey, float]


def read_new_patients(options: NewPatientOptions) -> NewPatients:
    """Open the features, and join the labels where there are any. Raises ValueError where there is no cache, or a file is not as expected."""
    if options.cache is None:
        raise ValueError("no features of new patients; give NewPatientOptions cache=the file that holds them")
    source = open_source(options.cache)
    if not options.labels:
        return NewPatients(source)
    columns = {k: getattr(options, k) for k in ("patient_column", "label_column", "positive", "negative")}
    joined = join(source.patients, read_labels(options.labels, **columns))
    return NewPatients(source, joined)


def wanted_of(options: NewPatientOptions) -> Wanted:
    """The results that the options ask for; a fused or tuned result goes by the name that the run gave it."""
    named = options.sequence
    if named is None:
        return Wanted(options.head, None, None)
    if "+" in named or named == CHOSEN:
        return Wanted(options.head, named, None)
    (sequence,) = named_sequences([named])
    return Wanted(options.head, sequence, sequence)


def check_one_result(runs: Sequence[Run], wanted: Wanted) -> None:
    """Raise ValueError where a submission would be of several results, before anything is scored."""
    keys = [s.key for run in runs for s in run.scored if s.sequence != baseline_of(run)]
    found = [
        f"--head {k.head} --sequence '{k.sequence}'"
        for k in keys
        if wanted.head in (None, k.head) and wanted.sequence in (None, k.sequence)
    ]
    if len(found) > 1:
        raise ValueError(
            f"a submission takes one head and one sequence of one run; choose one of: {some(found, 12, '; ')}"
        )


def apply_heads(run: Run, new: NewPatients, wanted: Wanted, *, cache: Path, allow_trained: bool = False) -> Applied:
    """The scores of one run's fitted heads for new patients.

    Parameters
    ----------
    run : with its folder of heads; new : the patients
    wanted : heads and sequences; a fused result is made of all its parts, so that more may come back
    cache : the file of the features, for errors
    allow_trained : whether patients of the training are scored, too

    Returns
    -------
    Scores, and what a user should know of them.

    Raises
    ------
    ValueError : features of another kind, a sequence is lacking, or patients of the training without `allow_trained`
    """
    source = new.source
    if is_table(run.about) != source.is_csv:
        kinds = ("a cache (.h5) of features of images", "a CSV with a row per patient")
        mine, theirs = kinds if source.is_csv else kinds[::-1]
        raise ValueError(
            f"{run.path} was trained on {mine}; --cache {cache} is {theirs}. Give the same kind, with the same columns"
        )
    out = Applied()
    for file in sorted((run.path / "heads").glob("*.npz")):
        b = load_bundle(file)
        if wanted.head in (None, b.about["head"]) and wanted.loaded in (None, b.about["sequence"]):
            _apply(b, file.name, run.name, new, out, cache=cache, allow_trained=allow_trained)
    if leak := run.leak:
        out.notes.append(
            f"{run.name}: its cross-validation {leak_sentence(leak)}; only its refitted heads are used here"
        )
    out.notes = list(dict.fromkeys(out.notes))
    if run.about["arguments"]["fuse"] == "scores" and wanted.loaded is None:
        out.predictions += fuse_scores(out.predictions, run.about["sequences"])
    out.predictions = [p for p in out.predictions if wanted.sequence in (None, p.sequence)]
    return out


def _apply(b: Bundle, file: str, run: str, new: NewPatients, out: Applied, *, cache: Path, allow_trained: bool) -> None:
    """Add what one head gives to `out`."""
    about, source = b.about, new.source
    lacking = [q for q in about["parts"] if q not in source.sequences]
    if lacking:
        raise ValueError(
            f"{about['head']} needs {', '.join(lacking)}, which {cache} does not have; extract it, or choose "
            "another --sequence"
        )
    options = selection(about)
    parts = [load_table(source, q, **options) for q in about["parts"]]
    out.notes += check_features(about, source.settings, parts[0].columns)
    trained_on = match_ids(source.patients, about["train_patients"], "the training patients")
    all_slices = about["slices"] == "all" and not options["planes"]
    whole = parts if all_slices else [load_table(source, q) for q in about["parts"]]
    found = [p for p in known_patients(whole, b.fingerprint) if trained_on.get(p.a) != p.b]
    copies = [f"{new_id} is {old} of the training: {what}" for (new_id, old), what in sentences(found).items()]
    if not allow_trained:
        check_disjoint(about, trained_on, copies)
    out.trained.update(trained_on, (p.a for p in found))
    out.notes += [f"warning: {words}" for words in copies]
    if not b.fingerprint:
        out.notes.append(f"warning: {file} holds no fingerprint of its training patients; only ids were compared")
    if about["unit"] == "patient":
        parts = [pool(t) for t in parts]
    table = concatenate(parts) if len(parts) > 1 else parts[0]
    table = table.take(table.view == 0)
    out.predictions += [
        Prediction(
            run=run,
            head=about["head"],
            sequence=about["sequence"],
            repeat=0,
            fold=0,
            patient_id=patient,
            label=new.labels.get(patient, -1),
            score=value,
            n_slices=n,
        )
        for patient, value, n in aggregate(b.fitted.scores(table.X), table.patient, about["aggregate"])
    ]


def assess_new_patients(
    runs: Sequence[Run], predictions: Sequence[Prediction], *, replicates: int, seed: int, trained: bool
) -> ExternalResults:
    """The metrics of scores whose labels are known, in the order in which the runs hold their results.

    Parameters
    ----------
    runs : that the heads are of; predictions : some with a label
    replicates, seed : of the bootstrap over patients
    trained : whether a head was trained on a patient, so that no verdict is given
    """
    cross_validated = {s.key: mean_fold_auc(s.y, s.scores, s.fold) for run in runs for s in run.scored}
    order = {key: i for i, key in enumerate(cross_validated)}
    scored = group_results([p for p in predictions if p.label >= 0])
    ranks = [order.get(s.key, len(order)) for s in scored]
    ordered = [scored[i] for i in sorted(range(len(scored)), key=ranks.__getitem__)]
    known = [assess(s, level="patient", replicates=replicates, seed=seed) for s in ordered]
    questions = {run.name: str(run.about["question"]) for run in runs}
    verdicts = [] if trained else judge_by_question(known, {}, questions)
    return ExternalResults(known, verdicts, cross_validated)
