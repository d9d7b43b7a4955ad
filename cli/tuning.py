"""What every head chooses on inner folds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any


def tuning_tables(
    args: argparse.Namespace, source: Any, labels: dict[str, int], trained: Sequence[Any], sequences: list[str]
) -> dict[tuple[str, str], Any]:
    """{(sequence, slices): table} to choose from, the default ones first; other slices only where rows are slices."""
    from features.table import load_table
    from heads.search.space import SLICES

    by_key = {(t.sequence, args.slices): t for t in trained}
    if args.unit == "slice" and not source.is_csv:
        for sequence, slices in [(q, s) for s in SLICES if s != args.slices for q in sequences]:
            options = {"patients": list(labels), "keep_blank": args.keep_blank, "planes": args.plane}
            by_key[sequence, slices] = load_table(source, sequence, slices=slices, **options)
    return by_key


def tune_heads(
    args: argparse.Namespace,
    labels: dict[str, int],
    by_key: dict[tuple[str, str], Any],
    sequences: list[str],
    heads: Sequence[Any],
    folds: Sequence[Any],
    groups: dict[str, str],
) -> Any:
    """What every head chooses on inner folds; aggregators are choices where slice selections are."""
    from core.aggregate import AGGREGATORS, aggregate
    from core.metrics import auc, log_loss, youden_threshold
    from heads.search.nested import Nested
    from heads.search.tune import Measures, tune

    several = len({slices for _, slices in by_key}) > 1
    aggregators = [args.aggregate, *(a for a in AGGREGATORS if several and a != args.aggregate)]
    measures = Measures(aggregate, auc, log_loss, youden_threshold)
    options = {"draws": args.tune, "seed": args.seed, "jobs": args.jobs, "groups": groups}
    choices = tune(heads, by_key, labels, folds, aggregators, measures=measures, **options)
    return Nested(args.out.name, choices, by_key, labels, sequences)
