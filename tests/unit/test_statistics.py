"""Means, their confidence intervals, and what is established."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.statistics import (
    MOST_PERMUTED,
    interval,
    mean,
    p_value,
    paired_difference,
    paired_samples,
    smallest_drop,
    smallest_drop_with_rollouts,
)

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


def normal(count: int, centre: float, seed: int = 0) -> list[float]:
    """So many differences with a standard deviation of 1."""
    drawn = random.Random(seed)
    return [drawn.gauss(centre, 1) for _ in range(count)]


def by_scipy(differences: list[float], alternative: str) -> float:
    """The p-value of SciPy's own permutation test, which takes 300 times as long."""
    import numpy as np
    from scipy import stats

    found = stats.permutation_test(
        (differences,),
        np.sum,
        permutation_type="samples",
        vectorized=True,
        n_resamples=9_999,
        alternative=alternative,
        random_state=np.random.default_rng(0),
    )
    return float(found.pvalue)


@pytest.mark.parametrize("alternative", ["less", "two-sided"])
@pytest.mark.parametrize("count", [2, 5, 9, 13])
def test_the_p_value_of_few_differences_is_that_of_scipy(count: int, alternative: str) -> None:
    differences = normal(count, -0.3)
    assert p_value(differences, alternative) == pytest.approx(by_scipy(differences, alternative), abs=1e-12)


@pytest.mark.parametrize("alternative", ["less", "two-sided"])
@pytest.mark.parametrize("count", [14, 30, MOST_PERMUTED])
def test_the_p_value_of_many_differences_is_near_that_of_scipy(count: int, alternative: str) -> None:
    """Both are random; two standard errors of their difference are 0.01 where p is 0.1 or less."""
    differences = normal(count, -1.6 / count**0.5)
    assert p_value(differences, alternative) == pytest.approx(by_scipy(differences, alternative), abs=0.01)


@few
@given(st.lists(st.integers(-3, 3), max_size=8), st.sampled_from([1, 3, 5, 6]))
def test_tied_sums_are_counted(numerators: list[int], denominator: int) -> None:
    """SciPy's tolerance is a share of the observed sum, and so misses ties where that is near 0."""
    exact = [Fraction(one, denominator) for one in numerators if one]
    flips = itertools.product((1, -1), repeat=len(exact))
    sums = [sum((flip * one for flip, one in zip(signs, exact, strict=True)), Fraction()) for signs in flips]
    below = sum(one <= sum(exact, Fraction()) for one in sums) / len(sums)
    above = sum(one >= sum(exact, Fraction()) for one in sums) / len(sums)
    assert p_value([float(one) for one in exact]) == below
    assert p_value([float(one) for one in exact], "two-sided") == min(1, 2 * min(below, above))


def test_the_t_test_takes_over_smoothly() -> None:
    differences = normal(MOST_PERMUTED, -0.1)
    permuted, tested = p_value(differences), p_value([*differences, 1e-8])
    assert 0.01 < permuted < 0.2
    assert tested == pytest.approx(permuted, abs=0.01)


@pytest.mark.parametrize(("difference", "expected"), [(-0.5, 0.0), (0.5, 1.0)])
def test_many_equal_differences(difference: float, expected: float) -> None:
    assert p_value([difference] * (MOST_PERMUTED + 1)) == expected
    assert p_value([difference] * (MOST_PERMUTED + 1), "two-sided") == 0


@pytest.mark.parametrize("differences", [[], [0.0] * 30])
def test_nothing_is_established_of_no_difference(differences: list[float]) -> None:
    assert p_value(differences) == p_value(differences, "two-sided") == 1


def test_a_last_bit_is_no_difference() -> None:
    """0.1 + 0.1 + 0.1 over 3 is not 0.1: 20 such examples would be an established rise."""
    bit = (0.1 + 0.1 + 0.1) / 3 - 0.1
    assert bit
    found = paired_difference([bit] * 19 + [2 * bit])
    assert found is not None
    assert (found.difference, found.p_drop, found.p_value) == (0, 1, 1)
    assert smallest_drop([bit] * 19 + [2 * bit]) is None
    assert smallest_drop_with_rollouts([[0.1]] * 19 + [[0.5]], [[0.1] * 3] * 19 + [[0.5]], 4) is None


def test_a_paired_difference_has_the_p_values_of_its_differences() -> None:
    differences = normal(40, -0.2)
    found = paired_difference(differences)
    assert found is not None
    assert found.p_drop == p_value(differences, "less")
    assert found.p_value == p_value(differences, "two-sided")


def test_as_many_samples_both_times_are_compared_by_their_means() -> None:
    before, after = [[0.5, 0.7], [0.25, 0.25], [1.0, 0.0]], [[0.5, 0.5], [0.0, 0.25], [0.0, 0.5]]
    differences = [sum(new) / 2 - sum(old) / 2 for old, new in zip(before, after, strict=True)]
    assert paired_samples(before, after) == paired_difference(differences)


def test_no_samples_have_no_difference() -> None:
    assert paired_samples([], []) is None


def test_samples_are_exchanged_where_there_are_more_of_them() -> None:
    """One unlucky baseline sample of six is as likely to be any of them; signs alone would be 1/2**5."""
    found = paired_samples([[1.0]] * 5, [[0.0, 1.0, 1.0, 1.0, 1.0]] * 5)
    assert found is not None
    assert found.difference == pytest.approx(-0.2)
    assert p_value([-0.2] * 5) == 1 / 32
    assert found.p_drop == pytest.approx((5 / 6) ** 5, abs=0.02)


def test_signs_are_permuted_all_the_same_where_samples_are_exchanged() -> None:
    """Examples that changed up and down by much are no drop, although no exchange of samples is as low."""
    before = [[1.0]] * 6 + [[0.0]] * 5
    after = [[0.0] * 3] * 6 + [[1.0] * 3] * 5
    found = paired_samples(before, after)
    assert found is not None
    assert found.p_drop == pytest.approx(p_value([-1.0] * 6 + [1.0] * 5))


def test_five_examples_can_show_only_what_1_of_32_permutations_shows() -> None:
    """Student's t of 4 degrees of freedom: 2.562 at 1 - 1/32, 0.941 at 0.8; of 29: 1.699 and 0.854."""
    five, thirty = [0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0] * 15
    assert smallest_drop(five) == pytest.approx((2.562 + 0.941) * 2.5**0.5 / 5**0.5, abs=0.001)
    assert smallest_drop(thirty) == pytest.approx((1.699 + 0.854) * (7.5 / 29) ** 0.5 / 30**0.5, abs=0.001)
    assert smallest_drop(five[:4]) is None
