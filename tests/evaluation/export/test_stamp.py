"""Predictions as STAMP's statistics read them: their AUC by scikit-learn is ours."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from core.predictions import Scored
from evaluation.export.stamp import FILE, label_name, write_stamp
from evaluation.read_run import Run
from evaluation.statistics.assess import assess


def a_run(
    name: str = "run", *, leak: str = "", question: Any = "MGMT_value 1 against 0", column: str | None = None
) -> Run:
    rng = np.random.default_rng(5)
    n = 31
    patients = [f"p{i:02d}" for i in range(n)]
    scores = rng.random((2, n))
    scores[0, 4] = np.nan  # not tested in the first repeat
    scores[1, 7] = 0.5
    fold = np.where(np.isfinite(scores), np.arange(n) % 3, -1)
    scored = [
        Scored(
            name,
            "logistic",
            sequence,
            patients,
            patients,
            np.arange(n),
            np.arange(n) % 2,
            scores,
            fold,
            np.ones(n, int),
        )
        for sequence in ("T2w", "mean(T1w+T2w)")
    ]
    about = {"question": question, "arguments": {"label_column": column}, "leak": leak or None}
    return Run(Path(name), name, about, scored, slices=[], curves=[])


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f))


def test_scikit_learn_gives_our_auc_on_each_file(tmp_path: Path) -> None:
    run = a_run()
    files = write_stamp(tmp_path, [run])
    assert [f.relative_to(tmp_path).as_posix() for f in files] == [
        f"run-logistic-{s}-repeat{k}/{FILE}" for s in ("T2w", "mean_T1w+T2w_") for k in (0, 1)
    ]
    aucs = []
    for file in files[:2]:
        rows = table(file)
        aucs.append(roc_auc_score([r["MGMT_value"] == "1" for r in rows], [float(r["MGMT_value_1"]) for r in rows]))
    s = run.scored[0]
    for k, found in enumerate(aucs):
        one = Scored(*s.key, s.units, s.patients, s.patient, s.y, s.scores[[k]], s.fold[[k]], s.n_slices)
        assert found == pytest.approx(assess(one, level="patient", replicates=1).values["auc"]["estimate"], abs=1e-12)
    assert np.mean(aucs) == pytest.approx(assess(s, level="patient", replicates=1).values["auc"]["estimate"], abs=1e-12)


def test_what_stands_in_a_file(tmp_path: Path) -> None:
    first, second = (table(f) for f in write_stamp(tmp_path, [a_run()])[:2])
    assert list(first[0]) == ["PATIENT", "MGMT_value", "pred", "MGMT_value_0", "MGMT_value_1", "fold"]
    assert len(first) == 30 and "p04" not in {r["PATIENT"] for r in first}
    assert len(second) == 31
    for r in second:
        assert r["pred"] == str(int(float(r["MGMT_value_1"]) >= 0.5))
        assert float(r["MGMT_value_0"]) + float(r["MGMT_value_1"]) == pytest.approx(1)
    assert second[7]["pred"] == "1", "0.5 is called positive, as everywhere here"


def test_a_leak_stands_in_every_row(tmp_path: Path) -> None:
    for file in write_stamp(tmp_path, [a_run(leak="LEAKS: 3 of 3")]):
        assert {r["warning"] for r in table(file)} == {"LEAKS: 3 of 3"}


@pytest.mark.parametrize(("question", "column", "expected"), [
    ("MGMT_value 1 against 0", None, "MGMT_value"),
    ("mgmt 'Methylated' against 'Un methylated'", None, "mgmt"),
    ("age >63 against the rest", None, "age"),
    ({"column": "MGMT status", "positive": "1", "negative": "0"}, None, "MGMT status"),
    ("MGMT status 1 against 0", "MGMT status", "MGMT status"),
])  # fmt: skip
def test_the_name_of_the_label(question: Any, column: str | None, expected: str) -> None:
    assert label_name(a_run(question=question, column=column)) == expected


def test_the_parts_of_a_question_go_before_its_sentence() -> None:
    run = a_run(question="age 1 against 0 of >63 against the rest", column=None)
    run.about["question_parts"] = {"column": "age 1 against 0 of", "positive": ">63", "negative": "the rest"}
    assert label_name(run) == "age 1 against 0 of"


def test_nothing_is_overwritten_or_mixed_up(tmp_path: Path) -> None:
    write_stamp(tmp_path, [a_run()])
    with pytest.raises(ValueError, match="run-logistic-T2w-repeat0' exists; delete it"):
        write_stamp(tmp_path, [a_run()])
    with pytest.raises(ValueError, match="two results would be called 'a_b-logistic-T2w-repeat0'"):
        write_stamp(tmp_path / "new", [a_run("a b"), a_run("a:b")])
    assert not (tmp_path / "new").exists()
