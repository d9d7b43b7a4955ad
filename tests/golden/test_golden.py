"""What the code gives against the golden files: figures to the last digit on a machine like the recorded one, else within 1e-5.

`GOLDEN_EXACT=1` asks for the last digit everywhere. `python tests/golden/record.py` records anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from golden.cases import CASES
from golden.compare import DATA, differences_of_machine, told, told_of_text, written
from golden.material import SHARED, Bench


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """A folder of material, one for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    yield Bench((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "golden")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * case.slow) for name, case in CASES.items()]
)
def test_figures_and_words_are_the_golden_ones(name: str, bench: Bench) -> None:
    for folder in CASES[name].needs:
        if not (SHARED / folder).exists():
            pytest.skip(f"needs ../shared/{folder}, which is not here")
    golden = CASES[name].make(bench)
    exact, same_decoders = not differences_of_machine("fits"), not differences_of_machine("pixels")
    was = json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    found = told(was, json.loads(written(golden.figures)), exact=exact, same_decoders=same_decoders)
    shown = "\n".join(found[:20])
    assert not found, f"{name}.json differs in {len(found)} figures:\n{shown}"
    words = DATA / f"{name}.txt"
    if golden.words or words.exists():
        lines = told_of_text(words.read_text(encoding="utf-8"), golden.words.rstrip("\n") + "\n", exact=exact)
        shown = "\n".join(lines[:60])
        assert not lines, f"{name}.txt differs (record it anew if that is meant):\n{shown}"


@pytest.mark.parametrize(("kind", "what"), [("fits", "fitted figures"), ("pixels", "digests of pixels")])
def test_how_strictly_is_compared_here(kind: str, what: str) -> None:
    differences = differences_of_machine(kind)
    if differences:
        how = "within 1e-5" if kind == "fits" else "not at all"
        pytest.skip(f"{what} were compared {how}, not to the last digit: {'; '.join(differences)}")


def test_each_golden_file_has_its_case() -> None:
    assert {p.stem for p in DATA.iterdir()} == {*CASES, "machine"}
    assert sum(p.stat().st_size for p in DATA.iterdir()) < 400_000


WAS: dict[str, Any] = {
    "n": 3, "auc": 0.5, "id": "00016", "score": "0.25", "said": "# 0.5 20", "list": [1, 2.5], "fit": {"exactly": "a"},
    "image": {"pixels": "b"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "exact", "decoders", "words"),
    [
        ({"auc": 0.5000000000000001}, True, True, "/auc: was 0.5, is 0.5000000000000001"),
        ({"auc": 0.5000001}, False, True, ""),
        ({"auc": 0.5001}, False, True, "/auc: was 0.5, is 0.5001"),
        ({"n": 4}, False, False, "/n: was 3, is 4"),
        ({"n": 3.0}, True, True, "/n: was 3, is 3.0"),
        ({"id": "00017"}, False, False, "/id: was '00016', is '00017'"),
        ({"score": "0.2500001"}, False, False, ""),
        ({"score": "0.2500001"}, True, False, "/score: was '0.25', is '0.2500001'"),
        ({"score": "0.26"}, False, False, "/score: was '0.25', is '0.26'"),
        ({"said": "# 0.6 20"}, False, False, ""),
        ({"said": "# 0.5 21"}, False, False, "/said: was '# 0.5 20', is '# 0.5 21'"),
        ({"list": [1, 2.75]}, False, False, "/list/1: was 2.5, is 2.75"),
        ({"list": [1]}, False, False, "/list: was [1, 2.5], is [1]"),
        ({"fit": {"exactly": "c"}}, True, False, "/fit/exactly: was 'a', is 'c'"),
        ({"fit": {"exactly": "c"}}, False, True, ""),
        ({"image": {"pixels": "c"}}, False, True, "/image/pixels: was 'b', is 'c'"),
        ({"image": {"pixels": "c"}}, True, False, ""),
        ({"more": 1}, False, False, "/more: was 'absent', is 1"),
    ],
)
def test_a_difference_names_its_key_and_both_values(
    change: dict[str, Any], exact: bool, decoders: bool, words: str
) -> None:
    assert told(WAS, WAS, exact=True, same_decoders=True) == []
    assert told(WAS, {**WAS, **change}, exact=exact, same_decoders=decoders) == ([words] if words else [])


def test_a_line_that_changed_is_shown_twice() -> None:
    lines = told_of_text("a 0.51\nb\n", "a 0.52\nb\n", exact=True)
    assert lines[-3:] == ["-a 0.51", "+a 0.52", " b"]
    assert told_of_text("a 0.51\nb\n", "a 0.52\nb\n", exact=False) == []
    assert told_of_text("a\n", "b\n", exact=False)


def test_the_golden_files_say_nothing_of_the_machine_that_made_them() -> None:
    for path in DATA.iterdir():
        text = path.read_text(encoding="utf-8")
        assert str(Path.home()) not in text or str(Path.home()) == "/"
        assert "/tmp/" not in text, path.name
