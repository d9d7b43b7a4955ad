"""The rules of the house: importing does nothing, and stage 2 needs no TensorFlow. Which layer may import which: `make lint`."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("core", "features", "heads", "evaluation", "cli")
MODULES = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))
DOORS = [ROOT / name for name in ("extract_features.py", "train_head.py", "evaluate.py")]
HEAVY = {"tensorflow", "keras", "lightgbm", "sklearn", "matplotlib", "nilearn", "joblib", "jinja2"}


def imported(nodes: list[ast.stmt]) -> set[str]:
    names: set[str] = set()
    for top in nodes:
        for node in ast.walk(top):
            if isinstance(node, ast.Import):
                names |= {a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
    return names


def for_types_only(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("path", [*MODULES, *DOORS], ids=name_of)
def test_importing_has_no_effects(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    rest = [n for n in body[1:] if not isinstance(n, harmless) and not for_types_only(n)]
    assert [ast.unparse(n.test) for n in rest if isinstance(n, ast.If)] in ([], ["__name__ == '__main__'"])
    assert all(isinstance(n, ast.If) for n in rest)
    assert not imported([n for n in body if isinstance(n, (ast.Import, ast.ImportFrom))]) & HEAVY


@pytest.mark.parametrize("path", [*DOORS, *(ROOT / "cli").glob("*.py")], ids=name_of)
def test_doors_import_in_one_thread(path: Path) -> None:
    """Two threads that import scikit-learn at once each find it half made: ImportError, now and then."""
    assert "threading" not in imported(ast.parse(path.read_text()).body)


def test_no_folder_is_crowded() -> None:
    """At most a dozen modules a folder, besides `__init__.py`, so that a newcomer finds the room."""
    counts = {f: len([p for p in f.glob("*.py") if p.stem != "__init__"]) for f in {p.parent for p in MODULES}}
    assert {name_of(f): n for f, n in counts.items() if n > 12} == {}


@pytest.mark.slow
def test_training_light_heads_never_loads_tensorflow(tmp_path: Path) -> None:
    rows = [f"p{i:02d},{i % 2 + 0.1 * (i % 7)},{(i * 37) % 11}" for i in range(20)]
    (tmp_path / "table.csv").write_text("patient,a,b\n" + "\n".join(rows) + "\n")
    (tmp_path / "labels.csv").write_text("patient,label\n" + "\n".join(f"p{i:02d},{i % 2}" for i in range(20)) + "\n")
    code = (
        "import sys, train_head, evaluate\n"
        "assert train_head.main(['table.csv', 'labels.csv', '--head', 'logistic', 'boosted', '--out', 'run', '--jobs', '1']) == 0\n"
        "assert evaluate.main(['run', '--out', 'report', '--replicates', '50']) == 0\n"
        "print(sorted({'tensorflow', 'keras'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
