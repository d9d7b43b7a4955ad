"""The cache: what is written comes back, a flipped byte is found, a foreign file is refused in words."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from cache_material import SETTINGS, flip, rows
from syrupy.assertion import SnapshotAssertion

from core.system.files import file_sha256
from features.__main__ import main
from features.cache.checks import checked, verify
from features.cache.reader import Cache
from features.cache.schema import CODED, COLUMNS
from features.cache.writer import write
from features.scans.find import Skipped


@pytest.fixture
def cache_path(tmp_path: Path) -> Path:
    path = tmp_path / "features.h5"
    write(path, SETTINGS, [rows("00002"), rows("00010", n=300), rows("00010", "T1w", n=0)])
    return path


def test_round_trip_of_every_column(cache_path: Path) -> None:
    with Cache(cache_path) as cache:
        assert (cache.n, cache.dim) == (303, 4)
        assert {k: cache.settings[k] for k in SETTINGS} == SETTINGS
        assert cache.settings["format"] == "mgmt-radiogenomics/features"
        assert cache.series["patient"].tolist() == ["00002", "00010", "00010"]
        assert cache.series["sequence"].tolist() == ["FLAIR", "FLAIR", "T1w"]
        assert cache.series["first_row"].tolist() == [0, 3, 303]
        assert cache.series["n_rows"].tolist() == [3, 300, 0]
        first, second = rows("00002"), rows("00010", n=300)
        for k, block in enumerate((first, second)):
            back = cache.series_rows(k)
            assert (back.patient, back.sequence, back.fingerprint) == (block.patient, "FLAIR", "ab" * 16)
            np.testing.assert_array_equal(back.features, block.features)
            assert back.columns.keys() == block.columns.keys()
            for name, values in block.columns.items():
                assert back.columns[name].tolist() == values.tolist()
                assert name in CODED or back.columns[name].dtype == COLUMNS[name]
            assert back.digest() == block.digest()
        assert cache.column("patient").tolist() == ["00002"] * 3 + ["00010"] * 300
        assert cache.column("instance", slice(3, 5)).tolist() == second.columns["instance"][:2].tolist()
        assert cache.column("source", np.array([2, 3])).tolist() == ["00002/FLAIR/2.dcm", "00010/FLAIR/0.dcm"]
        assert cache.features().tolist() == [*first.features.tolist(), *second.features.tolist()]
    assert verify(cache_path) == []


def test_layout_on_disk(cache_path: Path) -> None:
    with h5py.File(cache_path) as f:
        assert (f["features"].chunks, f["features"].dtype, f["features"].compression) == ((256, 4), "<f4", None)
        assert {name: f[f"rows/{name}"].dtype.str.lstrip("|") for name in COLUMNS} == COLUMNS
        assert set(f["rows"]) == set(COLUMNS)
        assert f["names/patient"].asstr()[:].tolist() == ["00002", "00010"]


def test_an_empty_cache_and_float16(tmp_path: Path) -> None:
    write(tmp_path / "empty.h5", SETTINGS, [])
    with Cache(tmp_path / "empty.h5") as cache:
        assert (cache.n, cache.dim, len(cache.column("patient")), cache.skipped) == (0, 4, 0, [])
        assert checked(cache, [])[0].shape == (0, 4)
    assert verify(tmp_path / "empty.h5") == []
    block = rows("1")
    block.features = block.features.astype(np.float16)
    write(tmp_path / "half.h5", {**SETTINGS, "dtype": "float16"}, [block])
    with Cache(tmp_path / "half.h5") as cache:
        assert cache.features().dtype == np.float16
    assert verify(tmp_path / "half.h5") == []


def test_the_file_is_a_function_of_its_content(tmp_path: Path) -> None:
    blocks = [rows("2"), rows("02"), rows("10", "T1w"), rows("10", "FLAIR", n=300), rows("a")]
    skipped = [Skipped("x", "", "x/y", "why"), Skipped("2", "FLAIR", "2/z", "because")]
    write(tmp_path / "a.h5", SETTINGS, blocks, skipped)
    write(tmp_path / "b.h5", SETTINGS, iter(blocks[::-1]), skipped[::-1])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
    with Cache(tmp_path / "a.h5") as cache:
        assert list(zip(cache.series["patient"], cache.series["sequence"], strict=True)) == [
            ("02", "FLAIR"), ("2", "FLAIR"), ("10", "FLAIR"), ("10", "T1w"), ("a", "FLAIR"),
        ]  # fmt: skip


@pytest.mark.slow
def test_the_file_is_the_same_from_another_process_with_another_hash_seed(tmp_path: Path) -> None:
    script = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path; from cache_material import SETTINGS, rows; from features.cache.writer import write\n"
        "write(Path(sys.argv[1]), SETTINGS, [rows(p) for p in ('2', '02', '002', 'b')])\n"
    )
    here = Path(__file__).parents[2]
    for seed in ("1", "2"):
        command = [sys.executable, "-c", script, str(tmp_path / f"{seed}.h5"), str(here), str(here.parent)]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONHASHSEED": seed})
    assert (tmp_path / "1.h5").read_bytes() == (tmp_path / "2.h5").read_bytes()


def test_skipped_come_back_once_each_and_with_their_series(tmp_path: Path) -> None:
    mine, loose = Skipped("2", "FLAIR", "2/FLAIR/9.dcm", "no pixels"), Skipped("3", "", "3/DWI", "unknown")
    write(tmp_path / "a.h5", SETTINGS, [rows("2", skipped=[mine]), rows("2", "T1w")], [loose, mine])
    with Cache(tmp_path / "a.h5") as cache:
        assert cache.skipped == [mine, loose]
        assert [cache.series_rows(k).skipped for k in range(2)] == [[mine], []]


def test_odd_names_survive(tmp_path: Path) -> None:
    names = ["with space", "Zoë 日本", os.fsdecode(b"caf\xe9"), "-", "a'b\"c"]
    write(tmp_path / "a.h5", SETTINGS, [rows(n, skipped=[Skipped(n, "FLAIR", n, n)]) for n in names])
    assert verify(tmp_path / "a.h5") == []
    with Cache(tmp_path / "a.h5") as cache:
        assert set(cache.series["patient"]) == set(names)
        assert {s.source for s in cache.skipped} == set(names)
        assert {s.split("/")[0] for s in cache.column("source")} == set(names)


def test_one_series_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="patient '1' has two series of FLAIR"):
        write(tmp_path / "a.h5", SETTINGS, [rows("1"), rows("1", n=5)])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("wanted", [[], [0], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2], [3], [2, 0]])
def test_checked_reads_the_wanted_series_and_no_others(tmp_path: Path, wanted: list[int], monkeypatch) -> None:
    blocks = [rows("1"), rows("2", n=300), rows("3", n=5), rows("4", n=0)]
    write(tmp_path / "a.h5", SETTINGS, blocks)
    read: list[int] = []
    plain = h5py.Dataset.read_direct

    def spy(self: h5py.Dataset, out: np.ndarray, source: Any, place: Any) -> None:
        read.extend(
            range(*source[0].indices(self.shape[0])) if isinstance(source, tuple) else range(source.start, source.stop)
        )
        plain(self, out, source, place)

    monkeypatch.setattr(h5py.Dataset, "read_direct", spy)
    with Cache(tmp_path / "a.h5") as cache:
        found, problems = checked(cache, np.array(wanted, int))
        first, n = cache.series["first_row"], cache.series["n_rows"]
    assert problems == []
    np.testing.assert_array_equal(found, np.concatenate([np.empty((0, 4)), *(blocks[k].features for k in wanted)]))
    assert read == [row for k in wanted for row in range(first[k], first[k] + n[k])]


def test_checked_names_what_is_damaged(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    write(tmp_path / "a.h5", SETTINGS, [rows("1"), rows("2", n=300), rows("3", n=5)])
    with h5py.File(tmp_path / "a.h5", "r+") as f:
        f["features"][4, 1] += 1
    with Cache(tmp_path / "a.h5") as cache:
        assert checked(cache, [0, 2])[1] == []
        assert checked(cache, [0, 1, 2])[1] == snapshot(name="a value")
    with h5py.File(tmp_path / "a.h5", "r+") as f:
        f["series/n_rows"][2] = 10**12
    with Cache(tmp_path / "a.h5") as cache:
        assert checked(cache, [2])[1] == snapshot(name="a gap")


def test_no_temporary_is_left_and_the_old_cache_stays_when_writing_fails(cache_path: Path) -> None:
    before = cache_path.read_bytes()
    wrong = rows("3")
    wrong.features = np.zeros((3, 99), np.float32)
    with pytest.raises(TypeError):
        write(cache_path, SETTINGS, [rows("2"), wrong])
    assert [p.name for p in cache_path.parent.iterdir()] == ["features.h5"]
    assert cache_path.read_bytes() == before


def test_the_file_is_on_disk_before_it_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    named: list[bool] = []
    fsync = os.fsync

    def watched(handle: int) -> None:
        named.append((tmp_path / "a.h5").exists())
        fsync(handle)

    monkeypatch.setattr("core.system.files.os.fsync", watched)
    write(tmp_path / "a.h5", SETTINGS, [rows("1")])
    assert named == [False, True]


# --- damage --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["features", *(f"rows/{c}" for c in COLUMNS)])
@pytest.mark.parametrize(("row", "patient"), [(1, "00002"), (200, "00010")])
def test_a_flipped_byte_is_found_and_its_patient_named(cache_path: Path, name: str, row: int, patient: str) -> None:
    with h5py.File(cache_path) as f:
        dataset = f[name]
        start = dataset.id.get_chunk_info(0).byte_offset if dataset.chunks else dataset.id.get_offset()
        offset = start + row * dataset.dtype.itemsize * (4 if name == "features" else 1)
    flip(cache_path, offset)
    problems = verify(cache_path)
    assert problems
    assert all(p.startswith(f"patient '{patient}' FLAIR: ") for p in problems)


def test_a_renamed_patient_is_found(cache_path: Path, snapshot: SnapshotAssertion) -> None:
    with h5py.File(cache_path, "r+") as f:
        f["names/patient"][1] = "00011"
    assert verify(cache_path) == snapshot


def test_a_feature_that_is_no_number_is_found(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    block = rows("7")
    block.features[1, 2] = np.nan
    write(tmp_path / "a.h5", SETTINGS, [block])
    assert verify(tmp_path / "a.h5") == snapshot


def test_missing_and_short_columns_and_gaps_between_series_are_found(
    cache_path: Path, snapshot: SnapshotAssertion
) -> None:
    with h5py.File(cache_path, "r+") as f:
        del f["rows/view"], f["rows/height"]
        f["rows/height"] = np.zeros(5, "<i4")
        f["series/first_row"][1] = 4
    assert verify(cache_path) == snapshot


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.attrs.__setitem__("format", "other"), "is not a feature cache .its format attribute is 'other'"),
        (lambda f: f.attrs.__delitem__("format"), "is not a feature cache .its format attribute is None"),
        (lambda f: f.attrs.__setitem__("format_version", 2), "has format version 2; this code reads version 1"),
        (lambda f: f.attrs.__delitem__("format_version"), "has format version None"),
        (lambda f: f.__delitem__("features"), "is a damaged cache .*extract it again"),
        (lambda f: f.__delitem__("names/source"), "is a damaged cache"),
        (lambda f: f.__delitem__("series"), "is a damaged cache"),
        (lambda f: f["series/patient"].__setitem__(0, 77), "is a damaged cache"),
    ],
)
def test_a_foreign_or_gutted_file_is_refused(cache_path: Path, change: Any, message: str) -> None:
    with h5py.File(cache_path, "r+") as f:
        change(f)
    with pytest.raises(ValueError, match=message):
        Cache(cache_path)
    assert main(["info", str(cache_path)]) == 2


@pytest.mark.parametrize("size", [0, 100, 5000, -1])
def test_a_truncated_file_is_refused(cache_path: Path, size: int) -> None:
    cache_path.write_bytes(cache_path.read_bytes()[:size])
    with pytest.raises(ValueError, match="features.h5' is not a readable HDF5 file"):
        verify(cache_path)


def test_a_file_that_is_not_there_or_not_hdf5(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not exist; make it with extract_features.py --out"):
        Cache(tmp_path / "no.h5")
    (tmp_path / "text.h5").write_text("patient,feature\n")
    with pytest.raises(ValueError, match="is not a readable HDF5 file"):
        Cache(tmp_path / "text.h5")
    with pytest.raises(ValueError, match="is a folder; expected a cache"):
        Cache(tmp_path)
    (tmp_path / "begun.h5.parts").mkdir()
    with pytest.raises(ValueError, match="its extraction is unfinished, run the same command again"):
        Cache(tmp_path / "begun.h5")


@pytest.mark.slow
def test_whatever_byte_is_damaged_the_answer_is_in_words(cache_path: Path) -> None:
    whole = cache_path.read_bytes()
    rng = np.random.default_rng(0)
    for offset in rng.integers(0, 8000, 80):
        raw = bytearray(whole)
        raw[offset] ^= int(rng.integers(1, 256))
        cache_path.write_bytes(raw)
        try:
            problems = verify(cache_path)
        except ValueError as error:
            problems = [str(error)]
        assert all(problems)


@pytest.mark.slow
def test_info_and_verify_print_what_is_inside(
    cache_path: Path, capsys: pytest.CaptureFixture[str], snapshot: SnapshotAssertion
) -> None:
    skipped = Skipped(os.fsdecode(b"\xff"), "", os.fsdecode(b"\xff/DWI"), "unknown")
    block = rows("1", n=4)
    block.columns["view"] = np.array([0, 0, 1, 1], np.int16)
    block.columns["brain_fraction"] = np.array([0, 0.5, 0, 0.5], np.float32)
    write(cache_path, SETTINGS, [block], [skipped])
    assert main(["info", str(cache_path), "--skipped"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.replace(str(cache_path), "<cache>") for line in lines] == snapshot
    assert main(["verify", str(cache_path)]) == 0
    assert capsys.readouterr().out == f"{cache_path}: sound\n"


def test_file_sha256(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, appendix B.1
    assert file_sha256(tmp_path / "a") == expected
