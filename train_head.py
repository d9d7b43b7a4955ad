"""Stage 2: features.h5 (or a CSV of per-patient features) + LABELS.csv -> runs/NAME with out-of-fold predictions."""

from __future__ import annotations

import sys

from cli.train import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
