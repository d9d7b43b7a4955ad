"""Stage 1: COHORT -> features.h5. One vector per MRI slice from a frozen ImageNet backbone."""

from __future__ import annotations

import sys

from cli.extract import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
