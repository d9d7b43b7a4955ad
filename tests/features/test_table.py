"""Cache or CSV -> rows for the heads: which slices, whose rows, what is missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.cache.checks import checked
from features.cache.reader import Cache
from features.cache.schema import COLUMNS, SeriesRows
from features.cache.writer import write
from features.table import (
    Source,
    Table,
    check_slices,
    concatenate,
    ids_of,
    load_table,
    named_sequences,
    open_source,
    pool,
    read_table,
)

SETTINGS = {"dim": 2, "dtype": "float32", "precision": "float32"}


def series(patient: str, sequence: str, brain: list[float], views: int = 0) -> SeriesRows:
    """Features (slice number, view); slice 0 is the lowest."""
    n = len(brain)
    slices, view = np.tile(np.arange(n), views + 1), np.repeat(np.arange(views + 1), n)
    columns: dict[str, Any] = {
        name: np.zeros(len(view), t) for name, t in COLUMNS.items() if name[:3] not in ("pat", "seq")
    }
    columns |= {
        "plane": np.array(["axial"] * len(view), object),
        "source": np.array([f"{patient}/{sequence}/{k}.dcm" for k in slices], object),
        "instance": slices.astype(np.int32) + 100,
        "view": view.astype(np.int16),
        "brain_fraction": np.tile(np.array(brain, np.float32), views + 1),
    }
    features = np.stack([slices, view], axis=1).astype(np.float32)
    return SeriesRows(patient, sequence, "f" * 32, "float32", features, columns)


@pytest.fixture
def source(tmp_path: Path) -> Source:
    write(
        tmp_path / "f.h5",
        SETTINGS,
        [
            series("2", "FLAIR", [0, 0.1, 0.4, 0.3, 0.2, 0], views=2),
            series("10", "FLAIR", [0.2, 0.5], views=2),
            series("11", "FLAIR", [0, 0], views=2),
            series("12", "FLAIR", []),
            series("11", "T1w", [0.3], views=2),
        ],
    )
    return open_source(tmp_path / "f.h5")


def of_images(table: Table, patient: str) -> list[int]:
    return [int(x) for x in table.X[(table.patient == patient) & (table.view == 0), 0]]


def test_source_says_what_is_in_the_cache(source: Source) -> None:
    assert (source.is_csv, source.patients, source.sequences) == (False, ["2", "10", "11", "12"], ["FLAIR", "T1w"])
    assert source.digest == Cache(source.path).content_digest
    assert source.settings["dim"] == 2


@pytest.mark.parametrize(
    ("slices", "keep_blank", "two", "ten"),
    [
        ("all", False, [1, 2, 3, 4], [0, 1]), ("all", True, [0, 1, 2, 3, 4, 5], [0, 1]),
        ("central", False, [2], [0]), ("central", True, [2], [0]),
        ("first", False, [1], [0]), ("first", True, [0], [0]),
        ("largest", False, [2], [1]), ("largest", True, [2], [1]),
        ("middle:1", False, [2], [0]), ("middle:2", False, [2, 3], [0, 1]), ("middle:3", False, [1, 2, 3], [0, 1]),
        ("middle:99", False, [1, 2, 3, 4], [0, 1]), ("middle:4", True, [1, 2, 3, 4], [0, 1]),
    ],
)  # fmt: skip
def test_slice_selections(source: Source, slices: str, keep_blank: bool, two: list[int], ten: list[int]) -> None:
    table = load_table(source, "FLAIR", slices=slices, keep_blank=keep_blank)
    assert of_images(table, "2") == two
    assert of_images(table, "10") == ten
    assert table.missing == (["12"] if keep_blank else ["11", "12"])


def test_only_the_planes_that_are_asked_for(tmp_path: Path) -> None:
    blocks = [
        series("1", "FLAIR", [0.2, 0.5, 0.4, 0.1], views=1),
        series("2", "FLAIR", [0.3]),
        series("3", "FLAIR", [0.3]),
    ]
    for block, planes in zip(blocks, ("asas" * 2, "a", "s"), strict=True):
        block.columns["plane"] = np.array([{"a": "axial", "s": "sagittal"}[p] for p in planes], object)
    write(tmp_path / "f.h5", SETTINGS, blocks)
    source = open_source(tmp_path / "f.h5")
    table = load_table(source, "FLAIR", planes=["axial"])
    assert table.X.tolist() == [[0, 0], [2, 0], [0, 1], [2, 1], [0, 0]]
    assert (table.patient.tolist(), table.missing) == (["1"] * 4 + ["2"], ["3"])
    assert (
        load_table(source, "FLAIR", planes=["axial", "sagittal"]).X.tolist() == load_table(source, "FLAIR").X.tolist()
    )
    assert load_table(source, "FLAIR", planes=["sagittal"], slices="largest").X.tolist() == [[1, 0], [1, 1], [0, 0]]
    assert load_table(source, "FLAIR", planes=["coronal"]).missing == ["1", "2", "3"]


def test_a_series_of_another_plane_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = [series("1", "FLAIR", [0.2]), series("2", "FLAIR", [0.3])]
    for block, plane in zip(blocks, ("axial", "sagittal"), strict=True):
        block.columns["plane"] = np.array([plane], object)
    write(tmp_path / "f.h5", SETTINGS, blocks)
    read: list[int] = []

    def watched(cache: Cache, wanted: Any) -> Any:
        read.extend(wanted)
        return checked(cache, wanted)

    monkeypatch.setattr("features.table.checked", watched)
    load_table(open_source(tmp_path / "f.h5"), "FLAIR", planes=["sagittal"])
    assert read == [1]


def test_views_follow_their_slices(source: Source) -> None:
    table = load_table(source, "FLAIR", slices="middle:2")
    assert table.patient.tolist() == ["2"] * 6 + ["10"] * 6
    assert table.X.tolist() == [[k, v] for ks in ([2, 3], [0, 1]) for v in range(3) for k in ks]
    assert table.view.tolist() == table.X[:, 1].tolist()
    assert table.slice_id[:2].tolist() == ["2/FLAIR/2.dcm#102", "2/FLAIR/3.dcm#103"]
    assert table.X.dtype == np.float32


def test_digests_follow_their_rows_and_blank_slices_have_none(tmp_path: Path) -> None:
    blocks = [series("1", "FLAIR", [0, 0.5, 0.4], views=1), series("2", "FLAIR", [0.3])]
    for block in blocks:
        names = [f"{block.patient}{k}{v}".zfill(32) for k, v in block.features.astype(int)]
        block.columns["pixel_digest"] = np.array(names, "S32")
    write(tmp_path / "f.h5", SETTINGS, blocks)
    table = load_table(open_source(tmp_path / "f.h5"), "FLAIR", keep_blank=True)
    assert [d[-3:] for d in table.digest.tolist()] == [b"", b"110", b"120", b"", b"111", b"121", b"200"]
    assert [d[-3:] for d in table.of_patients(["2"]).digest.tolist()] == [b"200"]
    assert table.take(table.view == 1).digest[1][-3:] == b"111"
    assert pool(table).digest.shape == concatenate([pool(table)]).digest.shape == (0,)
    assert pool(table).take(np.array([1])).patient.tolist() == ["2"]


def test_a_sequence_where_others_are_missing(source: Source) -> None:
    table = load_table(source, "T1w")
    assert (table.patient.tolist(), table.missing) == (["11"] * 3, ["2", "10", "12"])
    with pytest.raises(ValueError, match="has no T2w; it has FLAIR, T1w"):
        load_table(source, "T2w")


def test_only_blank_slices_give_an_empty_table(tmp_path: Path) -> None:
    write(tmp_path / "f.h5", SETTINGS, [series("1", "FLAIR", [0, 0])])
    table = load_table(open_source(tmp_path / "f.h5"), "FLAIR")
    assert (table.X.shape, table.missing) == ((0, 2), ["1"])
    assert pool(table).X.shape == (0, 2)


def test_half_precision_caches_give_single_precision_tables(tmp_path: Path) -> None:
    block = series("1", "FLAIR", [0.5])
    block.features = np.array([[0.1, 65504]], np.float16)
    write(tmp_path / "f.h5", {**SETTINGS, "dtype": "float16"}, [block])
    table = load_table(open_source(tmp_path / "f.h5"), "FLAIR")
    assert table.X.dtype == np.float32
    assert table.X.tolist() == block.features.astype(np.float32).tolist()


@pytest.mark.parametrize("mode", ["middle", "middle:0", "middle:-1", "middle:x", "last", "", "ALL", "middle:1.5"])
def test_unknown_slice_selections_are_refused(mode: str) -> None:
    with pytest.raises(ValueError, match=f"--slices '{mode}'; expected all, central, first, largest or middle:N"):
        check_slices(mode)


# --- pooling and fusing --------------------------------------------------------------------------------


def table_of(sequence: str, patients: list[str], X: Any, missing: list[str] | None = None, view: Any = None) -> Table:
    names = np.array(patients, object)
    views = np.zeros(len(names), np.int16) if view is None else np.array(view, np.int16)
    return Table(sequence, np.array(X, np.float32), names, views, names.copy(), missing or [])


def test_pool_is_the_mean_of_the_images_without_their_views() -> None:
    pooled = pool(table_of("FLAIR", ["b", "a", "b", "b"], [[1, 2], [5, 6], [3, 8], [99, 99]], ["z"], view=[0, 0, 0, 1]))
    assert pooled.patient.tolist() == ["a", "b"] == pooled.slice_id.tolist()
    assert pooled.X.tolist() == [[5, 6], [2, 5]]
    assert (pooled.view.tolist(), pooled.missing, pooled.X.dtype) == ([0, 0], ["z"], np.float32)


def test_concatenate_puts_sequences_side_by_side_with_indicators() -> None:
    flair = table_of("FLAIR", ["2", "10"], [[1, 2], [3, 4]], missing=["11", "12"])
    t1 = table_of("T1w", ["11", "2"], [[7], [8]], missing=["10", "12"])
    fused = concatenate([flair, t1])
    nan = np.nan
    assert (fused.sequence, fused.patient.tolist(), fused.missing) == ("FLAIR+T1w", ["2", "10", "11"], ["12"])
    np.testing.assert_array_equal(fused.X, [[1, 2, 0, 8, 0], [3, 4, 0, nan, 1], [nan, nan, 1, 7, 0]])
    assert fused.slice_id.tolist() == ["2", "10", "11"]


def test_take_and_of_patients() -> None:
    table = table_of("FLAIR", ["a", "b", "a"], [[1], [2], [3]], missing=["c", "d"])
    assert table.take(np.array([False, True, True])).X.tolist() == [[2], [3]]
    some = table.of_patients(["a", "d"])
    assert (some.patient.tolist(), some.X.tolist(), some.missing) == (["a", "a"], [[1], [3]], ["d"])
    assert table.of_patients([]).X.shape == (0, 1)


# --- CSV tables ----------------------------------------------------------------------------------------


def test_csv_table_with_missing_values(tmp_path: Path) -> None:
    path = tmp_path / "radiomics.csv"
    path.write_text("who,volume,shape\nP1,1.5,NA\nP2,,-2e3\nP3,NaN,nan\n")
    table = read_table(path)
    np.testing.assert_array_equal(table.X, np.array([[1.5, np.nan], [np.nan, -2000], [np.nan, np.nan]], np.float32))
    assert (table.patient.tolist(), table.columns, table.sequence) == (["P1", "P2", "P3"], ["volume", "shape"], "table")
    source = open_source(path)
    assert (source.is_csv, source.patients, source.sequences) == (True, ["P1", "P2", "P3"], ["table"])
    assert source.settings == {"table_columns": 2}
    np.testing.assert_array_equal(load_table(source, "table").X, table.X)
    np.testing.assert_array_equal(pool(table).X, table.X)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a,b\nP1,1,2\nP2,3,high\n", "row 3, column 'b': 'high' is not a number"),
        ("id,a\nP1,1\nP1,2\n", "patient 'P1' has more than one row; expected one row per patient"),
        ("id,a\nP1,1,2\n", "row 2: 3 cells; the header has 2"),
    ],
)
def test_csv_tables_that_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        open_source(tmp_path / "t.csv")


def test_a_source_that_is_neither(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("x")
    with pytest.raises(ValueError, match="is not a readable HDF5 file"):
        open_source(tmp_path / "t.txt")


@pytest.mark.slow
def test_the_real_radiomics_table(shared: Path) -> None:
    source = open_source(shared / "data/upenn_gbm/radiomics.csv.gz")
    table = load_table(source, "table")
    assert table.X.shape == (611, 1728) == (len(source.patients), source.settings["table_columns"])
    assert source.patients[0] == "UPENN-GBM-00001_11"


# --- names ---------------------------------------------------------------------------------------------


def test_named_sequences() -> None:
    assert named_sequences(["flair", "T1Gd", "T2w", "table"]) == ["FLAIR", "T1wCE", "T2w", "table"]
    with pytest.raises(ValueError, match="--sequence 'DWI'; expected some of FLAIR, T1w, T1wCE, T2w"):
        named_sequences(["FLAIR", "DWI"])


def test_ids_follow_the_sample_submission(tmp_path: Path) -> None:
    sample = tmp_path / "sample.csv"
    sample.write_text("BraTS21ID,MGMT_value\n00005,0.5\n1,0.5\n00002,0.5\n")
    assert ids_of(["2", "00005", "7"], sample) == (
        [("00005", "00005"), ("1", None), ("00002", "2")], ["BraTS21ID", "MGMT_value"],
    )  # fmt: skip
    assert ids_of(["2", "1"], None) == ([("2", "2"), ("1", "1")], None)
    sample.write_text("id,a,b\n1,2,3\n")
    with pytest.raises(ValueError, match="has 3 columns; expected an id and a value"):
        ids_of(["1"], sample)


@pytest.mark.parametrize(
    ("row", "message"),
    [(",1", "row 2: the patient id is blank"), ("a,1e39", "too large for float32"), ("a,inf", "infinite")],
)
def test_a_csv_table_refuses_blank_ids_and_infinite_values(tmp_path: Path, row: str, message: str) -> None:
    (tmp_path / "t.csv").write_text(f"id,x\n{row}\n")
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / "t.csv")
