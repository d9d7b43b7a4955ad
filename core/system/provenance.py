"""Where a result comes from: commit, versions, command line."""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from core import __version__
from core.documents import Document

LIBRARIES = ("tensorflow", "keras", "numpy", "h5py", "scikit-learn", "lightgbm", "joblib", "scipy")


PARTS = ("code_version", "commit", "dirty", "python", "versions", "command")  # of what `provenance` gives


def provenance(argv: list[str] | None = None) -> Document:
    """Where a result that is made now comes from.

    Parameters
    ----------
    argv : the command line without the program's name; None for the one of this process

    Returns
    -------
    {code_version, commit, dirty (whether files differ from the commit; both None outside a checkout), python, versions of
    libraries, command}
    """
    versions: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    commit, dirty = _commit()
    return {
        "code_version": __version__,
        "commit": commit,
        "dirty": dirty,
        "python": platform.python_version(),
        "versions": versions,
        "command": [Path(sys.argv[0]).name, *(argv if argv is not None else sys.argv[1:])],
    }


def _commit() -> tuple[str | None, bool | None]:
    """The commit of the checkout that this file lies in, None outside one."""
    here = Path(__file__).resolve().parents[2]

    def git(*words: str) -> str | None:
        try:
            done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, timeout=20)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    if git("rev-parse", "--show-toplevel") != str(here):
        return None, None
    status = git("status", "--porcelain")
    if status is None:
        return git("rev-parse", "HEAD"), None
    changed = [line for line in status.splitlines() if not line.startswith("??") or line.endswith(".py")]
    return git("rev-parse", "HEAD"), bool(changed)  # data and notes that git does not know change no result
