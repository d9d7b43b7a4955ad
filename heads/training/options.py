"""Every option of stage 2: the command line, run.json, the documentation and Python read this one dataclass."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Any

from core.aggregate import AGGREGATORS
from core.documents import Document, Known
from core.options import as_json, at_least, check_choices, option
from heads.base import HEADS, Head, capabilities, check_heads
from heads.hyperparameters import hyperparameters, make_head

QUICKEST = "logistic"  # what a leak demonstration and a learning curve take where no head is named
PLANES = ("axial", "coronal", "sagittal", "unknown")
LABELS, TRAINED, VALIDATION = "labels", "what is trained", "validation"  # titles in the help


@dataclass
class TrainOptions:
    """What train_head.py is asked for, and `cross_validate` from Python; --help says what each means.

    `parameters` are hyper-parameters of heads, {name in `heads.hyperparameters`: value}; those that are not named keep
    their defaults.
    """

    features: Path = option(
        help="cache of stage 1, or a CSV with one row of numbers per patient", positional=True, parse=Path
    )
    labels: Path = option(help="CSV with an id column and a label column", positional=True, parse=Path)
    out: Path = option(help="folder of the run; must be new", parse=Path, metavar="runs/NAME")
    overwrite: bool = option(False, "replace an existing run")

    patient_column: str | None = option(
        None, "id column (recognised: BraTS21ID, patient_id, ...)", metavar="NAME", group=LABELS
    )
    label_column: str | None = option(
        None, "label column (recognised: MGMT_value, MGMT, label)", metavar="NAME", group=LABELS
    )
    positive: str | None = option(
        None, "the value that counts as 1, or a comparison such as '>63'", metavar="VALUE", group=LABELS
    )
    negative: str | None = option(
        None, "the value that counts as 0, where there are several others", metavar="VALUE", group=LABELS
    )
    skip_unlabelled: bool = option(False, "leave out patients that have no row in the labels", group=LABELS)

    head: Sequence[str] | None = option(
        None,
        "default: all three; with --demonstrate-leak logistic, the quickest",
        many=True,
        choices=HEADS.keys,
        group=TRAINED,
    )
    sequence: Sequence[str] | None = option(
        None, "default: every sequence in the cache, each apart", many=True, metavar="SEQ", group=TRAINED
    )
    fuse: str | None = option(
        None,
        "join the sequences too: average scores, or concatenate pooled vectors",
        choices=("scores", "features"),
        group=TRAINED,
        details="besides, join them: `scores` averages what a patient has, `features` concatenates pooled vectors (with `--unit patient`)",
    )
    slices: str = option(
        "all",
        "slices of each series (default: all)",
        metavar="all|central|first|largest|middle:N",
        group=TRAINED,
    )
    plane: Sequence[str] | None = option(
        None,
        f"only slices of these planes: {', '.join(PLANES)} (default: all)",
        many=True,
        choices=PLANES,
        metavar="P",
        group=TRAINED,
        details="only slices of these planes: axial, coronal, sagittal, or unknown; all by default. A patient without one is left out of that sequence",
    )
    keep_blank: bool = option(False, "train and score on blank slices too", group=TRAINED)
    unit: str = option(
        "slice",
        "rows of the heads (default: slice)",
        choices=("slice", "patient"),
        group=TRAINED,
        details="heads on slices with scores aggregated (default), or on vectors pooled per patient",
    )
    aggregate: str = option(
        "mean",
        "slice scores to patient score (default: mean)",
        choices=AGGREGATORS.keys,
        group=TRAINED,
        details="mean (default), median, max, topk (mean of the 5 highest), noisy-or, logit-mean",
    )

    split: str = option(
        "patient",
        "slice is the notebook's split, which leaks",
        choices=("patient", "slice"),
        group=VALIDATION,
        details="patient (default), or slice: the notebook's random 80/10/10, which leaks",
    )
    folds: int | None = option(
        None,
        "default: 5",
        parse=at_least(2),
        group=VALIDATION,
        details="5 and 2. What repeats disagree on tells how much of a head is noise of its training sample; with one repeat all of it is taken to be, and intervals are wider than need be",
    )
    repeats: int | None = option(
        None, "default: 2, without which intervals are wider than need be", parse=at_least(1), group=VALIDATION
    )
    tune: int | None = option(
        None,
        "try N configurations of each head on inner folds of every fold's training patients; report what they choose",
        parse=at_least(1),
        metavar="N",
        group=VALIDATION,
    )
    split_file: Path | None = option(
        None,
        "fixed folds: patient_id, fold and optionally repeat",
        parse=Path,
        metavar="CSV",
        group=VALIDATION,
        details="fixed folds: patient_id, fold and optionally repeat; copies of a patient that it puts apart are shouted",
    )
    seed: int = option(
        0, "of folds and heads (default: 0; the slice split has its own, 42)", parse=int, group=VALIDATION
    )
    jobs: int = option(
        help="folds fitted at once (default: all cores); results do not depend on it",
        factory=lambda: os.cpu_count() or 1,
        parse=at_least(1),
        group=VALIDATION,
    )
    permutations: int | None = option(
        None,
        "shuffle the patients' labels N times and make everything again (default: 200 for the logistic head alone, none "
        "with --tune; a number counts for all heads; 0: none)",
        parse=at_least(0),
        metavar="N",
        group=VALIDATION,
        details="deal out the patients' labels anew N times and make folds, choices and fits again: p and the band of AUCs where there is nothing to find. By default 200 times for the logistic head alone (many fits at once, `heads/controls/batched.py`), and not with `--tune`; a number counts for every head and can take long; 0 for none",
    )
    learning_curve: bool = option(
        False,
        "besides, train on 25, 50 and 75 %% of the training patients: the logistic head, or those of --head but dense",
        group=VALIDATION,
        details="besides, train on 25, 50 and 75 % of the training patients with the same test folds: the logistic head, or those of `--head` but dense (unless it is the only one). The fused average of `--fuse scores` has no curve",
    )
    no_shortcuts: bool = option(
        False,
        "leave out the heads on how the scans were made (slice count, plane, spacing ...), the baseline of the report",
        group=VALIDATION,
        details="leave out the logistic and boosted heads on how the scans were made (slice count, plane, matrix, spacing, intensity window, brain fraction), which the report holds against the images",
    )
    demonstrate_leak: int | None = option(
        None,
        "make no run, but compare slice split and patient split under DRAWS shuffles of the labels (20 if not said)",
        parse=at_least(2),
        const=20,
        metavar="DRAWS",
        group=VALIDATION,
        details="make no run: the same heads under slice split and patient split, with the true labels and with DRAWS (20) shuffles of them, as a table, a figure and a verdict in `--out`. The logistic head alone unless `--head` says otherwise",
    )

    parameters: Known = field(default_factory=dict)

    @property
    def head_names(self) -> list[str]:
        """The heads to train: those that are asked for, else all of them, in a leak demonstration the quickest."""
        return list(self.head or ([QUICKEST] if self.demonstrate_leak else HEADS))

    @property
    def curve_names(self) -> list[str]:
        """The heads of the learning curve, none without one; a slow head draws a curve only where it is alone."""
        if not self.learning_curve:
            return []
        names = list(self.head or [QUICKEST])
        return [name for name in names if capabilities(HEADS[name]).cheap] or names

    def heads(self, names: Sequence[str] | None = None) -> list[Head]:
        """The heads of some names (without any: those to train) with their hyper-parameters, each once."""
        return [make_head(name, self.parameters) for name in dict.fromkeys(names or self.head_names)]

    def arguments(self) -> Document:
        """The options as run.json keeps them, those of the heads among the others."""
        given = as_json(self)
        parameters = {**as_json(head_parameters()()), **given.pop("parameters")}
        chosen = {"head": self.head_names, "learning_curve": self.curve_names or False}
        return given | parameters | chosen

    def check(self) -> None:
        """Look at the options before anything is read.

        Raises
        ------
        ValueError : a value is not allowed, two of them contradict each other, or a head is not known, not installed or could
            not be saved
        """
        check_choices(self)
        _check_demonstration(self)
        _check_validation(self)
        check_heads(self.head_names)
        known = {h.dest for name in HEADS for h in hyperparameters(name)}
        if unknown := sorted(set(self.parameters) - known):
            raise ValueError(f"no head has {', '.join(unknown)}; expected some of {', '.join(sorted(known))}")
        asked = head_parameters()
        names = {f.name for f in fields(asked)}
        check_choices(asked(**{k: v for k, v in self.parameters.items() if k in names}))


def head_parameters() -> type:
    """A dataclass of the hyper-parameters of all registered heads that the command line asks for, under their `dest`."""
    asked = [h for name in HEADS for h in hyperparameters(name) if h.option is not None]
    made = [(h.dest, Any, field(default=h.default, metadata={"option": h.option})) for h in asked]
    return make_dataclass("HeadParameters", made)


def _check_demonstration(o: TrainOptions) -> None:
    """A leak demonstration makes splits of its own."""
    if o.fuse == "features" and o.unit != "patient":
        raise ValueError("--fuse features concatenates one vector per patient; add --unit patient")
    of_runs = o.split_file or o.repeats or o.fuse or o.tune or o.permutations
    if o.demonstrate_leak and (o.split == "slice" or o.unit == "patient" or of_runs):
        raise ValueError(
            "--demonstrate-leak runs both splits over slices, with folds of its own; it takes no --split, --split-file, "
            "--repeats, --unit patient, --fuse, --tune or --permutations"
        )


def _check_validation(o: TrainOptions) -> None:
    """Splits, folds, tuning and the learning curve go together only in some ways."""
    if o.split == "slice" and o.unit == "patient":
        raise ValueError("--split slice splits slices; it does not go with --unit patient")
    if o.split == "slice" and (o.folds or o.repeats or o.split_file):
        raise ValueError(
            "--split slice is the notebook's one 80/10/10 split; it takes no --folds, --repeats or --split-file"
        )
    if o.tune and (o.split == "slice" or o.fuse == "scores"):
        raise ValueError("--tune chooses one sequence on folds of patients; it takes no --split slice or --fuse scores")
    if o.learning_curve and (o.split == "slice" or o.tune or o.demonstrate_leak):
        raise ValueError(
            "--learning-curve trains the heads as given on folds of patients; it takes no --split slice, --tune or --demonstrate-leak"
        )
    if o.split_file and (o.folds or o.repeats):
        raise ValueError("--split-file fixes the folds; it takes no --folds or --repeats")
