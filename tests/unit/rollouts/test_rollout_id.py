"""Rollout IDs: their text, and the number that DSPy's cache key gets."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.timestamps import session_timestamp

few = settings(max_examples=30, deadline=None, database=None)

TIMESTAMP = "20261122T234903.123456Z"
NODEID = "tests/test_pitch.py::test_pitch[e0]"

nodeids = st.text(st.characters(exclude_characters="/#~@"), min_size=1).map(lambda name: f"test_pitch.py::{name}")
rollout_ids = st.builds(
    RolloutId,
    timestamp=st.datetimes().map(lambda when: when.strftime("%Y%m%dT%H%M%S.%fZ")),
    nodeid=nodeids,
    sample=st.integers(0, 1000),
    attempt=st.integers(1, 1000),
    verdict=st.integers(0, 1000),
)


@pytest.mark.parametrize(
    ("rollout_id", "explicit", "key"),
    [
        (RolloutId(TIMESTAMP, NODEID), None, 3772445628466874),
        (RolloutId(TIMESTAMP, NODEID, sample=2, attempt=3), None, 2833821463424484),
        (RolloutId(TIMESTAMP, NODEID), 1, 5428960147768308),
        (RolloutId(TIMESTAMP, NODEID, sample=2, verdict=1), None, 3723207317937265),
    ],
)
def test_keys_stay_as_they_are(rollout_id: RolloutId, explicit: int | None, key: int) -> None:
    """A change of these numbers means that no run of an earlier version can be replayed any more."""
    assert rollout_id.key(explicit) == key


@pytest.mark.parametrize(
    ("rollout_id", "text"),
    [
        (RolloutId(TIMESTAMP, NODEID), f"{TIMESTAMP}/{NODEID}"),
        (RolloutId(TIMESTAMP, NODEID, sample=1), f"{TIMESTAMP}/{NODEID}#1"),
        (RolloutId(TIMESTAMP, NODEID, attempt=2), f"{TIMESTAMP}/{NODEID}~2"),
        (RolloutId(TIMESTAMP, NODEID, sample=1, attempt=2), f"{TIMESTAMP}/{NODEID}~2#1"),
    ],
)
def test_text(rollout_id: RolloutId, text: str) -> None:
    assert str(rollout_id) == text


@few
@given(rollout_ids, st.none() | st.integers() | st.text())
def test_keys_fit_every_json_reader(rollout_id: RolloutId, explicit: object) -> None:
    key = rollout_id.key(explicit)
    assert 0 <= key < 2**53
    assert int(float(key)) == key


@few
@given(rollout_ids, rollout_ids)
def test_other_rollouts_have_other_keys(one: RolloutId, two: RolloutId) -> None:
    changed = [
        one,
        one._replace(timestamp=one.timestamp + "x"),
        one._replace(nodeid=one.nodeid + "x"),
        one._replace(sample=one.sample + 1),
        one._replace(attempt=one.attempt + 1),
        one._replace(verdict=one.verdict + 1),
    ]
    assert len({int(rollout_id) for rollout_id in changed}) == len(changed)
    assert (int(one) == int(two)) == (one == two)


@few
@given(rollout_ids, st.integers(), st.integers())
def test_explicit_rollouts_are_kept_apart_within_one(rollout_id: RolloutId, one: int, two: int) -> None:
    assert rollout_id.key(one) != rollout_id.key()
    assert (rollout_id.key(one) == rollout_id.key(two)) == (one == two)


def test_further_samples_are_of_the_same_test_and_attempt() -> None:
    second = RolloutId(TIMESTAMP, NODEID, attempt=2).with_sample(1)
    assert second == RolloutId(TIMESTAMP, NODEID, sample=1, attempt=2)


def test_timestamps_sort_as_text_and_are_valid_in_file_names() -> None:
    first = session_timestamp()
    time.sleep(0.002)
    second = session_timestamp()
    assert first < second
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z", first)
