"""The benchmark of image heads against shortcut heads: its table says what the report says."""

from __future__ import annotations

from typing import Any

from benchmarks.evidence.shortcuts import COHORTS, COLUMNS, lines, rows


def a_report(**changes: Any) -> dict[str, Any]:
    """As report.json of a run with one image head and two shortcut heads."""
    pair = {"a": ["anatomy", "logistic", "T1wCE"], "difference": 0.28, "low": 0.15, "high": 0.42, "p_holm": 0.0002}
    heads = [
        {"head": "logistic", "auc": {"estimate": 0.5, "low": 0.4, "high": 0.6}},
        {"head": "boosted", "auc": {"estimate": 0.65, "low": None, "high": None}},
    ]
    audit = {"best": "boosted", "heads": heads, "comparisons": [{**pair, "verdict": "images better", **changes}]}
    image = {"head": "logistic", "sequence": "T1wCE", "by_fold": {"estimate": 0.93, "low": 0.84, "high": 0.97}}
    results = [{**image, "level": "patient"}, {**image, "level": "slice", "by_fold": {}}]
    return {"sections": {"shortcuts": {"runs": {"anatomy": audit}}}, "results": results}


def test_a_row_holds_both_heads_their_difference_and_the_verdict() -> None:
    (row,) = rows(COHORTS[0], a_report())
    assert row[0].startswith("in the lesion, 120 patients")
    assert row[1:] == (
        "logistic", "0.930 (0.84-0.97)", "boosted", "0.650 (n/a-n/a)", "+0.280 (+0.15 to +0.42)", "< 0.001", "images better",
    )  # fmt: skip
    assert rows(COHORTS[0], a_report(p_holm=0.03))[0][6] == "0.030"


def test_the_table_is_markdown() -> None:
    table = lines(rows(COHORTS[0], a_report()))
    assert table[0].split(" | ")[1] == COLUMNS[1]
    assert {line.count("|") for line in table} == {len(COLUMNS) + 1}


def test_one_cohort_has_anatomy_alone_and_the_other_a_shortcut_alone() -> None:
    assert [(bool(c.effect), bool(c.shortcut)) for c in COHORTS] == [(True, False), (False, True)]
