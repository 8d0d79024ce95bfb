"""Which tests need no further example, because their gates are decided whatever the rest scores. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from pytest_pitcheval.names import (
    MAX_ERROR_RATE,
    MAX_MEAN,
    MAX_REGRESSION,
    MIN_MEAN,
    MIN_PASS_RATE,
    MUST_PASS,
    NEED_BASELINE,
    SCORE,
    GateMode,
)
from pytest_pitcheval.results.comparison import Comparison
from pytest_pitcheval.results.deciding.early.looking import Plan
from pytest_pitcheval.results.deciding.early.rest import Tally
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.deciding.reasons import GateStatus
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record
from pytest_pitcheval.results.subjects import Subject

Compare = Callable[[Key, Collection[Record]], Mapping[Subject, Comparison]]
"""Compares the records that one test and method has so far with the baseline; what it has not is left out."""


class Stopping:
    """Hears of the records of a session, and says which tests need no more of them.

    A test is decided once one of its gates has failed for good, or none of them can change.

    ``examples`` are those of all tests and slices, by `Subject.part`; ``plan`` has the looks at which a drop is looked
    for; ``compare`` is None where there is no baseline.
    """

    def __init__(
        self,
        limits: Iterable[Limit],
        examples: Mapping[Subject, Collection[str]],
        plan: Plan,
        compare: Compare | None,
        mode: GateMode,
    ) -> None:
        by_key: dict[Key, list[Limit]] = {}
        for limit in limits:
            by_key.setdefault(limit.subject.key, []).append(limit)
        self._plan = plan
        self._groups = {key: _Group(key, own, examples, plan, compare, mode) for key, own in by_key.items()}

    @property
    def keys(self) -> Collection[Key]:
        """The tests and methods that have a gate."""
        return self._groups.keys()

    def hear(self, record: Record) -> None:
        """A test has ended for good; one that was left out says nothing."""
        group = self._groups.get(record.key)
        if group is not None and (record.is_unchanged or not record.left_out):
            group.hear(record)

    def reason(self, key: Key) -> str | None:
        """Why the test needs no further example: ``decided after 42 of 100``; None where it does."""
        return self._groups[key].reason

    def next_look(self, key: Key) -> int | None:
        """After how many of its examples a drop is looked for next; None where that is at the end, or decided."""
        group = self._groups[key]
        return None if group.reason else group.next_look


class _Group:
    """One test and method.

    Attributes:
        reason, next_look: as `Stopping` gives them.
    """

    def __init__(
        self,
        key: Key,
        limits: Sequence[Limit],
        examples: Mapping[Subject, Collection[str]],
        plan: Plan,
        compare: Compare | None,
        mode: GateMode,
    ) -> None:
        self._key, self._limits, self._plan, self._compare, self._mode = key, limits, plan, compare, mode
        self._members = {limit.subject.part: examples.get(limit.subject.part, ()) for limit in limits}
        self._tallies = {part: Tally(len(members)) for part, members in self._members.items()}
        self._examples = len(examples[Subject(key)])
        self._records: dict[str, Record] = {}
        self._compared: Mapping[Limit, GateStatus | None] | None = None
        self._awaited: set[str] = set()
        self.reason: str | None = None
        self.next_look: int | None = None
        self._await_next()

    def hear(self, record: Record) -> None:
        example_id = record.example_id or ""
        is_known = example_id in self._records
        self._records[example_id] = record
        if is_known:  # it was run again, whoever did that
            self._count_again()
        else:
            self._count(example_id, record)
        self._awaited.discard(example_id)
        if self._is_time(record):
            self._compared = self._look()
            self._await_next()
        if self.reason is None and self._is_decided() and len(self._records) < self._examples:
            self.reason = f"decided after {len(self._records)} of {self._examples}"

    def _count(self, example_id: str, record: Record) -> None:
        for part, members in self._members.items():
            if example_id in members:
                self._tallies[part].add(record)

    def _count_again(self) -> None:
        self._tallies = {part: Tally(len(members)) for part, members in self._members.items()}
        for example_id, record in self._records.items():
            self._count(example_id, record)

    def _await_next(self) -> None:
        self.next_look = self._plan.next_look(self._key, self._records)
        self._awaited = set(self._plan.orders[self._key][: self.next_look or 0]) - self._records.keys()

    def _is_time(self, record: Record) -> bool:
        """Whether a comparison may say something new: at the first record, without a score, and at each look."""
        taken = self.next_look is not None and not self._awaited
        return self._compare is not None and (self._compared is None or record.known_score is None or taken)

    def _look(self) -> dict[Limit, GateStatus | None]:
        assert self._compare is not None  # else it is never time
        found = self._compare(self._key, self._records.values())
        return {limit: self._against(found.get(limit.subject), limit) for limit in self._limits}

    def _against(self, found: Comparison | None, limit: Limit) -> GateStatus | None:
        """What a gate that compares says for good."""
        if found is None:
            return "inconclusive"
        if found.refused or found.unscored:
            return "failed"
        is_claim = limit.gate == MAX_REGRESSION
        early = is_claim and self._plan.established(limit.subject, limit.limit, found, self._records)
        return "failed" if early else None

    def _is_decided(self) -> bool:
        statuses = [self._status(limit) for limit in self._limits]
        return "failed" in statuses or None not in statuses

    def _status(self, limit: Limit) -> GateStatus | None:
        if limit.gate in NEED_BASELINE:
            if self._compare is None:
                return "failed"
            return (self._compared or {}).get(limit)
        return self._absolute(limit)

    def _absolute(self, limit: Limit) -> GateStatus | None:
        tally = self._tallies[limit.subject.part]
        if not tally.examples:  # of a slice that is gone
            return "inconclusive"
        if limit.gate == MUST_PASS:
            return "failed" if tally.failed else "passed" if tally.ended == tally.examples else None
        if limit.gate == MAX_ERROR_RATE:
            return "failed" if tally.unscored / tally.examples > limit.limit else "passed"
        if limit.gate == MIN_PASS_RATE:
            return tally.pass_rate.at_least(limit.limit, self._mode)
        if limit.gate in (MIN_MEAN, MAX_MEAN):
            return self._of_mean(limit, tally)
        return None

    def _of_mean(self, limit: Limit, tally: Tally) -> GateStatus | None:
        """Of other metrics than the score nobody knows what the rest will be."""
        if tally.unscored:
            return "failed"
        if limit.subject.metric != SCORE or tally.mean is None:
            return None
        decide = tally.mean.at_most if limit.gate == MAX_MEAN else tally.mean.at_least
        return decide(limit.limit, self._mode)
