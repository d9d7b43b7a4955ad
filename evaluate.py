"""Stage 3: runs/NAME ... -> report.html, report.json and figures; scores for new patients; maps of what a head uses; audits."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

from evaluation.staging import staged
from features import __version__
from features.arguments import at_least
from features.lock import held
from features.stopping import exit_status, terminable


def parser() -> argparse.ArgumentParser:
    """The options of stage 3."""
    p = argparse.ArgumentParser(prog="evaluate.py", description=__doc__)
    p.add_argument("runs", nargs="*", type=Path, metavar="runs/NAME", help="folders that train_head.py wrote")
    p.add_argument("--out", type=Path, default=Path("report"), help="folder to write to (default: report)")
    p.add_argument(
        "--threshold", default="0.5", choices=("0.5", "youden"), help="youden: chosen on the other folds (default: 0.5)"
    )
    p.add_argument(
        "--recalibrate",
        default="none",
        choices=("none", "platt", "isotonic"),
        help="map scores to probabilities for the calibration part, fitted on the other folds (default: none)",
    )
    p.add_argument(
        "--replicates", type=at_least(1), default=2000, help="of the bootstrap over patients (default: 2000)"
    )
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    p.add_argument(
        "--export-stamp", type=Path, metavar="DIR", help="write the predictions as STAMP's statistics read them, too"
    )
    g = p.add_argument_group("somebody else's predictions")
    g.add_argument("--audit", type=Path, metavar="PREDICTIONS.csv", help="look for leaks and optimism in these")
    g.add_argument("--splits", type=Path, nargs="+", metavar="SPLITS", help="split files of CLAM or STAMP, or a list")
    g.add_argument("--slides", type=Path, metavar="TABLE.csv", help="the patient of each slide, for ids of slides")
    g.add_argument("--score-column", metavar="NAME", help="score column (recognised: score, p_1, <label>_1, ...)")
    g = p.add_argument_group("new patients")
    g.add_argument("--cache", type=Path, metavar="other.h5", help="apply the fitted heads to these features")
    g.add_argument("--labels", type=Path, metavar="other.csv", help="labels of the new patients, for metrics")
    g.add_argument("--patient-column", metavar="NAME")
    g.add_argument("--label-column", metavar="NAME")
    g.add_argument("--positive", metavar="VALUE")
    g.add_argument("--negative", metavar="VALUE")
    g.add_argument("--head", help="only this head (with --explain too)")
    g.add_argument("--sequence", help="only this sequence (with --explain too), or the fused one as the run names it")
    g.add_argument(
        "--submission",
        type=Path,
        metavar="submission.csv",
        help="write a challenge submission (one head, one sequence)",
    )
    g.add_argument("--sample", type=Path, metavar="sample_submission.csv", help="the ids asked for, in their order")
    g.add_argument("--missing-score", type=float, metavar="P", help="what to submit for an id without a score")
    g.add_argument("--allow-trained", action="store_true", help="score patients that the heads were trained on, too")
    g = p.add_argument_group("what a head uses")
    g.add_argument(
        "--explain", nargs="+", metavar="PATIENT", help="draw the maps of the logistic head's out-of-fold scores"
    )
    g.add_argument("--cohort", type=Path, metavar="DIR", help="the folder that the features were extracted from")
    g.add_argument("--weights", metavar="FILE", help="of the network, where it is not found as stage 1 found it")
    p.add_argument("--version", action="version", version=__version__)
    return p


@terminable()
def main(argv: Sequence[str] | None = None) -> int:
    """Report on runs, score new patients, or explain scores."""
    args = parser().parse_args(argv)
    try:
        check(args)
        given = list(argv) if argv is not None else None
        with held(args.out):
            if args.cache:
                score(args, given)
            else:
                with staged(args.out) as out:
                    said = (audit if args.audit else explain if args.explain else report)(args, given, out)
                print(said)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        print("evaluate.py: stopped; run the same command again", file=sys.stderr)
        return exit_status(stop)
    return 0


def report(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """runs -> `out` with report.html, report.json, figures/; what to say when they are in their places."""
    from evaluation import figures
    from evaluation import report as pages
    from evaluation.assess import assess
    from evaluation.calibration_section import calibration_section
    from evaluation.checklist import checklist_section
    from evaluation.compare import compare_all, sentence
    from evaluation.disjoint import disjoint_section
    from evaluation.learning import learning_section
    from evaluation.ledger import count_looks, further_looks, inner_thresholds, ledger_section, siblings
    from evaluation.patient_table import patients_section
    from evaluation.permutation import permutation_section
    from evaluation.permutation import read as read_permutations
    from evaluation.runs import read_run
    from evaluation.sections import Section
    from evaluation.shortcuts import shortcut_section, split_off
    from evaluation.stability import stability_section
    from evaluation.stamp import write_stamp
    from evaluation.strata import strata_section
    from evaluation.summary import FEW_PATIENTS, table_lines, verdict
    from features.provenance import provenance

    names = [path.name for path in args.runs]
    runs = [read_run(path, path.as_posix() if names.count(path.name) > 1 else path.name) for path in args.runs]
    options = {"threshold": args.threshold, "seed": args.seed}
    scored, baselines = split_off([s for run in runs for s in run.scored], runs)
    twice = {id(b): b for a, b in combinations(runs, 2) if a.about["tables"] == b.about["tables"]}
    if twice:
        raise ValueError(
            f"{', '.join(r.name for r in twice.values())} is given twice (or a copy of another run); every run counts once"
        )
    if args.export_stamp:
        exported = write_stamp(args.export_stamp, runs)
        print(f"{len(exported)} files for STAMP's statistics in {args.export_stamp}, first {exported[0]}")
    inner = {(run.name, *key): cuts for run in runs for key, cuts in inner_thresholds(run).items()}
    patients = [
        assess(s, level="patient", replicates=args.replicates, curves=True, chosen=inner.get(s.key), **options)
        for s in scored
    ]
    by_slice = [s for run in runs for s in run.slices if len(s.units) > len(s.patients)]
    slices = [assess(s, level="slice", replicates=min(args.replicates, 200), **options) for s in by_slice]
    folder = out / "figures"
    overview = figures.forest(patients + slices, folder, pages.leaks_of(runs))
    panels = {s.key: figures.panels(a, s, folder) for a, s in zip(patients, scored, strict=True)}
    training = [drawing for run in runs for drawing in figures.training_curves(run, folder)]
    leaks, questions = pages.leaks_of(runs), {run.name: run.about["question"] for run in runs}
    pairs = compare_all([s for s in scored if s.run not in leaks], questions)
    shuffled = {t.key: t.said for t in read_permutations(runs)}
    beside = siblings(args.runs)
    looks = further_looks(count_looks(runs, beside))
    words = verdict(patients, leaks, pages.has_random_weights(runs), questions, shuffled, looks)
    if len(scored) > 1:
        words.append(sentence(pairs))
    sections: list[Section] = []
    sampling = {"replicates": args.replicates, "seed": args.seed}
    few = {a.run: min(a.n_positive, a.n_patients - a.n_positive) < FEW_PATIENTS for a in patients}
    sections += [s for s in [permutation_section(runs, folder, few)] if s is not None]
    sections.append(shortcut_section(scored, baselines, folder, runs, **sampling))
    words += sections[-1].data["findings"]
    sections += [s for s in [strata_section(scored, runs, **sampling)] if s is not None]
    sections.append(stability_section(scored, by_slice, folder))
    honest = [s for s in scored if s.run not in leaks]
    fewer = {**sampling, "replicates": min(args.replicates, 500)}  # each of them is a regression
    sections.append(calibration_section(honest, folder, recalibration=args.recalibrate, **fewer))
    sections += [s for run in runs if (s := learning_section(run, folder)) is not None]
    sections.append(ledger_section(runs, beside))
    sections.append(disjoint_section(runs))
    words += sections[-1].data["findings"]
    sections.append(patients_section(scored, runs))
    sections.append(checklist_section(runs, patients, sections))
    origin = provenance(argv)
    pages.write_json(out / "report.json", patients + slices, runs, words, pairs, origin, sections)
    pages.write_html(
        out / "report.html", patients + slices, runs, words, overview, panels, training, pairs, origin, sections
    )
    if (args.out / "report.json").exists():
        shutil.rmtree(
            args.out / "figures", ignore_errors=True
        )  # an earlier report's, now that all of the new one is there
    tables = [table_lines([a for a in patients if a.run == run.name], run.about.get("leak") or "") for run in runs]
    return "\n".join([*(line for t in tables for line in t), "", *words, "", f"report: {args.out / 'report.html'}"])


def audit(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """Somebody else's predictions -> `out` with audit.html, audit.json and figures/; what to say of it."""
    from evaluation.audit_section import audit_sections, write_json
    from evaluation.foreign import read_predictions
    from evaluation.report import write_sections
    from evaluation.splits import read_slides, read_splits
    from features import labels as label_files
    from features.provenance import provenance
    from features.scans import patient_number

    parse = partial(label_files.parse_labels, args.audit, positive=args.positive, negative=args.negative)
    slides = read_slides(args.slides, label_files.read_csv) if args.slides else {}
    names = {k: getattr(args, k) for k in ("patient_column", "label_column", "score_column")}
    header, rows = label_files.read_csv(args.audit)
    predictions = read_predictions(args.audit.name, header, rows, parse, slides=slides, **names)
    splits = [s for path in args.splits or () for s in read_splits(path, label_files.read_csv)]
    sampling = {"replicates": args.replicates, "seed": args.seed}
    words, sections = audit_sections(predictions, splits, slides, patient_number, out / "figures", **sampling)
    origin = provenance(argv)
    write_json(out / "audit.json", words, sections, origin)
    write_sections(out / "audit.html", f"Audit of {args.audit.name}", words, sections, origin)
    return "\n".join([*sections[0].words, "", *words, "", f"audit: {args.out / 'audit.html'}"])


def score(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Fitted heads + other.h5 -> scores.csv, metrics where there are labels, and a submission where one is asked for."""
    from evaluation import report as pages
    from evaluation import submission
    from evaluation.assess import assess
    from evaluation.runs import group
    from evaluation.summary import CHOSEN, table_lines
    from features import labels as label_files
    from features import table as tables
    from features.provenance import provenance

    source = tables.open_source(args.cache)
    labels: dict[str, int] = {}
    if args.labels:
        columns = {k: getattr(args, k) for k in ("patient_column", "label_column", "positive", "negative")}
        joined = label_files.join(source.patients, label_files.read_labels(args.labels, **columns))
        print("\n".join(joined.lines))
        labels = joined.labels
    # a fused or tuned result goes by the name that the run gave it
    fused = "+" in (args.sequence or "") or args.sequence == CHOSEN
    wanted = args.sequence if args.sequence is None or fused else tables.named_sequences([args.sequence])[0]
    trained: set[str] = set()
    only = None if fused else wanted
    predictions = [p for path in args.runs for p in apply_heads(args, path, source, labels, only, trained)]
    predictions = [p for p in predictions if wanted in (None, p.sequence)]
    results = list(dict.fromkeys((p.run, p.head, p.sequence) for p in predictions))
    if not results:
        raise ValueError("no fitted head of these runs fits --head and --sequence; look into the runs' heads folder")
    warning = submission.trained_sentence(len(trained), len(source.patients)) if trained else ""
    submission.write_csv(args.out / "scores.csv", submission.score_rows(predictions, warning))
    print(
        f"{len({p.patient_id for p in predictions})} patients scored by {len(results)} heads: {args.out / 'scores.csv'}"
    )
    if warning:
        print(f"\n{warning}")
    if labels:
        known = [
            assess(s, level="patient", replicates=args.replicates, seed=args.seed)
            for s in group(p for p in predictions if p.label >= 0)
        ]
        pages.write_scores_json(args.out / "scores.json", known, warning, source.digest, provenance(argv))
        print("\n".join(table_lines(known, warning, folds=False)))
    if args.submission:
        if len(results) > 1:
            choices = "; ".join(f"--head {head} --sequence '{sequence}'" for _, head, sequence in results[:12])
            raise ValueError(f"a submission takes one head and one sequence; choose one of: {choices}")
        ids, header = tables.ids_of(source.patients, args.sample)
        scores = {p.patient_id: p.score for p in predictions}
        rows, without = submission.submission_rows(scores, header, ids, args.missing_score)
        submission.write_csv(args.submission, rows)
        print(f"{len(rows) - 1} rows: {args.submission}")
        if without:
            print(f"  {len(without)} ids have no score and got {args.missing_score}: {', '.join(without[:8])}")


def apply_heads(
    args: argparse.Namespace,
    path: Path,
    source: Any,
    labels: dict[str, int],
    sequence: str | None,
    trained: set[str],
) -> list[Any]:
    """The scores of one run's fitted heads for the patients of a source, as predictions of repeat 0 and fold 0.

    `sequence` : only the heads of this one, if it is given; `trained` collects patients that a head was trained on.
    """
    from evaluation.patients import Prediction, aggregate, fuse_scores
    from evaluation.runs import read_run
    from features import duplicates
    from features import labels as label_files
    from features import table as tables
    from heads import bundle

    run = read_run(path)
    notes: list[str] = []
    predictions: list[Prediction] = []
    for file in sorted((path / "heads").glob("*.npz")):
        b = bundle.load(file)
        about = b.about
        if args.head not in (None, about["head"]) or sequence not in (None, about["sequence"]):
            continue
        lacking = [q for q in about["parts"] if q not in source.sequences]
        if lacking:
            raise ValueError(
                f"{about['head']} needs {', '.join(lacking)}, which {args.cache} does not have; extract it, or choose "
                "another --sequence"
            )
        options = {"slices": about["slices"], "keep_blank": about["keep_blank"]}
        parts = [tables.load(source, q, **options) for q in about["parts"]]
        notes += bundle.check_features(about, source.settings, parts[0].columns)
        trained_on = label_files.match_ids(source.patients, about["train_patients"], "the training patients")
        whole = parts if about["slices"] == "all" else [tables.load(source, q) for q in about["parts"]]
        found = [p for p in duplicates.known_patients(whole, b.fingerprint) if trained_on.get(p.a) != p.b]
        copies = [f"{new} is {old} of the training: {what}" for (new, old), what in duplicates.sentences(found).items()]
        if not args.allow_trained:
            bundle.check_disjoint(about, trained_on, copies)
        trained.update(trained_on, (p.a for p in found))
        notes += [f"warning: {words}" for words in copies]
        if not b.fingerprint:
            notes.append(f"warning: {file.name} holds no fingerprint of its training patients; only ids were compared")
        if about["unit"] == "patient":
            parts = [tables.pool(t) for t in parts]
        table = tables.concatenate(parts) if len(parts) > 1 else parts[0]
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


def explain(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """A run's linear heads + the images of some of its patients -> `out`/explain/ with a figure each, explain.json and .html."""
    from evaluation import explain as maps
    from evaluation import report as pages
    from evaluation.assess import assess
    from evaluation.runs import read_run
    from features import viewing
    from features.labels import match_ids
    from features.provenance import provenance
    from heads import bundle

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    run = read_run(args.runs[0])
    labels, settings = run.about["patients"]["labels"], run.about["features"]["settings"]
    named = match_ids(labels, args.explain, "--explain")
    unknown = [p for p in args.explain if p not in named.values()]
    if unknown:
        raise ValueError(
            f"--explain {unknown[0]!r}: {run.name} has {len(labels)} labelled patients, and that is none of them"
        )
    chosen = explaining_heads(args, run, list(named))
    series = viewing.find_series(args.cohort, list(named), sorted({q for _, q in chosen}))
    embed = viewing.load_embedder(settings, args.weights)
    explanations: list[maps.Explanation] = []
    for (patient, sequence), own in chosen.items():
        if (patient, sequence) not in series:
            raise ValueError(f"the cohort {args.cohort} has no {sequence} of {patient!r}, and {run.name} has")
        about = own[0].about
        notes = bundle.check_features(about, {**settings, **embed.settings, "precision": embed.precision}, [])
        print("\n".join(notes), end="\n" if notes else "")
        options = {"slices": about["slices"], "keep_blank": about["keep_blank"]}
        images, ids = viewing.images_of(series[patient, sequence], settings, **options)
        activations = embed.maps(images)
        for b in own:
            about, f = b.about, b.fitted
            score, known = maps.known_scores(run, about["head"], about["sequence"], about["repeat"], patient)
            e = maps.Explanation(
                patient, labels[patient], about["head"], about["sequence"], about["repeat"], about["fold"], score,
                about["aggregate"], about["unit"] == "patient", ids, images,
                maps.activation_map(activations, f.coef, f.standardise.mean, f.standardise.scale, f.intercept),
            )  # fmt: skip
            if not e.pooled:
                viewing.check_ids(ids, list(known), args.cohort)
            maps.check_scores(e, known, viewing.tolerance(settings))
            explanations.append(e)
    keys = {(e.head, e.sequence) for e in explanations}
    options = {"replicates": args.replicates, "seed": args.seed}
    known_auc = {s.key[1:]: assess(s, level="patient", **options) for s in run.scored if s.key[1:] in keys}
    folder, origin = out / "explain", provenance(argv)
    section = maps.explain_section(explanations, known_auc, run.about["question"], folder)
    maps.write_json(folder / "explain.json", section, run.name, origin)
    pages.write_sections(folder / "explain.html", f"What the heads of {run.name} use", [], [section], origin)
    place = args.out / "explain" / "explain.html"
    return "\n".join([*section.words, "", f"{len(explanations)} scores explained: {place}"])


def explaining_heads(args: argparse.Namespace, run: Any, patients: Sequence[str]) -> dict[tuple[str, str], list[Any]]:
    """{(patient, sequence): the linear heads, of the first repeat, that held the patient back}.

    Raises ValueError where there is none for a patient, with the reason.
    """
    from features import table as tables
    from heads import bundle

    if run.about.get("leak"):
        raise ValueError(
            f"{run.name} {run.about['leak']}: its heads trained on the patients that they would explain; train with --split patient"
        )
    if "backbone" not in run.about["features"]["settings"]:
        raise ValueError(f"{run.name} was trained on a table of numbers; there is no image to draw a map over")
    loaded = [bundle.load(file) for file in (run.path / "heads" / "folds").glob("*.npz")]
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
    wanted = None if args.sequence is None else tables.named_sequences([args.sequence])[0]
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


def check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    if not args.runs and not args.audit:
        raise ValueError("no runs; name the folders that train_head.py wrote, or --audit somebody else's predictions")
    if args.audit and (args.runs or args.cache or args.explain or args.export_stamp):
        raise ValueError("--audit looks at one CSV; leave out runs, --cache, --explain and --export-stamp")
    for name in ("splits", "slides", "score_column"):
        if getattr(args, name) is not None and not args.audit:
            raise ValueError(f"--{name.replace('_', '-')} goes with --audit PREDICTIONS.csv")
    if args.export_stamp and args.cache:
        raise ValueError("--export-stamp writes the predictions of runs; leave --cache out")
    if bool(args.explain) != bool(args.cohort):
        raise ValueError("--explain PATIENT and --cohort DIR go together: the maps are drawn over the patient's images")
    if args.explain and (args.cache or len(args.runs) > 1):
        raise ValueError("--explain takes one run and no --cache: it explains out-of-fold scores of the run itself")
    if args.weights and not args.explain:
        raise ValueError("--weights is for --explain; elsewhere no network runs")
    for name in ("labels", "head", "sequence", "submission", "sample", "missing_score", "allow_trained"):
        here = args.cache or (args.explain and name in ("head", "sequence"))
        if getattr(args, name) not in (None, False) and not here:
            raise ValueError(f"--{name.replace('_', '-')} is for new patients; add --cache other.h5")
    for name in ("sample", "missing_score"):
        if getattr(args, name) is not None and not args.submission:
            raise ValueError(f"--{name.replace('_', '-')} is about a submission; add --submission submission.csv")
    if args.missing_score is not None and not 0 <= args.missing_score <= 1:
        raise ValueError(f"--missing-score {args.missing_score:g}; expected a probability, 0 to 1")
    if (args.out / "run.json").exists():
        raise ValueError(f"--out {args.out} is a run; reports go to a folder of their own")
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out {args.out} is a file; expected a folder")


if __name__ == "__main__":
    sys.exit(main())
