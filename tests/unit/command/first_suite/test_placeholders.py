"""Placeholders by type: each is valid JSON for its field."""

from __future__ import annotations

import datetime
import enum
import json
from typing import Annotated, Any, Literal, Optional

import pytest
from pydantic import BaseModel, Field, TypeAdapter

from pytest_pitcheval.command.first_suite.placeholders import has_model, placeholder


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Town(BaseModel):
    name: str
    since: datetime.date
    size: int = 3


class Person(BaseModel):
    first: str = Field(alias="firstName")
    town: Town
    friends: list[Person]


class Node(BaseModel):
    value: int
    next: Node | None
    others: dict[str, Node]


KINDS = [
    str,
    int,
    float,
    bool,
    Colour,
    datetime.date,
    datetime.datetime,
    Literal["a", "b"],
    Optional[int],  # noqa: UP045  # the older way of writing it
    int | None,
    None | str,
    Annotated[int, "a note"],
    list,
    list[float],
    set[str],
    dict,
    dict[str, int],
    dict[str, list[Town]],
    Town,
    Person,
    Node,
    list[Person] | None,
    Any,
]


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("number", [1, 2, 14])
def test_it_is_of_its_type(kind: Any, number: int) -> None:
    value = json.loads(json.dumps(placeholder(kind, "field", number)))
    TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    assert value is not None


def test_a_text_says_that_it_is_to_be_replaced() -> None:
    assert placeholder(str, "question", 3) == "Replace me: question 3"
    assert placeholder(Town, "town", 3) == {"name": "Replace me: name 3", "since": "2000-01-03"}


def test_choices_take_turns() -> None:
    assert {placeholder(Literal["a", "b", "c"], "kind", n) for n in (1, 2, 3)} == {"a", "b", "c"}
    assert {placeholder(Colour, "colour", n) for n in (1, 2)} == {"red", "blue"}
    assert {placeholder(bool, "flag", n) for n in (1, 2)} == {False, True}


@pytest.mark.parametrize(
    ("kind", "expected"), [(list[Town] | None, True), (Town, True), (list[str], False), (int, False)]
)
def test_where_a_model_stands(kind: Any, expected: bool) -> None:
    assert has_model(kind) is expected
