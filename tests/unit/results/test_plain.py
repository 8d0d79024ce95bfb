"""Values as plain ones."""

from __future__ import annotations

import dataclasses
import enum
import itertools
import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from unittest import mock

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.results.plain import WHOLE, Bounds, plain, text_of

few = settings(max_examples=30, deadline=None, database=None)


class Person(pydantic.BaseModel):
    name: str
    weight: float


class Example:
    """Converts itself as ``dspy.Example`` does."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def toDict(self) -> dict[str, Any]:
        return self._fields


class Colour(str, enum.Enum):
    RED = "red"


leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters()),  # with lone surrogates
    st.binary(max_size=8),
    st.decimals(),
    st.floats(width=32).map(np.float32),
    st.floats().map(np.float64),
    st.integers(-(2**63), 2**63 - 1).map(np.int64),
    st.booleans().map(np.bool_),
    st.just(PurePosixPath("a/b")),
    st.builds(Person, name=st.text(), weight=st.floats()),
    st.dates(),
    st.sampled_from([Colour.RED, Person, object, len, ...]),
)


def containers(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.text(st.characters(), max_size=4), children, max_size=3)
    return st.one_of(
        st.lists(children, max_size=3),
        st.lists(children, max_size=3).map(tuple),
        fields,
        fields.map(Example),
        st.dictionaries(st.integers(), children, max_size=3),
    )


@few
@given(st.recursive(leaves, containers, max_leaves=8))
def test_plain_values_survive_json(value: Any) -> None:
    found = plain(value)
    text = json.dumps(found, allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == found
    assert plain(found) == found


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (7, 7),
        (0.5, 0.5),
        (math.nan, None),
        (-math.inf, None),
        ("caf\u00e9", "caf\u00e9"),
        ("a\ud800b", "a\\ud800b"),
        (Colour.RED, "red"),
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (Decimal("0.10"), "0.10"),
        (PurePosixPath("a/b"), "a/b"),
        ({1: (2, 3)}, {"1": [2, 3]}),
        (frozenset({4}), [4]),
        (Person(name="Ada", weight=math.inf), {"name": "Ada", "weight": None}),
        ([Example({"question": Example({"part": 1})})], [{"question": {"part": 1}}]),
        (Person, str(Person)),
    ],
)
def test_plain(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


def test_paths_are_text() -> None:
    assert plain({"path": Path("a") / "b"}) == {"path": str(Path("a", "b"))}


class Raises:
    """Each of its methods does."""

    def keys(self) -> Any:
        raise RuntimeError("no text")

    __str__ = __repr__ = items = model_dump = toDict = tolist = keys


@dataclasses.dataclass
class Answer:
    text: str
    parts: list[Any]


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def test_each_of_these_has_a_plain_form() -> None:
    cyclic: dict[str, Any] = {"a": 1}
    cyclic["b"] = [cyclic]
    assert plain(cyclic) == {"a": 1, "b": ["[a dict that contains itself]"]}
    assert plain(Raises()) == "[a Raises, whose str() raised RuntimeError]"
    assert plain([Raises(), 1]) == ["[a Raises, whose str() raised RuntimeError]", 1]
    assert plain({Raises(): 1}) == {"[a Raises, whose str() raised RuntimeError]": 1}
    assert plain(Answer("a", [math.nan])) == {"text": "a", "parts": [None]}
    assert plain({"b", "a"}) == ["a", "b"]
    assert plain(10**5000) == "[a whole number of 16,610 bits]"
    assert plain(2**1023 - 1) == 2**1023 - 1
    assert plain(-(10**400)) == f"-1{'0' * 400}"
    assert plain(np.zeros((2, 1))) == [[0.0], [0.0]]
    assert type(plain(mock.MagicMock())) is str
    assert plain(mock.Mock(spec=Answer("a", [])))[:5] == "<Mock"


def test_one_thing_twice_is_no_cycle() -> None:
    part = [1]
    assert plain([part, part, {"a": part}]) == [[1], [1], {"a": [1]}]


def test_what_is_nested_too_deeply_is_cut_where_readers_still_follow() -> None:
    text = json.dumps(plain(nested(600)))
    assert "[a list: nested too deeply]" in text
    assert text.count("[") < 60
    assert plain(json.loads(text), WHOLE) == json.loads(text)


def test_items_and_characters_are_counted_over_the_whole_value() -> None:
    bounds = Bounds(depth=9, items=5, characters=10, note=", all in run.json")
    assert plain(["abcdefgh", "ijkl", "m"], bounds) == [
        "abcdefgh",
        "ij[... 2 characters more, all in run.json]",
        "[... 1 characters more, all in run.json]",
    ]
    assert plain({"a": [1, 2, 3], "b": [4]}, bounds)["b"] == ["[... further items, all in run.json]"]
    assert plain(np.zeros(9), bounds) == [0.0] * 5 + ["[... further items, all in run.json]"]


def test_an_endless_mapping_ends() -> None:
    class Endless(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            return 1

        def __iter__(self) -> Iterator[str]:
            return map(str, itertools.count())

        def __len__(self) -> int:
            return 1

    assert len(plain(Endless(), Bounds(5, 10, 1000))) == 11


def test_an_interrupt_goes_through() -> None:
    class Interrupted:
        def __str__(self) -> str:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        plain(Interrupted())


def test_what_it_says_of_itself() -> None:
    assert text_of("a") == "a"
    assert text_of(None) == "None"
    assert text_of(Raises()) == "[a Raises, whose str() raised RuntimeError]"
    assert text_of("\ud83d") == "\\ud83d"
    assert len(text_of("a" * 5_000_000)) < 4_100_000
