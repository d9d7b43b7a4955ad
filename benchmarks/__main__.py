"""`python -m benchmarks`: the questions of speed, in one table; `python -m benchmarks NAME ...`: some questions, also `growth`."""

from __future__ import annotations

import importlib
import json
import platform
import sys
from pathlib import Path
from types import ModuleType

from benchmarks.timing import Row, table_lines

OUT = Path("build/benchmarks")
FOLDERS = ("evidence", "faults", "speed")
_BY_NAME = ("growth",)  # takes longer than all the others together


def questions() -> dict[str, ModuleType]:
    """{name: its module}, by name: one with `measure() -> list[Row]`, or with `main()` where it prints a table of its own."""
    files = [p for folder in FOLDERS for p in (Path(__file__).parent / folder).glob("[!_]*.py")]
    return {
        p.stem: importlib.import_module(f"benchmarks.{p.parent.name}.{p.stem}")
        for p in sorted(files, key=lambda p: p.stem)
    }


def main(argv: list[str]) -> int:
    """Run questions by name; without one all that are about speed, but for growth. A table is printed, and written as JSON."""
    modules = questions()
    if unknown := set(argv) - set(modules):
        print(f"no question {', '.join(sorted(unknown))}; there are {', '.join(modules)}", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for name in argv or [n for n, m in modules.items() if not hasattr(m, "main") and n not in _BY_NAME]:
        if hasattr(modules[name], "main"):
            modules[name].main()
            continue
        found: list[Row] = modules[name].measure()
        print("\n".join(table_lines(found)[0 if not rows else 2 :]), flush=True)
        OUT.mkdir(parents=True, exist_ok=True)
        content = {"machine": platform.processor() or platform.machine(), "rows": [r.to_json() for r in found]}
        (OUT / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        rows += found
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
