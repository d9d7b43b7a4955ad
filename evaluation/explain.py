"""A run's linear heads and the images of some of its patients -> exact maps of what the heads use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from core.documents import Document
from core.ids import match_ids
from core.leak import leak_sentence
from core.metrics import Array
from evaluation.options import ExplainOptions
from evaluation.read_run import Run
from evaluation.report.pages.activation_maps import explain_section
from evaluation.report.section import Section
from evaluation.run_facts import question_of
from evaluation.statistics.activation_maps import Explanation, activation_map, check_scores, known_scores
from evaluation.statistics.assess import assess
from features.backbones.registry import Say, silent
from features.reload import check_ids, find_series, images_of, load_embedder, tolerance
from features.table import named_sequences, selection
from heads.bundle import Bundle, check_features, load_bundle
from heads.standardise import Standardiser

Heads = dict[tuple[str, str], list[Bundle]]  # {(patient, sequence): the heads that held the patient back}


class MapEmbedder(Protocol):
    """A network that gives its activations before pooling."""

    settings: Document
    precision: str

    def maps(self, images: NDArray[np.uint8]) -> NDArray[np.floating]:
        """(n, h, w) uint8 -> (n, 7, 7, d)."""
        ...


class LinearHead(Protocol):
    """A fitted head whose logit is a sum over standardised columns."""

    coef: Array
    intercept: float
    standardise: Standardiser


@dataclass(frozen=True)
class Explained:
    """The explanation of one patient's score, and what a user should know of the features it rests on."""

    explanation: Explanation
    notes: list[str]


def named_patients(run: Run, names: Sequence[str]) -> list[str]:
    """The ids of the run's patients that are asked for. Raises ValueError where one is none of its labelled patients."""
    labels = run.about["patients"]["labels"]
    named = match_ids(labels, names, "--explain")
    unknown = [p for p in names if p not in named.values()]
    if unknown:
        raise ValueError(
            f"--explain {unknown[0]!r}: {run.name} has {len(labels)} labelled patients, and that is none of them"
        )
    return list(named)


def explain(run: Run, options: ExplainOptions, say: Say = silent) -> Iterator[Explained]:
    """The out-of-fold scores of some patients, explained one after another.

    Parameters
    ----------
    run : of which the linear heads of the folds were kept; options : patients, cohort, and on demand head, sequence, weights
    say : is called with what the user should know of the weights

    Yields
    ------
    An explanation for each patient, head and sequence, checked against the scores that the run holds.

    Raises
    ------
    ValueError : patients or cohort are not given, a patient is not of the run, no linear head held the patient back, or cohort and run do not belong together
    """
    if not options.explain or options.cohort is None:
        raise ValueError(
            "nothing to explain; give ExplainOptions explain=[patients] and cohort=the folder of their images"
        )
    patients = named_patients(run, options.explain)
    settings = run.about["features"]["settings"]
    chosen = explaining_heads(run, patients, head=options.head, sequence=options.sequence)
    series = find_series(options.cohort, patients, sorted({q for _, q in chosen}))
    embed: MapEmbedder = load_embedder(settings, options.weights, say)
    for (patient, sequence), own in chosen.items():
        if (patient, sequence) not in series:
            raise ValueError(f"the cohort {options.cohort} has no {sequence} of {patient!r}, and {run.name} has")
        about = own[0].about
        notes = check_features(about, {**settings, **embed.settings, "precision": embed.precision}, [])
        images, ids = images_of(series[patient, sequence], settings, **selection(about))
        activations = embed.maps(images)
        for b in own:
            e = _explained(run, b, patient, ids, images, activations)
            _, known = known_scores(run, e.head, e.sequence, e.repeat, patient)
            if not e.pooled:
                check_ids(ids, list(known), options.cohort)
            check_scores(e, known, tolerance(settings))
            yield Explained(e, notes)
            notes = []


def _explained(
    run: Run,
    b: Bundle,
    patient: str,
    ids: Sequence[str],
    images: NDArray[np.uint8],
    activations: NDArray[np.floating],
) -> Explanation:
    """One head on one patient."""
    about, f = b.about, cast(LinearHead, b.fitted)
    score, _ = known_scores(run, about["head"], about["sequence"], about["repeat"], patient)
    return Explanation(
        patient=patient,
        label=run.about["patients"]["labels"][patient],
        head=about["head"],
        sequence=about["sequence"],
        repeat=about["repeat"],
        fold=about["fold"],
        score=score,
        aggregate=about["aggregate"],
        pooled=about["unit"] == "patient",
        slices=ids,
        images=images,
        maps=activation_map(activations, f.coef, f.standardise.mean, f.standardise.scale, f.intercept),
    )


def explanation_section(run: Run, explanations: Sequence[Explanation], *, replicates: int, seed: int) -> Section:
    """The page of some explanations, with what the explained results are worth; `replicates`, `seed` : of the bootstrap."""
    keys = {(e.head, e.sequence) for e in explanations}
    worth = [
        assess(s, level="patient", replicates=replicates, seed=seed) for s in run.scored if (s.head, s.sequence) in keys
    ]
    return explain_section(explanations, worth, question_of(run))


def explaining_heads(run: Run, patients: Sequence[str], *, head: str | None, sequence: str | None) -> Heads:
    """The linear heads, of the first repeat, that held each patient back.

    Parameters
    ----------
    run : whose folder keeps the heads of its folds; patients : ids of the run
    head, sequence : only these; None for all

    Returns
    -------
    Heads by patient and sequence, at least one of each patient.

    Raises
    ------
    ValueError : there is none for a patient, with the reason
    """
    heads = _linear_heads(run)
    there = sorted({b.about["head"] for b in heads})
    if head not in (None, *there):
        raise ValueError(f"--head {head}: {run.name} can explain {', '.join(there)} alone; other heads are not linear")
    wanted = None if sequence is None else named_sequences([sequence])[0]
    out: Heads = {}
    for patient in patients:
        first: dict[tuple[str, str], Bundle] = {}
        for b in heads:
            key = (b.about["head"], b.about["sequence"])
            if patient in b.about["test_patients"] and head in (None, key[0]) and wanted in (None, key[1]):
                first.setdefault(key, b)
        if not first:
            on = f" on {wanted}" if wanted else ""
            raise ValueError(
                f"--explain {patient!r}: no linear head held this patient back{on}; choose another --sequence, or leave it out"
            )
        for b in first.values():
            out.setdefault((patient, b.about["parts"][0]), []).append(b)
    return out


def _linear_heads(run: Run) -> list[Bundle]:
    """The heads of a run's folds that can be explained, by repeat. Raises ValueError where there are none."""
    if leak := run.leak:
        raise ValueError(
            f"{run.name} {leak_sentence(leak)}: its heads trained on the patients that they would explain; train with --split patient"
        )
    if "backbone" not in run.about["features"]["settings"]:
        raise ValueError(f"{run.name} was trained on a table of numbers; there is no image to draw a map over")
    loaded = [load_bundle(file) for file in (run.path / "heads" / "folds").glob("*.npz")]
    heads = sorted((b for b in loaded if len(b.about["parts"]) == 1), key=_repeat)
    if not heads:
        raise ValueError(
            f"{run.name} keeps no logistic head of its folds on one sequence, and only such a head can be explained exactly (dense "
            "and boosted heads are not linear); train again with --head logistic"
        )
    return heads


def _repeat(b: Bundle) -> int:
    repeat: int = b.about["repeat"]
    return repeat
