"""What `pip install .` puts into site-packages: one package and four commands, that no module called `features` disturbs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(*command: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | variables
    return subprocess.run(list(map(str, command)), cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    listed = run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
    for name in filter(None, listed.stdout.split("\0")):  # a copy, so that nothing is built in the checkout
        if not name.startswith("tests/") and (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    done = run(sys.executable, "-m", "pip", "wheel", *options, source, cwd=folder)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = run(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, wheel, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_one_name_lies_in_site_packages(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.split("/")[0] for n in names if ".dist-info/" not in n} == {"mgmt_radiogenomics"}
    needed = ("py.typed", "features/backbones/vgg16_imagenet.json", "evaluation/report/templates/page.html.jinja")
    assert {f"mgmt_radiogenomics/{n}" for n in needed} <= set(names)


@pytest.mark.slow
def test_the_commands_run_beside_modules_of_the_same_names(site: Path, tmp_path: Path) -> None:
    for name in ("core", "features", "heads", "evaluation", "cli", "evaluate"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the module of somebody else')\n")
    rows = [f"p{i:02d},{i % 2 + 0.1 * (i % 7)},{(i * 37) % 11}" for i in range(24)]
    (tmp_path / "table.csv").write_text("patient,a,b\n" + "\n".join(rows) + "\n")
    (tmp_path / "labels.csv").write_text("patient,label\n" + "\n".join(f"p{i:02d},{i % 2}" for i in range(24)) + "\n")
    path = os.pathsep.join([str(tmp_path), str(site)])  # theirs come first
    for command, *arguments in (
        ("mgmt-extract", "--help"),
        ("mgmt-features", "--help"),
        ("mgmt-train", "table.csv", "labels.csv", "--head", "logistic", "--permutations", "0", "--out", "run"),
        ("mgmt-evaluate", "run", "--out", "report", "--replicates", "20"),
    ):
        done = run(sys.executable, site / "bin" / command, *arguments, cwd=tmp_path, PYTHONPATH=path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "report" / "report.html").exists()
    assert "mgmt-train" in run(sys.executable, site / "bin" / "mgmt-train", cwd=tmp_path, PYTHONPATH=path).stderr


@pytest.mark.slow
def test_the_names_of_the_api_are_those_of_the_package(site: Path, tmp_path: Path) -> None:
    code = "import mgmt_radiogenomics as m; print([getattr(m, n).__module__ for n in m.__all__])"
    done = run(sys.executable, "-c", code, cwd=tmp_path, PYTHONPATH=str(site))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("mgmt_radiogenomics.") == 4
