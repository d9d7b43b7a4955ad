"""CSV tables in and out; cells that a spreadsheet would take for a formula, and back."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from core.system.files import write_text


def read_csv(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and (line number, cells) of a CSV file (also .gz; comma, semicolon or tab; with or without BOM).

    Cells are stripped; blank lines are passed over.

    Raises ValueError for a file that is no UTF-8 text, is empty, or has a row of another length than the header.
    """
    if not path.exists():
        raise ValueError(f"{str(path)!r} does not exist; expected a CSV file")
    try:
        raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = raw.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        swapped = path.suffix in (".h5", ".hdf5")
        why = "it looks like a cache; features come first, then labels" if swapped else type(error).__name__
        raise ValueError(f"{str(path)!r} is not a readable UTF-8 CSV file ({why})") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    try:
        reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
        lines = [(reader.line_num, [c.strip() for c in row]) for row in reader]
    except csv.Error as error:
        raise ValueError(f"{str(path)!r} is not well-formed CSV ({error})") from None
    lines = [(number, row) for number, row in lines if any(row)]
    if len(lines) < 2:
        raise ValueError(f"{str(path)!r} holds {len(lines)} lines; expected a header and at least one row")
    header, rows = lines[0][1], lines[1:]
    for number, row in rows:
        if len(row) != len(header):
            raise ValueError(f"{str(path)!r}, row {number}: {len(row)} cells; the header has {len(header)}")
    twice = {c for c in header if header.count(c) > 1}
    if twice:
        raise ValueError(f"{str(path)!r} has the column {sorted(twice)[0]!r} twice; columns need names of their own")
    return header, rows


_FORMULA = re.compile(r"'*[=+\-@\t\r]")


def neutral(cell: object) -> object:
    """A text that starts as a formula does gets an apostrophe before it, so that it stays text; numbers stay numbers.

    One that has apostrophes there already gets one more, so that `original` knows the way back.
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def original(cell: str) -> str:
    """The text that `neutral` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def originals(column: Sequence[str]) -> Sequence[str]:
    """The texts of a column that `neutral` may or may not have written.

    Where one of them starts as a formula does, nobody put apostrophes there, and all stay as they are.
    """
    if any(_FORMULA.match(cell) and not cell.startswith("'") for cell in column):
        return column
    return [original(cell) for cell in column]


def write_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    """Write rows to a temporary name, sync and rename."""
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    write_text(path, text.getvalue())
