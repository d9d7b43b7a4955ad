"""What runs record that answers an item of a checklist, fact by fact."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import chain

from core.leak import leak_sentence
from core.metrics import METRICS
from core.text import number
from evaluation.read_run import Run, is_table
from evaluation.report.context import ReportContext
from evaluation.report.trust.provenance import code, command_line, feature_settings, libraries, seeds
from evaluation.statistics.assess import Assessment
from evaluation.statistics.power import FEW_PATIENTS

Value = Callable[[Assessment], float | None]


def facts(context: ReportContext) -> dict[str, str]:
    """{name: what the runs of a report record}; '' where they record nothing."""
    return {**_of_cohorts(context), **_of_models(context), **_of_results(context)}


def _each(context: ReportContext, tell: Callable[[Run], str]) -> str:
    """What every run says, once where all say the same."""
    texts = {run.name: tell(run) for run in context.runs}
    if len(set(texts.values())) == 1:
        return next(iter(texts.values()))
    return " ".join(f"{name}: {text}" for name, text in texts.items())


def _see(context: ReportContext, *keys: str) -> str:
    """Where else in this report an answer stands: in the parts that hold figures."""
    others = {s.key: s.title for s in context.sections if s.sheets or s.drawings}
    titles = [f"'{others[k]}'" for k in keys if k in others]
    return f"See {', '.join(titles)} in this report." if titles else ""


def _of_cohorts(context: ReportContext) -> dict[str, str]:
    """Facts on patients, data and their split."""
    leaking = f" Runs that leak: {', '.join(context.leaks)}." if context.leaks else ""
    return {
        "sources": _each(context, _sources),
        "preprocessing": _each(context, _preprocessing),
        "features": _each(context, _features),
        "predictors": f"All columns of the features; none was picked beforehand. {_SCALED}",
        "subsets": _each(context, _subsets),
        "missing": _each(context, _missing),
        "label": _each(context, _label),
        "split": _each(context, _split),
        "disjoint": f"{_each(context, _disjoint)} {_see(context, 'duplicates')}",
        "quality": _each(context, _quality),
        "internal": _each(context, _split) + leaking,
        "external": "None here: every patient is of the cohort that the heads were trained on. evaluate.py --cache scores another.",
        "flow": _each(context, _flow),
        "imbalance": "No class was re-weighted or re-sampled; every patient counts once in training.",
        "events": _each(context, _events),
    }


def _of_models(context: ReportContext) -> dict[str, str]:
    """Facts on heads, software and how to make a run again."""
    shown = len(context.patients)
    thresholds = ", ".join(sorted({a.threshold for a in context.patients})) or "none"
    return {
        "model": _each(context, _model),
        "software": _each(context, _software),
        "initial": _each(context, _initial),
        "training": _each(context, _training),
        "selection": f"{_each(context, _selection)} Every result that was computed is shown ({shown}); the verdict corrects for naming the highest.",
        "ensembles": _each(context, _ensembles),
        "predictions": _each(context, _predictions),
        "output": f"A probability per patient. Threshold: {thresholds}.",
        "again": _each(context, _again),
        "code": _each(context, _code),
    }


def _of_results(context: ReportContext) -> dict[str, str]:
    """Facts on metrics, power and performance; no figure of runs that leak, nor of few patients."""
    honest = [a for a in context.patients if a.run not in context.leaks]
    aucs = [a for a in honest if not math.isnan(a.by_fold["estimate"])]
    enough = bool(aucs) and not any(a.few for a in honest)
    why = f"Fewer than {FEW_PATIENTS} patients in a class" if honest else "Every run leaks"
    few = f"{why}: no figure holds for new patients."
    size = "No size was set in advance by the program. What this number of patients can show stands under 'How sure'."
    tests = (
        "AUC by fold with an interval that allows for other training patients; bootstrap over patients, DeLong's and "
        "influence-curve intervals; paired tests with Holm's correction. "
    )
    performance, diagnostic, detectable = few, few, f" {few}"
    if enough:
        detectable = f" Smallest AUC detectable: {_by_question(context, honest, _detectable)}."
        performance = f"AUC by fold {_by_question(context, honest, _auc)} ({len(aucs)} results without a leak), intervals under 'Results'."
        diagnostic = "Sensitivity and specificity of each result with intervals, under 'Further metrics'."
    return {
        "size": size + detectable,
        "metrics": f"{', '.join(m.title for m in METRICS.values())}. {_see(context, 'calibration')}",
        "tests": (tests if enough else "") + _see(context, "permutations"),
        "robustness": _see(context, "strata", "shortcuts", "stability"),
        "groups": _see(context, "strata"),
        "performance": performance,
        "diagnostic": diagnostic,
    }


def _by_question(context: ReportContext, honest: Sequence[Assessment], value: Value) -> str:
    """The range of a figure over the results that answer one question, question by question."""
    asked: dict[str, list[float | None]] = {}
    for a in honest:
        asked.setdefault(context.questions[a.run], []).append(value(a))
    if len(asked) == 1:
        return range_said(list(chain.from_iterable(asked.values())))
    return "; ".join(f"{q}: {range_said(v)}" for q, v in asked.items())


def _auc(a: Assessment) -> float:
    return a.by_fold["estimate"]


def _detectable(a: Assessment) -> float | None:
    return a.power["detectable"]


_SCALED = "Missing numbers become the training mean and columns are standardised, both fitted inside each fold."


def range_said(values: Sequence[float | None]) -> str:
    """'0.50 to 0.70', with equal ends '0.63'; numbers that are not known are passed over."""
    known = [v for v in values if v is not None and not math.isnan(v)]
    if not known:
        return number(None)
    return " to ".join(dict.fromkeys(number(end, 2) for end in (min(known), max(known))))


def _sources(run: Run) -> str:
    about = run.about
    features, labels = about["features"], about["labels"]
    return (
        f"Features {features.get('file', '')} (digest {features['digest'][:12]}), labels {labels.get('file', '')} (SHA-256 "
        f"{labels['sha256'][:12]}). Who collected them, where and when the authors must say."
    )


def _preprocessing(run: Run) -> str:
    about = run.about
    settings = about["features"]["settings"]
    if is_table(about):
        return f"Of the images: not known, the features are a table. {_SCALED}"
    told = {
        "8-bit mapping by": settings.get("normalize"), "resizing": settings.get("resize"), "plane that NIfTI volumes are cut in": settings.get("plane"),
        "network's preprocessing": settings.get("preprocess"),
    }  # fmt: skip
    return f"Slices: {'; '.join(f'{k} {v}' for k, v in told.items() if v)}. {_SCALED}"


def _subsets(run: Run) -> str:
    about = run.about
    a = about["arguments"]
    if is_table(about):
        return "None: every patient and every column of the table."
    blank = "kept" if a.get("keep_blank") else "left out"
    return f"Sequences {', '.join(about['sequences'])}; slices: {a.get('slices', 'all')}, blank ones {blank}."


def _missing(run: Run) -> str:
    about = run.about
    people = about["patients"]
    lacking = [f"{q}: {len(who)}" for q, who in people["missing_sequence"].items() if who]
    without = f"Patients without a usable slice: {', '.join(lacking)}. " if lacking else "No patient lacks a sequence. "
    files = f", {len(about['features']['skipped'])} files skipped with their reasons"
    if is_table(about):
        files = without = ""
    return f"{len(people.get('unlabelled', []))} patients without a known label were left out{files}. {without}Missing numbers become the training mean, fitted inside each fold."


def _quality(run: Run) -> str:
    about = run.about
    if is_table(about):
        return f"Not known of the images. {_SCALED}"
    return (
        f"A file that cannot be decoded is skipped with its reason ({len(about['features']['skipped'])} here), a patient without a "
        "usable slice gets no score; artefacts and motion are not looked for."
    )


def _predictions(run: Run) -> str:
    about = run.about
    unit = "row" if is_table(about) or about["arguments"].get("unit") == "patient" else "slice"
    joined = (
        f", which become the patient's by: {about['arguments'].get('aggregate', 'mean')}" if unit == "slice" else ""
    )
    return f"Each head gives a probability per {unit}{joined}. The fitted heads and their coefficients are files of the run."


def _selection(run: Run) -> str:
    about = run.about
    tuned = about["arguments"].get("tune")
    how = (
        "the configuration of each head was chosen on inner folds"
        if tuned
        else "each head has the settings that it was given"
    )
    return f"No final model was picked: {how}, and each is refitted on all labelled patients."


def _split(run: Run) -> str:
    about = run.about
    if leak := run.leak:
        return f"By slice, the notebook's way. {leak_sentence(leak)}."
    repeats = len({f["repeat"] for f in about["folds"]})
    folds = len(about["folds"]) // max(1, repeats)
    how = "read from a file" if about["split"] == "file" else f"drawn with seed {about['seed']}, stratified by label"
    return f"Cross-validation over patients: {folds} folds, {repeats} repeats, {how}; the same folds for every head."


def _model(run: Run) -> str:
    about = run.about
    backbone = about["features"]["settings"].get("backbone", "unknown")
    features = feature_settings(about) if is_table(about) else backbone
    return (
        f"Heads: {', '.join(about['arguments']['head'])}, on features of: {features}. "
        "The fitted heads are files in the folder 'heads' of the run."
    )


def _training(run: Run) -> str:
    about = run.about
    a = about["arguments"]
    of = {
        "logistic": ("C",),
        "dense": ("hidden", "optimizer", "learning_rate", "batch_size", "epochs"),
    }
    told = [
        f"{head} ({', '.join(f'{k} {a.get(k)}' for k in of.get(head, ())) or 'fixed settings'})" for head in a["head"]
    ]
    stop = " The dense head stops early on 15 % of its training patients." if "dense" in a["head"] else ""
    unit = "patient (a row of the table each)" if is_table(about) else a.get("unit", "slice")
    return f"{'; '.join(told)}; unit: {unit}.{stop}"


def _ensembles(run: Run) -> str:
    about = run.about
    fused = f" Sequences are joined as {about['fused']}." if about["fused"] else ""
    if is_table(about):
        return "None: one row, one score per patient. Repeats are not averaged."
    return f"Slice scores become a patient's score by: {about['arguments'].get('aggregate', 'mean')}.{fused} Repeats are not averaged."


def _flow(run: Run) -> str:
    about = run.about
    people = about["patients"]
    out = {k: len(people.get(k, [])) for k in ("unlabelled", "without_row", "without_scans")}
    return (
        f"{len(people['labels'])} patients included; left out: {out['unlabelled']} without a known label, {out['without_row']} "
        f"without a row in the labels, {out['without_scans']} with a label but no {'row in the table' if is_table(about) else 'scan'}."
    )


def _features(run: Run) -> str:
    return f"Features of {run.about['features']['file']}: {feature_settings(run.about)}."


def _label(run: Run) -> str:
    return f"{run.about['question']}. How it was measured the authors must say."


def _disjoint(run: Run) -> str:
    leak = run.leak
    return f"{leak_sentence(leak) if leak else 'Patients: no patient is in training and test of one fold'}."


def _software(run: Run) -> str:
    return f"{libraries(run.about)}."


def _initial(run: Run) -> str:
    weights = run.about["features"]["settings"].get("weights", "none, the features are a table")
    return f"Seed {seeds(run.about)}; backbone weights: {weights}."


def _events(run: Run) -> str:
    labels = run.about["patients"]["labels"]
    return f"{len(labels)} patients, {sum(labels.values())} positive."


def _again(run: Run) -> str:
    return f"{code(run.about)}; command: {command_line(run.about['command'])}."


def _code(run: Run) -> str:
    return f"{code(run.about)}. Where code, heads and data can be had the authors must say."
