"""Features and labels from Python, as a notebook has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cache_material import SETTINGS, rows

from core.question import LabelQuestion
from features import Dataset, Table, load
from features.cache.writer import write


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    series = [rows("00002"), rows("00010"), rows("00002", "T1w")]
    for one in series:
        one.columns["view"][:] = 0
        one.columns["brain_fraction"][:] = 0.5
    write(tmp_path / "f.h5", SETTINGS, series)
    (tmp_path / "labels.csv").write_text("patient,mgmt\n2,Methylated\n10,Unmethylated\n11,Methylated\n")
    return tmp_path / "f.h5"


def of(cache: Path, **options: Any) -> Dataset:
    return load(cache, cache.with_name("labels.csv"), positive="Methylated", **options)


def test_tables_labels_and_what_is_asked(cache: Path) -> None:
    data = of(cache)
    assert list(data.tables) == ["FLAIR", "T1w"]
    assert data.labels == {"00002": 1, "00010": 0}
    assert data.question == LabelQuestion("mgmt", "'Methylated'", "'Unmethylated'")
    assert data.join.without_scans == ["11"]
    assert data.source.sequences == ["FLAIR", "T1w"]
    assert repr(data).startswith(
        "Dataset(mgmt 'Methylated' against 'Unmethylated': 2 patients, 1 of them positive; FLAIR "
    )


def test_rows_as_a_frame_carry_their_ids_and_labels(cache: Path) -> None:
    data = of(cache, sequence="flair")
    frame, table = data.to_frame(), data.tables["FLAIR"]
    dim = table.X.shape[1]
    assert list(frame.columns) == ["patient", "label", "sequence", "slice", "view", *(f"f{k}" for k in range(dim))]
    assert frame["patient"].tolist() == table.patient.tolist()
    assert set(zip(frame["patient"], frame["label"], strict=True)) == {("00002", 1), ("00010", 0)}
    np.testing.assert_array_equal(frame[[f"f{k}" for k in range(dim)]].to_numpy(), table.X)
    assert (frame["f0"].dtype, frame["sequence"].unique().tolist()) == (np.float32, ["FLAIR"])


def test_a_row_per_patient_with_its_images(cache: Path) -> None:
    counts = of(cache).patients()
    assert counts.index.tolist() == ["00002", "00010"]
    assert counts["label"].tolist() == [1, 0]
    assert counts["T1w"].tolist()[1] == 0 < counts["T1w"].tolist()[0]


def test_notebooks_show_tables(cache: Path) -> None:
    data = of(cache)
    assert "<table" in data._repr_html_() and "2 patients, 1 of them mgmt 'Methylated'" in data._repr_html_()
    shown = data.tables["FLAIR"]._repr_html_()
    assert "<table" in shown and "rows of 2 patients" in shown


def test_a_table_of_numbers_keeps_the_names_of_its_columns(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("patient,volume,age\na,1,2\nb,3,\n")
    (tmp_path / "l.csv").write_text("patient,label\na,1\nb,0\n")
    data = load(tmp_path / "t.csv", tmp_path / "l.csv")
    (table,) = data.tables.values()
    assert isinstance(table, Table)
    assert list(data.to_frame().columns)[-2:] == ["volume", "age"]
    with pytest.raises(ValueError, match="a table of patients; it has no sequences, slices and planes"):
        load(tmp_path / "t.csv", tmp_path / "l.csv", slices="central")


def test_patients_without_a_row_in_the_labels_are_no_silent_loss(cache: Path) -> None:
    cache.with_name("labels.csv").write_text("patient,mgmt\n2,Methylated\n11,Unmethylated\n")
    with pytest.raises(
        ValueError, match=r"no row for 1 patients of .*\(00010\); add the labels, or pass skip_unlabelled"
    ):
        of(cache)
    assert of(cache, skip_unlabelled=True).labels == {"00002": 1}


def test_importing_the_public_names_loads_no_network() -> None:
    code = "import sys; from features import extract, load; print({'tensorflow', 'keras', 'pandas'} & set(sys.modules))"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    import features

    with pytest.raises(AttributeError, match="no attribute 'extrct'"):
        features.extrct  # noqa: B018
