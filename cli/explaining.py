"""A run's linear heads + the images of some of its patients -> maps of what the heads use."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def explain(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """A run's linear heads + the images of some of its patients -> OUT/explain/ with a figure each, explain.json and .html."""
    from core.ids import match_ids
    from core.provenance import provenance
    from evaluation.read_run import read_run
    from evaluation.report.html import write_sections
    from evaluation.report.pages.activation_maps import (
        Explanation,
        activation_map,
        check_scores,
        explain_section,
        known_scores,
        write_json,
    )
    from evaluation.statistics.assess import assess
    from features.reload import check_ids, find_series, images_of, load_embedder, tolerance
    from features.table import selection
    from heads.bundle import check_features

    run = read_run(args.runs[0])
    labels, settings = run.about["patients"]["labels"], run.about["features"]["settings"]
    named = match_ids(labels, args.explain, "--explain")
    unknown = [p for p in args.explain if p not in named.values()]
    if unknown:
        raise ValueError(
            f"--explain {unknown[0]!r}: {run.name} has {len(labels)} labelled patients, and that is none of them"
        )
    chosen = explaining_heads(args, run, list(named))
    series = find_series(args.cohort, list(named), sorted({q for _, q in chosen}))
    embed = load_embedder(settings, args.weights)
    explanations: list[Explanation] = []
    for (patient, sequence), own in chosen.items():
        if (patient, sequence) not in series:
            raise ValueError(f"the cohort {args.cohort} has no {sequence} of {patient!r}, and {run.name} has")
        about = own[0].about
        notes = check_features(about, {**settings, **embed.settings, "precision": embed.precision}, [])
        print("\n".join(notes), end="\n" if notes else "")
        images, ids = images_of(series[patient, sequence], settings, **selection(about))
        activations = embed.maps(images)
        for b in own:
            about, f = b.about, b.fitted
            score, known = known_scores(run, about["head"], about["sequence"], about["repeat"], patient)
            e = Explanation(
                patient, labels[patient], about["head"], about["sequence"], about["repeat"], about["fold"], score,
                about["aggregate"], about["unit"] == "patient", ids, images,
                activation_map(activations, f.coef, f.standardise.mean, f.standardise.scale, f.intercept),
            )  # fmt: skip
            if not e.pooled:
                check_ids(ids, list(known), args.cohort)
            check_scores(e, known, tolerance(settings))
            explanations.append(e)
    keys = {(e.head, e.sequence) for e in explanations}
    options = {"replicates": args.replicates, "seed": args.seed}
    known_auc = {s.key[1:]: assess(s, level="patient", **options) for s in run.scored if s.key[1:] in keys}
    folder, origin = out / "explain", provenance(argv)
    section = explain_section(explanations, known_auc, run.about["question"], folder)
    write_json(folder / "explain.json", section, run.name, origin)
    write_sections(folder / "explain.html", f"What the heads of {run.name} use", [], [section], origin)
    place = args.out / "explain" / "explain.html"
    return "\n".join([*section.words, "", f"{len(explanations)} scores explained: {place}"])


def explaining_heads(args: argparse.Namespace, run: Any, patients: Sequence[str]) -> dict[tuple[str, str], list[Any]]:
    """{(patient, sequence): the linear heads, of the first repeat, that held the patient back}.

    Raises ValueError where there is none for a patient, with the reason.
    """
    from features.table import named_sequences
    from heads.bundle import load_bundle

    if run.about.get("leak"):
        raise ValueError(
            f"{run.name} {run.about['leak']}: its heads trained on the patients that they would explain; train with --split patient"
        )
    if "backbone" not in run.about["features"]["settings"]:
        raise ValueError(f"{run.name} was trained on a table of numbers; there is no image to draw a map over")
    loaded = [load_bundle(file) for file in (run.path / "heads" / "folds").glob("*.npz")]
    heads = sorted((b for b in loaded if len(b.about["parts"]) == 1), key=lambda b: b.about["repeat"])
    if not heads:
        raise ValueError(
            f"{run.name} keeps no logistic head of its folds on one sequence, and only such a head can be explained exactly (dense "
            "and boosted heads are not linear); train again with --head logistic"
        )
    there = sorted({b.about["head"] for b in heads})
    if args.head not in (None, *there):
        raise ValueError(
            f"--head {args.head}: {run.name} can explain {', '.join(there)} alone; other heads are not linear"
        )
    wanted = None if args.sequence is None else named_sequences([args.sequence])[0]
    out: dict[tuple[str, str], list[Any]] = {}
    for patient in patients:
        first: dict[tuple[str, str], Any] = {}
        for b in heads:
            head, sequence = b.about["head"], b.about["sequence"]
            if patient in b.about["test_patients"] and args.head in (None, head) and wanted in (None, sequence):
                first.setdefault((head, sequence), b)
        if not first:
            raise ValueError(
                f"--explain {patient!r}: no linear head held this patient back{f' on {wanted}' if wanted else ''}; choose another "
                "--sequence, or leave it out"
            )
        for b in first.values():
            out.setdefault((patient, b.about["parts"][0]), []).append(b)
    return out
