"""Which answers are labelled, in which order, and the rows that come of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from support.run_documents import RUN_ID, TEST, record

from pytest_pitcheval.command.labelling.lot import Answer, Chosen, Columns, answers, draw
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.records import Record


def answers_in(*records: Record, part: str | None = None) -> list[Answer]:
    return list(answers(records, RUN_ID, lambda one: one, part))


def names(chosen: list[Chosen]) -> list[str]:
    return [one.answer.key.example for one in chosen]


FOUND = answers_in(*(record(f"e{n}", n / 20) for n in range(20)))


def test_an_answer_of_each_rollout_that_left_one() -> None:
    later = ({"prediction": {"answer": "second"}}, {"prediction": None})
    found = answers_in(
        record("e1", samples=(0.75, 0.5), later_rollouts=later),
        record("e2", None),
        record("e3", people=(1.0,)),
        record("e4", threshold=None, samples=(0.25,)),
    )
    assert [(one.key.example, one.key.rollout, one.distance) for one in found] == [
        ("e1", 1, 0.25),
        ("e1", 2, 0.0),
        ("e4", 1, 0.25),
    ]


def test_the_texts_are_read_of_those_alone_that_are_labelled() -> None:
    read: list[str] = []

    def whole(one: Record) -> Record:
        read.append(one.nodeid)
        return one

    other = record("e2", test="test_other.py::test_other")
    assert len(list(answers([record("e1"), other, record("e3", people=(1.0,))], RUN_ID, whole, "test_qa"))) == 1
    assert read == [f"{TEST}[e1]"]


def test_a_part_of_the_tests_is_chosen_by_function_never_by_example() -> None:
    assert answers_in(record("e1"), part="e1") == []
    assert len(answers_in(record("e1"), part="test_qa")) == 1


def test_the_order_is_by_lot_and_a_larger_sample_begins_with_the_smaller_one() -> None:
    everything = draw(FOUND, None, 0, near=False)
    assert sorted(names(everything)) == sorted(one.key.example for one in FOUND)
    assert names(everything) != [one.key.example for one in FOUND]
    assert draw(FOUND, 7, 0, near=False) == everything[:7]
    assert draw(FOUND, 99, 0, near=False) == everything
    assert names(draw(FOUND, None, 1, near=False)) != names(everything)
    assert [(one.drawn, one.place, one.of, one.seed) for one in everything[:2]] == [
        ("at random", 1, 20, 0),
        ("at random", 2, 20, 0),
    ]


def test_each_answer_is_as_probable_as_any_other() -> None:
    for near in (False, True):
        drawn = Counter(
            one.answer.key.example
            for seed in range(2000)
            for one in draw(FOUND, 8, seed, near)
            if one.drawn == "at random"
        )
        expected = 2000 * (4 if near else 8) / 20
        assert len(drawn) == 20
        assert all(abs(count - expected) < 6 * expected**0.5 for count in drawn.values())


def test_half_of_them_are_near_the_threshold_on_request() -> None:
    chosen = draw(FOUND, 8, 0, near=True)
    by_lot = [one for one in chosen if one.drawn == "at random"]
    close = [one for one in chosen if one.drawn == "near the threshold"]
    assert (len(by_lot), len(close)) == (4, 4)
    assert names(by_lot) == names(draw(FOUND, 4, 0, near=False))
    rest = [one.answer.distance for one in draw(FOUND, None, 0, near=False)[4:]]
    assert sorted(one.answer.distance for one in close) == sorted(rest)[:4]
    assert len(set(names(chosen))) == 8
    assert [one.drawn for one in chosen] not in (["at random"] * 4 + ["near the threshold"] * 4,)


def test_a_row_has_inputs_labels_answer_label_and_who_gave_it() -> None:
    fields: dict[str, Any] = {"labels": {"topic": "refunds", "answer": "expected"}}
    found = answers_in(record("e1", **fields))
    columns, [chosen] = Columns(found, "good"), draw(found, None, 0, near=False)
    who = {"by": "Ana", "kind": "person", "on": "2026-11-22"}
    which = {"run": RUN_ID, "test": TEST, "optimization": "none", "example": "e1", "rollout": 1}
    row = columns.row(chosen, {"good": 1, "labelled": chosen.labelled("Ana", "2026-11-22").to_dict()})
    assert row == {
        "id": found[0].key.id,
        "question": "question of e1?",
        "topic": "refunds",
        "answer": "expected",
        "given_answer": "answer of e1",
        "good": 1,
        "labelled": {**who, **which, "drawn": "at random", "place": 1, "of": 1, "seed": 0},
    }
    assert columns.marker("data/judge.jsonl") == (
        '@pytest.mark.judge_exam("data/judge.jsonl", inputs=["question"], outputs={"answer": "given_answer"}, '
        'label="good")'
    )


def test_columns_are_the_same_for_all_answers() -> None:
    """Also where the examples of one test alone have a label of that name."""
    found = answers_in(record("e1", labels={"answer": "a", "given_answer": "b"}), record("e2"))
    columns = Columns(found, "good")
    assert columns.outputs == {"answer": "given_given_answer"}
    assert Columns(answers_in(record("e1")), "good").marker("j.jsonl").endswith(', outputs=["answer"], label="good")')


@pytest.mark.parametrize("label", ["question", "answer", "topic", "id", "labelled"])
def test_the_column_of_labels_is_no_other_one(label: str) -> None:
    with pytest.raises(PitchevalError, match=f"--label: '{label}': the answers have a field of that name"):
        Columns(answers_in(record("e1", labels={"topic": "refunds"})), label)


@pytest.mark.parametrize("label", ["", " "])
def test_the_column_of_labels_has_a_name_as_no_exam_would_read_it_else(label: str) -> None:
    with pytest.raises(PitchevalError, match=f"--label: '{label}': expected the name of a column"):
        Columns(answers_in(record("e1")), label)


def test_examples_with_a_field_that_rows_have_themselves() -> None:
    with pytest.raises(PitchevalError, match="a field of the examples is named 'id'"):
        Columns(answers_in(record("e1", inputs={"id": 3})), "good")
