"""Records: plain values, and the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.strategies import numbers, records, requirements, usages

from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.plain import plain
from pytest_pitcheval.results.records import SHORT, Record, Usage, total

few = settings(max_examples=30, deadline=None, database=None)


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


@pytest.mark.parametrize(("told", "why"), [({"left_out": True}, "decided"), ({"left_out": False}, None), ({}, None)])
def test_older_files_know_one_reason_why_an_example_did_not_run(told: dict[str, bool], why: str | None) -> None:
    older = Record("t.py::test[a]", "t.py::test", "a", "none", "skipped").to_dict()
    del older["left_out"]
    assert Record.from_dict({**older, **told}).left_out == why


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


def test_labels_that_can_name_a_slice_are_kept_without_texts() -> None:
    kept = {"topic": "refunds", "level": 3, "share": 0.5, "critical": False, "longest": "x" * SHORT}
    labels = {**kept, "notes": "x" * (SHORT + 1), "sources": ["a"], "none": None}
    record = Record("t.py::test[e0]", "t.py::test", "e0", "none", "passed", labels=labels, feedback="good")
    record = dataclasses.replace(record, rollout_id="20261122T234903.123456Z/t.py::test[e0]")
    small = record.without_texts()
    assert small.timestamp == record.timestamp == "20261122T234903.123456Z"
    assert (record.short_labels, small.labels, small.feedback) == (kept, kept, None)
    assert small.short_labels == record.short_labels, "slices are the same, whichever of the two they are made of"


@few
@given(
    st.builds(
        Collected,
        nodeid=st.text(),
        test=st.text(),
        example_id=st.none() | st.text(),
        optimization=st.text(),
        asked=requirements,
        labels=numbers,
    ),
    st.booleans(),
)
def test_collected_round_trip(one: Collected, sort_keys: bool) -> None:
    assert Collected.from_dict(json.loads(json.dumps(one.to_dict(), sort_keys=sort_keys))) == one
