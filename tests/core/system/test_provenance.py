"""Every result says where it came from."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from core import __version__
from core.system import provenance
from core.system.provenance import provenance as describe


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which the module seems to lie."""
    root = tmp_path.resolve() / "repo"
    (root / "core" / "system").mkdir(parents=True)
    (root / "core/system/provenance.py").write_text("x")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    monkeypatch.setattr(provenance, "__file__", str(root / "core/system/provenance.py"))
    return root


def test_a_clean_checkout_and_a_dirty_one(checkout: Path) -> None:
    found = describe([])
    assert (found["commit"], found["dirty"]) == (git(checkout, "rev-parse", "HEAD"), False)
    (checkout / "core/system/provenance.py").write_text("changed")
    assert describe([])["dirty"] is True


def test_files_that_git_does_not_know_count_where_they_are_code(checkout: Path) -> None:
    (checkout / "notes.txt").write_text("x")
    assert describe([])["dirty"] is False
    (checkout / "more.py").write_text("x")
    assert describe([])["dirty"] is True


def test_outside_a_checkout_there_is_no_commit(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inner = checkout / "site-packages/core/system"
    inner.mkdir(parents=True)
    monkeypatch.setattr(provenance, "__file__", str(inner / "provenance.py"))
    assert (describe([])["commit"], describe([])["dirty"]) == (None, None)


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert (describe([])["commit"], describe([])["dirty"]) == (None, None)


def test_versions_command_and_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/somewhere/else/train_head.py", "--seed", "3"])
    monkeypatch.setattr(provenance, "LIBRARIES", ("numpy", "no-such-library"))
    found = describe()
    assert found["command"] == ["train_head.py", "--seed", "3"]
    assert describe(["a"])["command"] == ["train_head.py", "a"]
    assert found["versions"] == {"numpy": version("numpy"), "no-such-library": None}
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["code_version"] == __version__
    assert json.loads(json.dumps(found)) == found
