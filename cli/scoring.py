"""Fitted heads + features of new patients -> scores.csv, metrics where there are labels, and a submission."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any


def score(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Fitted heads + other.h5 -> scores.csv, metrics where there are labels, and a submission where one is asked for."""
    from core.predictions import CHOSEN, group_results
    from core.provenance import provenance
    from core.tables import write_csv
    from core.text import counted, some
    from evaluation.export.scores import score_rows, submission_rows, trained_sentence
    from evaluation.read_run import read_run
    from evaluation.report.html import write_scores_json
    from evaluation.report.performance.permutation import mean_fold_auc
    from evaluation.report.verdict import table_lines, verdict
    from evaluation.statistics.assess import assess
    from features.labels import join, read_labels
    from features.table import ids_of, named_sequences, open_source

    source = open_source(args.cache)
    labels: dict[str, int] = {}
    if args.labels:
        columns = {k: getattr(args, k) for k in ("patient_column", "label_column", "positive", "negative")}
        joined = join(source.patients, read_labels(args.labels, **columns))
        print("\n".join(joined.lines))
        labels = joined.labels
    # a fused or tuned result goes by the name that the run gave it
    fused = "+" in (args.sequence or "") or args.sequence == CHOSEN
    wanted = args.sequence if args.sequence is None or fused else named_sequences([args.sequence])[0]
    trained: set[str] = set()
    only = None if fused else wanted
    runs = [read_run(path) for path in args.runs]
    if args.submission:
        one_result(args, runs, wanted)
    predictions = [p for run in runs for p in apply_heads(args, run, source, labels, only, trained)]
    predictions = [p for p in predictions if wanted in (None, p.sequence)]
    results = list(dict.fromkeys((p.run, p.head, p.sequence) for p in predictions))
    if not results:
        raise ValueError("no fitted head of these runs fits --head and --sequence; look into the runs' heads folder")
    warning = trained_sentence(len(trained), len(source.patients)) if trained else ""
    write_csv(args.out / "scores.csv", score_rows(predictions, warning))
    print(
        f"{len({p.patient_id for p in predictions})} patients scored by {counted(len(results), 'head')}: {args.out / 'scores.csv'}"
    )
    if warning:
        print(f"\n{warning}")
    if labels:
        cross_validated: dict[tuple[str, str, str], float] = {
            s.key: mean_fold_auc(s.y, s.scores, s.fold) for run in runs for s in run.scored
        }
        order = {key: i for i, key in enumerate(cross_validated)}
        known = [
            assess(s, level="patient", replicates=args.replicates, seed=args.seed)
            for s in sorted(
                group_results(p for p in predictions if p.label >= 0), key=lambda s: order.get(s.key, len(order))
            )
        ]
        words = (
            [] if trained else verdict(known, {}, False, {run.name: run.about["question"] for run in runs}, folds=False)
        )
        write_scores_json(args.out / "scores.json", known, words, warning, source.digest, provenance(argv))
        print(
            "\n".join(
                [
                    *table_lines(known, warning, trained=cross_validated),
                    "",
                    *words,
                    "",
                    f"metrics: {args.out / 'scores.json'}",
                ]
            )
        )
    if args.submission:
        ids, header = ids_of(source.patients, args.sample)
        scores = {p.patient_id: p.score for p in predictions}
        rows, without = submission_rows(scores, header, ids, args.missing_score)
        write_csv(args.submission, rows)
        print(f"{len(rows) - 1} rows: {args.submission}")
        if without:
            print(f"  {len(without)} ids have no score and got {args.missing_score}: {some(without)}")


def one_result(args: argparse.Namespace, runs: Sequence[Any], sequence: str | None) -> None:
    """Refuse a submission of several results, before anything is scored."""
    from core.text import some

    keys = [s.key[1:] for run in runs for s in run.scored if s.sequence != run.about.get("shortcuts")]
    found = [f"--head {h} --sequence '{q}'" for h, q in keys if args.head in (None, h) and sequence in (None, q)]
    if len(found) > 1:
        raise ValueError(
            f"a submission takes one head and one sequence of one run; choose one of: {some(found, 12, '; ')}"
        )


def apply_heads(
    args: argparse.Namespace,
    run: Any,
    source: Any,
    labels: dict[str, int],
    sequence: str | None,
    trained: set[str],
) -> list[Any]:
    """The scores of one run's fitted heads for the patients of a source, as predictions of repeat 0 and fold 0.

    `sequence` : only the heads of this one, if it is given; `trained` collects patients that a head was trained on.
    """
    from core.aggregate import aggregate
    from core.ids import match_ids
    from core.predictions import Prediction, fuse_scores
    from evaluation.read_run import is_table
    from features.copies.duplicates import known_patients, sentences
    from features.table import concatenate, load_table, pool, selection
    from heads.bundle import check_disjoint, check_features, load_bundle

    if is_table(run.about) != source.is_csv:
        kinds = ("a cache (.h5) of features of images", "a CSV with a row per patient")
        mine, theirs = kinds if source.is_csv else kinds[::-1]
        raise ValueError(
            f"{run.path} was trained on {mine}; --cache {args.cache} is {theirs}. Give the same kind, with the same columns"
        )
    notes: list[str] = []
    predictions: list[Prediction] = []
    for file in sorted((run.path / "heads").glob("*.npz")):
        b = load_bundle(file)
        about = b.about
        if args.head not in (None, about["head"]) or sequence not in (None, about["sequence"]):
            continue
        lacking = [q for q in about["parts"] if q not in source.sequences]
        if lacking:
            raise ValueError(
                f"{about['head']} needs {', '.join(lacking)}, which {args.cache} does not have; extract it, or choose "
                "another --sequence"
            )
        options = selection(about)
        parts = [load_table(source, q, **options) for q in about["parts"]]
        notes += check_features(about, source.settings, parts[0].columns)
        trained_on = match_ids(source.patients, about["train_patients"], "the training patients")
        whole = (
            parts
            if about["slices"] == "all" and not options["planes"]
            else [load_table(source, q) for q in about["parts"]]
        )
        found = [p for p in known_patients(whole, b.fingerprint) if trained_on.get(p.a) != p.b]
        copies = [f"{new} is {old} of the training: {what}" for (new, old), what in sentences(found).items()]
        if not args.allow_trained:
            check_disjoint(about, trained_on, copies)
        trained.update(trained_on, (p.a for p in found))
        notes += [f"warning: {words}" for words in copies]
        if not b.fingerprint:
            notes.append(f"warning: {file.name} holds no fingerprint of its training patients; only ids were compared")
        if about["unit"] == "patient":
            parts = [pool(t) for t in parts]
        table = concatenate(parts) if len(parts) > 1 else parts[0]
        table = table.take(table.view == 0)
        predictions += [
            Prediction(run.name, about["head"], about["sequence"], 0, 0, patient, labels.get(patient, -1), value, n)
            for patient, value, n in aggregate(b.fitted.scores(table.X), table.patient, about["aggregate"])
        ]
    if run.about.get("leak"):
        notes.append(f"{run.name}: its cross-validation {run.about['leak']}; only its refitted heads are used here")
    print("\n".join(dict.fromkeys(notes)), end="\n" if notes else "")
    if run.about["arguments"]["fuse"] == "scores" and sequence is None:
        predictions += fuse_scores(predictions, run.about["sequences"])
    return predictions
