"""Builds the distribution: the layers become sub-packages of `mgmt_radiogenomics`, and their imports follow.

In a clone `features`, `heads` and `evaluation` are imported by these names. In site-packages they would clash with those of
others, so that what is installed is one package. pyproject.toml says all the rest.
"""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

PACKAGE = "mgmt_radiogenomics"
LAYERS = ("core", "features", "heads", "evaluation", "cli")
DATA = {"features.backbones": ["*.json"], "evaluation.report": ["templates/*"]}
COMMANDS = {
    "extract_features.py": "mgmt-extract",
    "train_head.py": "mgmt-train",
    "evaluate.py": "mgmt-evaluate",
    "python -m features": "mgmt-features",
}
INIT = '''"""MGMT radiogenomics on cached image features: `extract`, `load`, `cross_validate`, `evaluate`."""

from typing import Any

HOME = {"extract": "features", "load": "features", "cross_validate": "heads", "evaluate": "evaluation"}
__all__ = ["cross_validate", "evaluate", "extract", "load"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in HOME:
        return getattr(import_module(f".{HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
'''


def installed(source: str) -> str:
    """The source of a module as it is installed: imports by the name of the package, commands by those of the scripts."""
    source = re.sub(rf"^(\s*from )(?=({'|'.join(LAYERS)})\b)", rf"\1{PACKAGE}.", source, flags=re.MULTILINE)
    for here, there in COMMANDS.items():
        source = re.sub(rf"(?:python )?(?<![\w/]){re.escape(here)}(?!\w)", there, source)
    return source


class Build(build_py):
    """Copies the layers, then lets their imports follow."""

    def run(self) -> None:
        """Build, and rewrite what was copied."""
        super().run()
        home = Path(self.build_lib, PACKAGE)
        for module in home.rglob("*.py"):
            module.write_text(installed(module.read_text(encoding="utf-8")), encoding="utf-8")
        (home / "__init__.py").write_text(INIT, encoding="utf-8")
        (home / "py.typed").touch()


packages = [name for layer in LAYERS for name in (layer, *(f"{layer}.{inner}" for inner in find_packages(layer)))]
setup(
    packages=[f"{PACKAGE}.{name}" for name in packages],
    package_dir={f"{PACKAGE}.{layer}": layer for layer in LAYERS},
    package_data={f"{PACKAGE}.{name}": files for name, files in DATA.items()},
    cmdclass={"build_py": Build},
)
