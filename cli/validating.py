"""The folds that the options ask for, and heads out of fold."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from typing import Any

from cli.telling import say


def find_duplicates(whole: Sequence[Any], labels: dict[str, int]) -> tuple[dict[str, Any], list[Any]]:
    """The fingerprints by sequence, and the pairs of patients that share images, which are told."""
    from features.copies.duplicates import duplicate_patients, lines
    from features.copies.fingerprint import fingerprint

    started = time.monotonic()
    fingerprints = {t.sequence: fingerprint(t) for t in whole}
    pairs = duplicate_patients(fingerprints)
    say("\n".join(lines(pairs, labels, time.monotonic() - started, of_rows=bool(whole[0].columns))))
    return fingerprints, pairs


def split(
    args: argparse.Namespace, labels: dict[str, int], trained: Sequence[Any], groups: dict[str, str]
) -> tuple[list[Any], dict[str, Any], str]:
    """The folds over patients (none for a slice split), their rows by sequence, and the leak in words ("" if none)."""
    from core.text import some
    from heads.folds import leak, leak_sentence, row_splits, separated, slice_split

    if args.split == "slice":
        by_slice = {t.sequence: slice_split(t.view, t.slice_id) for t in trained}
        worst = max(leak(t.patient, by_slice[t.sequence]) for t in trained)
        return [], {q: [s] for q, s in by_slice.items()}, leak_sentence(*worst)
    folds, note = patient_folds_of(args, labels, groups)
    if note:
        say(f"  note: {note}")
    if apart := separated(folds, groups):
        say(f"  LEAKS: {args.split_file} puts patients that share images into different folds: {some(apart)}")
    return folds, {t.sequence: row_splits(folds, t.patient, t.view) for t in trained}, ""


def patient_folds_of(args: argparse.Namespace, labels: dict[str, int], groups: dict[str, str]) -> tuple[list[Any], str]:
    """The folds that the options ask for, and a note ("" if there is none)."""
    from heads.folds import file_folds, patient_folds

    if args.split_file:
        return file_folds(args.split_file, labels), ""
    options = {"folds": args.folds or 5, "repeats": args.repeats or 2, "seed": args.seed}
    return patient_folds(labels, groups=groups, **options)


def patients_of(
    args: argparse.Namespace,
    labels: dict[str, int],
    trained: Sequence[Any],
    sequences: list[str],
    results: Sequence[Any],
) -> list[Any]:
    """The scores of patients, with the fused ones, from those of rows."""
    from core.predictions import fuse_scores, patient_predictions

    by_name = {t.sequence: t for t in trained}
    predictions = patient_predictions(args.out.name, results, by_name, labels, args.aggregate)
    return predictions + (fuse_scores(predictions, sequences) if args.fuse == "scores" else [])
