"""The report is one file that reaches for nothing outside, escapes what it is given, and says its warnings."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation.assess import Assessment, assess
from evaluation.compare import compare_all
from evaluation.figures import Drawing
from evaluation.patients import Prediction
from evaluation.report import has_random_weights, leaks_of, write_html, write_json
from evaluation.runs import Run, group

PNG = b"\x89PNG\r\n\x1a\n"
LEAK = "LEAKS: 2 of 3 test patients are also in training"
EVIL = "<script>alert('x')</script>\"><img src=http://evil.example onerror=x>"
ORIGIN = {
    "code_version": "0", "commit": "abc", "dirty": True, "python": "3", "versions": {"numpy": "2", "lightgbm": None},
    "command": ["evaluate.py", "runs/a"],
}  # fmt: skip


def a_run(
    name: str = "runA", *, leak: str | None = None, weights: str = "imagenet", patient: str = "00002", n: int = 12
) -> Run:
    rng = np.random.default_rng(0)
    predictions = [
        Prediction(name, "logistic", q, 0, i % 2, f"p{i}", (i // 2) % 2, float(rng.random()), 3)
        for q in ("FLAIR", "T2w")
        for i in range(n)
    ]
    about: dict[str, Any] = {
        "leak": leak,
        "question": f"MGMT of {patient}",
        "folds": [{"repeat": 0, "fold": 0, "test": ["p1"]}],
        "patients": {"labels": {"p1": 1, "p2": 0, "p3": 0}, "missing_sequence": {"T2w": [patient], "FLAIR": []}},
        "join": [f"labels of {patient} joined"],
        "features": {
            "settings": {"weights": weights, "backbone": "vgg16", "format": "secret"},
            "skipped": [{"patient": patient, "source": "a/b.dcm", "reason": f"broken {patient}"}],
            "digest": "f" * 64,
        },
        "labels": {"sha256": "1" * 64},
        "seed": 7,
        "split": "slice" if leak else "patient",
        **ORIGIN,
        "command": ["train_head.py", patient],
    }
    scored = group(predictions)
    return Run(Path("runs") / name, name, about, scored, scored[:1], [])


def assessments(*runs: Run) -> list[Assessment]:
    patients = [assess(s, level="patient", replicates=20, curves=True) for r in runs for s in r.scored]
    return patients + [assess(s, level="slice", replicates=20) for r in runs for s in r.slices]


def page(folder: Path, *runs: Run, words: list[str] | None = None, alt: str = "alt text") -> str:
    results = assessments(*runs)
    pictures = {
        (a.run, a.head, a.sequence): Drawing("n", f"{a.run}: {a.head}", f"{alt} of {a.sequence}", PNG)
        for a in results
        if a.level == "patient"
    }
    overview = Drawing("auc", "t", alt, PNG)
    training = [Drawing("t", "training", "curve alt", PNG)]
    pairs = compare_all([s for r in runs for s in r.scored])
    write_html(
        folder / "report.html", results, runs, words or ["In short."], overview, pictures, training, pairs, ORIGIN
    )
    return (folder / "report.html").read_text(encoding="utf-8")


class Reader(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "tags are nested"

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_and_needs_nothing_from_outside(tmp_path: Path) -> None:
    html = page(tmp_path, a_run(), a_run("runB"))
    reader = Reader(html)
    assert reader.open == []
    assert not {"script", "link", "iframe", "object", "embed", "base"} & {tag for tag, _ in reader.tags}
    for _, attributes in reader.tags:
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith(("data:image/png;base64,", "data:", "#"))
        assert not [name for name in attributes if name.startswith("on")]
    assert "http:" not in html
    assert "https:" not in html
    assert "url(" not in html
    assert "@import" not in html


def test_every_picture_has_words(tmp_path: Path) -> None:
    images = [a for tag, a in Reader(page(tmp_path, a_run())).tags if tag == "img"]
    assert [a["alt"] for a in images] == ["alt text", "alt text of FLAIR", "alt text of T2w", "curve alt"]
    assert all((a["src"] or "").startswith("data:image/png;base64,") for a in images)


def test_a_page_has_a_language_a_title_and_one_first_heading(tmp_path: Path) -> None:
    reader = Reader(page(tmp_path, a_run()))
    assert ("html", {"lang": "en"}) in reader.tags
    assert [tag for tag, _ in reader.tags].count("h1") == 1
    assert "Report: runA" in reader.text
    assert "not a medical device" in reader.text


def test_whatever_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    html = page(tmp_path, a_run(EVIL, leak=EVIL, weights=EVIL, patient=EVIL), words=[EVIL], alt=EVIL)
    reader = Reader(html)
    assert "<script" not in html
    assert "<img src=http" not in html
    assert "script" not in {tag for tag, _ in reader.tags}
    assert all("onerror" not in attributes for _, attributes in reader.tags)
    assert reader.text.count(EVIL) > 10
    assert [a["alt"] for tag, a in reader.tags if tag == "img"][0] == EVIL


def test_the_figures_stand_in_the_page(tmp_path: Path) -> None:
    run = a_run()
    first = assessments(run)[0]
    text = Reader(page(tmp_path, run, words=["The verdict."])).text
    auc = first.values["auc"]
    assert f"{auc['estimate']:.3f} ({auc['low']:.2f}-{auc['high']:.2f})" in text
    assert f"{first.mean_fold_auc:.3f}" in text
    assert "12 (6)" in text
    assert "The verdict." in text
    assert "AUC by fold: " + ", ".join(f"{x:.2f}" for x in first.fold_auc) + "." in text
    assert "20 replicates" in text
    for title in ("Average precision", "Balanced accuracy", "Sensitivity", "Specificity", "F1", "Brier", "Log loss"):
        assert title in text


def test_the_cohort_and_the_origin_stand_in_the_page(tmp_path: Path) -> None:
    text = Reader(page(tmp_path, a_run(patient="00709"))).text
    assert "3 labelled patients, 1 positive." in text
    assert "labels of 00709 joined" in text
    assert "T2w: no usable slice in 1 patients: 00709" in text
    assert "FLAIR: no usable slice" not in text
    assert "1 files or folders skipped at extraction" in text
    assert "broken 00709" in text
    assert "train_head.py 00709" in text
    assert "abc (with uncommitted changes)" in text
    assert "f" * 64 in text
    assert "1" * 64 in text
    assert "backbone: vgg16" in text
    assert "secret" not in text
    assert "Python 3, numpy 2" in text
    assert "lightgbm" not in text


def test_an_honest_report_raises_no_alarm(tmp_path: Path) -> None:
    reader = Reader(page(tmp_path, a_run()))
    assert "LEAKS" not in reader.text
    assert "RANDOM WEIGHTS" not in reader.text
    assert not [a for _, a in reader.tags if a.get("role") == "alert"]


def test_a_leak_is_said_at_the_top_and_at_every_row(tmp_path: Path) -> None:
    text = Reader(page(tmp_path, a_run("leaky", leak=LEAK), a_run("honest"))).text
    assert f"leaky: {LEAK}." in text
    assert text.index(LEAK) < text.index("In words")
    assert text.count("leaky (LEAKS)") == 2 + 2 + 1, (
        "each row of the tables by patient (results, intervals) and by slice"
    )
    assert "honest (LEAKS)" not in text


def test_random_weights_are_shouted_at_the_top(tmp_path: Path) -> None:
    text = Reader(page(tmp_path, a_run(), a_run("noise", weights="random"))).text
    assert text.index("RANDOM WEIGHTS: the network") < text.index("In words")


def test_one_class_makes_a_page_all_the_same(tmp_path: Path) -> None:
    run = a_run()
    for s in run.scored:
        s.y[:] = 1
    text = Reader(page(tmp_path, run)).text
    assert "n/a (n/a-n/a)" in text
    assert "no fold has both classes" in text


def test_which_runs_leak_and_which_are_random() -> None:
    runs = [a_run("a"), a_run("b", leak=LEAK), a_run("c", leak="")]
    assert leaks_of(runs) == {"b": LEAK}
    assert not has_random_weights(runs)
    assert has_random_weights([*runs, a_run("d", weights="random")])


@pytest.mark.parametrize("one_class", [False, True])
def test_the_json_says_the_same_and_is_strict(one_class: bool, tmp_path: Path) -> None:
    run = a_run("leaky", leak=LEAK, weights="random", n=20)
    if one_class:
        run.scored[0].y[:] = 1
    results = assessments(run)
    write_json(
        tmp_path / "report.json", results, [run], ["Words."], [] if one_class else compare_all(run.scored), ORIGIN
    )

    def refuse(name: str) -> None:
        raise AssertionError(name)

    back = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert (back["format"], back["format_version"]) == ("mgmt-radiogenomics/report", 1)
    assert (back["verdict"], back["leaks"], back["random_weights"]) == (["Words."], {"leaky": LEAK}, True)
    assert back["provenance"] == ORIGIN
    pairs = [(c["a"], c["n_patients"]) for c in back["comparisons"]]
    assert pairs == ([] if one_class else [(["leaky", "logistic", "FLAIR"], 20)])
    assert [(r["level"], r["sequence"]) for r in back["results"]] == [
        ("patient", "FLAIR"),
        ("patient", "T2w"),
        ("slice", "FLAIR"),
    ]
    expected = None if one_class else results[0].values["auc"]["estimate"]
    assert back["results"][0]["values"]["auc"]["estimate"] == expected
    assert back["runs"]["leaky"]["seed"] == 7
    assert "folds" not in back["runs"]["leaky"]


def test_pairs_are_compared_in_words(tmp_path: Path) -> None:
    run = a_run("one", n=20)
    (pair,) = compare_all(run.scored)
    text = Reader(page(tmp_path, run)).text
    assert "1 pairs" in text
    assert "logistic, FLAIR (one)" in text
    assert pair.verdict in text
    assert f"{pair.difference:.3f} ({pair.low:.2f} to {pair.high:.2f})" in text
