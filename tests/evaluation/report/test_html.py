"""The report is one file that reaches for nothing outside, escapes what it is given, and says its warnings."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from report_material import LEAK, ORIGIN, PNG, Reader, a_run, context, page
from syrupy.assertion import SnapshotAssertion

from core.leak import Leak
from evaluation.report.figures import Drawing
from evaluation.report.files import write_report_json
from evaluation.report.html import cell_text, write_html, write_sections
from evaluation.report.section import Section, Sheet
from evaluation.run_facts import has_random_weights, leaks_of

EVIL = "<script>alert('x')</script>\"><img src=http://evil.example onerror=x>"
STYLE = (Path(__file__).resolve().parents[3] / "evaluation" / "report" / "templates" / "page.css").read_text()


def test_the_page_is_whole_and_needs_nothing_from_outside(tmp_path: Path) -> None:
    html = page(tmp_path, a_run(), a_run("runB"))
    reader = Reader(html)
    assert reader.open == []
    tags = [tag for tag, _ in reader.tags]
    assert not {"link", "iframe", "object", "embed", "base"} & set(tags)
    assert tags.count("script") == 1
    for _, attributes in reader.tags:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith(("data:image/png;base64,", "data:", "#"))
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_the_policy_lets_in_this_script_and_this_style_alone(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    html = page(tmp_path, a_run())
    (policy,) = [a["content"] or "" for _, a in Reader(html).tags if a.get("http-equiv") == "Content-Security-Policy"]
    for tag in ("script", "style"):
        (content,) = re.findall(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert re.sub("'sha256-[^']*'", "<digest>", policy) == snapshot
    assert "unsafe" not in policy


def test_every_picture_has_words(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    images = [a for tag, a in Reader(page(tmp_path, a_run())).tags if tag == "img"]
    assert [a["alt"] for a in images] == snapshot
    assert all((a["src"] or "").startswith("data:image/png;base64,") for a in images)


def test_a_page_has_a_language_a_title_one_first_heading_and_links_that_lead_somewhere(tmp_path: Path) -> None:
    reader = Reader(page(tmp_path, a_run(), sections=[Section("part of x", "A part", ["..."])]))
    assert ("html", {"lang": "en"}) in reader.tags
    assert [tag for tag, _ in reader.tags].count("h1") == 1
    assert "Report: runA" in reader.text
    assert "not a medical device" in reader.text
    ids = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert not [i for i in ids if " " in (i or "")]
    links = {(a["href"] or "")[1:] for tag, a in reader.tags if tag == "a"}
    named = {a["aria-labelledby"] for _, a in reader.tags if "aria-labelledby" in a}
    assert "part-of-x" in links
    assert links | named <= set(ids)


def test_whatever_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    sheet = Sheet(EVIL, [EVIL, EVIL], [[EVIL, EVIL]], browse=EVIL, choice=EVIL)
    section = Section(EVIL, EVIL, [EVIL], [sheet, Sheet(EVIL, [EVIL, EVIL], [[EVIL, EVIL]])], folded=True)
    html = page(
        tmp_path, a_run(EVIL, leak=EVIL, weights=EVIL, patient=EVIL), words=[EVIL], alt=EVIL, sections=[section]
    )
    reader = Reader(html)
    assert html.count("<script") == 1
    assert "<img src=http" not in html
    assert all("onerror" not in attributes for _, attributes in reader.tags)
    assert reader.text.count(EVIL) > 20
    assert [a["alt"] for tag, a in reader.tags if tag == "img"][0] == EVIL


def test_an_honest_report_raises_no_alarm(tmp_path: Path) -> None:
    reader = Reader(page(tmp_path, a_run()))
    assert "LEAKS" not in reader.text
    assert "RANDOM WEIGHTS" not in reader.text
    assert not [a for _, a in reader.tags if a.get("role") == "alert"]


def test_a_leak_is_said_at_the_top_and_at_every_row(tmp_path: Path) -> None:
    reader = Reader(page(tmp_path, a_run("leaky", leak=LEAK, n=24), a_run("honest", n=24)))
    assert f"leaky: {LEAK}." in reader.text
    assert reader.text.index(LEAK) < reader.text.index("In words")
    for caption in (
        "Patient level",
        "Further metrics, patient level",
        "Intervals and power",
        "Slice level, for comparison only",
    ):
        names = [row[0] for row in reader.tables[caption][1:]]
        assert [n.endswith("LEAKS") for n in names] == ["leaky" in n for n in names], caption
        assert any("leaky" in n for n in names)


def test_random_weights_are_shouted_at_the_top(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    text = Reader(page(tmp_path, a_run(), a_run("noise", weights="random"))).text
    assert text[text.index("RANDOM WEIGHTS") : text.index("In words")].split("\n\n") == snapshot


def test_one_class_makes_a_page_all_the_same(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    run = a_run()
    for s in run.scored:
        s.y[:] = 1
    reader = Reader(page(tmp_path, run))
    assert reader.tables["Patient level"][1][2:4] == ["n/a (n/a)", "n/a"]
    assert [line.strip() for line in reader.text.splitlines() if "both classes" in line] == snapshot


def test_which_runs_leak_and_which_are_random() -> None:
    runs = [a_run("a"), a_run("b", leak=LEAK), a_run("c", leak="")]
    assert leaks_of(runs) == {"b": Leak(2, 3)}
    assert not has_random_weights(runs)
    assert has_random_weights([*runs, a_run("d", weights="random")])


def test_a_section_is_laid_out_whatever_it_holds(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    sheet = Sheet("The sheet", ["Name", "Figure", "Words"], [["a+b", 0.12345, "x"], ["c", None, "y"], ["d", 3, "T1w"]])
    drawing = Drawing("n", "The title", "What it shows", PNG)
    open_, closed = (
        Section(k, f"Part {k}", [f"Words {k}."], [sheet], [drawing], folded=k == "two") for k in ("one", "two")
    )
    html = page(tmp_path, a_run(), sections=[open_, closed])
    reader = Reader(html)
    assert reader.tables["The sheet"] == [
        ["Name", "Figure", "Words"],
        ["a+b", "0.123", "x"],
        ["c", "n/a", "y"],
        ["d", "3", "T1w"],
    ]
    assert "a+<wbr>b" in html, "a long name may break at its plus signs"
    assert html.count(f'alt="{drawing.alt}"') == 2
    before, after = html.split(">Part one</h2>")[1].split(">Part two</h2>")
    assert "<details>" not in before.split("<section")[0]
    assert before.rstrip().endswith('<summary><h2 id="two"')
    assert after.index("Words two.") < after.index("</details>")
    cells = re.findall("<td.*?</td>", before)
    assert cells == snapshot(name="cells"), "numbers stand to the right, and say their column"


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["0.5 (0.4-0.6)", "n/a (n/a)"], True), ([0.5, None], True), (["0.1 to 0.3", "-0.2 to 0.1"], True), ([1, "too few"], True),
        (["T1w", "T2w"], False), (["words", "more"], False), (["0f3a", "12"], False),
    ],
)  # fmt: skip
def test_columns_of_numbers_stand_to_the_right(cells: list, right: bool, tmp_path: Path) -> None:
    sheet = Sheet("The sheet", ["Name", "Column"], [["row", c] for c in cells])
    html = page(tmp_path, a_run(), sections=[Section("k", "t", [], [sheet])])
    (head,) = re.findall(r'<th scope="col"( class="n")?>Column</th>', html)
    assert bool(head) == right


def test_a_table_to_browse_is_marked_for_the_script_and_plain_without_it(
    tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    sheet = Sheet("The sheet", ["Patient", "Label"], [["p1", 1]], browse="patients", choice="Label")
    html = page(tmp_path, a_run(), sections=[Section("k", "t", [], [sheet])])
    part = html[html.index("The sheet") :].split("</section>")[0]
    assert '<p class="filter" hidden>' in part, "without the script there is no filter that does nothing"
    assert re.findall("<table[^>]*>", part) == snapshot
    assert '<select data-column="1">' in part
    assert 'data-unit="patients"' in part
    assert "<button" not in html


@pytest.mark.parametrize("one_class", [False, True])
def test_the_json_says_the_same_and_is_strict(one_class: bool, tmp_path: Path) -> None:
    run = a_run("leaky", leak=LEAK, weights="random", n=40)
    if one_class:
        run.scored[0].y[:] = 1
    made = context(run, honest=[] if one_class else run.scored)
    part = Section("part", "Part", ["Some words."], data={"x": [1.5, float("nan")]})
    write_report_json(tmp_path / "report.json", made, ["Words."], [part], ORIGIN)

    def refuse(name: str) -> None:
        raise AssertionError(name)

    back = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert (back["format"], back["format_version"]) == ("mgmt-radiogenomics/report", 1)
    assert (back["verdict"], back["leaks"], back["random_weights"]) == (["Words."], {"leaky": LEAK}, True)
    assert back["provenance"] == ORIGIN
    assert back["sections"] == {"part": {"words": ["Some words."], "x": [1.5, None]}}
    compared = [(c["a"], c["n_patients"]) for c in back["comparisons"]]
    assert compared == ([] if one_class else [(["leaky", "logistic", "FLAIR"], 40)])
    levels = [(r["level"], r["sequence"]) for r in back["results"]]
    assert levels == [("patient", "FLAIR"), ("patient", "T2w"), ("slice", "FLAIR")]
    expected = None if one_class else made.patients[0].values["auc"]["estimate"]
    assert back["results"][0]["values"]["auc"]["estimate"] == expected
    assert back["runs"]["leaky"]["seed"] == 7
    assert "folds" not in back["runs"]["leaky"]


def test_two_parts_of_one_key_would_hide_each_other(tmp_path: Path) -> None:
    twins = [Section("k", "a", []), Section("k", "b", [])]
    with pytest.raises(ValueError, match="two sections have the key .*; give one another key"):
        write_report_json(tmp_path / "x.json", context(), [], twins, ORIGIN)
    with pytest.raises(ValueError, match="two sections have the key .*; give one another key"):
        write_html(tmp_path / "x.html", context(), [], twins, ORIGIN)


def test_a_page_of_sections_alone(tmp_path: Path) -> None:
    sections = [Section("k", "A part", ["Its words."], [Sheet("The sheet", ["a"], [["b"]])])]
    write_sections(tmp_path / "x.html", f"Audit of {EVIL}", ["Lead."], sections, ORIGIN)
    html = (tmp_path / "x.html").read_text(encoding="utf-8")
    reader = Reader(html)
    assert reader.open == []
    assert html.count("<script") == 1
    assert reader.tables == {"The sheet": [["a"], ["b"]]}
    for text in (f"Audit of {EVIL}", "In words", "Lead.", "A part", "Its words.", "evaluate.py runs/a", "commit abc"):
        assert text in reader.text
    write_sections(tmp_path / "x.html", "Without a lead", [], sections, ORIGIN)
    assert "In words" not in (tmp_path / "x.html").read_text(encoding="utf-8")


def test_cells() -> None:
    assert [cell_text(c) for c in (0.12345, float("nan"), None, 3, "x")] == ["0.123", "n/a", "n/a", "3", "x"]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_told_apart(theme: str) -> None:
    """WCAG 2.2: a contrast of at least 4.5 between text and what it stands on."""
    themes = dict(zip(("light", "dark"), re.findall(r"--ink:.*?}", STYLE), strict=True))
    colours = dict(re.findall(r"--(\w+): (#\w{6})", themes[theme]))

    def luminance(name: str) -> float:
        parts = [int(colours[name][i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    for text, ground in [
        ("ink", "paper"),
        ("soft", "paper"),
        ("link", "paper"),
        ("ink", "card"),
        ("soft", "card"),
        ("warn", "warnbg"),
    ]:
        dark, light = sorted((luminance(text), luminance(ground)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"
