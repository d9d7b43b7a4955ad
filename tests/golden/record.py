"""Record the golden files anew: `python tests/golden/record.py [CASE ...]`; `--into DIR` writes them elsewhere, to compare.

Figures may not change through a move of the code; words may, on purpose. Without names all cases are recorded whose material
is here.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent), str(HERE.parent)]


def main() -> None:
    """Make each case in a fresh folder and write its figures and words."""
    from golden import compare
    from golden.cases import CASES
    from golden.material import SHARED, Bench

    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("cases", nargs="*", choices=[*CASES, []], help="default: all")
    p.add_argument("--into", type=Path, default=compare.DATA, metavar="DIR")
    args = p.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    args.into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in args.cases or CASES:
            lacking = [n for n in CASES[name].needs if not (SHARED / n).exists()]
            if lacking:
                print(f"{name}: not recorded, needs ../shared/{lacking[0]}")
                continue
            started = time.process_time()
            golden = CASES[name].make(Bench(Path(folder)))
            (args.into / f"{name}.json").write_text(compare.written(golden.figures), encoding="utf-8")
            if golden.words:
                (args.into / f"{name}.txt").write_text(golden.words.rstrip("\n") + "\n", encoding="utf-8")
            print(f"{name}: {time.process_time() - started:.1f} s of CPU", flush=True)
    (args.into / "machine.json").write_text(compare.written(compare.machine()), encoding="utf-8")


if __name__ == "__main__":
    main()
