from __future__ import annotations

import pytest

from core.question import LabelQuestion

QUESTIONS = [
    (LabelQuestion("MGMT_value"), "MGMT_value 1 against 0"),
    (LabelQuestion("age at diagnosis", ">63", "the rest"), "age at diagnosis >63 against the rest"),
    (LabelQuestion("age", ">= -1.5", "the rest"), "age >= -1.5 against the rest"),
    (LabelQuestion("MGMT", "'Methylated'", "'Unmethylated'"), "MGMT 'Methylated' against 'Unmethylated'"),
    (LabelQuestion("grade", "'WHO 4 against all'", "'WHO 2'"), "grade 'WHO 4 against all' against 'WHO 2'"),
    (LabelQuestion("kind", '"it\'s"', "'other'"), "kind \"it's\" against 'other'"),
]


@pytest.mark.parametrize(("question", "sentence"), QUESTIONS)
def test_a_question_reads_as_a_sentence_and_comes_back_from_either_form(question: LabelQuestion, sentence: str) -> None:
    assert str(question) == sentence
    assert LabelQuestion.from_json(sentence) == LabelQuestion.from_json(question.as_json()) == question


def test_what_a_positive_label_says() -> None:
    assert LabelQuestion("IDH1", "'Mutant'", "'Wildtype'").outcome == "IDH1 'Mutant'"


def test_a_sentence_of_another_form_stays_as_it_was_written() -> None:
    assert str(LabelQuestion.from_json("MGMT of unknown origin")) == "MGMT of unknown origin"


def test_questions_that_are_equal_are_one_key() -> None:
    assert len({LabelQuestion("a"), LabelQuestion("a"), LabelQuestion("b")}) == 2
