"""Golden figures and texts: how they are written to files, and how what is was differs from what is."""

from __future__ import annotations

import csv
import difflib
import hashlib
import json
import math
import os
import platform
import re
from html.parser import HTMLParser
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
RTOL, ATOL = 1e-5, 1e-6
LONG = 7  # lists of more numbers than this are packed
MANY_ROWS = 24  # tables of more rows than this are packed by column
FITTING = ("numpy", "scipy", "scikit-learn", "lightgbm", "tensorflow", "keras")
DECODING = ("numpy", "pillow", "pydicom", "nibabel", "pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pyjpegls")
# What depends on the machine, the commit or a library's version and not on what the code computes. `digest` of a run's
# features is a digest over the versions too.
BY_PATIENT = ("availability", "labels")  # told in short
NAMING = ("run", "head", "sequence", "level", "split", "model")  # name a result among others
SENTENCE = 40  # longer texts with blanks are sentences: words may change, their numbers may not
NO_FIGURES = ("commit", "dirty", "python", "versions", "code_version", "command", "seconds")


# --- the machine ---------------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """What the last digits depend on: `fits` the numerical libraries and their kernels, `pixels` the decoders."""
    import scipy.linalg  # noqa: F401  (its BLAS is one of those asked below)
    from threadpoolctl import threadpool_info

    blas = {f"{b['internal_api']} {b.get('architecture', '')}" for b in threadpool_info() if b["user_api"] == "blas"}
    simd = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[index, call-overload]
    return {
        "fits": {
            "machine": platform.machine(),
            "blas": sorted(blas),
            "simd": sorted([*simd["baseline"], *simd.get("found", [])]),
            **{name: _version(name, 2) for name in FITTING},
        },
        "pixels": {name: _version(name, 3) for name in DECODING},
    }


def _version(name: str, parts: int) -> str:
    try:
        return ".".join(version(name).split(".")[:parts])
    except PackageNotFoundError:
        return "none"


def differences_of_machine(kind: str) -> list[str]:
    """In words how this machine differs from the recorded one in `fits` or `pixels`; [] : the last digit must agree."""
    if os.environ.get("GOLDEN_EXACT") == "1":
        return []
    was, now = json.loads((DATA / "machine.json").read_text())[kind], machine()[kind]
    return [f"{k} was {was.get(k)}, is {now.get(k)}" for k in sorted({*was, *now}) if was.get(k) != now.get(k)]


# --- writing -------------------------------------------------------------------------------------------


def sha(raw: bytes) -> str:
    """The first 12 digits of the SHA-256 of bytes."""
    return hashlib.sha256(raw).hexdigest()[:12]


def exactly(raw: bytes) -> dict[str, str]:
    """A digest of what depends on fits; compared only where figures must agree to the last digit."""
    return {"exactly": sha(raw)}


def pixels(raw: bytes) -> dict[str, str]:
    """A digest of what depends on decoders; compared only where these are the recorded ones."""
    return {"pixels": sha(raw)}


def packed(numbers: list[Any]) -> dict[str, Any]:
    """A long list of numbers and None in short: a digest of every digit, and sums that a tolerance can be put on."""
    known = [(i, float(x)) for i, x in enumerate(numbers) if x is not None and math.isfinite(x)]
    mean = math.fsum(x for _, x in known) / max(1, len(known))
    tilt = math.fsum(x * (i + 1) for i, x in known) / max(1, len(known)) / max(1, len(numbers))
    of = len(numbers) if len(known) == len(numbers) else f"{len(known)} of {len(numbers)}"
    return {"exactly": sha(json.dumps(numbers).encode()), "n": of, "mean": _digits(mean), "tilt": _digits(tilt)}


def _digits(x: float) -> float:
    return float(f"{x:.8g}")


def figures_of(value: Any, name: str = "") -> Any:
    """A JSON document in short: without what no figure is; long lists packed; results by their names; of sentences the numbers."""
    if name in BY_PATIENT and isinstance(value, dict):
        return {"patients": len(value), "digest": sha(json.dumps(value, sort_keys=True).encode())}
    if isinstance(value, dict) and value.keys() == {"estimate", "low", "high"}:
        return [figures_of(value[k]) for k in ("estimate", "low", "high")]
    if isinstance(value, dict):
        return {str(k): figures_of(v, str(k)) for k, v in value.items() if k not in NO_FIGURES}
    if isinstance(value, np.ndarray):
        return figures_of(value.tolist())
    if isinstance(value, np.generic):
        return figures_of(value.item())
    if isinstance(value, list | tuple):
        found = list(value)
        if len(found) > LONG and all(x is None or isinstance(x, int | float) for x in found):
            return packed(found)
        if len(found) > LONG and all(isinstance(x, str) for x in found):
            return {"n": len(found), "digest": sha("\0".join(found).encode())}
        if found and all(isinstance(x, list) and x and all(isinstance(y, str) for y in x) for x in found):
            return figures_of([" ".join(x) for x in found])
        if found and all(isinstance(x, dict) for x in found):
            names = [" ".join(str(x[k]) for k in NAMING if k in x) for x in found]
            if all(names) and len(set(names)) == len(names):
                return {
                    n: figures_of({k: v for k, v in x.items() if k not in NAMING})
                    for n, x in zip(names, found, strict=True)
                }
            if len(found) > LONG / 2 and all(x.keys() == found[0].keys() for x in found):
                return {k: figures_of([x[k] for x in found], k) for k in found[0] if k not in NO_FIGURES}
        return [figures_of(x) for x in found]
    if isinstance(value, str) and len(value) > SENTENCE and " " in value:
        return " ".join(["#", *re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", value)])
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def table_of(path: Path, whole: bool = False) -> Any:
    """A CSV: its header and its rows as texts; where it has many, each column in short; `whole` : each score, by result."""
    with path.open(newline="", encoding="utf-8") as f:
        header, *rows = list(csv.reader(f))
    if len(rows) <= MANY_ROWS:
        return {"columns": header, "rows": rows}
    found: dict[str, Any] = {"columns": header, "n": len(rows)}
    if whole:
        by_result: dict[str, Any] = {}
        for row in rows:
            cells = dict(zip(header, row, strict=True))
            key = " ".join(cells[k] for k in ("head", "sequence", "repeat"))
            kept = by_result.setdefault(key, {"score": [], "others": []})
            kept["score"].append(cells.pop("score"))
            kept["others"].append(list(cells.values()))
        return found | {
            k: {"score": v["score"], "others": sha(json.dumps(v["others"]).encode())} for k, v in by_result.items()
        }
    return found | {f"column {h}": _column(c) for h, c in zip(header, zip(*rows, strict=True), strict=True)}


def _column(cells: tuple[str, ...]) -> Any:
    """Cells in short: numbers that are fitted packed, all else as runs of equal cells or a digest."""
    fitted = any("." in c for c in cells)
    try:
        numbers = [float(c) if c else None for c in cells] if fitted else None
    except ValueError:
        numbers = None
    if numbers is not None:
        return {**packed(numbers), "exactly": sha("\n".join(cells).encode())}
    kinds = sorted(set(cells))
    return {"digest": sha("\n".join(cells).encode()), **({"values": kinds} if len(kinds) <= LONG else {})}


def written(value: Any) -> str:
    """JSON with sorted keys, an entry a line, lists of plain values in one line."""

    def lines(v: Any, indent: str) -> str:
        if isinstance(v, dict) and v and not _plain(v.values()):
            inner = ",\n".join(f"{indent} {json.dumps(k)}:{lines(v[k], indent + ' ')}" for k in sorted(v))
            return f"{{\n{inner}\n{indent}}}"
        if isinstance(v, list) and v and not _plain(v):
            return "[\n" + ",\n".join(f"{indent} {lines(x, indent + ' ')}" for x in v) + f"\n{indent}]"
        return json.dumps(v, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))

    return lines(value, "") + "\n"


def _plain(values: Any) -> bool:
    return all(not isinstance(v, dict | list) for v in values)


# --- comparing -----------------------------------------------------------------------------------------


def told(was: Any, now: Any, *, exact: bool, same_decoders: bool, key: str = "") -> list[str]:
    """Each difference of two golden documents as 'key: was ..., is ...'."""
    options = {"exact": exact, "same_decoders": same_decoders}
    if isinstance(was, dict) and isinstance(now, dict):
        if "only where" in was and was["only where"] != now.get("only where"):
            return []  # bytes of another library's version
        skipped = {k for k, counts in (("exactly", exact), ("pixels", same_decoders)) if not counts}
        keys = sorted(({*was} | {*now}) - skipped)
        out = []
        for k in keys:
            here = f"{key}/{k}"
            if k not in now or k not in was:
                out.append(f"{here}: was {_short(was.get(k, 'absent'))}, is {_short(now.get(k, 'absent'))}")
            else:
                out += told(was[k], now[k], key=here, **options)
        return out
    if isinstance(was, list) and isinstance(now, list) and len(was) == len(now):
        return [
            d for i, (a, b) in enumerate(zip(was, now, strict=True)) for d in told(a, b, key=f"{key}/{i}", **options)
        ]
    same = type(was) is type(now) and was == now
    if not same and not exact:
        same = _near(was, now)
    return [] if same else [f"{key}: was {_short(was)}, is {_short(now)}"]


def _near(was: Any, now: Any) -> bool:
    """Whether two fitted numbers, as such or as texts, are within the tolerance; whole numbers must be equal."""
    if isinstance(was, str) and isinstance(now, str):
        try:
            return not was.isdigit() and math.isclose(float(was), float(now), rel_tol=RTOL, abs_tol=ATOL)
        except ValueError:
            return without_numbers(was) == without_numbers(now)
    fitted = isinstance(was, float) and isinstance(now, float)
    return fitted and math.isclose(was, now, rel_tol=RTOL, abs_tol=ATOL)


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False) if not isinstance(value, str) else repr(value)
    return text if len(text) <= 300 else f"{text[:300]} ..."


def told_of_text(was: str, now: str, *, exact: bool) -> list[str]:
    """The lines in which two texts differ; where figures may differ in the last digits, numbers in words do not count."""
    if not exact:
        was, now = without_numbers(was), without_numbers(now)
    return list(difflib.unified_diff(was.splitlines(), now.splitlines(), "was", "is", lineterm="", n=1))


def without_numbers(text: str) -> str:
    """A text with # for each decimal number, and one blank for several."""
    return re.sub(r" +", " ", re.sub(r"-?\d+\.\d+(e-?\d+)?", "#", text))


class _Visible(HTMLParser):
    """The words of a page outside scripts, styles and drawings, one piece a line."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = 0
        self.pieces: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.hidden += tag in ("script", "style", "svg")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "svg")

    def handle_data(self, data: str) -> None:
        if not self.hidden and data.strip():
            self.pieces.append(" ".join(data.split()))


def visible(html: str) -> str:
    """The visible words of a page, each piece once; without cells that are numbers alone, which JSON has with all digits."""
    parser = _Visible()
    parser.feed(html)
    return "\n".join(dict.fromkeys(p for p in parser.pieces if re.search(r"[^\W\d]{3}", p)))
