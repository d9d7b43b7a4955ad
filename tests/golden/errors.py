"""Commands that are wrong, or whose input is: the exit status of each and the last line of what it says."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from golden import material
from golden.material import Bench, call, damaged, head_of

Command = tuple[Any, ...]


def of(bench: Bench, door: str) -> tuple[dict[str, Any], str]:
    """Of each wrong command of a door: {name: exit status}, and a line 'name: message'."""
    commands = {"extract": _extract, "train": _train, "evaluate": _evaluate, "features": _features}[door](bench)
    return _answers(bench, door, commands)


def of_network(bench: Bench) -> tuple[dict[str, Any], str]:
    """The same of commands that reach for the real network."""
    cohort, out = material.odd_images(bench), bench / "never.h5"
    text = _text(bench / "weights.h5", "no weights")
    commands = {
        "unknown backbone": (cohort, "--out", out, "--backbone", "alexnet"),
        "no such weights": (cohort, "--out", out, "--weights", bench / "nowhere.h5"),
        "weights that are text": (cohort, "--out", out, "--weights", text),
        "unknown preprocess": (cohort, "--out", out, "--weights", "random", "--preprocess", "none such"),
    }
    return _answers(bench, "extract", commands, embedder=None)


def _answers(bench: Bench, door: str, commands: Mapping[str, Command], **options: Any) -> tuple[dict[str, Any], str]:
    statuses, lines = {}, []
    for name, command in commands.items():
        said = call(door, *command, **options)
        statuses[name] = said.status
        lines.append(f"{name}: {bench.masked(head_of(said.err))[:200] or '(nothing)'}")
    return statuses, "\n".join(lines)


def _text(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


# --- extract_features.py -------------------------------------------------------------------------------


def _extract(bench: Bench) -> dict[str, Command]:
    here = bench / "errors of extract"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    material.new_patients(bench)
    cohort, odd = bench / "new", material.odd_images(bench)
    (here / "empty").mkdir()
    (here / "nothing" / "7" / "FLAIR").mkdir(parents=True)
    file = _text(here / "file", "a file")
    made = here / "made.h5"
    shutil.copy(bench / "new.h5", made)
    small = here / "small"
    shutil.copytree(cohort / "new-0", small / "0")
    _text(small / "0/FLAIR/broken.png", "no image")
    out, fast = here / "out.h5", ("--workers", 0)
    commands: dict[str, Command] = {
        "nothing": (),
        "no --out": (cohort,),
        "--version": ("--version",),
        "--help": ("--help",),
        "unknown option": (cohort, "--out", out, "--colour"),
        "unknown plane": (cohort, "--out", out, "--plane", "diagonal"),
        "unknown normalize": (cohort, "--out", out, "--normalize", "whole"),
        "unknown resize": (cohort, "--out", out, "--resize", "crop"),
        "unknown precision": (cohort, "--out", out, "--precision", "float64"),
        "unknown dtype": (cohort, "--out", out, "--dtype", "int8"),
        "workers below 0": (cohort, "--out", out, "--workers", -1),
        "batch of 0": (cohort, "--out", out, "--batch", 0),
        "augment in words": (cohort, "--out", out, "--augment", "two"),
        "no such cohort": (here / "nowhere", "--out", out, *fast),
        "cohort is a file": (file, "--out", out, *fast),
        "empty cohort": (here / "empty", "--out", out, *fast),
        "cohort without images": (here / "nothing", "--out", out, *fast),
        "unknown sequence": (cohort, "--out", out, "--sequence", "DWI", *fast),
        "sequence that nobody has": (cohort, "--out", out, "--sequence", "T2w", *fast),
        "everybody excluded": (small, "--out", out, "--exclude", "0", *fast),
        "one patient in two cohorts": (cohort, cohort, "--out", out, *fast),
        "out is a folder": (cohort, "--out", here / "empty", *fast),
        "out is a text": (cohort, "--out", file, *fast),
        "out below a file": (cohort, "--out", file / "x.h5", *fast),
        "other normalize": (cohort, "--out", made, "--normalize", "slice", *fast),
        "other dtype": (cohort, "--out", made, "--dtype", "float16", *fast),
        "other plane": (cohort, "--out", made, "--plane", "coronal", *fast),
        "other augment": (cohort, "--out", made, "--augment", 1, *fast),
        "again": (cohort, "--out", made, *fast),
        "broken image": (small, "--out", here / "broken.h5", *fast),
        "broken image, strict": (small, "--out", here / "strict.h5", "--strict", *fast),
        "odd folders, strict": (odd, "--out", here / "strict.h5", "--strict", *fast),
    }
    for how in (
        "truncated",
        "text",
        "empty",
        "external link",
        "claims too much",
        "later version",
        "other format",
        "no column",
    ):
        copy = here / f"{how}.h5"
        shutil.copy(damaged(bench, how), copy)
        commands[f"out is a damaged cache, {how}"] = (cohort, "--out", copy, *fast)
    return commands


# --- train_head.py -------------------------------------------------------------------------------------


def _train(bench: Bench) -> dict[str, Command]:
    here = bench / "errors of train"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    cache, good = material.cache(bench), material.labels(bench)
    header, *rows = good.read_text().split()
    ids = [row.split(",")[0] for row in rows]
    table, words = material.numbers(bench)
    (here / "not a run").mkdir()
    _text(here / "not a run/thesis.txt", "mine")
    shutil.copytree(material.run_of(bench, "options"), here / "run")
    (here / "empty").mkdir()
    out = ("--out", here / "out")
    light = ("--head", "logistic", "--permutations", 0, "--jobs", 1, *out)

    def labelled(name: str, text: str, *options: Any, encoding: str = "utf-8") -> Command:
        return (cache, _text(here / f"{name}.csv", text, encoding), *light, *options)

    def split(name: str, text: str) -> Command:
        return (cache, good, *light, "--split-file", _text(here / f"split {name}.csv", text))

    def numbered(name: str, text: str, *options: Any) -> Command:
        chosen = ("--label-column", "status", "--positive", "no", "--negative", "yes")
        return (_text(here / f"table {name}.csv", text), words, *light, *chosen, *options)

    lines = table.read_text().splitlines()
    commands: dict[str, Command] = {
        "nothing": (),
        "no labels": (cache,),
        "no --out": (cache, good),
        "--version": ("--version",),
        "unknown head": (cache, good, *out, "--head", "svm"),
        "one fold": (cache, good, *out, "--folds", 1),
        "no repeats": (cache, good, *out, "--repeats", 0),
        "C of 0": (cache, good, *out, "--C", 0),
        "C is no number": (cache, good, *out, "--C", "nan"),
        "no jobs": (cache, good, *out, "--jobs", 0),
        "no epochs": (cache, good, *out, "--epochs", 0),
        "unknown aggregate": (cache, good, *out, "--aggregate", "median-of-means"),
        "unknown plane": (cache, good, *out, "--plane", "diagonal"),
        "unknown optimizer": (cache, good, *out, "--optimizer", "lion"),
        "permutations below 0": (cache, good, *out, "--permutations", -1),
        "tune of 0": (cache, good, *out, "--tune", 0),
        "demonstration of one draw": (cache, good, *out, "--demonstrate-leak", 1),
        "features fused by slice": (cache, good, *light, "--fuse", "features"),
        "slice split by patient": (cache, good, *light, "--split", "slice", "--unit", "patient"),
        "slice split with folds": (cache, good, *light, "--split", "slice", "--folds", 3),
        "slice split with repeats": (cache, good, *light, "--split", "slice", "--repeats", 3),
        "split file and folds": (cache, good, *light, "--split-file", good, "--folds", 3),
        "split file and slice split": (cache, good, *light, "--split-file", good, "--split", "slice"),
        "tune and slice split": (cache, good, *light, "--tune", 2, "--split", "slice"),
        "tune and fused scores": (cache, good, *light, "--tune", 2, "--fuse", "scores"),
        "learning curve and tune": (cache, good, *light, "--tune", 2, "--learning-curve"),
        "learning curve and slice split": (cache, good, *light, "--split", "slice", "--learning-curve"),
        "learning curve and demonstration": (cache, good, *light, "--demonstrate-leak", "--learning-curve"),
        "demonstration and slice split": (cache, good, *light, "--demonstrate-leak", "--split", "slice"),
        "demonstration and repeats": (cache, good, *light, "--demonstrate-leak", "--repeats", 2),
        "demonstration and fused": (cache, good, *light, "--demonstrate-leak", "--fuse", "scores"),
        "demonstration of a table": (table, words, *out, "--jobs", 1, "--label-column", "status", "--positive", "no", "--negative", "yes", "--demonstrate-leak"),
        "demonstration over a run": (cache, good, "--demonstrate-leak", "--overwrite", "--out", here / "run"),
        "no middle slice": (cache, good, *light, "--slices", "middle:0"),
        "unknown slices": (cache, good, *light, "--slices", "last"),
        "unknown sequence": (cache, good, *light, "--sequence", "DWI"),
        "sequence not there": (cache, good, *light, "--sequence", "T2w"),
        "no slice of that plane": (cache, good, *light, "--plane", "unknown"),
        "no such features": (here / "nowhere.h5", good, *light),
        "features are a folder": (here / "empty", good, *light),
        "no such labels": (cache, here / "nowhere.csv", *light),
        "labels are a folder": (cache, here / "empty", *light),
        "label column not there": (cache, good, *light, "--label-column", "IDH"),
        "id column not there": (cache, good, *light, "--patient-column", "who"),
        "positive value not there": (cache, good, *light, "--positive", "Methylated"),
        "comparison of words": (table, words, *light, "--label-column", "status", "--positive", ">3"),
        "three classes": (table, words, *light, "--label-column", "status"),
        "one of three classes": (table, words, *light, "--label-column", "status", "--positive", "no"),
        "empty labels": labelled("empty", ""),
        "labels without rows": labelled("header", header + "\n"),
        "labels without a label": labelled("no label", "BraTS21ID,age\n" + "".join(f"{p},50\n" for p in ids)),
        "labels without an id": labelled("no id", "colour,MGMT_value\n" + "".join(f"red,{i % 2}\n" for i in range(20))),
        "one class": labelled("one class", "BraTS21ID,MGMT_value\n" + "".join(f"{p},1\n" for p in ids)),
        "one negative": labelled("one negative", "BraTS21ID,MGMT_value\n" + "".join(f"{p},{int(i > 0)}\n" for i, p in enumerate(ids))),
        "a patient twice": labelled("twice", "\n".join([header, *rows, f"{ids[0]},{1 - int(rows[0][-1])}"]) + "\n"),
        "a patient twice alike": labelled("twice alike", "\n".join([header, *rows, rows[0]]) + "\n"),
        "a patient lacks": labelled("lacks", "\n".join([header, *rows[1:]]) + "\n"),
        "a patient lacks, skipped": labelled("lacks, skipped", "\n".join([header, *rows[1:], "09999,1"]) + "\n", "--skip-unlabelled", "--out", here / "skipped"),
        "strangers": labelled("strangers", header + "\n" + "".join(f"x{i},{i % 2}\n" for i in range(20))),
        "ragged labels": labelled("ragged", "\n".join([header, *rows, "00001"]) + "\n"),
        "labels with a null byte": labelled("null", "\n".join([header, *rows, "\0,1"]) + "\n"),
        "labels in Latin-1": labelled("latin", "\n".join([header, *rows, "Zo\xeb,1"]) + "\n", encoding="latin-1"),
        "column twice": labelled("column twice", "BraTS21ID,MGMT_value,MGMT_value\n" + "".join(f"{r},1\n" for r in rows)),
        "no such split file": (cache, good, *light, "--split-file", here / "nowhere.csv"),
        "split file without folds": split("no folds", "patient_id,part\n" + "".join(f"{p},1\n" for p in ids)),
        "split file in words": split("words", "patient_id,fold\n" + "".join(f"{p},one\n" for p in ids)),
        "split file with a patient twice": split("twice", "patient_id,fold\n" + "".join(f"{p},{i % 3}\n" for i, p in enumerate([*ids, ids[0]]))),
        "split file with one fold": split("one", "patient_id,fold\n" + "".join(f"{p},0\n" for p in ids)),
        "split file that lacks patients": split("lacks", "patient_id,fold\n" + "".join(f"{p},{i % 3}\n" for i, p in enumerate(ids[2:]))),
        "split file of one class": split("class", "patient_id,fold\n" + "".join(f"{r.split(',')[0]},{r[-1]}\n" for r in rows)),
        "table with --split slice": numbered("slices", table.read_text(), "--split", "slice"),
        "table with --slices": numbered("central", table.read_text(), "--slices", "central"),
        "table with --fuse": numbered("fused", table.read_text(), "--fuse", "scores"),
        "empty table": numbered("empty", ""),
        "table of ids alone": numbered("ids", "\n".join(line.split(",")[0] for line in lines) + "\n"),
        "table of words": numbered("words", "\n".join([lines[0], *(f"{line.split(',')[0]},red,1,2" for line in lines[1:])]) + "\n"),
        "table with a patient twice": numbered("twice", "\n".join([*lines, lines[1]]) + "\n"),
        "table with infinite numbers": numbered("infinite", "\n".join([*lines[:-1], "S-23,inf,1,2"]) + "\n"),
        "ragged table": numbered("ragged", "\n".join([*lines[:-1], "S-23,1"]) + "\n"),
        "table with a column twice": numbered("column", "\n".join(["id,a,a,c", *lines[1:]]) + "\n"),
        "the run exists": (cache, good, "--head", "logistic", "--out", here / "run"),
        "the folder is no run": (cache, good, "--head", "logistic", "--out", here / "not a run"),
        "the folder is no run, overwritten": (cache, good, "--head", "logistic", "--overwrite", "--out", here / "not a run"),
        "out below a file": (cache, good, "--head", "logistic", "--out", good / "x"),
        "out is a file": (cache, good, "--head", "logistic", "--out", good),
    }  # fmt: skip
    for how in (*material.DAMAGE, "truncated", "text", "empty"):
        commands[f"damaged cache, {how}"] = (damaged(bench, how), good, *light, "--out", here / f"of {how}")
    return commands


# --- evaluate.py ---------------------------------------------------------------------------------------


def _evaluate(bench: Bench) -> dict[str, Command]:
    here = bench / "errors of evaluate"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    run, cache, good = material.run_of(bench, "options"), material.cache(bench), material.labels(bench)
    new, theirs = material.new_patients(bench)
    table = material.table_run(bench)
    out = ("--out", here / "out", "--replicates", 20)
    (here / "empty").mkdir()

    def changed(name: str, change: Callable[[dict[str, Any]], Any]) -> Path:
        shutil.copytree(run, here / name)
        about = json.loads((here / name / "run.json").read_text())
        change(about)
        (here / name / "run.json").write_text(json.dumps(about))
        return here / name

    def altered(name: str, change: Callable[[Path], Any]) -> Path:
        shutil.copytree(run, here / name)
        change(here / name)
        return here / name

    def head(name: str, change: Callable[[Path], Any]) -> Command:
        def plant(folder: Path) -> None:
            (file,) = (folder / "heads").glob("*.npz")
            change(file)

        return (altered(f"head {name}", plant), "--cache", new, *out)

    def audited(name: str, text: str, *options: Any) -> Command:
        return ("--audit", _text(here / f"audit {name}.csv", text), *out, *options)

    copy = altered("copy", lambda folder: None)
    rows = "".join(f"p{i},{i % 2},{i / 40}\n" for i in range(30))
    other_new = here / "other.h5"
    shutil.copy(new, other_new)
    _reattribute(other_new, "weights", "random")
    sample = _text(here / "sample.csv", "BraTS21ID,MGMT_value\nnew-1,0.5\nnobody,0.5\n")
    submit = ("--submission", here / "submission.csv")
    commands: dict[str, Command] = {
        "nothing": out,
        "--version": ("--version",),
        "unknown threshold": (run, *out, "--threshold", "0.7"),
        "unknown recalibration": (run, *out, "--recalibrate", "beta"),
        "no replicates": (run, "--replicates", 0),
        "no such run": (here / "nowhere", *out),
        "an empty folder": (here / "empty", *out),
        "a file": (good, *out),
        "twice the same": (run, run, *out),
        "a copy": (run, copy, *out),
        "out is a run": (run, "--out", copy),
        "out is a file": (run, "--out", good),
        "run.json is no JSON": (altered("broken", lambda f: _text(f / "run.json", "{")), *out),
        "run.json is a list": (altered("list", lambda f: _text(f / "run.json", "[]")), *out),
        "run of another format": (changed("format", lambda a: a.update(format="else")), *out),
        "run of a later version": (changed("version", lambda a: a.update(format_version=2)), *out),
        "run.json lacks a key": (changed("key", lambda a: a.pop("question")), *out),
        "a table changed": (altered("table", lambda f: _lengthen(f / "predictions.csv")), *out),
        "a table lacks": (altered("lacks", lambda f: (f / "slices.csv").unlink()), *out),
        "a table without digest": (changed("digest", lambda a: a["tables"].pop("slices.csv")), *out),
        "a table elsewhere": (changed("elsewhere", lambda a: a["tables"].update({"../secret.csv": "0" * 64})), *out),
        "labels without a cache": (run, *out, "--labels", theirs),
        "head without a cache": (run, *out, "--head", "logistic"),
        "submission without a cache": (run, *out, *submit),
        "allow-trained without a cache": (run, *out, "--allow-trained"),
        "sample without a submission": (run, *out, "--cache", new, "--sample", sample),
        "missing score of 5": (run, *out, "--cache", new, *submit, "--missing-score", 5),
        "sample that asks for strangers": (run, *out, "--cache", new, *submit, "--sample", sample),
        "no such sample": (run, *out, "--cache", new, *submit, "--sample", here / "nowhere.csv"),
        "a submission of several": (material.run_of(bench, "pooled"), *out, "--cache", new, *submit),
        "stamp with a cache": (run, *out, "--cache", new, "--export-stamp", here / "stamp"),
        "weights without explain": (run, *out, "--weights", "w.h5"),
        "explain without a cohort": (run, *out, "--explain", "new-1"),
        "cohort without explain": (run, *out, "--cohort", bench / "new"),
        "explain of two runs": (run, copy, *out, "--explain", "new-1", "--cohort", bench / "new"),
        "explain with a cache": (run, *out, "--explain", "new-1", "--cohort", bench / "new", "--cache", new),
        "explain a stranger": (run, *out, "--explain", "nobody", "--cohort", bench / "phantom/train"),
        "explain a leaking run": (material.run_of(bench, "leaky"), *out, "--explain", "new-1", "--cohort", bench / "phantom/train"),
        "explain a table": (table, *out, "--explain", "S-1", "--cohort", bench / "new"),
        "explain a boosted head": (material.run_of(bench, "pooled"), *out, "--explain", "new-1", "--head", "boosted", "--cohort", bench / "phantom/train"),
        "no such cache": (run, *out, "--cache", here / "nowhere.h5"),
        "cache with patients of the training": (run, *out, "--cache", cache),
        "cache of other features": (run, *out, "--cache", other_new),
        "cache for a run of a table": (table, *out, "--cache", new),
        "table for a run of a cache": (run, *out, "--cache", bench / "numbers.csv"),
        "table of the training": (table, *out, "--cache", bench / "numbers.csv"),
        "head not there": (run, *out, "--cache", new, "--head", "forest"),
        "sequence not there": (run, *out, "--cache", new, "--sequence", "T2w"),
        "unknown sequence": (run, *out, "--cache", new, "--sequence", "DWI"),
        "labels of others": (run, *out, "--cache", new, "--labels", good),
        "damaged cache": (run, *out, "--cache", damaged(bench, "a value changed")),
        "hostile cache": (run, *out, "--cache", damaged(bench, "external link")),
        "head that is text": head("text", lambda f: f.write_text("no head")),
        "head that is cut": head("cut", lambda f: f.write_bytes(f.read_bytes()[:300])),
        "head that is compressed": head("compressed", _compressed),
        "head with objects": head("objects", lambda f: _member(f, "coef", np.array([{}], object))),
        "head that lacks an array": head("lacks", lambda f: _member(f, "coef", None)),
        "head with a script": head("script", lambda f: _append(f, "script.py", b"import os")),
        "head that claims too much": head("claims", lambda f: _append(f, "claims.npy", _claims())),
        "head of numbers that are none": head("nan", lambda f: _member(f, "coef", np.full(16, np.nan))),
        "no heads": (altered("no heads", lambda f: shutil.rmtree(f / "heads")), *out, "--cache", new),
        "audit and a run": (run, *out, "--audit", good),
        "audit and a cache": (*out, "--audit", good, "--cache", new),
        "splits without an audit": (run, *out, "--splits", good),
        "slides without an audit": (run, *out, "--slides", good),
        "score column without an audit": (run, *out, "--score-column", "p"),
        "fold column without an audit": (run, *out, "--fold-column", "p"),
        "audit of nothing": ("--audit", here / "nowhere.csv", *out),
        "audit of an empty file": audited("empty", ""),
        "audit without rows": audited("header", "patient_id,label,score\n"),
        "audit without scores": audited("no scores", "patient_id,label\np1,0\n"),
        "audit without labels": audited("no labels", "patient_id,score\np1,0\n"),
        "audit without ids": audited("no ids", "label,score\n1,0\n"),
        "audit of words": audited("words", "patient_id,label,score\np1,0,high\n"),
        "audit with another score column": audited("column", "patient_id,label,score\n" + rows, "--score-column", "p"),
        "audit with another fold column": audited("fold", "patient_id,label,score\n" + rows, "--fold-column", "p"),
        "audit with three labels": audited("three", "patient_id,label,score\n" + rows + "q,2,0.5\n"),
        "audit with splits of nothing": audited("splits", "patient_id,label,score\n" + rows, "--splits", here / "nowhere.csv"),
        "audit with counts": audited("counts", "patient_id,label,score\n" + rows, "--splits", _text(here / "d.csv", ",train,val,test\nnormal,4,1,1\n")),
        "audit with slides of nothing": audited("slides", "patient_id,label,score\n" + rows, "--slides", here / "nowhere.csv"),
        "audit of one class": audited("one class", "patient_id,label,score\n" + "".join(f"p{i},1,0.{i}\n" for i in range(9))),
    }  # fmt: skip
    return commands


def _reattribute(path: Path, name: str, value: Any) -> None:
    import h5py

    with h5py.File(path, "r+") as f:
        f.attrs[name] = value


def _lengthen(path: Path) -> None:
    path.write_text(path.read_text() + "x\n")


def _members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {m: archive.read(m) for m in archive.namelist()}


def _compressed(path: Path) -> None:
    held = _members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in {**held, "bomb.npy": bytes(1_000_000)}.items():
            archive.writestr(name, raw)


def _member(path: Path, name: str, array: np.ndarray | None) -> None:
    import io

    held = _members(path)
    held.pop(f"{name}.npy", None)
    if array is not None:
        raw = io.BytesIO()
        np.lib.format.write_array(raw, array, version=(1, 0))
        held[f"{name}.npy"] = raw.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in held.items():
            archive.writestr(member, content)


def _append(path: Path, name: str, raw: bytes) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, raw)


def _claims() -> bytes:
    import io

    raw = io.BytesIO()
    np.lib.format.write_array_header_1_0(raw, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    return raw.getvalue() + bytes(80)


# --- python -m features --------------------------------------------------------------------------------


def _features(bench: Bench) -> dict[str, Command]:
    here = bench / "errors of features"
    shutil.rmtree(here, ignore_errors=True)
    here.mkdir()
    cache, (new, _) = material.cache(bench), material.new_patients(bench)
    other = here / "other.h5"
    shutil.copy(new, other)
    _reattribute(other, "weights", "random")
    file, out = _text(here / "file", "a file"), here / "out.h5"
    (here / "folder").mkdir()
    small = ("--sequence", "FLAIR", "--slices", 1)
    commands: dict[str, Command] = {
        "nothing": (),
        "unknown verb": ("delete", cache),
        "info of nothing": ("info", here / "nowhere.h5"),
        "info of a text": ("info", file),
        "info of a folder": ("info", here / "folder"),
        "info without a cache": ("info",),
        "verify nothing": ("verify", here / "nowhere.h5"),
        "verify a text": ("verify", file),
        "repair without --out": ("repair", cache),
        "repair onto a file": ("repair", cache, "--out", file),
        "repair nothing": ("repair", here / "nowhere.h5", "--out", out),
        "merge onto a file": ("merge", cache, new, "--out", file),
        "merge of other settings": ("merge", cache, other, "--out", out),
        "merge of nothing": ("merge", "--out", out),
        "merge of a text": ("merge", cache, file, "--out", out),
        "merge of different values": ("merge", cache, damaged(bench, "a value changed"), "--out", out),
        "dedupe onto a file": ("dedupe", cache, "--out", file),
        "dedupe nothing": ("dedupe", here / "nowhere.h5"),
        "dedupe to be told": ("dedupe", new),
        "phantom over a cohort": ("phantom", bench / "phantom", *small),
        "phantom onto a file": ("phantom", file, *small),
        "phantom of one": ("phantom", here / "p", "--patients", 1, *small),
        "phantom in words": ("phantom", here / "p", "--patients", "two", *small),
        "phantom without slices": ("phantom", here / "p", "--slices", 0),
        "phantom without an effect that is a number": ("phantom", here / "p", "--effect", "nan", *small),
        "phantom of an unknown sequence": ("phantom", here / "p", "--sequence", "DWI"),
        "phantom of a sequence twice": ("phantom", here / "p", "--sequence", "FLAIR", "FLAIR"),
        "phantom with a shortcut below 0": ("phantom", here / "p", "--shortcut", -1, *small),
        "phantom with a seed below 0": ("phantom", here / "p", "--seed", -1, *small),
    }
    for how in (*material.DAMAGE, "truncated", "empty"):
        commands[f"info of a damaged cache, {how}"] = ("info", damaged(bench, how))
    for how in ("a value changed", "index beyond its names", "external link", "truncated"):
        commands[f"repair of a damaged cache, {how}"] = ("repair", damaged(bench, how), "--out", here / f"{how}.h5")
        commands[f"verify a damaged cache, {how}"] = ("verify", damaged(bench, how))
    return commands
