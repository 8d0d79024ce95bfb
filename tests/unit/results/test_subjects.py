"""Slices: examples by the values of their labels."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_pitcheval.results.collected import Collected, Requirements
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.subjects import Slice, SliceSummary, Subject, is_true, slices_of, values_of


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (True, True),
        (False, False),
        (None, False),
        (1, True),
        (0, False),
        (0.5, True),
        ("true", True),
        (" Yes ", True),
        ("1", True),
        ("FALSE", False),
        ("no", False),
        ("0", False),
        ("", False),
        ("refunds", None),
        ("maybe", None),
        ([], None),
        ([True], None),
        ({}, None),
    ],
)
def test_what_says_yes(label: Any, expected: bool | None) -> None:
    assert is_true(label) is expected


def collected(name: str, asked: Requirements, **labels: Any) -> Collected:
    return Collected(f"t.py::test[{name}]", "t.py::test", name, "none", asked, labels=labels)


def test_by_label_then_by_value_as_they_come() -> None:
    asked = Requirements(slices={"topic": {}, "level": {}}, must_pass="vip")
    tests = [
        collected("a", asked, topic="refunds", level=2, vip="yes"),
        collected("b", asked, topic="delivery", level=1, vip=False),
        collected("c", asked, topic="refunds", level=None),
        collected("d", asked, topic="", level=["a"], vip=1),
    ]
    found = {one: [test.example_id for test in members] for one, members in slices_of(tests).items()}
    assert list(found.items()) == [
        (Slice("topic", "refunds"), ["a", "c"]),
        (Slice("topic", "delivery"), ["b"]),
        (Slice("level", "2"), ["a"]),
        (Slice("level", "1"), ["b"]),
        (Slice("vip"), ["a", "d"]),
    ]


def test_what_is_not_asked_for_makes_none() -> None:
    assert slices_of([collected("a", Requirements(), topic="refunds")]) == {}


def test_their_names() -> None:
    assert [str(Slice("topic", "refunds")), str(Slice("critical"))] == ["topic=refunds", "critical"]
    subject = Subject(Key("t.py::test", "none"), "words", Slice("topic", "refunds"))
    assert (subject.slice_text, subject.part) == ("topic=refunds", subject._replace(metric="score"))
    assert SliceSummary("topic", "refunds").slice == Slice("topic", "refunds")


def test_the_values_of_a_label() -> None:
    rows: list[dict[str, Any]] = [{"topic": "b"}, {"topic": "a"}, {}, {"topic": None}, {"topic": True}, {"topic": "b"}]
    assert values_of(rows, "topic") == ["b", "a", "true"]
