"""Values as plain ones."""

from __future__ import annotations

import enum
import json
import math
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any
from unittest.mock import MagicMock

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.results.plain import plain

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
        ({1: "a", "1": "b", None: "c", "None": "d"}, {"1": "a", "1 (str)": "b", "None": "c", "None (str)": "d"}),
        ({"a": 1, 1.5: 2, "1.5": 3, ("1.5",): 4}, {"a": 1, "1.5": 2, "1.5 (str)": 3, "('1.5',)": 4}),
        (Person(name="Ada", weight=math.inf), {"name": "Ada", "weight": None}),
        ([Example({"question": Example({"part": 1})})], [{"question": {"part": 1}}]),
        (Person, str(Person)),
    ],
)
def test_plain(value: Any, expected: Any) -> None:
    found = plain(value)
    assert found == expected
    assert type(found) is type(expected)


class Lying:
    """Its class cannot be asked for."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError

    def __str__(self) -> str:
        return "lying"


@pytest.mark.parametrize("kind", [str, int, float, bool, list, dict, set, bytes, enum.Enum, Path])
def test_what_says_that_it_is_of_another_class_is_what_it_is(kind: type) -> None:
    found = plain({"mock": MagicMock(spec=kind), "other": 1})
    assert json.loads(json.dumps(found)) == found
    assert found["other"] == 1
    assert plain([Lying()]) == ["lying"]


def test_paths_are_text() -> None:
    assert plain({"path": Path("a") / "b"}) == {"path": str(Path("a", "b"))}
