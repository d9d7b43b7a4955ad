"""What a run says: to the user as it goes on, and to run.json."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cli.words.labels import join_lines


def say(text: str) -> None:
    """Print to the user at once, also into a pipe."""
    print(text, flush=True)


def describe(
    args: argparse.Namespace, argv: list[str] | None, source: Any, joined: Any, trained: Sequence[Any], leak: str
) -> dict[str, Any]:
    """What run.json says of arguments, patients, features, labels and origin."""
    from core.files import file_sha256
    from core.predictions import fused_name
    from core.provenance import provenance
    from heads.folds import NOTEBOOK_SEED

    parts = [t.sequence for t in trained]
    return {
        "format": "mgmt-radiogenomics/run",
        "format_version": 1,
        "run": args.out.name,
        "arguments": {k: str(v) if isinstance(v, Path) else v for k, v in vars(args).items()},
        "seed": args.seed,
        "split_seed": NOTEBOOK_SEED if args.split == "slice" else args.seed,
        "question": str(joined.question),
        "join": join_lines(joined),
        "patients": {
            "labels": joined.labels,
            "unlabelled": joined.unlabelled,
            "without_row": joined.without_row,
            "without_scans": joined.without_scans,
            "missing_sequence": {t.sequence: t.missing for t in trained},
        },
        "fused": {"scores": fused_name(parts), "features": parts[-1]}.get(args.fuse),
        "split": "file" if args.split_file else args.split,
        "leak": leak or None,
        "features": {
            "file": args.features.name,
            "digest": source.digest,
            "settings": source.settings,
            "skipped": source.skipped,
        },
        "labels": {"file": args.labels.name, "sha256": file_sha256(args.labels)},
        **provenance(argv),
    }
