"""The report in headless Chromium: nothing fetched, no errors, tables that sort and filter, no overflow at 400 px, print."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_material import LEAK, a_run, context, page

from evaluation.report.figures import Drawing, canvas, save_figure
from evaluation.report.section import Section, Sheet
from evaluation.report.trust.patients import patients_section

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium), which is not here"),
]
N = 120  # patients: more than fit on one page
OUTSIDE = "http://127.0.0.1:9/outside.png"
LONG = "mean(" + "+".join(["FLAIR", "T1w", "T1wCE", "T2w"] * 3) + ")"

# Runs in the page at 400 px, and sends what it finds to the page around it.
PROBE = """
const out = { width: innerWidth };
const folds = () => [...document.querySelectorAll("details")].map((d) => d.open);
out.folds = ["", "beforeprint", "afterprint"].map((e) => { dispatchEvent(new Event(e)); return folds(); });
document.querySelectorAll("details").forEach((d) => { d.open = true; });
out.scroll = document.documentElement.scrollWidth;
out.images = [...document.images].filter((i) => i.naturalWidth > 400).map((i) => i.getBoundingClientRect().right);
out.stacked = getComputedStyle(document.querySelector(".stack td")).display;
out.figures = [...document.querySelectorAll(".figures")].map((f) => getComputedStyle(f).gridTemplateColumns.split(" ").length);
const wide = document.createElement("div");
wide.style.width = "1000px";
wide.textContent = "wide";
document.body.append(wide);
out.control = document.documentElement.scrollWidth;
wide.remove();

const sheet = document.getElementById("patients-1").closest(".sheet");
const table = sheet.querySelector("table");
const heads = [...table.tHead.rows[0].cells];
const column = (i) => [...table.tBodies[0].rows].filter((r) => !r.hidden).map((r) => r.cells[i].textContent);
out.names = heads.map((h) => h.textContent);
out.focusable = [...heads.map((h) => h.firstChild), sheet.querySelector("input"), sheet.querySelector(".wide")].map((e) => {
  e.focus();
  return document.activeElement === e;
});
out.sorted = heads.map((head, i) => {
  const button = head.querySelector("button");
  button.click();
  const up = [head.getAttribute("aria-sort"), column(i)];
  button.click();
  return [...up, head.getAttribute("aria-sort"), column(i), heads.filter((h) => h.hasAttribute("aria-sort")).length];
});
const [words, choice, status] = ["input", "select", "[role=status]"].map((s) => sheet.querySelector(s));
const look = () => [status.textContent, column(0)];
const type = (text) => { words.value = text; words.dispatchEvent(new Event("input")); return look(); };
const pick = (value) => { choice.value = value; choice.dispatchEvent(new Event("change")); return look(); };
heads[0].querySelector("button").click();
out.options = [...choice.options].map((o) => o.value);
out.filtered = [look(), type(" P1 "), pick("1"), type("nobody"), type(""), pick("")];
parent.postMessage(JSON.stringify(out), "*");
"""
FRAME = """<!doctype html><style>iframe {{ width: 400px; height: 700px; border: 0 }}</style><pre></pre>
<script>onmessage = (e) => {{ document.querySelector("pre").textContent = e.data; }};</script><iframe src="{}"></iframe>"""


@dataclass
class Visit:
    """What the browser says of a page: its DOM, the lines of the console, and every address that a page asked for."""

    dom: str
    console: list[str]
    asked: list[str]


def run(path: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    profile = path.parent / "profile"
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--host-resolver-rules=MAP * ~NOTFOUND",
            f"--user-data-dir={profile}", *(["--no-sandbox"] if os.geteuid() == 0 else []), *flags, path.as_uri(),
        ],
        capture_output=True, text=True, encoding="utf-8", timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done


def visit(path: Path, *flags: str) -> Visit:
    log = path.with_suffix(".net.json")
    options = ("--enable-logging=stderr", "--v=0", f"--log-net-log={log}", "--virtual-time-budget=3000", "--dump-dom")
    done = run(path, *options, *flags)
    events = [e.get("params") or {} for e in json.loads(log.read_text())["events"]]
    # what the browser asks for on its own account has no origin
    asked = [p["url"] for p in events if p.get("initiator", "not an origin") != "not an origin"]
    return Visit(done.stdout, re.findall(r":CONSOLE[:(].*", done.stderr), asked)


def pages(path: Path) -> int:
    """How many pages the browser prints."""
    pdf = path.with_suffix(".pdf")
    run(path, f"--print-to-pdf={pdf}")
    return len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with a leak, N patients, names without a space, a wide figure and a wide table."""
    folder = tmp_path_factory.mktemp("report")
    honest, leaky = a_run("honest", n=N, repeats=2), a_run("leaky", leak=LEAK, n=N)
    honest.scored[1].scores[:, 3], honest.scored[1].fold[:, 3] = np.nan, -1
    with canvas(12, 3) as fig:
        fig.subplots().plot([0, 1])
        wide: Drawing = save_figure(fig, folder, "wide", "A wide figure", "A rising line")
    sheet = Sheet("A wide table", [LONG] * 9, [[LONG] * 9] * 3)
    scored = honest.scored + leaky.scored
    sections = [
        Section("wide", LONG, [LONG * 3], [sheet], [wide]),
        Section("folded", "Folded", [], [sheet], folded=True),
        patients_section(context(honest, leaky, scored=scored)),
    ]
    page(folder, honest, leaky, words=[f"In short: {LONG}."], sections=sections)
    return folder / "report.html"


def changed(report: Path, name: str, *, script: str = "", policy: bool = True) -> Path:
    """A copy of the report with a script at its end, without its Content-Security-Policy where that is in the way."""
    text = report.read_text(encoding="utf-8")
    if not policy:
        text, n = re.subn(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
        assert n == 1
    path = report.with_name(f"{name}.html")
    path.write_text(text.replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def narrow(report: Path) -> dict[str, Any]:
    """What `PROBE` finds in the report in a frame of 400 px."""
    inside = changed(report, "inside", script=f"{{{PROBE}}}", policy=False)
    frame = report.with_name("frame.html")
    frame.write_text(FRAME.format(inside.as_uri()), encoding="utf-8")
    found = visit(frame)
    (text,) = re.findall(r"<pre>(.+?)</pre>", found.dom, re.DOTALL) or [found.console]
    return dict(json.loads(html.unescape(text)))


@pytest.mark.slow
def test_nothing_is_fetched_and_nothing_goes_wrong(report: Path) -> None:
    found = visit(report)
    assert found.console == []
    assert found.asked == []
    assert f"{N} of {N} patients shown" in found.dom, "the script ran"


@pytest.mark.slow
def test_a_page_that_errs_and_fetches_is_caught(report: Path) -> None:
    script = f"console.error('deliberate'); new Image().src = '{OUTSIDE}';"
    found = visit(changed(report, "control", script=script, policy=False))
    assert any("deliberate" in line for line in found.console)
    assert found.asked == [OUTSIDE]


@pytest.mark.slow
def test_the_policy_stops_what_slips_into_the_page(report: Path) -> None:
    script = f"console.error('it ran'); new Image().src = '{OUTSIDE}';"
    path = changed(report, "slipped", script=script)
    path.write_text(path.read_text(encoding="utf-8").replace("</main>", f'<img src="{OUTSIDE}" alt=""></main>'))
    found = visit(path)
    assert found.asked == []
    assert len([line for line in found.console if "Content Security Policy" in line]) == 2
    assert not any("it ran" in line and "Content" not in line for line in found.console)


@pytest.mark.slow
def test_it_fits_into_400_px(narrow: dict[str, Any]) -> None:
    assert narrow["width"] == 400
    assert narrow["scroll"] <= 400
    assert narrow["control"] >= 1000, "an element that is too wide would show"
    assert narrow["images"] and max(narrow["images"]) <= 400
    assert narrow["stacked"] == "flex"
    assert set(narrow["figures"]) == {1}, "one figure beside the other only where there is room"


def test_what_is_folded_is_printed_all_the_same(narrow: dict[str, Any]) -> None:
    before, printed, after = narrow["folds"]
    assert before and not any(before)
    assert all(printed)
    assert after == before


def test_everything_that_acts_can_be_reached_by_keyboard(narrow: dict[str, Any]) -> None:
    assert all(narrow["focusable"])
    assert len(narrow["focusable"]) == len(narrow["names"]) + 2


def test_every_column_sorts_both_ways(narrow: dict[str, Any]) -> None:
    names = narrow["names"]
    assert names[:3] == ["Patient", "Label", "Spread"]
    assert len(names) == 3 + 4 + 1 + 2
    for name, (up, rising, down, falling, marked) in zip(names, narrow["sorted"], strict=True):
        assert (up, down, marked) == ("ascending", "descending", 1), name
        number = {v: float(re.match(r"[p]?([\d.]+)", v)[1]) for v in rising if v != "n/a"}  # type: ignore[index]
        known = [number[v] for v in rising if v != "n/a"]
        assert known == sorted(known), name
        assert [number[v] for v in falling if v != "n/a"] == sorted(known, reverse=True), name
        for values in (rising, falling):
            assert len(values) == N
            assert "n/a" not in values[: len(known)], "what is missing comes last"
    assert "n/a" in narrow["sorted"][names.index("logistic, T2w (honest)")][1]


def test_patients_are_found_by_id_and_label(narrow: dict[str, Any]) -> None:
    everybody, some, positive, nobody, by_label, again = narrow["filtered"]
    ids = [f"p{i}" for i in range(N)]
    positives = [p for i, p in enumerate(ids) if (i // 2) % 2]

    def shown(expected: list[str]) -> list[Any]:
        return [f"{len(expected)} of {N} patients shown", expected]

    assert narrow["options"] == ["", "0", "1"]
    assert everybody == again == shown(ids)
    assert some == shown([p for p in ids if p.startswith("p1")])
    assert positive == shown([p for p in positives if p.startswith("p1")])
    assert nobody == shown([])
    assert by_label == shown(positives)


@pytest.mark.slow
def test_it_is_dark_where_the_reader_wants_it_dark(report: Path) -> None:
    script = "document.title = getComputedStyle(document.body).backgroundColor"
    path = changed(report, "theme", script=script, policy=False)
    grounds = {}
    for theme, setting in (("dark", 0), ("light", 1)):
        dom = visit(path, f"--blink-settings=preferredColorScheme={setting}").dom
        (colour,) = re.findall(r"<title>rgb\((.*?)\)</title>", dom)
        grounds[theme] = max(map(int, colour.split(",")))
    assert grounds["dark"] < 64 < 192 < grounds["light"]


@pytest.mark.slow
def test_print_shows_every_patient_whatever_the_filter(report: Path) -> None:
    script = (
        "const i = document.getElementById('patients-1').parentElement.querySelector('input'); i.value = 'p39'; "
        "i.dispatchEvent(new Event('input'))"
    )
    filtered = changed(report, "filtered", script=script, policy=False)
    hiding = report.with_name("hiding.html")
    rule = "tr[hidden] { display: table-row; }"
    text = filtered.read_text(encoding="utf-8")
    assert rule in text
    hiding.write_text(text.replace(rule, ""), encoding="utf-8")
    assert pages(filtered) > pages(hiding)
