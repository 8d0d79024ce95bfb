"""Drops that are established at a look before the end of a run, and what that leaves to its last look. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_pitcheval.names import MAX_REGRESSION, Family
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.significance import looks
from pytest_pitcheval.results.significance.families import Adjusted, Claim
from pytest_pitcheval.results.significance.means import ALPHA
from pytest_pitcheval.results.subjects import Subject

Ended = Mapping[Key, Collection[str]]
"""The examples of each test and method that were run, not left out."""


class Early(NamedTuple):
    """A drop that a look has established.

    Attributes:
        comparison: of the first ``after`` examples alone, of so many in all.
        level: the look's error rate.
        among: how many drops are looked for.
    """

    comparison: Comparison
    after: int
    of: int
    level: float
    among: int

    @property
    def adjusted(self) -> Adjusted:
        """Its p-value among all drops and looks: below `ALPHA`, as it is established."""
        assert self.comparison.result is not None  # else nothing is established
        return Adjusted(
            min(1.0, self.comparison.result.p_drop * ALPHA / self.level), self.among, self.level * self.among
        )


@dataclasses.dataclass(frozen=True)
class Plan:
    """At which looks a session looks for which drops, fixed before anything is known of its scores.

    Attributes:
        orders: the examples of each test and method, in the order of their looks.
        levels: the error rate of each early look, by the subject whose drop is looked for; 0 where it is not taken.
        among: how many drops have one error rate.
    """

    orders: Mapping[Key, Sequence[str]]
    levels: Mapping[Subject, tuple[float, ...]]
    among: int

    def last_level(self, subject: Subject) -> float:
        """The error rate of the last look: of all subjects together, or of this one where each has its own."""
        return looks.last_level(self.levels.values() if self.among > 1 else [self.levels.get(subject, ())])

    def next_look(self, key: Key, ended: Collection[str]) -> int | None:
        """After how many examples a drop of the group is looked for next, of which these have ``ended``.

        None where that is at the end.
        """
        of_group = [levels for subject, levels in self.levels.items() if subject.key == key]
        for number, size in enumerate(looks.sizes(len(self.orders[key]))):
            if any(levels[number] for levels in of_group) and not self._is_taken(key, size, ended):
                return size
        return None

    def established(self, subject: Subject, limit: float, found: Comparison, ended: Collection[str]) -> Early | None:
        """The first look at which a drop by more than ``limit`` is established; None where there is none.

        ``ended`` are the examples that were run: a look is taken once all of its examples are among them.
        """
        order = self.orders[subject.key]
        sizes = looks.sizes(len(order))
        for size, level in zip(sizes, self.levels.get(subject, ()), strict=False):
            if not self._is_taken(subject.key, size, ended):
                return None
            if level:
                then = found.of(order[:size])
                if then.result is not None and then.result.p_drop < level and then.drop > limit:
                    return Early(then, size, len(order), level, self.among)
        return None

    def _is_taken(self, key: Key, size: int, ended: Collection[str]) -> bool:
        return all(example_id in ended for example_id in self.orders[key][:size])


@dataclasses.dataclass(frozen=True)
class Looked:
    """What a run's early looks have established, by subject; ``plan`` is None where there were none."""

    plan: Plan | None = None
    early: Mapping[Subject, Early] = dataclasses.field(default_factory=dict)

    def last_level(self, subject: Subject) -> float:
        """The error rate of the last look."""
        return ALPHA if self.plan is None else self.plan.last_level(subject)

    def at_end(self, subject: Subject, claim: Claim) -> Claim:
        """A claim of the last look, as if that had the whole error rate."""
        factor = ALPHA / self.last_level(subject)
        return Claim(min(1.0, claim.p * factor), min(1.0, claim.least * factor))


NOT_LOOKED = Looked()


def make_plan(
    orders: Mapping[Key, Sequence[str]],
    limits: Iterable[Limit],
    comparable: Mapping[Subject, Collection[str]],
    family: Family,
) -> Plan:
    """The looks of a session; ``comparable`` are the examples of each subject that the baseline has."""
    claimed = [subject for subject, gate, _ in limits if gate == MAX_REGRESSION and subject in comparable]
    among = len(claimed) if family == "holm" else 1
    levels = {}
    for subject in claimed:
        known, order = set(comparable[subject]), orders[subject.key]
        counts = [len(known.intersection(order[:size])) for size in looks.sizes(len(order))]
        levels[subject] = looks.levels(counts, among)
    return Plan(orders, levels, among)


def look(plan: Plan, limits: Iterable[Limit], found: Mapping[Subject, Comparison], ended: Ended) -> Looked:
    """What the early looks of a run have established; ``ended`` are the examples that were run."""
    early = {}
    for subject, gate, limit in limits:
        if gate == MAX_REGRESSION and subject in found:
            established = plan.established(subject, limit, found[subject], ended[subject.key])
            if established is not None:
                early[subject] = established
    return Looked(plan, early)
