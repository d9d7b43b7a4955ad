"""Features and labels, joined: what heads are trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.question import LabelQuestion
from core.text import some
from features.labels import Join, join, read_labels
from features.table import Source, Table, check_slices, load_table, named_sequences, open_source

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass
class Dataset:
    """Tables of features, and the labels of their patients.

    Attributes
    ----------
    source : the cache or CSV file
    tables : {sequence: rows of its labelled patients}
    join : the labels, and whom they could not be joined to
    """

    source: Source
    tables: dict[str, Table]
    join: Join

    @property
    def labels(self) -> dict[str, int]:
        """{patient: 0 or 1}."""
        return self.join.labels

    @property
    def question(self) -> LabelQuestion:
        """What 1 and 0 stand for."""
        return self.join.question

    def to_frame(self) -> DataFrame:
        """The rows of all sequences: patient, label, sequence, slice, view, then the features."""
        from pandas import concat

        frame = concat([table.to_frame() for table in self.tables.values()], ignore_index=True)
        frame.insert(1, "label", frame["patient"].map(self.labels).astype("int8"))
        return frame

    def patients(self) -> DataFrame:
        """A row per labelled patient: label, and the number of images in each sequence."""
        from pandas import DataFrame

        frame = DataFrame({"label": self.labels})
        for name, table in self.tables.items():
            counts = Counter(map(str, table.patient[table.view == 0]))
            frame[name] = [counts[patient] for patient in frame.index]
        return frame.rename_axis("patient")

    def __repr__(self) -> str:
        """A line: patients, question, sequences."""
        positive = sum(self.labels.values())
        rows = ", ".join(f"{name} {len(table)} rows" for name, table in self.tables.items())
        return f"Dataset({self.question}: {len(self.labels)} patients, {positive} of them positive; {rows})"

    def _repr_html_(self) -> str:
        """The first patients, for a notebook."""
        counts = self.patients()
        return f"<p>{len(counts)} patients, {sum(self.labels.values())} of them {self.question.outcome}</p>{counts.head().to_html()}"


def load(
    features: str | Path,
    labels: str | Path,
    *,
    sequence: str | Sequence[str] | None = None,
    patient_column: str | None = None,
    label_column: str | None = None,
    positive: str | None = None,
    negative: str | None = None,
    slices: str = "all",
    keep_blank: bool = False,
    planes: Sequence[str] | None = None,
    skip_unlabelled: bool = False,
) -> Dataset:
    """Read features and join the labels of their patients.

    Parameters
    ----------
    features : a cache of `extract`, or a CSV file with a row of numbers per patient
    labels : a CSV file with a column of patients and a column of labels
    sequence : one or several of FLAIR, T1w, T1wCE, T2w; by default all that are there
    patient_column, label_column, positive, negative : as for `features.labels.read_labels`
    slices : all, central, first, largest (most brain) or middle:N of each series
    keep_blank : blank slices too
    planes : of axial, coronal, sagittal; by default slices of every plane
    skip_unlabelled : leave out patients who have no row in the labels; otherwise they are an error

    Returns
    -------
    Dataset

    Raises
    ------
    ValueError : a file that cannot be read or is damaged, an option that cannot be meant, patients who have no row in the labels
    """
    check_slices(slices)
    source = open_source(Path(features))
    if source.is_csv and (sequence or slices != "all" or planes):
        raise ValueError(
            f"{str(features)!r} is a table of patients; it has no sequences, slices and planes to choose from"
        )
    columns = {"patient_column": patient_column, "label_column": label_column}
    joined = join(source.patients, read_labels(Path(labels), **columns, positive=positive, negative=negative))
    if joined.without_row and not skip_unlabelled:
        raise ValueError(
            f"{str(labels)!r} has no row for {len(joined.without_row)} patients of {str(features)!r} ({some(joined.without_row)}); "
            "add the labels, or pass skip_unlabelled=True"
        )
    wanted = [sequence] if isinstance(sequence, str) else sequence
    tables = {
        name: load_table(
            source, name, slices=slices, keep_blank=keep_blank, planes=planes, patients=list(joined.labels)
        )
        for name in (source.sequences if wanted is None else named_sequences(wanted))
    }
    return Dataset(source, tables, joined)
