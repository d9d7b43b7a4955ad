"""The options of every command as Markdown, from the parsers themselves: `make docs` writes docs/options.md."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

PLACE = Path(__file__).resolve().parent.parent / "docs" / "options.md"
HEAD = """# Options

Made by `make docs` from the options themselves; a test holds it to them. In Python the same options are the fields of
`ExtractOptions`, `TrainOptions`, `ReportOptions`, `NewPatientOptions`, `AuditOptions` and `ExplainOptions`, with `_` for `-`.
"""


def reference() -> str:
    """The page: a part per command, a table per group of options."""
    from cli import cache, evaluate, extract, train

    parts = [HEAD]
    for module in (extract, train, evaluate, cache):
        parts.append("\n".join(_command(module.parser())))
    return "\n".join(parts)


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    yield f"## `{parser.prog}`\n"
    yield f"{parser.description}\n"
    yield from _tables(parser)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {a.dest: a.help for a in action._choices_actions}
            for name, verb in action.choices.items():
                yield f"### `{verb.prog}`\n"
                yield f"{helps[name]}\n"
                yield from _tables(verb)


def _tables(parser: argparse.ArgumentParser) -> Iterator[str]:
    for group in parser._action_groups:
        rows = [
            a
            for a in group._group_actions
            if not isinstance(a, argparse._SubParsersAction) and a.dest not in ("help", "version")
        ]
        if rows:
            if group.title not in ("options", "positional arguments"):
                yield f"**{group.title}**\n"
            yield "| option | meaning |\n| --- | --- |"
            yield from (f"| {_name(a)} | {_cell(a, parser)} |" for a in rows)
            yield ""


def _name(action: argparse.Action) -> str:
    names = action.option_strings or [str(action.metavar or action.dest)]
    takes_value = action.option_strings and action.nargs != 0
    value = f" {action.metavar or _choices(action) or action.dest.upper()}" if takes_value else ""
    more = " ..." if action.nargs in ("+", "*") else ""
    return ", ".join(f"`{name}{value}{more}`" for name in names).replace("|", "\\|")


def _choices(action: argparse.Action) -> str:
    return "|".join(map(str, action.choices)) if action.choices else ""


def _cell(action: argparse.Action, parser: argparse.ArgumentParser) -> str:
    text = (action.help or "") % {**vars(action), "prog": parser.prog}
    listed = f"; one of {', '.join(map(str, action.choices))}" if action.choices and action.metavar else ""
    return getattr(action, "details", "") or f"{text}{listed}".replace("|", "\\|")


if __name__ == "__main__":
    PLACE.write_text(reference(), encoding="utf-8")
