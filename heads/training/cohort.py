"""Features + labels -> the tables that heads are trained on, and the patients who share images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from core.system.files import file_sha256
from features.copies.duplicates import Pair, duplicate_patients, group_patients
from features.copies.fingerprint import Fingerprint, fingerprint
from features.labels import Join, join, read_labels
from features.table import Source, Table, concatenate, load_table, named_sequences, open_source, pool
from heads.run_record import FeaturesRecord, LabelsRecord
from heads.search.space import SLICES, Key
from heads.training.events import Compared, Joined, Tell, WithoutSlices
from heads.training.options import TrainOptions


@dataclass
class Cohort:
    """The patients of a run with all that is known of them.

    source : where the features come from; join : labels of patients, and who has none; labels_file : where labels come from
    sequences : those that are trained on one by one; tables : what heads are trained on, a fused one last
    per_patient : a row of the tables is a patient; fingerprints : by sequence; pairs : patients that share images
    """

    source: Source
    join: Join
    labels_file: LabelsRecord
    sequences: list[str]
    tables: list[Table]
    per_patient: bool
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)

    @property
    def labels(self) -> dict[str, int]:
        """{patient: 0 or 1}."""
        return self.join.labels

    @property
    def by_name(self) -> dict[str, Table]:
        """{sequence: table}."""
        return {t.sequence: t for t in self.tables}

    @property
    def groups(self) -> dict[str, str]:
        """{patient: group} of those who share images."""
        return group_patients(self.pairs)

    @property
    def has_scans(self) -> bool:
        """Whether there is a cache to ask about scans: neither a table of patients nor a table in memory."""
        return not self.source.is_csv and not self.source.in_memory

    @property
    def features_record(self) -> FeaturesRecord:
        """The features, as run.json says it."""
        s = self.source
        return FeaturesRecord(file=s.path.name, digest=s.digest, settings=s.settings, skipped=s.skipped)


def open_cohort(options: TrainOptions, tell: Tell) -> Cohort:
    """Read features and labels, join them by id, and look for patients who share images.

    Parameters
    ----------
    options : what to read, and which rows of it
    tell : hears of patients that are left out, and of copies

    Returns
    -------
    The cohort; no slice has been left out of the comparison of patients.

    Raises
    ------
    ValueError : a file is damaged or no such file, ids do not join, or a table of patients is asked for slices
    """
    source = open_source(options.features)
    joined = _join(options, source)
    tell(Joined(joined))
    _check_slices_of(options, source)
    sequences = source.sequences if options.sequence is None else named_sequences(options.sequence)
    per_patient = options.unit == "patient" or source.is_csv
    trained, whole = [], []
    for sequence in sequences:
        table, every = _tables(options, source, sequence, list(joined.labels))
        whole.append(every)
        trained.append(pool(table) if per_patient else table)
        if table.missing:
            tell(WithoutSlices(sequence, table.missing))
    if options.fuse == "features":
        trained.append(concatenate(trained))
    labels_file = LabelsRecord(options.labels.name, file_sha256(options.labels))
    cohort = Cohort(
        source=source,
        join=joined,
        labels_file=labels_file,
        sequences=sequences,
        tables=trained,
        per_patient=per_patient,
    )
    compare_patients(cohort, whole, tell)
    return cohort


def compare_patients(cohort: Cohort, whole: Sequence[Table], tell: Tell) -> None:
    """Find the patients of a cohort who share images; `whole` : a table per sequence with all usable slices."""
    started = time.monotonic()
    cohort.fingerprints = {t.sequence: fingerprint(t) for t in whole}
    cohort.pairs = duplicate_patients(cohort.fingerprints)
    tell(Compared(cohort.pairs, cohort.labels, time.monotonic() - started, of_rows=bool(whole[0].columns)))


def tuning_tables(options: TrainOptions, cohort: Cohort) -> dict[Key, Table]:
    """The tables to choose from, the default ones first; other slice selections only where rows are slices of a cache."""
    by_key = {Key(t.sequence, options.slices): t for t in cohort.tables}
    if options.unit == "slice" and cohort.has_scans:
        for sequence, slices in [(q, s) for s in SLICES if s != options.slices for q in cohort.sequences]:
            by_key[Key(sequence, slices)] = _load(options, cohort.source, sequence, slices, list(cohort.labels))
    return by_key


def _join(options: TrainOptions, source: Source) -> Join:
    """The labels of the patients. Raises ValueError where a patient has no row, unless the options allow that."""
    labels = read_labels(
        options.labels,
        patient_column=options.patient_column,
        label_column=options.label_column,
        positive=options.positive,
        negative=options.negative,
    )
    joined = join(source.patients, labels)
    if joined.without_row and not options.skip_unlabelled:
        raise ValueError(
            f"{options.labels} has no row for {len(joined.without_row)} patients of {options.features}, first "
            f"{joined.without_row[0]!r}. Add the labels or pass --skip-unlabelled."
        )
    return joined


def _check_slices_of(options: TrainOptions, source: Source) -> None:
    """A table of patients has no slices to choose."""
    about_slices = options.slices != "all" or options.plane or options.split == "slice" or options.demonstrate_leak
    if source.is_csv and (options.sequence or options.fuse or about_slices):
        raise ValueError(
            f"{options.features} is a table of patients; it has no sequences and slices for --sequence, --fuse, --slices, "
            "--plane, --split slice or --demonstrate-leak"
        )


def _tables(options: TrainOptions, source: Source, sequence: str, patients: list[str]) -> tuple[Table, Table]:
    """The rows of a sequence to train on, and all usable ones."""
    table = _load(options, source, sequence, options.slices, patients)
    all_of_them = options.slices == "all" and not options.plane
    return table, table if all_of_them else load_table(source, sequence, patients=patients)


def _load(options: TrainOptions, source: Source, sequence: str, slices: str, patients: list[str]) -> Table:
    return load_table(
        source, sequence, slices=slices, keep_blank=options.keep_blank, planes=options.plane, patients=patients
    )
