"""What a session's comparisons with the baseline establish, all together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pytest_pitcheval.names import MAX_EXAMPLE_DROP, MAX_REGRESSION, Family
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.records import Key
from pytest_pitcheval.results.significance.exchange import drop_p, least_drop_p
from pytest_pitcheval.results.significance.families import Adjusted, Claim, each_its_own, holm


class Name(NamedTuple):
    """Of what a claim says that it got worse: a test and method as a whole, or an example of it."""

    key: Key
    example_id: str | None


class Evidence:
    """The claims that gates of a session make, each with its p-value among the others."""

    def __init__(self, claims: Mapping[Name, Claim], family: Family) -> None:
        adjust = holm if family == "holm" else each_its_own
        self._claims = claims
        self._adjusted = dict(zip(claims, adjust(list(claims.values())), strict=True))

    def of_test(self, key: Key) -> Adjusted:
        """That the mean of a test and method fell."""
        return self._adjusted[Name(key, None)]

    def of_example(self, key: Key, pair: Pair) -> Adjusted:
        """That one of its examples fell."""
        return self._adjusted[Name(key, pair.example_id)]

    def p(self, key: Key, pair: Pair) -> float:
        """The p-value of an example alone."""
        return self._claims[Name(key, pair.example_id)].p

    def __len__(self) -> int:
        return len(self._claims)


def gather(
    limits: Iterable[tuple[Key, Mapping[str, float]]], comparisons: Mapping[Key, Comparison], family: Family
) -> Evidence:
    """The evidence for the gates with these ``limits``; what is not compared makes no claim."""
    claims: dict[Name, Claim] = {}
    for key, gates in limits:
        comparison = comparisons.get(key)
        if comparison is None or comparison.refused or comparison.unscored or comparison.result is None:
            continue
        if MAX_REGRESSION in gates:
            claims[Name(key, None)] = Claim(comparison.result.p_drop, comparison.result.least_p)
        if MAX_EXAMPLE_DROP in gates:
            fallen = {pair.example_id for pair in comparison.fallen(gates[MAX_EXAMPLE_DROP])}
            for pair in comparison.pairs:
                claims[Name(key, pair.example_id)] = _claim(pair, pair.example_id in fallen)
    return Evidence(claims, family)


def _claim(pair: Pair, fell: bool) -> Claim:
    """An example that did not fall is never said to have: its p-value need not be known."""
    p = drop_p(pair.before, pair.after) if fell else 1.0
    return Claim(p, min(p, least_drop_p(pair.before, pair.after)))
