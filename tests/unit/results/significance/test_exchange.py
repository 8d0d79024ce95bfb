"""Whether it is one example that has changed: its samples exchanged."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pytest_pitcheval.results.significance.exchange import drop_p, least_drop_p, rollouts_to_establish

few = settings(max_examples=30, deadline=None, database=None)
samples = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=5)


@pytest.mark.parametrize(
    ("before", "after", "p"),
    [
        ([1] * 5, [0] * 5, 1 / 252),
        ([1, 1, 1, 1, 0], [0] * 5, 5 / 210),
        ([1] * 4, [0] * 4, 1 / 70),
        ([1], [0], 1 / 2),
        ([1] * 5, [1] * 5, 1.0),
        ([0] * 5, [1] * 5, 1.0),
        ([0.9, 0.8, 0.7], [0.1, 0.2, 0.3], 1 / 20),
    ],
)
def test_the_share_of_exchanges_that_are_as_low(before: Sequence[float], after: Sequence[float], p: float) -> None:
    assert drop_p(before, after) == pytest.approx(p)


@few
@given(st.integers(0, 6), st.integers(0, 6))
def test_of_0_and_1_it_is_fishers_exact_test(before: int, after: int) -> None:
    table = [[before, 6 - before], [after, 6 - after]]
    fisher = stats.fisher_exact(table, alternative="greater").pvalue
    assert drop_p([1.0] * before + [0.0] * (6 - before), [1.0] * after + [0.0] * (6 - after)) == pytest.approx(fisher)


@few
@given(samples, samples)
def test_no_p_value_is_below_the_lowest(before: list[float], after: list[float]) -> None:
    pooled = sorted([*before, *after])
    lowest, highest = pooled[: len(after)], pooled[len(after) :]
    least = least_drop_p(before, after)
    assert least <= drop_p(before, after) + 1e-12
    assert drop_p(highest, lowest) == pytest.approx(least)


@pytest.mark.parametrize(("before", "after"), [(10, 1), (10, 3), (6, 5), (2, 9)])
def test_all_divisions_are_tried_where_all_samples_differ(before: int, after: int) -> None:
    values = [math.sqrt(prime) % 1 for prime in (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41)]
    old, new = values[:before], values[before : before + after]
    divisions = list(itertools.combinations([*old, *new], after))
    as_low = sum(math.fsum(one) <= math.fsum(new) + 1e-9 for one in divisions)
    assert drop_p(old, new) == as_low / len(divisions)


@few
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=4, max_size=4), st.floats(0.01, 0.1))
def test_many_earlier_samples_and_few_later_ones_raise_no_more_alarms(pattern: list[float], share: float) -> None:
    """Over all divisions of the same samples, a p-value of at most ``share`` has at most that probability."""
    pooled = [*pattern, *pattern, 0.25, 0.75, 1.0]
    divisions = list(itertools.combinations(range(len(pooled)), 2))
    found = [
        drop_p([value for place, value in enumerate(pooled) if place not in later], [pooled[place] for place in later])
        for later in divisions
    ]
    assert sum(p <= share for p in found) <= share * len(divisions)


def test_many_samples_are_exchanged_at_random_and_never_have_a_p_value_of_0() -> None:
    before, after = [n / 40 for n in range(20, 40)], [n / 40 for n in range(20)]
    assert drop_p(before, after) == least_drop_p(before, after) == 1 / 10_000
    assert drop_p(after, before) > 0.99
    assert drop_p(before, after) == drop_p(before, after)


@pytest.mark.parametrize("claims", [1, 5, 50, 1_000])
def test_how_many_rollouts_would_do(claims: int) -> None:
    rollouts = rollouts_to_establish(0.05 / claims)
    assert drop_p([1.0] * rollouts, [0.0] * rollouts) * claims < 0.05
    assert claims / math.comb(2 * (rollouts - 1), rollouts - 1) >= 0.05


@pytest.mark.parametrize(("claims", "before", "rollouts"), [(1, 10, 2), (50, 10, 4), (1, 1, 20), (20, 5, 6)])
def test_how_many_would_do_now(claims: int, before: int, rollouts: int) -> None:
    assert rollouts_to_establish(0.05 / claims, before) == rollouts
    assert drop_p([1.0] * before, [0.0] * rollouts) * claims < 0.05
    assert drop_p([1.0] * before, [0.0] * (rollouts - 1)) * claims >= 0.05
