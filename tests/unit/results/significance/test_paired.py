"""Means, their confidence intervals, and what is established."""

from __future__ import annotations

import itertools
import random
import statistics
import warnings
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.results.significance.means import interval, mean, rounded
from pytest_pitcheval.results.significance.paired import MOST_PERMUTED, p_value, paired_difference, paired_samples
from pytest_pitcheval.results.significance.power import sample_variance, smallest_drop, smallest_drop_with_rollouts

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


def test_huge_scores_are_no_error() -> None:
    found = interval([1e200, -1e200, 3e200])
    assert found is not None
    assert found[0] < 1e200 < found[1]


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [(0.3, 0.4, 0.1), (0.4, 0.3, -0.1), (0.1 + 0.2, 0.3, 0.0), (0.3, 0.1 + 0.2, 0.0), (0.0, 1 / 3, 0.333333333333)],
)
def test_what_floats_leave_over_is_no_difference(before: float, after: float, difference: float) -> None:
    assert str(rounded(after - before)) == str(difference)


def by_all_signs(tenths: list[int], two_sided: bool = False) -> float:
    """The p-value by its definition: the share of all sign patterns whose sum is as extreme."""
    sums = [
        sum(sign * value for sign, value in zip(signs, tenths, strict=True))
        for signs in itertools.product((1, -1), repeat=len(tenths))
    ]
    seen = sum(tenths)
    extreme = sum(abs(one) >= abs(seen) if two_sided else one <= seen for one in sums)
    return extreme / len(sums)


tenths = st.lists(st.integers(-10, 10), min_size=1, max_size=8)


class TestPValue:
    @pytest.mark.parametrize(
        ("differences", "less", "two_sided"),
        [
            ([], 1.0, 1.0),
            ([0.0, 0.0], 1.0, 1.0),
            ([-0.5], 1 / 2, 1.0),
            ([0.5], 1.0, 1.0),
            ([-0.5] * 4, 1 / 16, 1 / 8),
            ([-0.5] * 5, 1 / 32, 1 / 16),
            ([-0.1, -0.2, -0.3, -0.4, 0.0], 1 / 16, 1 / 8),
            ([-0.1, -0.2, -0.3, 0.1], 3 / 16, 3 / 8),  # of all signs only ---- and --+ with either 0.1 reach it
            ([-1, -1, -1, -1, -1, 1], 7 / 64, 14 / 64),
        ],
    )
    def test_by_hand(self, differences: list[float], less: float, two_sided: float) -> None:
        assert p_value(differences, "less") == pytest.approx(less)
        assert p_value(differences, "two-sided") == pytest.approx(two_sided)

    @few
    @given(tenths)
    def test_is_the_share_of_sign_patterns_as_extreme_ties_included(self, values: list[int]) -> None:
        """In tenths, whose sums as floats are not quite equal where they are."""
        differences = [value / 10 for value in values]
        assert p_value(differences, "less") == pytest.approx(by_all_signs(values) if any(values) else 1)
        assert p_value(differences, "two-sided") == pytest.approx(by_all_signs(values, two_sided=True))

    @few
    @given(tenths, st.integers(1, 5))
    def test_a_smaller_drop_is_never_established_better(self, values: list[int], shift: int) -> None:
        lower, higher = ([(value + more) / 10 for value in values] for more in (0, shift))
        assert p_value(lower, "less") <= p_value(higher, "less") + 1e-9

    @few
    @given(tenths, st.randoms(), st.integers(0, 200))
    def test_order_and_examples_that_stayed_equal_make_no_difference(
        self, values: list[int], order: random.Random, zeros: int
    ) -> None:
        differences = [value / 10 for value in values]
        changed = order.sample([*differences, *[0.0] * zeros], len(differences) + zeros)
        for alternative in ("less", "two-sided"):
            assert p_value(changed, alternative) == pytest.approx(p_value(differences, alternative))

    @pytest.mark.parametrize("n", [5, 12, 13, 14, 15, 40, 99, 100, 101, 102, 1_000, 10_000])
    def test_any_number_of_examples(self, n: int) -> None:
        differences = normal(n, -0.05)
        less, more = p_value(differences, "less"), p_value([-value for value in differences], "less")
        two_sided = p_value(differences, "two-sided")
        assert 0 <= less <= 1
        assert less + more == pytest.approx(1, abs=0.04)
        assert two_sided == pytest.approx(2 * min(less, more), abs=0.04)
        assert p_value(differences, "less") == less
        assert p_value([-value for value in differences], "two-sided") == pytest.approx(two_sided, abs=0.02)
        assert p_value(sorted(differences), "less") == pytest.approx(less, abs=0.02)
        assert p_value([*differences, *[0.0] * n], "less") == pytest.approx(less, abs=0.02)

    @pytest.mark.parametrize("n", [10, 13, 14, 60, 100, 101, 500])
    def test_agrees_with_a_t_test_where_that_holds(self, n: int) -> None:
        from scipy import stats

        for seed in range(3):
            differences = normal(n, -0.3 / n**0.5, seed)
            found = stats.ttest_1samp(differences, 0, alternative="less").pvalue
            assert p_value(differences, "less") == pytest.approx(found, abs=0.04)

    @pytest.mark.parametrize("n", [20, 100, 101, 10_000])
    def test_what_is_plain_is_established(self, n: int) -> None:
        assert p_value(normal(n, -2), "less") < 0.001
        assert p_value(normal(n, 2), "less") > 0.999
        assert p_value(normal(n, 2), "two-sided") < 0.001

    @pytest.mark.parametrize("n", [6, 13, 14, 100, 101, 300])
    @pytest.mark.parametrize("difference", [-1.0, -0.1, -1 / 3, 1 / 3, 1.0])
    def test_equal_differences(self, n: int, difference: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            less = p_value([difference] * n, "less")
            two_sided = p_value([difference] * n, "two-sided")
        assert less < 0.02 if difference < 0 else less == pytest.approx(1)
        assert two_sided < 0.04

    @pytest.mark.parametrize(("worse", "better"), [(30, 10), (75, 50), (200, 150)])
    def test_scores_of_0_and_1_are_a_sign_test(self, worse: int, better: int) -> None:
        from scipy import stats

        found = stats.binomtest(worse, worse + better, alternative="greater").pvalue
        differences = [-1.0] * worse + [1.0] * better + [0.0] * 50
        assert p_value(differences, "less") == pytest.approx(found, abs=0.01)


class TestPairedDifference:
    def test_of_nothing(self) -> None:
        assert paired_difference([]) is None

    def test_by_hand(self) -> None:
        found = paired_difference([-0.1, -0.2, -0.3, -0.2, -0.2])
        assert found is not None
        assert (found.examples, found.difference) == (5, -0.2)
        # s = 0.0707107, t of 4 degrees of freedom: 2.776445 at 97.5 %, 2.562051 at 1 - 1/32, 0.940965 at 80 %.
        assert found.ci95 == pytest.approx((-0.2 - 2.776445 * 0.0316228, -0.2 + 2.776445 * 0.0316228), abs=1e-5)
        assert found.p_drop == pytest.approx(1 / 32)
        assert found.p_value == pytest.approx(1 / 16)
        assert found.smallest_drop == pytest.approx((2.562051 + 0.940965) * 0.0316228, abs=1e-5)

    def test_of_one(self) -> None:
        found = paired_difference([-0.5])
        assert found is not None
        assert (found.difference, found.ci95, found.p_drop, found.smallest_drop) == (-0.5, None, 0.5, None)

    def test_the_interval_is_not_cut_to_0_to_1(self) -> None:
        found = paired_difference([0.0, 1.0])
        assert found is not None
        assert found.ci95 is not None
        assert found.ci95[0] < 0
        assert found.ci95[1] > 1

    def test_equal_scores_written_in_another_order_do_not_differ(self) -> None:
        old, new = [0.1, 0.2, 0.3], [0.3, 0.1, 0.2]
        found = paired_difference([b - a for a, b in zip(old, new, strict=True)])
        assert found is not None
        assert found.difference == 0

    @few
    @given(st.lists(st.floats(-1, 1), min_size=2, max_size=10))
    def test_the_interval_holds_the_difference(self, differences: list[float]) -> None:
        found = paired_difference(differences)
        assert found is not None
        assert found.ci95 is not None
        assert found.ci95[0] - 1e-11 <= found.difference <= found.ci95[1] + 1e-11


sampled = st.integers(1, 4).flatmap(
    lambda k: st.lists(
        st.tuples(*[st.lists(st.integers(0, 10).map(lambda n: n / 10), min_size=k, max_size=k)] * 2),
        min_size=5,
        max_size=8,
    )
)
"""Examples, each with as many samples before and after."""


class TestPower:
    @pytest.mark.parametrize("differences", [[], [-0.1], [-0.1, -0.2, 0.1, 0.3], [0.5] * 8, [0.0] * 20])
    def test_nothing_is_said_of_too_few_or_of_equal_ones(self, differences: list[float]) -> None:
        assert smallest_drop(differences) is None
        ones = [[0.5]] * len(differences)
        assert smallest_drop_with_rollouts(ones, [[0.5 + value] for value in differences], 4) is None

    def test_four_times_the_examples_show_about_half_the_drop(self) -> None:
        few, many = smallest_drop(normal(100, 0)), smallest_drop(normal(100, 0) * 4)
        assert few is not None
        assert many is not None
        assert many == pytest.approx(few / 2, rel=0.02)

    @few
    @given(sampled)
    def test_with_the_rollouts_that_were_made_it_is_what_was_shown(
        self, pairs: list[tuple[list[float], list[float]]]
    ) -> None:
        before, after = ([pair[side] for pair in pairs] for side in (0, 1))
        now = smallest_drop([statistics.fmean(b) - statistics.fmean(a) for a, b in zip(before, after, strict=True)])
        found = smallest_drop_with_rollouts(before, after, len(before[0]))
        assert (found is None) == (now is None)
        assert found == (None if now is None else pytest.approx(now))

    @few
    @given(sampled)
    def test_more_rollouts_never_need_a_larger_drop(self, pairs: list[tuple[list[float], list[float]]]) -> None:
        before, after = ([pair[side] for pair in pairs] for side in (0, 1))
        found = [smallest_drop_with_rollouts(before, after, rollouts) for rollouts in (1, 2, 4, 16, 1000)]
        numbers = [one for one in found if one is not None]
        assert numbers == sorted(numbers, reverse=True)
        assert len(numbers) in (0, 5)

    def test_rollouts_do_not_help_where_only_examples_differ(self) -> None:
        before = [[0.5, 0.5]] * 6
        after = [[score, score] for score in (0.1, 0.3, 0.5, 0.7, 0.9, 0.2)]
        assert smallest_drop_with_rollouts(before, after, 2) == smallest_drop_with_rollouts(before, after, 200)

    def test_four_times_the_rollouts_halve_it_where_only_samples_differ(self) -> None:
        """The samples' variance is all there is: 2 * 0.5 / 2 is more than that between the differences."""
        before, after = [[0.0, 1.0]] * 6, [[0.0, 1.0]] * 5 + [[1.0, 1.0]]
        two, eight = (smallest_drop_with_rollouts(before, after, rollouts) for rollouts in (2, 8))
        assert two is not None
        assert eight == pytest.approx(two / 2)


@pytest.mark.parametrize(
    ("samples", "variance"),
    [
        ([], None),
        ([[0.5], [0.7]], None),
        ([[0.0, 1.0]], 0.5),
        ([[0.0, 1.0], [0.5]], 0.5),
        ([[1.0, 2.0, 3.0], [7.0, 7.0]], 2 / 3),
        ([[0.3, 0.3], [0.9, 0.9, 0.9]], 0.0),
    ],
)
def test_the_variance_within_examples(samples: list[list[float]], variance: float | None) -> None:
    found = sample_variance(samples)
    assert found == (None if variance is None else pytest.approx(variance))


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
