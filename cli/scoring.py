"""Fitted heads + features of new patients -> scores.csv, metrics where there are labels, and a submission."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from core.documents import Document
from evaluation.options import NewPatientOptions

if TYPE_CHECKING:
    from core.predictions import Prediction
    from evaluation.read_run import Run


def score(runs: Sequence[Path], options: NewPatientOptions, argv: list[str] | None, out: Path) -> None:
    """Fitted heads + other.h5 -> scores.csv, metrics where there are labels, and a submission where one is asked for."""
    from core.system.provenance import provenance
    from core.tables import write_csv
    from core.text import counted
    from evaluation.export.scores import score_rows, trained_sentence
    from evaluation.new_patients import apply_heads, check_one_result, read_new_patients, wanted_of
    from evaluation.read_run import read_run
    from heads.training.record_words import join_lines

    assert options.cache is not None
    new = read_new_patients(options)
    if new.join is not None:
        print("\n".join(join_lines(new.join)))
    wanted = wanted_of(options)
    read = [read_run(path) for path in runs]
    if options.submission:
        check_one_result(read, wanted)
    predictions: list[Prediction] = []
    trained: set[str] = set()
    for run in read:
        applied = apply_heads(run, new, wanted, cache=options.cache, allow_trained=options.allow_trained)
        print("\n".join(applied.notes), end="\n" if applied.notes else "")
        predictions += applied.predictions
        trained |= applied.trained
    results = {(p.run, p.head, p.sequence) for p in predictions}
    if not results:
        raise ValueError("no fitted head of these runs fits --head and --sequence; look into the runs' heads folder")
    warning = trained_sentence(len(trained), len(new.source.patients)) if trained else ""
    write_csv(out / "scores.csv", score_rows(predictions, warning))
    n = len({p.patient_id for p in predictions})
    print(f"{n} patients scored by {counted(len(results), 'head')}: {out / 'scores.csv'}")
    if warning:
        print(f"\n{warning}")
    if new.labels:
        origin, digest = provenance(argv), new.source.digest
        print(_metrics(read, predictions, options, out, warning=warning, origin=origin, digest=digest))
    if options.submission:
        print(_submit(options, new.source.patients, predictions))


def _metrics(
    runs: Sequence[Run],
    predictions: Sequence[Prediction],
    options: NewPatientOptions,
    out: Path,
    *,
    warning: str,
    origin: Document,
    digest: str,
) -> str:
    """Write scores.json; what it says, as text."""
    from evaluation.new_patients import assess_new_patients
    from evaluation.report.console import table_lines
    from evaluation.report.files import write_scores_json
    from evaluation.report.verdict import verdict_words

    found = assess_new_patients(
        runs, predictions, replicates=options.replicates, seed=options.seed, trained=bool(warning)
    )
    words = [] if warning else verdict_words(found.verdicts, {}, folds=False)
    write_scores_json(out / "scores.json", found.assessments, words, warning, digest, origin)
    lines = table_lines(found.assessments, warning, trained=found.cross_validated)
    return "\n".join([*lines, "", *words, "", f"metrics: {out / 'scores.json'}"])


def _submit(options: NewPatientOptions, patients: Sequence[str], predictions: Sequence[Prediction]) -> str:
    """Write the submission; what it holds, as text."""
    from core.tables import write_csv
    from core.text import some
    from evaluation.export.scores import submission_rows
    from features.table import ids_of

    assert options.submission is not None
    ids, header = ids_of(patients, options.sample)
    scores = {p.patient_id: p.score for p in predictions}
    rows, without = submission_rows(scores, header, ids, options.missing_score)
    write_csv(options.submission, rows)
    said = f"{len(rows) - 1} rows: {options.submission}"
    if without:
        said += f"\n  {len(without)} ids have no score and got {options.missing_score}: {some(without)}"
    return said
