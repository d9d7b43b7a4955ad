"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from cli import train as door

PROGRAM = "train_head.py"


def parser() -> argparse.ArgumentParser:
    """The options of stage 2."""
    return door.parser(PROGRAM, __doc__)


def main(argv: Sequence[str] | None = None) -> int:
    """Train the heads, write the run, print the comparison."""
    return door.main(PROGRAM, parser(), argv)


if __name__ == "__main__":
    sys.exit(main())
