"""Records: plain values, and the way to JSON and back."""

from __future__ import annotations

import enum
import json
import math
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pydantic
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import records, scores, usages

from pytest_pitcheval.results.records import Collected, Record, Usage, plain, redact, total

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
        ("a\ud800b", "a?b"),
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


def test_redacts_keys_and_values_at_any_depth() -> None:
    value = {"sk-one": ["a sk-one b sk-two", 3, None, {"x": "sk-two"}]}
    assert redact(value, ("sk-one", "sk-two")) == {"***": ["a *** b ***", 3, None, {"x": "***"}]}


def test_redacts_nothing_without_secrets() -> None:
    assert redact({"a": ["b"]}, ()) == {"a": ["b"]}


@few
@given(usages, usages, usages)
def test_usage_adds_up(one: Usage, two: Usage, three: Usage) -> None:
    assert one + two == two + one
    assert (one + two) + three == one + (two + three) == total([one, two, three])
    assert one + Usage() == one


@few
@given(usages, usages)
def test_a_cost_is_known_only_if_all_are(one: Usage, two: Usage) -> None:
    both = one + two
    assert (both.cost is None) == (one.cost is None or two.cost is None)
    assert both.prompt_tokens == one.prompt_tokens + two.prompt_tokens
    assert both.fresh == one.fresh + two.fresh


def test_nothing_costs_nothing() -> None:
    assert total([]) == Usage(cost=0.0)


@few
@given(usages)
def test_usage_round_trip(usage: Usage) -> None:
    assert Usage.from_dict(json.loads(json.dumps(usage.to_dict()))) == usage


@few
@given(records, st.booleans())
def test_record_round_trip(record: Record, sort_keys: bool) -> None:
    text = json.dumps(record.to_dict(), sort_keys=sort_keys, allow_nan=False)
    assert Record.from_dict(json.loads(text)) == record


@few
@given(records)
def test_a_record_that_went_through_plain_is_the_same(record: Record) -> None:
    assert Record.from_dict(plain(record.to_dict())) == record


def test_a_record_counts_program_and_judge_apart_and_together() -> None:
    record = Record(
        "t.py::test[e0]",
        "t.py::test",
        "e0",
        "none",
        "passed",
        generator=Usage(fresh=2, prompt_tokens=10, completion_tokens=3, cost=0.5),
        judge=Usage(fresh=1, cached=4, prompt_tokens=5, cost=None),
    )
    data = record.to_dict()
    assert data["lm_calls"] == {"fresh": 3, "cached": 4, "failed": 0}
    assert data["tokens"] == {"prompt": 15, "completion": 3}
    assert data["cost"] is None
    assert data["generator"]["cost"] == 0.5
    assert data["judge"]["lm_calls"]["cached"] == 4


@few
@given(
    st.builds(
        Collected,
        nodeid=st.text(),
        test=st.text(),
        example_id=st.none() | st.text(),
        optimization=st.text(),
        gates=st.dictionaries(st.sampled_from(["min_mean", "min_pass_rate"]), scores),
    ),
    st.booleans(),
)
def test_collected_round_trip(one: Collected, sort_keys: bool) -> None:
    assert Collected.from_dict(json.loads(json.dumps(one.to_dict(), sort_keys=sort_keys))) == one


def test_paths_are_text() -> None:
    assert plain({"path": Path("a") / "b"}) == {"path": str(Path("a", "b"))}
