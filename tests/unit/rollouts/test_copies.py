"""What programs and metrics are given is their own."""

from __future__ import annotations

import dataclasses
import datetime
from collections import OrderedDict, UserDict, UserList, defaultdict, deque
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import dspy
import numpy as np
import pandas as pd
import pydantic
import pytest

from pytest_pitcheval.rollouts.copies import own


class Person(pydantic.BaseModel):
    name: str
    tags: list[str] = []


@dataclasses.dataclass(frozen=True)
class Note:
    lines: list[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Slotted:
    lines: list[str]


class Pair(NamedTuple):
    first: list[str]
    second: int


class Open(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="allow")


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (["a", ["b"]], lambda value: value[1].append("c")),
        ({"a": {"b": [1]}}, lambda value: value["a"]["b"].clear()),
        ({1, 2}, lambda value: value.add(3)),
        ((["a"], "b"), lambda value: value[0].append("c")),
        (defaultdict(list, a=[1]), lambda value: value["a"].append(2)),
        (OrderedDict(a=[1]), lambda value: value["a"].append(2)),
        (Person(name="Ann", tags=["x"]), lambda value: value.tags.append("y")),
        (Person(name="Ann"), lambda value: setattr(value, "name", "Bob")),
        ([Person(name="Ann", tags=["x"])], lambda value: value[0].tags.append("y")),
        (Note(["a"]), lambda value: value.lines.append("b")),
        (dspy.History(messages=[{"question": "a"}]), lambda value: value.messages.append({"question": "b"})),
        (dspy.Example(tags=["x"]).with_inputs("tags"), lambda value: value.tags.append("y")),
        (dspy.Example(answer="A"), lambda value: setattr(value, "answer", value.answer.lower())),
        (dspy.Prediction(answer="A", steps=[{"a": 1}]), lambda value: value.steps[0].update(a=2)),
        ({"inner": dspy.Prediction(answer="A")}, lambda value: setattr(value["inner"], "answer", "b")),
        (Slotted(["a"]), lambda value: value.lines.append("b")),
        (Pair(["a"], 1), lambda value: value.first.append("b")),
        (Open.model_validate({"tags": ["x"]}), lambda value: value.tags.append("y")),
        (deque([["a"]], maxlen=3), lambda value: value[0].append("b")),
        (UserDict(a=[1]), lambda value: value["a"].append(2)),
        (UserList([[1]]), lambda value: value[0].append(2)),
        (SimpleNamespace(tags=["x"]), lambda value: value.tags.append("y")),
        (bytearray(b"a"), lambda value: value.extend(b"b")),
        (np.array([1.0, 2.0]), lambda value: np.negative(value, out=value)),
        (pd.DataFrame({"a": [1]}), lambda value: value.insert(0, "b", 2)),
        ([pd.Series([1, 2])], lambda value: value[0].pop(0)),
    ],
)
def test_a_change_stays_with_who_made_it(value: Any, change: Any) -> None:
    before = repr(value)
    mine = own(value)
    assert repr(mine) == before
    assert type(mine) is type(value)
    change(mine)
    assert repr(mine) != before
    assert repr(value) == before


def test_examples_and_predictions_stay_what_they_are() -> None:
    example = own(dspy.Example(question="q", answer="a").with_inputs("question"))
    assert list(example.inputs().keys()) == ["question"]
    prediction = dspy.Prediction.from_completions({"answer": ["a", "b"]})
    prediction.set_lm_usage({"model": {"prompt_tokens": 1}})
    mine = own(prediction)
    assert (mine.answer, mine.completions.answer, mine.get_lm_usage()) == (
        "a",
        ["a", "b"],
        {"model": {"prompt_tokens": 1}},
    )
    mine.completions.answer.append("c")
    assert prediction.completions.answer == ["a", "b"]
    person = own(Person(name="Ann"))
    assert person.model_fields_set == {"name"}


def test_what_is_no_container_is_shared() -> None:
    class Client:
        pass

    large = np.zeros(1_000_000, dtype=bool)
    values = {
        "large": large,
        "client": Client(),
        "day": datetime.date(2026, 1, 2),
        "kind": Person,
        "call": len,
        "mock": MagicMock(),
    }
    assert all(mine is values[name] for name, mine in own(values).items())


def test_what_cannot_be_copied_is_given_as_it_is() -> None:
    class Stubborn(list[int]):
        def __copy__(self) -> Any:
            raise TypeError("no")

    value = {"stubborn": Stubborn([1]), "tags": ["x"]}
    mine = own(value)
    assert mine["stubborn"] is value["stubborn"]
    assert mine["tags"] is not value["tags"]


def test_what_is_too_deep_is_shared_from_there_on() -> None:
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    mine = own(deep)
    assert mine is not deep
    assert len(mine) == 1


def test_what_contains_itself_does_so_again() -> None:
    value: list[Any] = ["a"]
    value.append(value)
    mine = own(value)
    assert mine is not value
    assert mine[1] is mine
