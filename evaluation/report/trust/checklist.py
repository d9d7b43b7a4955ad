"""What the records of a run answer of CLAIM 2024 and TRIPOD+AI, item by item; the rest is for the authors to say.

CLAIM 2024 update: Tejani et al., Radiology: Artificial Intelligence 2024, doi:10.1148/ryai.240300.
TRIPOD+AI: Collins et al., BMJ 2024, doi:10.1136/bmj-2023-078378. Item numbers are theirs, the topics are in our words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.metrics import METRICS
from core.text import number
from evaluation.read_run import Run, is_table
from evaluation.report.section import Section, Sheet
from evaluation.report.trust.provenance import code, command_line, feature_settings, libraries, seeds
from evaluation.statistics.assess import Assessment
from evaluation.statistics.power import FEW_PATIENTS

OPEN = "not answered by the run: the authors must say"

# (number, topic, name of the fact that answers it); an item may have several facts
CLAIM = (
    ("1", "Title", ""), ("2", "Abstract", ""), ("3", "Background and intended use", ""), ("4", "Aims and hypotheses", ""),
    ("5", "Prospective or retrospective", ""), ("6", "Goal of the study", ""), ("7", "Data sources", "sources"),
    ("8", "Who was eligible", ""), ("9", "Preprocessing", "preprocessing"), ("10", "Subsets of the data", "subsets"),
    ("11", "De-identification", ""), ("12", "Missing data", "missing"), ("13", "Image acquisition", ""),
    ("14", "Reference standard: definition", "label"), ("15", "Reference standard: why this one", ""),
    ("16", "Reference standard: who made it", ""), ("17", "Annotation of the test set", ""), ("18", "Agreement of raters", ""),
    ("19", "How data were split", "split"), ("20", "Level at which the parts are disjoint", "disjoint"),
    ("21", "Sample size", "size"), ("22", "Model", "model"), ("23", "Software", "software"),
    ("24", "Initial parameters", "initial"), ("25", "Training", "training"), ("26", "Choice of the final model", "selection"),
    ("27", "Ensembles", "ensembles"), ("28", "Performance metrics", "metrics"), ("29", "Significance and uncertainty", "tests"),
    ("30", "Robustness or sensitivity", "robustness"), ("31", "Explanations", ""),
    ("32", "Evaluation on internal data", "internal"), ("33", "Test on external data", "external"),
    ("34", "Trial registration", ""), ("35", "Numbers included and excluded", "flow"), ("36", "Characteristics by part", ""),
    ("37", "Performance with uncertainty", "performance"), ("38", "Diagnostic performance and precision", "diagnostic"),
    ("39", "Analysis of failures", ""), ("40", "Limitations", ""), ("41", "Implications for practice", ""),
    ("42", "Protocol or further technical detail", "again"), ("43", "Availability of software, model and data", "code"),
    ("44", "Funding", ""),
)  # fmt: skip

TRIPOD = (
    ("1", "Title", ""), ("2", "Abstract", ""), ("3a", "Clinical context", ""), ("3b", "Target population and users", ""),
    ("3c", "Known health inequalities", ""), ("4", "Objectives", ""), ("5a", "Data sources", "sources"), ("5b", "Dates", ""),
    ("6a", "Setting and centres", ""), ("6b", "Eligibility", ""), ("6c", "Treatments", ""),
    ("7", "Data preparation", "preprocessing"), ("8a", "Outcome: definition", "label"), ("8b", "Outcome: assessors", ""),
    ("8c", "Outcome: blinding", ""), ("9a", "Choice of predictors", "predictors"), ("9b", "Predictors: definition", "features"),
    ("9c", "Predictors: assessors", ""), ("10", "Sample size", "size"), ("11", "Missing data", "missing"),
    ("12a", "Use and partition of the data", "split"), ("12b", "Handling of predictors", "predictors"),
    ("12c", "Model type and building", "training"), ("12d", "Differences between clusters", ""),
    ("12e", "Measures of performance", "metrics"), ("12f", "Model updating", ""),
    ("12g", "How predictions were computed", "predictions"), ("13", "Class imbalance", "imbalance"), ("14", "Fairness", ""),
    ("15", "Output of the model and thresholds", "output"), ("16", "Development against evaluation data", ""),
    ("17", "Ethical approval", ""), ("18a", "Funding", ""), ("18b", "Conflicts of interest", ""), ("18c", "Protocol", ""),
    ("18d", "Registration", ""), ("18e", "Data sharing", ""), ("18f", "Code sharing", "code"),
    ("19", "Patient and public involvement", ""), ("20a", "Flow of participants", "flow"),
    ("20b", "Characteristics of participants", ""), ("20c", "Comparison with development data", ""),
    ("21", "Participants and events in each analysis", "events"), ("22", "Full specification of the model", "model"),
    ("23a", "Performance with intervals", "performance"), ("23b", "Performance by cluster", "groups"),
    ("24", "Results of updating", ""), ("25", "Interpretation", ""), ("26", "Limitations", ""),
    ("27a", "Input of poor quality", "quality"), ("27b", "What users must do", ""), ("27c", "Next steps", ""),
)  # fmt: skip


def checklist_section(
    runs: Sequence[Run], assessments: Sequence[Assessment], others: Sequence[Section] = ()
) -> Section:
    """Both checklists with the answers that the runs give; `others` : the further sections of this report."""
    known = facts(runs, assessments, {s.key: s.title for s in others if s.sheets or s.drawings})
    lists = {"CLAIM 2024": CLAIM, "TRIPOD+AI": TRIPOD}
    answered = {
        name: {n: known[fact].strip() for n, _, fact in items if known.get(fact)} for name, items in lists.items()
    }
    sheets = [
        Sheet(
            f"{name}: {len(answered[name])} of {len(items)} items have an answer",
            ("Item", "Answer"),
            [[f"{n} {topic}", answered[name].get(n, OPEN)] for n, topic, _ in items],
        )
        for name, items in lists.items()
    ]
    words = [
        "What the records of the runs say to each item of CLAIM 2024 (Tejani et al., Radiology: Artificial Intelligence 2024) and "
        "TRIPOD+AI (Collins et al., BMJ 2024). Item numbers are those of the papers, topics are shortened. An answer here is "
        "where the authors start, not a claim that the item is fulfilled."
    ]
    data = {name: {n: answered[name].get(n) for n, _, _ in items} for name, items in lists.items()}
    return Section("checklists", "Checklists: CLAIM 2024 and TRIPOD+AI", words, sheets, data=data, folded=True)


def facts(runs: Sequence[Run], assessments: Sequence[Assessment], others: Mapping[str, str]) -> dict[str, str]:
    """{name: what the runs record}; '' where they record nothing. `others` : {key: title} of the report's sections that hold figures."""

    def each(tell: Callable[[dict[str, Any]], str]) -> str:
        texts = {run.name: tell(run.about) for run in runs}
        if len(set(texts.values())) == 1:
            return next(iter(texts.values()))
        return " ".join(f"{name}: {text}" for name, text in texts.items())

    def see(*keys: str) -> str:
        titles = [f"'{others[k]}'" for k in keys if k in others]
        return f"See {', '.join(titles)} in this report." if titles else ""

    def by_question(value: Callable[[Assessment], Any]) -> str:
        """The range of a figure over the results that answer one question, question by question."""
        asked: dict[str, list[Any]] = {}
        for a in honest:
            asked.setdefault(next(r.about["question"] for r in runs if r.name == a.run), []).append(value(a))
        return "; ".join(f"{q}: {_range(v)}" if len(asked) > 1 else _range(v) for q, v in asked.items())

    leaks = [run.name for run in runs if run.about.get("leak")]
    patients = [a for a in assessments if a.level == "patient"]
    honest = [a for a in patients if a.run not in leaks]
    aucs = [a.by_fold["estimate"] for a in honest if not math.isnan(a.by_fold["estimate"])]
    enough = bool(aucs) and not any(a.few for a in honest)
    why = f"Fewer than {FEW_PATIENTS} patients in a class" if honest else "Every run leaks"
    few = f"{why}: no figure holds for new patients."
    return {
        "sources": each(_sources),
        "preprocessing": each(_preprocessing),
        "features": each(lambda a: f"Features of {a['features']['file']}: {feature_settings(a)}."),
        "predictors": f"All columns of the features; none was picked beforehand. {_SCALED}",
        "subsets": each(_subsets),
        "missing": each(_missing),
        "label": each(lambda a: f"{a['question']}. How it was measured the authors must say."),
        "split": each(_split),
        "disjoint": each(lambda a: f"{a['leak'] or 'Patients: no patient is in training and test of one fold'}.")
        + f" {see('duplicates')}",
        "size": "No size was set in advance by the program. What this number of patients can show stands under 'How sure'."
        + (f" Smallest AUC detectable: {by_question(lambda a: a.power['detectable'])}." if enough else f" {few}"),
        "model": each(_model),
        "software": each(lambda a: f"{libraries(a)}."),
        "initial": each(lambda a: f"Seed {seeds(a)}; backbone weights: "
                        f"{a['features']['settings'].get('weights', 'none, the features are a table')}."),
        "training": each(_training),
        "selection": f"{each(_selection)} Every result that was computed is shown ({len(patients)}); the verdict corrects for naming the highest.",
        "ensembles": each(_ensembles),
        "metrics": f"{', '.join(title for title, _, _ in METRICS.values())}. {see('calibration')}",
        "tests": ("AUC by fold with an interval that allows for other training patients; bootstrap over patients, DeLong's and "
        "influence-curve intervals; paired tests with Holm's correction. " if enough else "") + see("permutations"),
        "robustness": see("strata", "shortcuts", "stability"),
        "groups": see("strata"),
        "predictions": each(_predictions),
        "quality": each(_quality),
        "internal": each(_split) + (f" Runs that leak: {', '.join(leaks)}." if leaks else ""),
        "external": "None here: every patient is of the cohort that the heads were trained on. evaluate.py --cache scores another.",
        "flow": each(_flow),
        "performance": f"AUC by fold {by_question(lambda a: a.by_fold['estimate'])} ({len(aucs)} results without a leak), intervals under 'Results'." if enough else few,
        "diagnostic": "Sensitivity and specificity of each result with intervals, under 'Further metrics'." if enough else few,
        "imbalance": "No class was re-weighted or re-sampled; every patient counts once in training.",
        "output": each(lambda a: "A probability per patient.")
        + f" Threshold: {', '.join(sorted({a.threshold for a in patients})) or 'none'}.",
        "events": each(lambda a: f"{len(a['patients']['labels'])} patients, {sum(a['patients']['labels'].values())} positive."),
        "again": each(lambda a: f"{code(a)}; command: {command_line(a['command'])}."),
        "code": each(lambda a: f"{code(a)}. Where code, heads and data can be had the authors must say."),
    }  # fmt: skip


_SCALED = "Missing numbers become the training mean and columns are standardised, both fitted inside each fold."


def _range(values: Sequence[Any]) -> str:
    known = [v for v in values if v is not None and not math.isnan(v)]
    ends = dict.fromkeys(number(f(known, default=None), 2) for f in (min, max))
    return " to ".join(ends)


def _sources(about: dict[str, Any]) -> str:
    features, labels = about["features"], about["labels"]
    return (
        f"Features {features.get('file', '')} (digest {features['digest'][:12]}), labels {labels.get('file', '')} (SHA-256 "
        f"{labels['sha256'][:12]}). Who collected them, where and when the authors must say."
    )


def _preprocessing(about: dict[str, Any]) -> str:
    settings = about["features"]["settings"]
    if is_table(about):
        return f"Of the images: not known, the features are a table. {_SCALED}"
    told = {
        "8-bit mapping by": settings.get("normalize"), "resizing": settings.get("resize"), "plane that NIfTI volumes are cut in": settings.get("plane"),
        "network's preprocessing": settings.get("preprocess"),
    }  # fmt: skip
    return f"Slices: {'; '.join(f'{k} {v}' for k, v in told.items() if v)}. {_SCALED}"


def _subsets(about: dict[str, Any]) -> str:
    a = about["arguments"]
    if is_table(about):
        return "None: every patient and every column of the table."
    blank = "kept" if a.get("keep_blank") else "left out"
    return f"Sequences {', '.join(about['sequences'])}; slices: {a.get('slices', 'all')}, blank ones {blank}."


def _missing(about: dict[str, Any]) -> str:
    people = about["patients"]
    lacking = [f"{q}: {len(who)}" for q, who in people["missing_sequence"].items() if who]
    without = f"Patients without a usable slice: {', '.join(lacking)}. " if lacking else "No patient lacks a sequence. "
    files = f", {len(about['features']['skipped'])} files skipped with their reasons"
    if is_table(about):
        files = without = ""
    return f"{len(people.get('unlabelled', []))} patients without a known label were left out{files}. {without}Missing numbers become the training mean, fitted inside each fold."


def _quality(about: dict[str, Any]) -> str:
    if is_table(about):
        return f"Not known of the images. {_SCALED}"
    return (
        f"A file that cannot be decoded is skipped with its reason ({len(about['features']['skipped'])} here), a patient without a "
        "usable slice gets no score; artefacts and motion are not looked for."
    )


def _predictions(about: dict[str, Any]) -> str:
    unit = "row" if is_table(about) or about["arguments"].get("unit") == "patient" else "slice"
    joined = f", which become the patient's by: {about['arguments'].get('aggregate', 'mean')}" * (unit == "slice")
    return f"Each head gives a probability per {unit}{joined}. The fitted heads and their coefficients are files of the run."


def _selection(about: dict[str, Any]) -> str:
    tuned = about["arguments"].get("tune")
    how = (
        "the configuration of each head was chosen on inner folds"
        if tuned
        else "each head has the settings that it was given"
    )
    return f"No final model was picked: {how}, and each is refitted on all labelled patients."


def _split(about: dict[str, Any]) -> str:
    if about["leak"]:
        return f"By slice, the notebook's way. {about['leak']}."
    repeats = len({f["repeat"] for f in about["folds"]})
    folds = len(about["folds"]) // max(1, repeats)
    how = "read from a file" if about["split"] == "file" else f"drawn with seed {about['seed']}, stratified by label"
    return f"Cross-validation over patients: {folds} folds, {repeats} repeats, {how}; the same folds for every head."


def _model(about: dict[str, Any]) -> str:
    return (
        f"Heads: {', '.join(about['arguments']['head'])}, on features of: {feature_settings(about) if is_table(about) else about['features']['settings'].get('backbone', 'unknown')}. "
        "The fitted heads are files in the folder 'heads' of the run."
    )


def _training(about: dict[str, Any]) -> str:
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


def _ensembles(about: dict[str, Any]) -> str:
    fused = f" Sequences are joined as {about['fused']}." if about["fused"] else ""
    if is_table(about):
        return "None: one row, one score per patient. Repeats are not averaged."
    return f"Slice scores become a patient's score by: {about['arguments'].get('aggregate', 'mean')}.{fused} Repeats are not averaged."


def _flow(about: dict[str, Any]) -> str:
    people = about["patients"]
    out = {k: len(people.get(k, [])) for k in ("unlabelled", "without_row", "without_scans")}
    return (
        f"{len(people['labels'])} patients included; left out: {out['unlabelled']} without a known label, {out['without_row']} "
        f"without a row in the labels, {out['without_scans']} with a label but no {'row in the table' if is_table(about) else 'scan'}."
    )
