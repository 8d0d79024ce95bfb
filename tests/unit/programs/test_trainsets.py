"""Rows into examples, and whether a test's example was learnt from."""

from __future__ import annotations

import dspy

from pytest_pitcheval.collection.rows import Row
from pytest_pitcheval.programs.trainsets import Trainsets, as_example


def example(question: str, answer: str = "?", *inputs: str) -> dspy.Example:
    return dspy.Example(question=question, answer=answer).with_inputs(*(inputs or ("question",)))


def test_a_row_becomes_an_example_with_its_inputs_marked() -> None:
    made = as_example(Row("e0", {"question": "1?", "answer": "1"}, ("question",)))
    assert made.inputs().toDict() == {"question": "1?"}
    assert made.labels().toDict() == {"answer": "1"}


def test_of_an_example_of_the_users_own_a_copy_is_marked() -> None:
    own = example("1?", "1", "answer")
    made = as_example(Row("e0", own.toDict(), ("question",), own))
    assert set(made.inputs().keys()) == {"question"}
    assert set(own.inputs().keys()) == {"answer"}


def test_the_sample_of_a_trainset_is_drawn_once() -> None:
    trainset, trainsets = [example(f"{number}?") for number in range(20)], Trainsets(5, seed=0)
    drawn = trainsets.get(trainset)
    assert len(drawn.examples) == 5
    assert trainsets.get(trainset) is drawn
    assert Trainsets(5, seed=0).get(trainset).examples == drawn.examples
    assert Trainsets(5, seed=1).get(trainset).examples != drawn.examples
    assert Trainsets(None, seed=0).get(trainset).examples == trainset


def test_an_example_was_learnt_from_if_its_inputs_are_the_same_whatever_its_label() -> None:
    trainset = Trainsets(None, 0).get([example("1?", "one"), example("2?", "two")])
    assert trainset.has_inputs_of(example("1?", "another label"))
    assert not trainset.has_inputs_of(example("3?", "one"))
    assert not trainset.has_inputs_of(dspy.Example(topic="1?").with_inputs("topic"))
