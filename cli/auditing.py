"""Somebody else's predictions -> audit.html, audit.json and figures/."""

from __future__ import annotations

import argparse
from dataclasses import replace
from functools import partial
from pathlib import Path


def audit(args: argparse.Namespace, argv: list[str] | None, out: Path) -> str:
    """Somebody else's predictions -> audit.html, audit.json and figures/."""
    from core.ids import patient_number
    from core.provenance import provenance
    from core.tables import read_csv
    from evaluation.audit.reader import read_predictions
    from evaluation.audit.section import audit_sections, write_json
    from evaluation.audit.splits import read_slides, read_splits
    from evaluation.report.html import write_sections
    from features.labels import parse_labels

    parse = partial(parse_labels, args.audit, positive=args.positive, negative=args.negative)
    slides = read_slides(args.slides, read_csv) if args.slides else {}
    names = {k: getattr(args, k) for k in ("patient_column", "label_column", "score_column", "fold_column")}
    header, rows = read_csv(args.audit)
    predictions = read_predictions(args.audit.name, header, rows, parse, slides=slides, **names)
    splits = [s for path in args.splits or () for s in read_splits(path, read_csv)]
    sampling = {"replicates": args.replicates, "seed": args.seed}
    words, sections = audit_sections(predictions, splits, slides, patient_number, out / "figures", **sampling)
    origin, page = provenance(argv), args.out / "audit.html"
    replaced = " (in place of the audit that was there)" if page.exists() else ""
    write_json(out / "audit.json", args.audit.name, words, sections, origin)
    alarms = [w for w in words if "LEAKS: " in w or w.startswith("VALIDATION AS TEST")]
    # each sentence once on the page, alarms in the section that is about them too
    lead = [w for w in words if w not in alarms]
    shown = [replace(s, words=[w for w in s.words if w not in lead]) for s in sections]
    write_sections(out / page.name, f"Audit of {args.audit.name}", lead, shown, origin, alarms)
    return "\n".join([*sections[0].words, "", *words, "", f"audit: {page}{replaced}"])
