"""Fitted heads survive the disk exactly, nothing in a file is executed, and heads refuse what they do not fit."""

from __future__ import annotations

import ast
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_material import X, about, fitted_head

from heads.bundle import FORMAT, VERSION, Bundle, check_disjoint, check_features, load_bundle, marked, save_bundle

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kind", ["logistic", "boosted", "dense"])
def test_a_head_comes_back_exactly(kind: str, tmp_path: Path) -> None:
    X[3, 2] = np.nan
    head, path = fitted_head(kind), tmp_path / "head.npz"
    description = about(head=kind, label="MGMT – geschätzt", nested={"a": [1, None, 0.1]})
    save_bundle(path, Bundle(head, description))
    back = load_bundle(path)
    assert type(back.fitted) is type(head)
    assert np.array_equal(back.fitted.scores(X), head.scores(X))
    assert np.isfinite(head.scores(X)).all()
    assert back.about == {**description, "format": FORMAT, "format_version": VERSION}


@pytest.mark.parametrize(
    ("kind", "name", "value", "words"),
    [
        ("logistic", "coef", np.nan, "coef holds values that are no finite numbers"),
        ("dense", "kernel_0", np.inf, "kernel_0 holds values"),
        ("boosted", "mean", np.nan, "mean holds values"),
        ("boosted", "scale", 0, "scales of 0 or less"),
        ("logistic", "scale", np.nan, "scales of 0 or less"),
    ],
)
def test_a_head_that_gives_no_numbers_is_refused(
    kind: str, name: str, value: float, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = fitted_head(kind)
    arrays = {n: a.copy() for n, a in head.arrays().items()}
    arrays[name].flat[0] = value
    monkeypatch.setattr(type(head), "arrays", lambda self: arrays)
    save_bundle(tmp_path / "head.npz", Bundle(head, about(head=kind)))
    with pytest.raises(ValueError, match=words):
        load_bundle(tmp_path / "head.npz")


def test_text_of_lightgbm_is_not_read_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = fitted_head("boosted")
    monkeypatch.setattr(
        type(head), "arrays", lambda self: {"mean": np.ones(3), "scale": np.ones(3), "model": np.zeros(9, np.uint8)}
    )
    save_bundle(tmp_path / "head.npz", Bundle(head, about(head="boosted")))
    with pytest.raises(ValueError, match="holds LightGBM's text, which is not read any more; train again"):
        load_bundle(tmp_path / "head.npz")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    save_bundle(path, Bundle(fitted_head("logistic"), about()))
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        save_bundle(path, Bundle(fitted_head("boosted"), about(head="boosted")))
    assert path.read_bytes() == before


class Exploit:
    """Unpickling this makes a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (Path(self.path),)


def archive(path: Path, description: Any, **changes: Any) -> Path:
    arrays = {"about": np.frombuffer(json.dumps(description).encode(), np.uint8)}
    np.savez(path, **{**arrays, **fitted_head("logistic").arrays(), **changes})
    return path


@pytest.mark.parametrize("member", ["about", "coef", "extra"])
def test_a_pickle_in_the_file_is_refused_and_not_run(member: str, tmp_path: Path) -> None:
    struck = tmp_path / "struck"
    exploit = np.array([Exploit(str(struck))], dtype=object)
    description = {"format": FORMAT, "format_version": VERSION, **about()}
    path = archive(tmp_path / "evil.npz", description, **{member: exploit})
    np.load(path, allow_pickle=True)[member]
    assert struck.exists(), "the exploit works where pickle is allowed"
    struck.unlink()
    with pytest.raises(
        ValueError, match=r"evil\.npz' is not a fitted head of version 1 \(ValueError: .* holds Python objects"
    ):
        load_bundle(path)
    assert not struck.exists()


def test_a_bare_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    struck, path = tmp_path / "struck", tmp_path / "evil.npz"
    path.write_bytes(pickle.dumps(Exploit(str(struck))))
    with pytest.raises(ValueError, match="is not a fitted head"):
        load_bundle(path)
    assert not struck.exists()


def npy() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04 no zip after all", b"\x93NUMPY", npy()])
def test_garbage_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"head\.npz' is not a fitted head of version 1"):
        load_bundle(path)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({"format": "other", "format_version": 1, "head": "logistic"}, "format 'other' version 1"),
        ({"format": FORMAT, "format_version": 2, "head": "logistic"}, "version 2"),
        ({"head": "logistic"}, "format None version None"),
        (
            {"format": FORMAT, "format_version": 1, "head": "os.system"},
            "unknown head 'os.system'; expected one of dense, logistic, boosted",
        ),
        ({"format": FORMAT, "format_version": 1, "head": "dense"}, "not a fitted head"),
        ({"format": FORMAT, "format_version": 1, "head": "boosted"}, "KeyError: 'root'"),
        ([], "AttributeError"),
    ],
)
def test_another_format_is_refused(description: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load_bundle(archive(tmp_path / "head.npz", description))


def test_a_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    save_bundle(path, Bundle(fitted_head("logistic"), about()))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as z:
        at = z.getinfo("coef.npy").header_offset + 200
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="CRC"):
        load_bundle(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the fitted head '.*nowhere\.npz' does not exist"):
        load_bundle(tmp_path / "nowhere.npz")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"backbone": "vgg19"}, "logistic on FLAIR was trained on other features: backbone was 'vgg16', is 'vgg19'"),
        ({"weights_sha256": "cd", "backbone": "x"}, "backbone was 'vgg16', is 'x'; weights_sha256 was 'ab', is 'cd'"),
        ({"new": 1}, "new was None, is 1"),
        ({"backbone": None}, "backbone was 'vgg16', is None"),
    ],
)
def test_other_features_are_refused_and_the_difference_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_features(about(), {**about()["features"], **change}, [])


def test_other_columns_are_refused() -> None:
    trained = about(table_columns=["volume", "age"])
    assert check_features(trained, trained["features"], ["volume", "age"]) == []
    with pytest.raises(ValueError, match="other columns"):
        check_features(trained, trained["features"], ["age", "volume"])


@pytest.mark.parametrize("setting", ["augment", "augment_seed", "dtype"])
def test_settings_that_change_no_column_are_free(setting: str) -> None:
    assert check_features(about(), {**about()["features"], setting: 7}, []) == []


def test_another_precision_is_noted() -> None:
    settings = {**about()["features"], "precision": "float16"}
    assert check_features(about(), settings, []) == ["warning: precision was float32 in training and is float16 here"]


def test_patients_of_the_training_are_refused_by_name() -> None:
    check_disjoint(about(), [])
    with pytest.raises(ValueError, match=r"trained on 2 of these patients \(00002, 2\).*--allow-trained"):
        check_disjoint(about(), {"2": "00001", "00002": "00002"})


def test_patients_under_another_name_are_refused_by_name() -> None:
    copies = [f"x{i} is p{i} of the training: FLAIR 9 of 9 slices identical" for i in range(9)]
    with pytest.raises(ValueError, match=r"trained on 9 under another name \(x0 is p0 .*x7 is p7 .* and 1 more\)") as e:
        check_disjoint(about(), [], copies)
    assert "x8" not in str(e.value)
    with pytest.raises(ValueError, match=r"trained on 1 of these patients \(2\) and 1 under another name \(x0 is p0"):
        check_disjoint(about(), {"2": "00002"}, copies[:1])


def test_a_fingerprint_comes_back_beside_the_head(tmp_path: Path) -> None:
    marks = {"FLAIR/digest": np.array([2**64 - 1, 7], np.uint64), "FLAIR/patients": np.array(["a", "ö"])}
    others = {"T2w/digest": np.array([1], np.uint64)}
    head = fitted_head("dense")
    (b,) = marked([Bundle(head, about(head="dense", parts=["FLAIR"]))], {**marks, **others})
    save_bundle(tmp_path / "head.npz", b)
    back = load_bundle(tmp_path / "head.npz")
    assert set(back.fingerprint) == set(marks)
    assert all(np.array_equal(back.fingerprint[name], marks[name]) for name in marks)
    assert back.fingerprint["FLAIR/digest"].dtype == np.uint64
    assert np.array_equal(back.fitted.scores(X), head.scores(X))
    save_bundle(tmp_path / "without.npz", Bundle(head, about(head="dense")))
    assert load_bundle(tmp_path / "without.npz").fingerprint == {}


@pytest.mark.slow
def test_no_door_or_room_can_unpickle() -> None:
    """The parsed source: no import of a pickling module, np.load only with allow_pickle=False, no eval or exec.

    Of pandas only what reads text: its readers of pickles and of HDF5, which holds pickles, are called by nobody.
    """
    rooms = [ROOT / name for name in ("core", "features", "heads", "evaluation", "cli")]
    files = [*ROOT.glob("*.py"), *(f for folder in rooms for f in folder.rglob("*.py"))]
    assert len(files) > 100
    forbidden = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "shelve", "marshal", "torch"}
    unpickling = {"read_pickle", "read_hdf", "HDFStore"}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.split(".")[0] for n in names} & forbidden, file
            names = [a.name for a in node.names] if isinstance(node, ast.ImportFrom) else []
            names += [node.attr] if isinstance(node, ast.Attribute) else []
            assert not set(names) & unpickling, file
            if isinstance(node, ast.keyword) and node.arg == "allow_pickle":
                assert isinstance(node.value, ast.Constant), file
                assert node.value.value is False, file
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "joblib.load", "yaml.load"), file
                if called in ("np.load", "numpy.load"):
                    assert "allow_pickle" in [k.arg for k in node.keywords], file
