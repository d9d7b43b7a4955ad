"""Stage 3: runs/NAME ... -> report.html, report.json and figures; scores for new patients; maps of what a head uses; audits."""

from __future__ import annotations

import sys

from cli.evaluate import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
