"""What a result is held against: shuffled labels, heads that saw no image, fewer training patients."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from cli.telling import say
from cli.tuning import tune_heads
from cli.validating import patient_folds_of, patients_of

DEFAULT_PERMUTATIONS = 200


def shuffled_table(
    args: argparse.Namespace,
    labels: dict[str, int],
    trained: Sequence[Any],
    by_key: dict[tuple[str, str], Any],
    sequences: list[str],
    heads: Sequence[Any],
    groups: dict[str, str],
) -> dict[str, Any]:
    """permutations.csv: the AUC of each result under shuffled labels, everything made again; empty without shuffles.

    The untuned logistic head goes through `heads.controls.permutation`, many at a time; other heads only where a number was asked for.
    """
    import numpy as np

    from core.aggregate import AGGREGATORS as POOLS
    from core.metrics import mean_fold_auc
    from core.predictions import Prediction, ResultKey, fused_name, group_results
    from evaluation.statistics.controls.permutation import COLUMNS, FILE, permutation_rows
    from heads.controls.permutation import average, logistic_scores, shuffled_labels
    from heads.crossfit import cross_fit
    from heads.folds import fold_matrix, row_splits

    batched = [h for h in heads if h.name == "logistic" and not args.tune]
    others = [] if args.permutations is None else [h for h in heads if h not in batched]
    n = DEFAULT_PERMUTATIONS if args.permutations is None and batched else args.permutations
    if not n or args.split == "slice":
        return {}
    names = ", ".join(h.name for h in [*batched, *others])
    say(f"  shuffling the labels {n} times: {names}{' (slow)' * bool(others)}")
    draws = [(d, patient_folds_of(args, d, groups)[0]) for d in [labels, *shuffled_labels(labels, n, args.seed)]]
    patients = sorted(labels)
    facts = [(np.array([d[p] for p in patients]), fold_matrix(folds, patients)) for d, folds in draws]
    rows: list[tuple[Any, ...]] = []
    for head in batched:
        found = {t.sequence: logistic_scores(head, t, draws, patients, POOLS[args.aggregate]) for t in trained}
        if args.fuse == "scores":
            found[fused_name(sequences)] = average([found[q] for q in sequences])
        for sequence, scores in found.items():
            each = ((y, s, fold) for (y, fold), s in zip(facts, scores, strict=True))
            rows += permutation_rows(ResultKey(args.out.name, head.name, sequence), each)
    for k, (d, folds) in enumerate(draws if others else []):
        if args.tune:
            nested = tune_heads(args, d, by_key, sequences, others, folds, groups)
            predictions = [Prediction(*row) for row in nested.patient_rows()]
        else:
            splits = {t.sequence: row_splits(folds, t.patient, t.view) for t in trained}
            results = cross_fit(others, trained, d, splits, seed=args.seed, jobs=args.jobs)
            predictions = patients_of(args, d, trained, sequences, results)
        rows += [(*s.key, k, mean_fold_auc(s.y, s.scores, s.fold)) for s in group_results(predictions)]
    return {FILE: (COLUMNS, rows)}


def learning_table(
    args: argparse.Namespace,
    labels: dict[str, int],
    trained: Sequence[Any],
    known: dict[str, Any],
    folds: Sequence[Any],
) -> dict[str, Any]:
    """learning.csv: the chosen heads on the same folds with fewer training patients."""
    from evaluation.statistics.controls.learning_curve import TABLE, patient_auc
    from heads.controls.learning_curve import LEARNING_COLUMNS, SHARES, learning_curve

    heads = [known[name] for name in dict.fromkeys(args.learning_curve)]
    by_name = {t.sequence: t for t in trained}
    say(f"  learning curve: {len(SHARES)} sizes, {', '.join(h.name for h in heads)} on {', '.join(by_name)}")
    rows = learning_curve(
        args.out.name, heads, trained, labels, folds, seed=args.seed, jobs=args.jobs,
        score=lambda r: patient_auc(r, by_name[r.sequence], labels, args.aggregate),
    )  # fmt: skip
    return {TABLE: (LEARNING_COLUMNS, rows)}


def shortcut_predictions(
    args: argparse.Namespace,
    source: Any,
    sequences: Sequence[str],
    labels: dict[str, int],
    heads: Sequence[Any],
    folds: Sequence[Any],
) -> list[Any]:
    """Scores of heads that know how the scans were made and see no image, over the same folds; empty without any.

    They are a baseline: never fused, never saved, and the dense head is not among them.
    """
    from core.predictions import patient_predictions
    from features.acquisition import shortcut_table
    from heads.crossfit import cross_fit
    from heads.folds import row_splits

    light = [h for h in heads if h.name != "dense"]
    if args.no_shortcuts or source.is_csv or args.split == "slice" or not light:
        return []
    table = shortcut_table(source, sequences).of_patients(list(labels))
    splits = {table.sequence: row_splits(folds, table.patient, table.view)}
    say(
        f"  fitting {len(light) * len(splits[table.sequence])} times: {', '.join(h.name for h in light)} on how the scans were made"
    )
    results = cross_fit(light, [table], labels, splits, seed=args.seed, jobs=args.jobs)
    return patient_predictions(args.out.name, results, {table.sequence: table}, labels, "mean")
