"""Means and their confidence intervals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.statistics import interval, mean

few = settings(max_examples=30, deadline=None, database=None)

score_lists = st.lists(st.floats(0, 1), min_size=2, max_size=20)


def test_the_mean_of_nothing_is_none() -> None:
    assert mean([]) is None


@few
@given(st.floats(0, 1), st.integers(1, 60))
def test_equal_scores_have_exactly_that_mean(score: float, count: int) -> None:
    """A mean one bit lower would fail a gate at that score."""
    assert mean([score] * count) == score


@few
@given(score_lists)
def test_the_mean_lies_between_the_values(values: list[float]) -> None:
    found = mean(values)
    assert found is not None
    assert min(values) <= found <= max(values)


@pytest.mark.parametrize("values", [[], [0.5]])
def test_no_interval_of_fewer_than_two(values: list[float]) -> None:
    assert interval(values) is None


@few
@given(score_lists)
def test_the_interval_holds_the_mean_and_stays_between_0_and_1(values: list[float]) -> None:
    found, centre = interval(values), mean(values)
    assert found is not None
    assert centre is not None
    low, high = found
    assert 0 <= low <= centre <= high <= 1


@few
@given(st.floats(0, 1), st.integers(2, 20))
def test_the_interval_of_equal_scores_is_a_point(score: float, count: int) -> None:
    assert interval([score] * count) == (score, score)


@few
@given(score_lists)
def test_more_of_the_same_scores_narrow_the_interval(values: list[float]) -> None:
    few, many = interval(values), interval(values * 4)
    assert few is not None
    assert many is not None
    assert many[1] - many[0] <= few[1] - few[0] + 1e-12


@pytest.mark.parametrize(
    ("values", "confidence", "expected"),
    [
        # Student's t of 4 and 1 degrees of freedom: 2.776 and 12.706 at 95 %, 4.604 at 99 %.
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.95, (3 - 2.776445 * 0.7071068, 3 + 2.776445 * 0.7071068)),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 0.99, (3 - 4.604095 * 0.7071068, 3 + 4.604095 * 0.7071068)),
        ([10.0, 12.0], 0.95, (11 - 12.706205, 11 + 12.706205)),
        ([0.4, 0.5, 0.6], 0.95, (0.5 - 4.302653 * 0.0577350, 0.5 + 4.302653 * 0.0577350)),
        ([0.0, 1.0], 0.95, (0.0, 1.0)),
    ],
)
def test_textbook_values(values: list[float], confidence: float, expected: tuple[float, float]) -> None:
    assert interval(values, confidence) == pytest.approx(expected, abs=1e-5)


def test_values_beyond_0_to_1_are_not_cut() -> None:
    found = interval([-1.0, 2.0])
    assert found is not None
    assert found[0] < 0 < 1 < found[1]
