"""What a session's comparisons with the baseline establish, all together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from pytest_pitcheval.names import MAX_EXAMPLE_DROP, MAX_REGRESSION, Family
from pytest_pitcheval.results.aggregates.changes import Change
from pytest_pitcheval.results.comparison import Comparison, Pair
from pytest_pitcheval.results.deciding.early.looking import NOT_LOOKED, Early, Looked
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.significance.exchange import drop_p, least_drop_p
from pytest_pitcheval.results.significance.families import Adjusted, Claim, each_its_own, holm
from pytest_pitcheval.results.subjects import Subject


class Name(NamedTuple):
    """Of what a claim says that it got worse: a subject as a whole, or an example of it."""

    subject: Subject
    example_id: str | None


class Evidence:
    """The claims that gates of a session make, each with its p-value among the others and over all looks."""

    def __init__(self, claims: Mapping[Name, Claim], family: Family, looked: Looked) -> None:
        adjust = holm if family == "holm" else each_its_own
        self._claims, self._looked = claims, looked
        at_end = {name: looked.at_end(name.subject, claim) for name, claim in claims.items()}
        self._adjusted = {
            name: adjusted._replace(level=looked.last_level(name.subject))
            for name, adjusted in zip(at_end, adjust(list(at_end.values())), strict=True)
        }

    def early(self, subject: Subject) -> Early | None:
        """The look before the end that has established that the mean of a subject got worse, if one has."""
        return self._looked.early.get(subject)

    def of_mean(self, subject: Subject) -> Adjusted:
        """That the mean of a subject got worse, in the end."""
        return self._adjusted[Name(subject, None)]

    def of_example(self, subject: Subject, pair: Pair) -> Adjusted:
        """That one of its examples got worse."""
        return self._adjusted[_name(subject, pair.example_id)]

    def p(self, subject: Subject, pair: Pair) -> float:
        """The p-value of an example alone."""
        return self._claims[_name(subject, pair.example_id)].p

    def __len__(self) -> int:
        return len(self._claims)


_TRUE, _OPEN = Claim(0.0, 0.0), Claim(1.0, 0.0)
"""Of what is established already, and of what was left out: it counts, as if it might have been established."""


def gather(
    limits: Iterable[Limit],
    comparisons: Mapping[Subject, Comparison],
    family: Family,
    looked: Looked = NOT_LOOKED,
    changes: Mapping[Subject, Change] = MappingProxyType({}),
) -> Evidence:
    """The evidence for the gates with these ``limits``; what is not compared makes no claim."""
    claims: dict[Name, Claim] = {}
    for subject, gate, limit in limits:
        if gate == MAX_REGRESSION and (change := changes.get(subject)) is not None:
            if change.claim is not None:
                claims[Name(subject, None)] = change.claim
            continue
        comparison = comparisons.get(subject)
        if comparison is None or comparison.refused or comparison.unscored or comparison.result is None:
            continue
        if gate == MAX_REGRESSION:
            claims[Name(subject, None)] = _of_mean(subject, comparison, looked)
        if gate == MAX_EXAMPLE_DROP:
            fallen = {pair.example_id for pair in comparison.fallen(limit)}
            for pair in comparison.pairs:
                name = _name(subject, pair.example_id)
                claim = _of_example(comparison, pair, pair.example_id in fallen)
                claims[name] = min(claim, claims.get(name, claim))
            claims |= {_name(subject, example_id): _OPEN for example_id in comparison.left_out}
    return Evidence(claims, family, looked)


def _name(subject: Subject, example_id: str) -> Name:
    """An example is the same one in each slice that it is in."""
    return Name(subject._replace(slice=None), example_id)


def _of_mean(subject: Subject, comparison: Comparison, looked: Looked) -> Claim:
    if subject in looked.early:
        return _TRUE
    if comparison.left_out:
        return _OPEN
    assert comparison.result is not None  # else it makes no claim
    return Claim(comparison.result.p_drop, comparison.result.least_p)


def _of_example(comparison: Comparison, pair: Pair, fell: bool) -> Claim:
    """An example that did not fall is never said to have: its p-value need not be known."""
    before, after = (pair.after, pair.before) if comparison.lower_is_better else (pair.before, pair.after)
    p = drop_p(before, after) if fell else 1.0
    return Claim(p, min(p, least_drop_p(before, after)))
