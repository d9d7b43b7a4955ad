"""Runs -> a report, from Python: the same figures as the door writes, as text, as tables and in a notebook."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import evaluate as door
import train_head
from core.metrics import METRICS, metric
from evaluation import Report, evaluate, read_runs
from evaluation.explain import explain
from evaluation.new_patients import read_new_patients
from evaluation.options import ExplainOptions, NewPatientOptions
from features import load
from heads import cross_validate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """t.csv and l.csv of 40 patients, and the runs `one` and `two` of them, of two heads and of one."""
    home = tmp_path_factory.mktemp("api")
    rng = np.random.default_rng(1)
    rows = [f"p{i:02d},{rng.normal() + 0.8 * (i % 2):.4f},{rng.normal():.4f}" for i in range(40)]
    (home / "t.csv").write_text("patient,x,y\n" + "\n".join(rows) + "\n")
    (home / "l.csv").write_text("patient,label\n" + "".join(f"p{i:02d},{i % 2}\n" for i in range(40)))
    inputs = [str(home / "t.csv"), str(home / "l.csv"), "--jobs", "1", "--permutations", "0", "--head", "logistic"]
    assert train_head.main([*inputs, "boosted", "--out", str(home / "one")]) == 0
    assert train_head.main([*inputs, "--C", "0.5", "--out", str(home / "two")]) == 0
    return home


@pytest.fixture(scope="module")
def report(folder: Path) -> Report:
    return evaluate(folder / "one", replicates=40, seed=3)


@pytest.mark.slow
def test_the_door_is_this_call(
    folder: Path, report: Report, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--replicates", "40", "--seed", "3", "--out", str(tmp_path / "door")]
    assert door.main([str(folder / "one"), *options]) == 0
    assert capsys.readouterr().out == f"{report.summary()}\n\nreport: {tmp_path / 'door' / 'report.html'}\n"
    assert report.save(tmp_path / "python") == tmp_path / "python" / "report.html"
    names = {p.relative_to(tmp_path / "door") for p in (tmp_path / "door").rglob("*")}
    assert names == {p.relative_to(tmp_path / "python") for p in (tmp_path / "python").rglob("*")}
    for name in names:
        files = [tmp_path / side / name for side in ("door", "python")]
        if name.suffix in (".png", ".svg"):
            assert files[0].read_bytes() == files[1].read_bytes(), name
    door_says, python_says = (json.loads((tmp_path / side / "report.json").read_text()) for side in ("door", "python"))
    assert {**door_says, "provenance": 0} == {**python_says, "provenance": 0}


@pytest.mark.slow
def test_a_report_is_saved_in_place_of_another(folder: Path, report: Report, tmp_path: Path) -> None:
    evaluate([folder / "one", str(folder / "two")], replicates=20).save(tmp_path / "r")
    assert any("two" in p.name for p in (tmp_path / "r" / "figures").iterdir())
    (tmp_path / "r" / "notes.txt").write_text("mine")
    report.save(str(tmp_path / "r"))
    assert not any("two" in p.name for p in (tmp_path / "r" / "figures").iterdir())
    assert (tmp_path / "r" / "notes.txt").read_text() == "mine"
    with pytest.raises(ValueError, match="is a run; reports go to a folder of their own"):
        report.save(folder / "one")
    with pytest.raises(ValueError, match="is a file; expected a folder"):
        report.save(folder / "t.csv")


def test_results_are_a_table(report: Report) -> None:
    table = report.results
    assert table["head"].tolist() == ["logistic", "boosted"]
    assert {"run", "sequence", "level", "patients", "positive", "auc_by_fold", "p"} <= set(table.columns)
    assert {f"{m}{end}" for m in METRICS for end in ("", "_low", "_high")} <= set(table.columns)
    assert table["auc"].tolist() == [a.values["auc"]["estimate"] for a in report.context.patients]
    assert (table["auc_by_fold_low"] < table["auc_by_fold"]).all()


def test_patients_are_a_table(report: Report) -> None:
    table = report.patients
    assert len(table) == 2 * 40
    assert table.columns.tolist() == [
        "run", "head", "sequence", "patient_id", "label", "score", "score_sd", "n_slices",
    ]  # fmt: skip
    first = report.context.scored[0]
    mine = table[table["head"] == "logistic"].set_index("patient_id")
    assert mine["score"].to_dict() == pytest.approx(dict(zip(first.units, first.scores.mean(axis=0), strict=True)))


def test_a_notebook_shows_the_verdict_and_the_table(report: Report) -> None:
    shown = report._repr_html_()
    assert "<table" in shown and report.verdict[0].split(" ")[0] in shown


@pytest.mark.slow
def test_runs_in_memory_are_taken_as_they_are(folder: Path, report: Report) -> None:
    (run,) = read_runs(folder / "one")
    assert evaluate(run, replicates=40, seed=3).verdict == report.verdict


@pytest.mark.slow
def test_a_run_that_was_never_written_gives_the_report_of_its_folder(
    folder: Path, report: Report, tmp_path: Path
) -> None:
    data = load(folder / "t.csv", folder / "l.csv")
    run = cross_validate(data, ["logistic", "boosted"], repeats=2, permutations=0, name="one")
    made = evaluate(run, replicates=40, seed=3)
    assert made.verdict == report.verdict
    assert made.results.equals(report.results)
    made.save(tmp_path / "r")
    assert len(evaluate([run, run.renamed("other")], replicates=20).results) == 4
    with pytest.raises(ValueError, match="two runs are called one; give one of them another name"):
        evaluate([run, run])


def test_what_cannot_be_reported_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="one is given twice"):
        evaluate([folder / "one", folder / "one"])
    with pytest.raises(ValueError, match="is not a run"):
        evaluate(folder / "nowhere")
    with pytest.raises(ValueError, match="threshold 'best'; expected one of 0.5, youden"):
        evaluate(folder / "one", threshold="best")
    with pytest.raises(ValueError, match="--replicates: expected a whole number of at least 1, got '-3'"):
        evaluate(folder / "one", replicates=-3)
    with pytest.raises(ValueError, match="no runs; give what heads.cross_validate gave"):
        evaluate([])
    with pytest.raises(ValueError, match="nonsense: no option of a report; the options are .*threshold"):
        evaluate(folder / "one", nonsense=1)


@pytest.mark.slow
def test_a_threshold_may_be_a_number(folder: Path) -> None:
    assert evaluate(folder / "two", replicates=20, threshold=0.5).context.options.threshold == "0.5"


def test_what_lacks_for_new_patients_and_for_maps_is_said(folder: Path) -> None:
    with pytest.raises(ValueError, match="give NewPatientOptions cache="):
        read_new_patients(NewPatientOptions())
    (run,) = read_runs(folder / "one")
    for options in (ExplainOptions(), ExplainOptions(explain=["p00"]), ExplainOptions(cohort=folder)):
        with pytest.raises(ValueError, match="nothing to explain; give ExplainOptions explain="):
            next(explain(run, options))


@pytest.fixture
def prevalence() -> Iterator[None]:
    """A metric from outside."""

    @metric("prevalence", "Prevalence")
    def prevalence(y: np.ndarray, score: np.ndarray, W: np.ndarray) -> np.ndarray:
        return (W @ (y == 1)) / W.sum(axis=1)

    yield
    METRICS.unregister("prevalence")


@pytest.mark.slow
@pytest.mark.usefixtures("prevalence")
def test_a_metric_from_outside_stands_in_tables_and_json(folder: Path, tmp_path: Path) -> None:
    made = evaluate(folder / "two", replicates=20)
    assert made.results["prevalence"].tolist() == [0.5]
    made.save(tmp_path / "r")
    (result,) = json.loads((tmp_path / "r" / "report.json").read_text())["results"]
    assert result["values"]["prevalence"]["estimate"] == 0.5
    assert ">Prevalence</th>" in (tmp_path / "r" / "report.html").read_text()


@pytest.mark.slow
def test_the_package_is_lazy() -> None:
    import subprocess
    import sys

    code = "import sys, evaluation; print('numpy' in sys.modules); evaluation.evaluate; print('numpy' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(ImportError):
        from evaluation import nothing  # type: ignore[attr-defined]  # noqa: F401
