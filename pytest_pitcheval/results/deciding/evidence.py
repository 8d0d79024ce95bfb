"""What a session's comparisons with the baseline establish, all together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from pytest_pitcheval.names import MAX_EXAMPLE_DROP, MAX_REGRESSION, Family
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.significance.exchange import drop_p, least_drop_p
from pytest_pitcheval.results.significance.families import Adjusted, Claim, each_its_own, holm
from pytest_pitcheval.results.subjects import Subject


class Name(NamedTuple):
    """Of what a claim says that it got worse: a subject as a whole, or an example of it."""

    subject: Subject
    example_id: str | None


class Evidence:
    """The claims that gates of a session make, each with its p-value among the others."""

    def __init__(self, claims: Mapping[Name, Claim], family: Family) -> None:
        adjust = holm if family == "holm" else each_its_own
        self._claims = claims
        self._adjusted = dict(zip(claims, adjust(list(claims.values())), strict=True))

    def of_mean(self, subject: Subject) -> Adjusted:
        """That the mean of a subject got worse."""
        return self._adjusted[Name(subject, None)]

    def of_example(self, subject: Subject, pair: Pair) -> Adjusted:
        """That one of its examples got worse."""
        return self._adjusted[_name(subject, pair)]

    def p(self, subject: Subject, pair: Pair) -> float:
        """The p-value of an example alone."""
        return self._claims[_name(subject, pair)].p

    def __len__(self) -> int:
        return len(self._claims)


def gather(limits: Iterable[Limit], comparisons: Mapping[Subject, Comparison], family: Family) -> Evidence:
    """The evidence for the gates with these ``limits``; what is not compared makes no claim."""
    claims: dict[Name, Claim] = {}
    for subject, gate, limit in limits:
        comparison = comparisons.get(subject)
        if comparison is None or comparison.refused or comparison.unscored or comparison.result is None:
            continue
        if gate == MAX_REGRESSION:
            claims[Name(subject, None)] = Claim(comparison.result.p_drop, comparison.result.least_p)
        if gate == MAX_EXAMPLE_DROP:
            fallen = {pair.example_id for pair in comparison.fallen(limit)}
            for pair in comparison.pairs:
                name, claim = _name(subject, pair), _claim(comparison, pair, pair.example_id in fallen)
                claims[name] = min(claim, claims.get(name, claim))
    return Evidence(claims, family)


def _name(subject: Subject, pair: Pair) -> Name:
    """An example is the same one in each slice that it is in."""
    return Name(subject._replace(slice=None), pair.example_id)


def _claim(comparison: Comparison, pair: Pair, fell: bool) -> Claim:
    """An example that did not fall is never said to have: its p-value need not be known."""
    before, after = (pair.after, pair.before) if comparison.lower_is_better else (pair.before, pair.after)
    p = drop_p(before, after) if fell else 1.0
    return Claim(p, min(p, least_drop_p(before, after)))
