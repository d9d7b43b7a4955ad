"""Files of strangers: nothing in them runs, points elsewhere, or takes memory that it does not hold."""

from __future__ import annotations

import csv
import io
import json
import re
import socket
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from bundle_material import about, fitted_head
from cache_material import SETTINGS, rows
from cohort_material import make_cohort
from door_material import SETTINGS as DOOR_SETTINGS
from door_material import by_name, series

import evaluate
import extract_features
import train_head
from core.tables import neutral, original
from evaluation.read_run import read_run
from features.backbones.weights import check_plain, read_keras_h5
from features.cache.checks import verify
from features.cache.reader import Cache
from features.cache.writer import write
from heads import bundle, run_writer

ROOT = Path(__file__).resolve().parents[3]
SECRET = "what only the owner of this machine may read"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    write(tmp_path / "f.h5", SETTINGS, [rows("1"), rows("2", n=300)])
    return tmp_path / "f.h5"


def external_link(f: Any, folder: Path) -> None:
    del f["rows/source"]
    f["rows/source"] = h5py.ExternalLink(str(folder / "other.h5"), "/rows/source")


def soft_link(f: Any, folder: Path) -> None:
    del f["rows/height"]
    f["rows/height"] = h5py.SoftLink("/rows/width")


def linked_group(f: Any, folder: Path) -> None:
    del f["names"]
    f["names"] = h5py.ExternalLink(str(folder / "other.h5"), "/names")


def external_storage(f: Any, folder: Path) -> None:
    (folder / "secret").write_text(SECRET * 20)
    del f["features"]
    f.create_dataset("features", (303, 4), "<f4", external=[(str(folder / "secret"), 0, 9999)])


def virtual(f: Any, folder: Path) -> None:
    layout = h5py.VirtualLayout((303, 4), "<f4")
    layout[:] = h5py.VirtualSource(str(folder / "other.h5"), "features", (303, 4))
    del f["features"]
    f.create_virtual_dataset("features", layout)


def filtered(f: Any, folder: Path) -> None:
    values = f["features"][()]
    del f["features"]
    f.create_dataset("features", data=values, compression="gzip")


def plugin(f: Any, folder: Path) -> None:
    storage = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    storage.set_chunk((256, 4))
    storage.set_filter(32015, h5py.h5z.FLAG_OPTIONAL)  # Zstandard's number, which HDF5 would look for a plug-in for
    del f["features"]
    h5py.h5d.create(f.id, b"features", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((303, 4)), storage)


def claims(f: Any, folder: Path) -> None:
    del f["features"]
    f.create_dataset("features", (10**12, 4), "<f4", chunks=(256, 4))


def claims_in_a_table(f: Any, folder: Path) -> None:
    del f["names/source"]
    f.create_dataset("names/source", (10**12,), h5py.string_dtype(), chunks=(64,))


def sparse(f: Any, folder: Path) -> None:
    """2 TiB that the file has by its size, and that no block of the disk holds."""
    storage = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    storage.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    storage.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    del f["features"]
    h5py.h5d.create(f.id, b"features", h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((2**37, 4)), storage)


def deep(f: Any, folder: Path) -> None:
    f["rows/again"] = f["rows"]  # a cycle


@pytest.mark.parametrize(
    ("plant", "words"),
    [
        (external_link, "/rows/source is an external link"),
        (soft_link, "/rows/height is a soft link"),
        (linked_group, "/names is an external link"),
        (external_storage, "/features stores its values in another file"),
        (virtual, "/features is a virtual dataset"),
        (filtered, "/features is compressed or filtered"),
        (plugin, "/features is compressed or filtered"),
        (claims, "/features claims 16,000,000,000,000 bytes, more than the "),
        (claims_in_a_table, "/names/source claims 8,000,000,000,000 bytes"),
        (sparse, "/features claims 2,199,023,255,552 bytes, more than the "),
        (deep, "lies more than 12 groups deep"),
    ],
)
def test_hdf5_that_reaches_out_of_the_file_is_refused(cache: Path, plant: Callable[..., None], words: str) -> None:
    write(cache.with_name("other.h5"), SETTINGS, [rows("1"), rows("2", n=300)])
    with h5py.File(cache, "r+") as f:
        plant(f, cache.parent)
    for read in (Cache, verify, check_plain, read_keras_h5):
        with pytest.raises(ValueError, match=f"f.h5' is refused: .*{re.escape(words)}"):
            read(cache)


@pytest.mark.parametrize("value", [np.arange(3), h5py.Empty("f"), h5py.Reference()])
def test_an_attribute_that_is_no_text_or_number_is_refused(cache: Path, value: Any) -> None:
    with h5py.File(cache, "r+") as f:
        f.attrs["weights"] = value if not isinstance(value, h5py.Reference) else f["features"].ref
    with pytest.raises(ValueError, match="the root attribute weights is a .*; expected a text or a number"):
        Cache(cache)


# --- fitted heads and runs -----------------------------------------------------------------------------


def npy(shape: tuple[int, ...], values: bytes) -> bytes:
    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(raw, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return raw.getvalue() + values


def rewrite(path: Path, compression: int = zipfile.ZIP_STORED, **members: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        held = {m.filename: archive.read(m) for m in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, raw in {**held, **{f"{k}.npy": v for k, v in members.items()}}.items():
            archive.writestr(name, raw)


def test_an_archive_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    bundle.save_bundle(path, bundle.Bundle(fitted_head("logistic"), about()))
    sound = path.read_bytes()
    rewrite(path)
    assert bundle.load_bundle(path).about["head"] == "logistic"
    rewrite(path, coef=npy((10**12,), bytes(80)))
    with pytest.raises(ValueError, match=r"'coef.npy' claims \(1000000000000,\) of float64 and holds 80 bytes"):
        bundle.load_bundle(path)
    path.write_bytes(sound)
    rewrite(path, zipfile.ZIP_DEFLATED, bomb=bytes(50_000_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="its members claim more bytes than the file has"):
        bundle.load_bundle(path)
    path.write_bytes(sound)
    rewrite(path, script=b"import os")
    with pytest.raises(ValueError, match="is not a fitted head"):
        bundle.load_bundle(path)


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "heads/../../x.csv"])
def test_a_run_reads_no_table_outside_its_folder(tmp_path: Path, name: str) -> None:
    run_writer.write_run(tmp_path / "r", {"format": "mgmt-radiogenomics/run", "format_version": 1}, [], [], [], [])
    description = json.loads((tmp_path / "r/run.json").read_text())
    description |= dict.fromkeys(
        ("arguments", "question", "join", "patients", "sequences", "fused", "split", "folds", "leak", "features", "labels",
         "seed", "commit", "dirty", "code_version", "versions", "python", "command")
    )  # fmt: skip
    description["tables"][name] = "0" * 64
    (tmp_path / "r/run.json").write_text(json.dumps(description))
    with pytest.raises(ValueError, match=f"names the table {name!r}; expected files of the run's own folder"):
        read_run(tmp_path / "r")


# --- cells ---------------------------------------------------------------------------------------------

FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "'=1", "''@", "'-5"]
PLAIN = ["00002", "a=b", "'quoted'", "", "Zoë", "'", "1-2"]


def test_formulas_become_text_and_come_back() -> None:
    written = [neutral(c) for c in FORMULAS + PLAIN]
    assert all(str(c).startswith("'") for c in written[: len(FORMULAS)])
    assert written[len(FORMULAS) :] == PLAIN
    assert [original(str(c)) for c in written] == FORMULAS + PLAIN
    assert [neutral(x) for x in (-1.5, np.float64(-0.5), -3)] == [-1.5, -0.5, -3]


EVIL = ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "@SUM(1)", "-7", '"><img src=x onerror=alert(1)>']


@pytest.mark.slow
def test_the_doors_open_no_port_and_hostile_names_stay_text(
    tmp_path: Path, cheap_embedder: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a port was opened")

    for name in ("bind", "listen"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr("features.backbones.keras_applications.Embedder", lambda *a, **k: by_name(cheap_embedder))
    images = make_cohort(tmp_path / "cohort", "a")
    assert extract_features.main([str(images), "--out", str(tmp_path / "x.h5"), "--workers", "0"]) == 0
    rng = np.random.default_rng(0)
    names = EVIL + [f"p{i}" for i in range(15)]
    blocks = [series(p, "FLAIR", rng.normal(size=(3, 12)) + k % 2) for k, p in enumerate(names)]
    write(tmp_path / "f.h5", DOOR_SETTINGS, blocks)
    with (tmp_path / "l.csv").open("w", newline="") as f:
        csv.writer(f).writerows([("id", "label"), *((p, k % 2) for k, p in enumerate(names))])
    run, report = tmp_path / "runs/r", tmp_path / "report"
    options = ["--head", "logistic", "--folds", "2", "--permutations", "0", "--jobs", "1", "--out", str(run)]
    assert train_head.main([str(tmp_path / "f.h5"), str(tmp_path / "l.csv"), *options]) == 0
    with (run / "predictions.csv").open(newline="") as f:
        raw = {row["patient_id"] for row in csv.DictReader(f)}
    assert {"'=cmd|' /C calc'!A0", "'@SUM(1)", "'-7"} <= raw
    assert not [cell for cell in raw if cell.startswith(("=", "+", "-", "@"))]
    assert set(read_run(run).scored[0].patients) == set(names)

    assert evaluate.main([str(run), "--out", str(report), "--replicates", "50"]) == 0
    page = (report / "report.html").read_text()
    assert "&lt;script&gt;alert(1)" in page and "&lt;img src=x" in page
    assert "<script>alert" not in page and "<img src=x" not in page
    for other in report.rglob("*.svg"):
        assert "<script>alert" not in other.read_text()
    arguments = [str(run), "--cache", str(tmp_path / "f.h5"), "--allow-trained", "--out", str(tmp_path / "new")]
    assert evaluate.main(arguments) == 0
    with (tmp_path / "new/scores.csv").open(newline="") as f:
        assert {original(row["patient_id"]) for row in csv.DictReader(f)} == set(names)
    capsys.readouterr()


def test_no_source_path_of_a_cache_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from features.table import load_table, open_source

    (tmp_path / "secret.dcm").write_text(SECRET)
    block = rows("1")
    block.columns["source"] = np.array(["../secret.dcm", str(tmp_path / "secret.dcm"), "a/../../secret.dcm"], object)
    block.columns["brain_fraction"] = np.ones(3, np.float32)
    block.columns["view"] = np.zeros(3, np.int16)
    write(tmp_path / "f.h5", SETTINGS, [block])
    opened: list[str] = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self.name), real(self, *a, **k))[1])
    assert load_table(open_source(tmp_path / "f.h5"), "FLAIR").slice_id[0].startswith("../secret.dcm#")
    assert "secret.dcm" not in opened
