"""Rows of labels that several people gave: a row for each answer."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.collection.people import joined
from pytest_pitcheval.errors import MarkerError


def row(name: Any, good: Any, by: str = "", kind: str = "person", **more: Any) -> dict[str, Any]:
    who = {"labelled": {"by": by, "kind": kind}} if by else {}
    return {"id": name, "question": f"{name}?", "answer": "yes", "good": good, **more, **who}


def join(*rows: Any, models_too: bool = False) -> list[Any]:
    found = [(f"judge.jsonl:{number}", item) for number, item in enumerate(rows, 1)]
    return [item for _, item in joined(found, "good", models_too)]


def test_what_several_said_of_one_answer_is_one_row() -> None:
    found = join(row("a", 1, "Ana"), row("b", 0, "Ana"), row("a", 0, "Ben"), row("a", None, "Cem"))
    assert found == [row("a", [1, 0, None]), row("b", 0)]


def test_the_last_word_of_a_person_counts() -> None:
    assert join(row("a", 1, "Ana"), row("a", 0.5, "Ben"), row("a", 0, "Ana")) == [row("a", [0, 0.5])]
    assert join(row("a", 1, "Ana"), row("a", 0, "Ana")) == [row("a", 0)]


def test_spaces_around_a_name_are_no_other_person() -> None:
    assert join(row("a", 1, "Ana"), row("a", 0, " Ana "), row("a", 1, "Ben\t")) == [row("a", [0, 1])]


def test_rows_that_do_not_say_who_stay_as_they_are() -> None:
    rows = [row("a", 1), row("a", 0), {"good": [1, 0]}, {"good": 1, "labelled": None}, {"good": 1, "labelled": ""}]
    assert join(*rows) == rows
    assert join({"good": 1, "labelled": {"by": "Ana"}}, {"good": 0, "labelled": {"by": "Ana"}}) == [
        {"good": 1},
        {"good": 0},
    ]


def test_a_csv_file_has_it_as_text() -> None:
    found = join({**row("a", "1"), "labelled": '{"by": "Ana"}'}, {**row("a", "0"), "labelled": '{"by": "Ben"}'})
    assert found == [row("a", ["1", "0"])]


def test_labels_by_models_are_refused_unless_they_are_asked_for() -> None:
    rows = row("a", 1, "Ana"), row("a", 0, "gpt\n5", "model")
    with pytest.raises(MarkerError) as caught:
        join(*rows)
    expected = r"judge.jsonl:2: labelled by a model, 'gpt\n5'; expected labels by people, or --eval-labels-by-models"
    assert str(caught.value) == expected
    assert join(*rows, models_too=True) == [row("a", [1, 0], labelled=["gpt\n5"])]


def test_examples_that_are_no_mappings() -> None:
    import dspy

    example = dspy.Example(answer="yes", good=1, labelled={"by": "gpt-5", "kind": "model"})
    with pytest.raises(MarkerError, match="labelled by a model, 'gpt-5'"):
        join(example)
    assert join(example, models_too=True) == [example]
    assert join("text", 3) == ["text", 3]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            (row("a", 1, "Ana"), row("a", 0, "Ben", answer="no")),
            "judge.jsonl:2: the id 'a' stands at judge.jsonl:1 already, with another answer",
        ),
        (({"good": 1, "labelled": "Ana"},), "judge.jsonl:1: labelled: 'Ana': expected an object such as"),
        (({"good": 1, "labelled": ["Ana"]},), "judge.jsonl:1: labelled: ['Ana']: expected an object such as"),
        (({"good": 1, "labelled": {"kind": "person"}},), "judge.jsonl:1: labelled.by: Field required"),
        (({"good": 1, "labelled": {"by": "A", "kind": "dog"}},), "judge.jsonl:1: labelled.kind: Input should be"),
    ],
)
def test_what_is_wrong_is_one_line(rows: Any, message: str) -> None:
    with pytest.raises(MarkerError) as caught:
        join(*rows)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
