"""Idioms that the house does without, found in the syntax tree, folder by folder; `python tests/house/test_idioms.py` counts `Any`.

A text or a list times a condition; x != x; a module of ours renamed at import; more than five positionals for a dataclass of
ours; functions of 50 lines and more; code that the formatter may not touch, but for tables of data.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LAYERS = ("core", "features", "heads", "evaluation", "cli")
DOORS = ("extract_features.py", "train_head.py", "evaluate.py")
HELD = (*LAYERS, *DOORS, "benchmarks")
MOST_POSITIONALS, MOST_LINES, MOST_ANY = 5, 50, 149


def files(*places: str) -> list[Path]:
    found = [p for place in places for p in ([ROOT / place] if place.endswith(".py") else (ROOT / place).rglob("*.py"))]
    return sorted(found)


def dataclasses() -> set[str]:
    """The names of our dataclasses whose fields may be given by position."""
    found = set()
    for path in files(*LAYERS, "benchmarks"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
                found.add(node.name)
    return found


OURS = dataclasses()


def truth(node: ast.expr) -> bool:
    """Whether an expression is surely a truth value: a comparison, `not`, `bool()`, or an `and` or `or` of such."""
    if isinstance(node, ast.BoolOp):
        return all(map(truth, node.values))
    if isinstance(node, ast.Call):
        return ast.unparse(node.func) in ("bool", "any", "all", "isinstance")
    return isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))


def sequence(node: ast.expr) -> bool:
    """Whether an expression is surely a text, a list or a tuple."""
    text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return text or isinstance(node, (ast.JoinedStr, ast.List, ast.Tuple, ast.ListComp))


def idioms(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """(line, what stands there) of each banned idiom."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            sides = (node.left, node.right)
            if any(map(sequence, sides)) and any(map(truth, sides)):
                yield node.lineno, "a text or list times a condition"
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], (ast.Eq, ast.NotEq)):
            plain = isinstance(node.left, (ast.Name, ast.Attribute, ast.Subscript))
            if plain and ast.dump(node.left) == ast.dump(node.comparators[0]):
                yield node.lineno, "compared with itself"
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in LAYERS:
            for name in (a for a in node.names if a.asname and is_module(f"{node.module}.{a.name}")):
                yield node.lineno, f"{name.name} renamed to {name.asname}"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in OURS:
            if len([a for a in node.args if not isinstance(a, ast.Starred)]) > MOST_POSITIONALS:
                yield node.lineno, f"{len(node.args)} positionals for {ast.unparse(node.func)}"
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and lines_of(node) >= MOST_LINES:
            yield node.lineno, f"{node.name} has {lines_of(node)} lines"


def is_module(dotted: str) -> bool:
    place = ROOT / dotted.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__init__.py").exists()


def lines_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0  # type: ignore[operator]


def found_in(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    return [f"line {line}: {what}" for line, what in (*idioms(tree), *skips(tree, text))]


def skips(tree: ast.AST, text: str) -> Iterator[tuple[int, str]]:
    """(line, what stands there) of each `fmt: skip` that is not at the end of a table of data."""
    tables = {
        node.end_lineno
        for node in ast.walk(tree)
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Return))
        and isinstance(node.value, (ast.Tuple, ast.List, ast.Set, ast.Dict))
    }
    for number, line in enumerate(text.split("\n"), 1):
        if line.endswith("# fmt: skip") and number not in tables:
            yield number, "fmt: skip"


@pytest.mark.slow
@pytest.mark.parametrize("place", HELD)
def test_banned_idioms_are_absent(place: str) -> None:
    assert {p.relative_to(ROOT).as_posix(): found for p in files(place) if (found := found_in(p))} == {}


@pytest.mark.parametrize(("code", "what"), [
    ("x = 's' * (n > 1)", "times a condition"),
    ("x = f'{a}' * bool(b)", "times a condition"),
    ("x = [a, b] * (not c)", "times a condition"),
    ("x = (c and d == e) * 'text'", ""),
    ("x = '-' * 20 + [0] * n", ""),
    ("if x.p != x.p: pass", "compared with itself"),
    ("if 1 == 1 or x != y: pass", ""),
    ("from core import tables as t", "tables renamed to t"),
    ("from core.tables import read_csv as read", ""),
    ("f(1, 2)  # fmt: skip", "fmt: skip"),
    ("X = (\n    1, 2,\n)  # fmt: skip", ""),
    ("Option(1, 2, 3, 4, 5, 6)", "6 positionals for Option"),
    ("Option(1, 2, 3, 4, 5, flag='x')", ""),
    ("def f():\n" + "    pass\n" * 50, "f has 50 lines"),
    ("def f():\n    '''\n" + "word\n" * 60 + "    '''\n    pass\n", ""),
])  # fmt: skip
def test_an_idiom_is_recognised(code: str, what: str) -> None:
    found = [text for _, text in (*idioms(ast.parse(code)), *skips(ast.parse(code), code))]
    assert [what in text for text in found] == ([True] if what else [])


def any_words() -> dict[str, int]:
    """{file: how often the word `Any` stands in its code}, of the layers and doors."""
    counts = {p: len(re.findall(r"\bAny\b", p.read_text(encoding="utf-8"))) for p in files(*LAYERS, *DOORS)}
    return {p.relative_to(ROOT).as_posix(): n for p, n in counts.items() if n}


def test_any_is_rare() -> None:
    assert sum(any_words().values()) <= MOST_ANY


if __name__ == "__main__":
    words = any_words()
    for name, n in sorted(words.items(), key=lambda item: -item[1]):
        print(f"{n:4} {name}")
    print(f"{sum(words.values()):4} in all")
    for path in files(*HELD) if "idioms" in sys.argv else []:
        for found in found_in(path):
            print(f"{path.relative_to(ROOT).as_posix()}: {found}")
