"""The rules of the house: packages stand apart, importing does nothing, stage 2 needs no TensorFlow."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("features", "heads", "evaluation")
BEHIND = sorted((ROOT / "doors").glob("*.py"))  # where the packages meet
MODULES = sorted(p for package in PACKAGES for p in (ROOT / package).glob("*.py"))
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


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_packages_never_import_each_other_nor_the_doors(path: Path) -> None:
    others = {*PACKAGES, "doors", *(d.stem for d in DOORS)} - {path.parent.name}
    assert not imported(ast.parse(path.read_text()).body) & others


@pytest.mark.parametrize("path", [*MODULES, *BEHIND, *DOORS], ids=name_of)
def test_importing_has_no_effects(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    harmless = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    rest = [n for n in body[1:] if not isinstance(n, harmless)]
    assert [ast.unparse(n.test) for n in rest if isinstance(n, ast.If)] in ([], ["__name__ == '__main__'"])
    assert all(isinstance(n, ast.If) for n in rest)
    assert not imported([n for n in body if isinstance(n, (ast.Import, ast.ImportFrom))]) & HEAVY


@pytest.mark.parametrize("path", [*DOORS, *BEHIND], ids=name_of)
def test_doors_import_in_one_thread(path: Path) -> None:
    """Two threads that import scikit-learn at once each find it half made: ImportError, now and then."""
    assert "threading" not in imported(ast.parse(path.read_text()).body)


@pytest.mark.parametrize("package", [*PACKAGES, "doors"])
def test_package_files_import_nothing(package: str) -> None:
    assert imported(ast.parse((ROOT / package / "__init__.py").read_text()).body) == set()


@pytest.mark.parametrize("package", [*PACKAGES, "doors"])
def test_no_module_shadows_a_library(package: str) -> None:
    taken = {"lightgbm", "statistics", "utils", "h5py", "numpy", "random", "logging", "types"}
    assert not {p.stem for p in (ROOT / package).glob("*.py")} & taken


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
