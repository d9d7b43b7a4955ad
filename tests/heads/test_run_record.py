"""run.json as a record: what was written comes back, older files too, and a damaged one says where."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from core.leak import Leak
from core.question import LabelQuestion
from core.system.provenance import provenance
from heads.folds import Fold
from heads.run_record import FeaturesRecord, LabelsRecord, LooksRecord, PatientsRecord, RunRecord, TuningRecord

RECORD = RunRecord(
    run="r",
    arguments={"head": ["logistic"], "C": 0.01},
    seed=3,
    split_seed=3,
    question=LabelQuestion("MGMT_value"),
    join=["2 patients with label"],
    patients=PatientsRecord(labels={"a": 1, "b": 0}, missing_sequence={"FLAIR": []}),
    fused=None,
    split="patient",
    leak=None,
    features=FeaturesRecord(file="f.h5", digest="d", settings={"backbone": "vgg16"}, skipped=[]),
    labels=LabelsRecord(file="l.csv", sha256="s"),
    provenance=provenance([]),
    sequences=["FLAIR"],
    shortcuts="shortcuts",
    availability={},
    tuning=TuningRecord(draws=3, inner_folds=3),
    looks=LooksRecord(4, 2),
    folds=[Fold(0, 0, ("a",)), Fold(0, 1, ("b",))],
    duplicates={"pairs": []},
)


def written(record: RunRecord) -> dict:
    return json.loads(json.dumps(record.as_json()))


def test_a_record_comes_back_as_it_was() -> None:
    back = RunRecord.from_json(written(RECORD))
    assert written(back) == written(RECORD)
    assert (back.folds, back.looks, back.patients.labels) == (RECORD.folds, RECORD.looks, {"a": 1, "b": 0})
    assert back.looks is not None and back.looks.total == 6


def test_a_leak_is_written_as_a_sentence_and_as_counts() -> None:
    about = written(replace(RECORD, leak=Leak(2, 3)))
    assert about["leak"] == "LEAKS: 2 of 3 test patients are also in training"
    assert about["leak_counts"] == {"shared": 2, "tested": 3}
    assert RunRecord.from_json(about).leak == Leak(2, 3)
    del about["leak_counts"]
    assert RunRecord.from_json(about).leak == Leak(2, 3), "a run of before the counts"
    assert "leak_counts" not in written(RECORD)


def test_a_question_is_written_as_a_sentence_and_in_parts() -> None:
    asked = LabelQuestion("age 1 against 0 of", ">63", "the rest")  # its sentence reads as another question
    about = written(replace(RECORD, question=asked))
    assert about["question"] == "age 1 against 0 of >63 against the rest"
    assert about["question_parts"] == {"column": "age 1 against 0 of", "positive": ">63", "negative": "the rest"}
    assert RunRecord.from_json(about).question == asked
    before = written(RECORD)
    del before["question_parts"]
    assert RunRecord.from_json(before).question == LabelQuestion("MGMT_value"), "a run of before the parts"


def test_an_older_run_says_less() -> None:
    about = written(RECORD)
    for name in ("shortcuts", "availability", "tuning", "looks", "duplicates", "split_seed"):
        del about[name]
    back = RunRecord.from_json(about)
    assert (back.shortcuts, back.tuning, back.looks, back.duplicates, back.split_seed) == (None, None, None, None, 3)


def test_a_later_run_may_say_more() -> None:
    about = written(RECORD)
    about["mood"], about["features"]["colour"] = "good", "blue"
    assert RunRecord.from_json(about).features == RECORD.features


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": ...}, "lacks question; train the run again"),
        ({"patients": 3}, "has the patients 3; expected an object"),
        ({"leak": True}, "has the leak True; expected a text"),
        ({"folds": {}}, "has the folds {}; expected a list"),
        ({"folds": [{"repeat": 0}]}, r"is damaged \(KeyError: 'fold'\)"),
        ({"features": {"file": "f.h5"}}, r"is damaged \(TypeError: .*digest"),
        ({"looks": {"results": 1}}, r"is damaged \(KeyError: 'earlier'\)"),
    ],
)
def test_a_damaged_record_says_where(change: dict, message: str) -> None:
    about = {k: v for k, v in {**written(RECORD), **change}.items() if v is not ...}
    with pytest.raises(ValueError, match=message):
        RunRecord.from_json(about)
