"""The demonstration as a figure and a section: every split is shown, and what is published is called so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.report.pages.leak_demo import PUBLISHED, drawing, leakage_section, write_json
from evaluation.statistics.leak_demo import Row


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


def test_the_figure_is_written_twice_and_its_words_give_the_figures(tmp_path: Path) -> None:
    d = drawing(rows(heads=("logistic", "boosted")), tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"leak.png", "leak.svg"}
    assert (tmp_path / "leak.png").read_bytes() == d.png
    assert "logistic on FLAIR, slice split: true 0.90, shuffled 0.92 on average (sd 0.01)" in d.alt
    assert "boosted on FLAIR, patient split: true 0.48, shuffled 0.50 on average (sd 0.01)" in d.alt
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


def test_a_third_split_gets_a_panel(tmp_path: Path) -> None:
    drawing(rows(("slice", "id", "patient")), tmp_path)
    svg = (tmp_path / "leak.svg").read_text()
    assert all(f"{name} split" in svg for name in ("slice", "id", "patient"))


def test_the_section_has_words_both_levels_and_plain_data(tmp_path: Path) -> None:
    section = leakage_section(rows(), tmp_path, 7)
    assert section.key == "leakage"
    assert "fewer than 10" in section.words[0]
    assert section.words[-1] == PUBLISHED
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


def test_figures_that_do_not_exist_are_null(tmp_path: Path) -> None:
    lone = [r for r in rows() if r.draw < 2]  # one shuffle has no spread
    section = leakage_section(lone, tmp_path, 7)
    write_json(tmp_path / "leak.json", {"run": "x", "leak": None, "seed": 3}, section)
    content = json.loads((tmp_path / "leak.json").read_text())
    assert content["format"] == "mgmt-radiogenomics/leak"
    assert content["seed"] == 3
    assert "run" not in content
    assert content["verdicts"][0]["sd"] is None
