"""One error rate for many decisions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_pitcheval.results.significance.families import Adjusted, Claim, each_its_own, holm

few = settings(max_examples=50, deadline=None, database=None)
probabilities = st.floats(0, 1)


def claims(*p_values: float) -> list[Claim]:
    return [Claim(p, 0.0) for p in p_values]


def test_one_claim_is_as_it_was() -> None:
    assert holm(claims(0.03)) == [Adjusted(0.03, 1)]
    assert holm([]) == []


def test_the_lowest_is_held_to_all_the_next_to_the_others() -> None:
    """The example of Holm's procedure in textbooks: 4 * 0.005, 3 * 0.01, 2 * 0.03, and no lower than before."""
    found = holm(claims(0.01, 0.04, 0.03, 0.005))
    assert [one.p for one in found] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert {one.among for one in found} == {4}


def test_claims_that_nothing_could_establish_do_not_count() -> None:
    found = holm([Claim(0.02, 0.001), *[Claim(1.0, 1.0)] * 50])
    assert found[0] == Adjusted(0.02, 1)
    assert found[1].p == 1


def test_which_could_be_established_depends_on_how_many_do() -> None:
    """Ten claims with 0.01 at best are each too many for the others; with 0.004 they are not."""
    assert set(holm([Claim(0.01, 0.01)] * 10)) == {Adjusted(0.1, 10)}
    assert set(holm([Claim(0.004, 0.004)] * 10)) == {Adjusted(0.04, 10)}


@few
@given(st.lists(st.tuples(probabilities, probabilities), max_size=12))
def test_an_adjusted_p_value_is_no_lower(pairs: list[tuple[float, float]]) -> None:
    given_claims = [Claim(max(pair), min(pair)) for pair in pairs]
    found = holm(given_claims)
    assert all(one.p >= claim.p for one, claim in zip(found, given_claims, strict=True))
    established = [claim.p for claim, one in zip(given_claims, found, strict=True) if one.p < 0.05]
    least = [claim.least for claim, one in zip(given_claims, found, strict=True) if one.p < 0.05]
    assert all(p < 0.05 for p in (*established, *least))


def test_if_nothing_has_changed_hardly_any_session_has_a_claim_established() -> None:
    """20 independent claims: 64 % of sessions have one if each has 5 % of its own."""
    drawn = random.Random(1)
    sessions = [claims(*(drawn.random() for _ in range(20))) for _ in range(1_000)]
    together = sum(any(one.p < 0.05 for one in holm(session)) for session in sessions)
    alone = sum(any(one.p < 0.05 for one in each_its_own(session)) for session in sessions)
    assert together <= 72  # 50, and three standard errors
    assert alone >= 590
