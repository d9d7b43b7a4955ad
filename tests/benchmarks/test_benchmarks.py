"""`python -m benchmarks` knows its questions: each is asked in one of two ways, and all can be asked at once."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest

import benchmarks.__main__ as door
from benchmarks.timing import Row

QUESTIONS = door.questions()


def test_every_file_in_a_folder_is_a_question() -> None:
    files = Path(door.__file__).parent.glob("*/*.py")
    assert sorted(p.stem for p in files if not p.stem.startswith("_")) == list(QUESTIONS)


@pytest.mark.parametrize("name", QUESTIONS)
def test_every_question_can_be_asked_without_further_words(name: str) -> None:
    module = QUESTIONS[name]
    ask = module.main if hasattr(module, "main") else module.measure
    needed = [p for p in inspect.signature(ask).parameters.values() if p.default is p.empty]
    assert ask.__module__ == module.__name__
    assert needed == []


def test_without_a_name_the_questions_of_speed_are_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []
    for name, module in QUESTIONS.items():
        kind = "main" if hasattr(module, "main") else "measure"
        answer = [Row(f"how fast is {name}", "s", 2.0, 6.0, 3.0)] if kind == "measure" else 0
        monkeypatch.setattr(module, kind, lambda name=name, answer=answer: asked.append(name) or answer)
    monkeypatch.setattr(door, "OUT", tmp_path)
    assert door.main([]) == 0
    assert asked == ["decoding", "network", "resampling", "stage2"]
    assert json.loads((tmp_path / "stage2.json").read_text())["rows"][0]["ratio"] == 3.0
    assert "| how fast is network | 2 s | 6 s | 3 |" in capsys.readouterr().out
    assert door.main(["soak", "growth"]) == 0
    assert asked[4:] == ["soak", "growth"]


def test_an_unknown_question_is_named_with_those_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.main(["speed"]) == 2
    assert "no question speed; there are copies, decoding" in capsys.readouterr().err
