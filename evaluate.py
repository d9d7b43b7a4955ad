"""Stage 3: runs/NAME ... -> report.html, report.json and figures; with --cache, scores for new patients."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from features import __version__
from features.arguments import at_least


def parser() -> argparse.ArgumentParser:
    """The options of stage 3."""
    p = argparse.ArgumentParser(prog="evaluate.py", description=__doc__)
    p.add_argument("runs", nargs="+", type=Path, metavar="runs/NAME", help="folders that train_head.py wrote")
    p.add_argument("--out", type=Path, default=Path("report"), help="folder to write to (default: report)")
    p.add_argument(
        "--threshold", default="0.5", choices=("0.5", "youden"), help="youden: chosen on the other folds (default: 0.5)"
    )
    p.add_argument(
        "--replicates", type=at_least(1), default=2000, help="of the bootstrap over patients (default: 2000)"
    )
    p.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: 0)")
    g = p.add_argument_group("new patients")
    g.add_argument("--cache", type=Path, metavar="other.h5", help="apply the fitted heads to these features")
    g.add_argument("--labels", type=Path, metavar="other.csv", help="labels of the new patients, for metrics")
    g.add_argument("--patient-column", metavar="NAME")
    g.add_argument("--label-column", metavar="NAME")
    g.add_argument("--positive", metavar="VALUE")
    g.add_argument("--negative", metavar="VALUE")
    g.add_argument("--head", help="only this head")
    g.add_argument("--sequence", help="only this sequence, or the fused one as the run names it")
    g.add_argument(
        "--submission",
        type=Path,
        metavar="submission.csv",
        help="write a challenge submission (one head, one sequence)",
    )
    g.add_argument("--sample", type=Path, metavar="sample_submission.csv", help="the ids asked for, in their order")
    g.add_argument("--missing-score", type=float, metavar="P", help="what to submit for an id without a score")
    g.add_argument("--allow-trained", action="store_true", help="score patients that the heads were trained on, too")
    p.add_argument("--version", action="version", version=__version__)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Report on runs, or score new patients."""
    args = parser().parse_args(argv)
    try:
        check(args)
        if args.cache:
            score(args, list(argv) if argv is not None else None)
        else:
            report(args, list(argv) if argv is not None else None)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("evaluate.py: stopped", file=sys.stderr)
        return 130
    return 0


def report(args: argparse.Namespace, argv: list[str] | None) -> None:
    """runs -> report/ with report.html, report.json, figures/."""
    from evaluation import figures
    from evaluation import report as pages
    from evaluation.assess import assess
    from evaluation.compare import compare_all, sentence
    from evaluation.runs import read_run
    from evaluation.summary import table_lines, verdict
    from features.provenance import provenance

    names = [path.name for path in args.runs]
    runs = [read_run(path, path.as_posix() if names.count(path.name) > 1 else path.name) for path in args.runs]
    options = {"threshold": args.threshold, "seed": args.seed}
    scored = [s for run in runs for s in run.scored]
    twice = {id(b): b for a, b in combinations(runs, 2) if a.about["tables"] == b.about["tables"]}
    if twice:
        raise ValueError(
            f"{', '.join(r.name for r in twice.values())} is given twice (or a copy of another run); every run counts once"
        )
    patients = [assess(s, level="patient", replicates=args.replicates, curves=True, **options) for s in scored]
    by_slice = [s for run in runs for s in run.slices if len(s.units) > len(s.patients)]
    slices = [assess(s, level="slice", replicates=min(args.replicates, 200), **options) for s in by_slice]
    folder = args.out / "figures"
    if (args.out / "report.json").exists():
        shutil.rmtree(folder, ignore_errors=True)  # the figures of an earlier report
    args.out.mkdir(parents=True, exist_ok=True)
    overview = figures.forest(patients + slices, folder, pages.leaks_of(runs))
    panels = {s.key: figures.panels(a, s, folder) for a, s in zip(patients, scored, strict=True)}
    training = [drawing for run in runs for drawing in figures.training_curves(run, folder)]
    leaks, questions = pages.leaks_of(runs), {run.name: run.about["question"] for run in runs}
    pairs = compare_all([s for s in scored if s.run not in leaks], questions)
    words = verdict(patients, leaks, pages.has_random_weights(runs), questions)
    if len(scored) > 1:
        words.append(sentence(pairs))
    origin = provenance(argv)
    pages.write_json(args.out / "report.json", patients + slices, runs, words, pairs, origin)
    pages.write_html(
        args.out / "report.html", patients + slices, runs, words, overview, panels, training, pairs, origin
    )
    for run in runs:
        print("\n".join(table_lines([a for a in patients if a.run == run.name], run.about.get("leak") or "")))
    print("\n" + "\n".join(words))
    print(f"\nreport: {args.out / 'report.html'}")


def score(args: argparse.Namespace, argv: list[str] | None) -> None:
    """Fitted heads + other.h5 -> scores.csv, metrics where there are labels, and a submission where one is asked for."""
    from evaluation import report as pages
    from evaluation import submission
    from evaluation.assess import assess
    from evaluation.runs import group
    from evaluation.summary import table_lines
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
    fused = "+" in (args.sequence or "")  # a fused result goes by the name that the run gave it
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
        if not args.allow_trained:
            bundle.check_disjoint(about, trained_on)
        trained.update(trained_on)
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


def check(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    for name in ("labels", "head", "sequence", "submission", "sample", "missing_score", "allow_trained"):
        if getattr(args, name) not in (None, False) and not args.cache:
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
