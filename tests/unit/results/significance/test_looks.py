"""Looks at a run before its end: they err together no more often than one decision does."""

from __future__ import annotations

import random

import pytest

from pytest_pitcheval.results.significance import looks, paired
from pytest_pitcheval.results.significance.means import ALPHA

IDS = [f"e{number}" for number in range(200)]


def test_the_order_is_random_and_the_same_each_time() -> None:
    found = looks.in_order(0, "test_qa.py::test_qa", IDS)
    assert sorted(found) == sorted(IDS)
    assert found != IDS
    assert found == looks.in_order(0, "test_qa.py::test_qa", reversed(IDS))


def test_another_seed_or_test_has_another_order() -> None:
    orders = [looks.in_order(seed, test, IDS) for seed, test in ((0, "a"), (1, "a"), (0, "b"))]
    assert len({tuple(order) for order in orders}) == 3


def test_further_examples_change_the_order_of_none() -> None:
    whole = looks.in_order(3, "test", IDS)
    assert looks.in_order(3, "test", IDS[:50]) == [name for name in whole if name in set(IDS[:50])]


def test_an_id_may_be_any_text() -> None:
    assert sorted(looks.in_order(0, "test", ["\udc80", "é", ""])) == sorted(["\udc80", "é", ""])


@pytest.mark.parametrize(
    ("examples", "sizes"), [(200, (20, 40, 100)), (101, (11, 21, 51)), (8, (1, 2, 4)), (1, (1, 1, 1))]
)
def test_sizes(examples: int, sizes: tuple[int, ...]) -> None:
    assert looks.sizes(examples) == sizes


def test_one_gate_with_many_examples_takes_every_look() -> None:
    early = looks.levels([20, 40, 100], 1)
    assert early == pytest.approx((0.005, 0.0175, 0.005))
    assert looks.last_level([early]) == pytest.approx(0.45 * ALPHA)


def test_a_look_that_could_establish_nothing_leaves_its_share_to_the_next() -> None:
    assert looks.levels([5, 10, 25], 1) == pytest.approx((0.0, 0.0225, 0.005))  # 1/2**5 is above 0.005
    assert looks.levels([1, 2, 4], 1) == (0.0, 0.0, 0.0)
    assert looks.last_level([looks.levels([1, 2, 4], 1)]) == ALPHA


def test_permutations_of_which_too_few_are_tried_are_not_looked_at() -> None:
    first, second, _ = looks.levels([20, 40, 100], 60)
    assert first == 0.0  # 0.005 / 60 is below 1 in 10,000
    assert second == pytest.approx(0.0225 / 60)


@pytest.mark.parametrize("among", [1, 2, 10, 40, 500])
@pytest.mark.parametrize("examples", [1, 10, 50, 200, 2_000])
def test_all_looks_of_all_claims_have_one_error_rate(examples: int, among: int) -> None:
    early = [looks.levels(looks.sizes(examples), among)] * among
    last = looks.last_level(early)
    assert sum(map(sum, early)) + last == pytest.approx(ALPHA)
    assert last >= 0.45 * ALPHA - 1e-12


@pytest.mark.parametrize("examples", [30, 60])
def test_unchanged_runs_are_stopped_as_rarely_as_is_promised(examples: int) -> None:
    drawn, runs = random.Random(1), 400
    sizes, levels = looks.sizes(examples), looks.levels(looks.sizes(examples), 1)
    taken = [(size, level) for size, level in zip(sizes, levels, strict=True) if level]
    alarms = 0
    for _ in range(runs):
        differences = [float(drawn.choice((-1, 0, 0, 1))) for _ in range(examples)]
        every = [*taken, (examples, looks.last_level([levels]))]
        alarms += any(paired.p_value(differences[:size]) < level for size, level in every)
    assert alarms / runs < ALPHA + 0.025
