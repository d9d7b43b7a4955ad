"""The demonstration as a figure and a section: every split is shown, and what is published is called so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from evaluation.report.pages.leak_demo import (
    PUBLISHED,
    conclusion,
    drawing,
    headline,
    leak_table_lines,
    leakage_section,
    split_sentence,
    write_leak_json,
)
from evaluation.statistics.controls.leak_demo import Row, flag


def rows(splits: tuple[str, ...] = ("slice", "patient"), heads: tuple[str, ...] = ("logistic",)) -> list[Row]:
    """The slice split at 0.9, the others at 0.5, each draw 0.01 higher than the one before; slices 0.1 lower."""
    return [
        Row(
            head,
            "FLAIR",
            split,
            "shuffled" if draw else "true",
            draw,
            level,
            (0.9 if split == "slice" else 0.48) + 0.01 * draw - 0.1 * (level == "slice"),
            0.4,
            14 * (split == "slice"),
            14,
            "LEAKS" * (split == "slice"),
        )
        for head in heads
        for split in splits
        for draw in range(4)
        for level in ("patient", "slice")
    ]


def test_the_figure_is_written_twice_and_its_words_give_the_figures(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    d = drawing(rows(heads=("logistic", "boosted")))
    d.write(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"leak.png", "leak.svg"}
    assert (tmp_path / "leak.png").read_bytes() == d.png
    assert d.alt == snapshot
    svg = (tmp_path / "leak.svg").read_text()
    for text in (
        "slice split (LEAKS)",
        "14 of 14 test patients in training",
        "0 of 14 test",
        "logistic, FLAIR",
        "0.92",
    ):
        assert text in svg
    assert "(accuracy, Yagis 2021)" in svg, "a published accuracy must not pass for an AUC"
    assert "patient split (LEAKS)" not in svg


@pytest.mark.slow
def test_a_third_split_gets_a_panel() -> None:
    svg = drawing(rows(("slice", "id", "patient"))).svg.decode()
    assert all(f"{name} split" in svg for name in ("slice", "id", "patient"))


@pytest.mark.slow
def test_the_section_has_words_both_levels_and_plain_data(snapshot: SnapshotAssertion) -> None:
    section = leakage_section(rows(), 7)
    assert section.key == "leakage"
    assert section.words == snapshot
    patients, slices = section.sheets
    assert patients.rows[0][1:] == (
        0.9,
        pytest.approx(0.92),
        pytest.approx(0.01),
        pytest.approx(0.42),
        pytest.approx(0.4),
        "14 of 14",
    )
    assert slices.rows[0][2] == pytest.approx(0.82)
    verdicts = json.loads(json.dumps(section.data, allow_nan=False))["verdicts"]
    assert [(v["split"], v["leaks"], v["inflated"]) for v in verdicts] == [
        ("slice", True, True),
        ("patient", False, False),
    ]


def test_what_is_published_is_cited_as_the_abstract_has_it() -> None:
    for figure in ("30 % (OASIS)", "29 % (ADNI)", "48 % (PPMI)", "55 % (Versilia)", "about 96 %", "subjects 50 %"):
        assert figure in PUBLISHED
    assert "10.1038/s41598-021-01681-w" in PUBLISHED


@pytest.mark.slow
def test_figures_that_do_not_exist_are_null(tmp_path: Path) -> None:
    lone = [r for r in rows() if r.draw < 2]  # one shuffle has no spread
    section = leakage_section(lone, 7)
    write_leak_json(tmp_path / "leak.json", {"run": "x", "leak": None, "seed": 3}, section)
    content = json.loads((tmp_path / "leak.json").read_text())
    assert content["format"] == "mgmt-radiogenomics/leak"
    assert content["seed"] == 3
    assert "run" not in content
    assert content["verdicts"][0]["sd"] is None


def shuffled(split: str, aucs: list[float], shared: int) -> list[Row]:
    """The AUC with true labels, and those of draws of shuffled ones, at patient level."""
    return [
        Row(
            head="logistic",
            sequence="FLAIR",
            split=split,
            labels="shuffled" if k else "true",
            draw=k,
            level="patient",
            auc=auc,
            auc_pooled=auc,
            shared_patients=shared,
            tested_patients=12,
            warning="",
        )
        for k, auc in enumerate(aucs)
    ]


def test_the_words_say_what_was_found_and_what_cannot_be_said(snapshot: SnapshotAssertion) -> None:
    leaking = shuffled("slice", [0.94, 0.95, 0.96, 0.97, 0.98], 12)
    strange = shuffled("id", [0.9, 0.91, 0.92, 0.93, 0.94], 0)
    honest = shuffled("patient", [0.3, 0.4, 0.5, 0.6, 0.7], 0)
    verdicts = flag([*leaking, *strange, *honest])
    (unpaid,) = flag(shuffled("slice", [0.5, 0.4, 0.5, 0.6, 0.5], 12))
    assert {v.split: split_sentence(v) for v in verdicts} == snapshot(name="each split")
    assert split_sentence(unpaid) == snapshot(name="a leak that paid nothing")
    assert headline(verdicts) == snapshot(name="headline")
    assert conclusion(verdicts, 9) == snapshot(name="what the headline does not say")
    assert len(conclusion(verdicts, 10)) == len(conclusion(verdicts, 9)) - 1
    assert leak_table_lines(verdicts) == snapshot(name="table")
