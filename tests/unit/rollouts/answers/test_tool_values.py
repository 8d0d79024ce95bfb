"""What tools return, as JSON and back."""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import json
import threading
from typing import Any

import dspy
import pydantic
import pytest

from pytest_pitcheval.rollouts.answers.lm_values import NotPlain
from pytest_pitcheval.rollouts.answers.tool_values import from_plain, to_plain


class Model(pydantic.BaseModel):
    name: str
    when: datetime.date


@dataclasses.dataclass
class Point:
    x: int
    y: int


def points() -> list[Point]:
    return [Point(1, 2)]


def plain() -> Any: ...


@pytest.mark.parametrize(
    ("value", "function"),
    [
        (None, plain),
        ("text", plain),
        ({"a": [1, 2.5, True, None]}, plain),
        ((1, "a"), plain),
        ({3, 1}, plain),
        (b"\xff\x00", plain),
        (datetime.datetime(2026, 1, 2, 3, 4, 5), plain),
        (datetime.timedelta(seconds=1.5), plain),
        (decimal.Decimal("1.10"), plain),
        (Model(name="a", when=datetime.date(2026, 1, 2)), plain),
        (dspy.Image(url="data:image/png;base64,AAAA"), plain),
        (points(), points),
    ],
    ids=lambda one: type(one).__name__,
)
def test_it_comes_back_as_it_was(value: Any, function: Any) -> None:
    told, is_faithful = to_plain(value, function)
    assert is_faithful
    found = from_plain(json.loads(json.dumps(told)), function)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("value", [threading.Lock(), [Point(1, 2)], {1: "a"}, float("nan"), object()])
def test_of_anything_else_its_text_is_left(value: Any) -> None:
    assert to_plain(value, plain) == ({"text": str(value)}, False)


def test_nothing_that_a_file_names_is_imported() -> None:
    for path in ("os:system", "antigravity:Anything", "json:JSONDecoder", f"{__name__}:Point"):
        with pytest.raises(NotPlain, match="expected a pydantic model of a module that is loaded"):
            from_plain({"model": path, "fields": {}}, plain)
