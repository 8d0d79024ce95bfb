"""The metrics of whole sets that a run has, of what its records say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from pytest_pitcheval.names import AGGREGATES
from pytest_pitcheval.results.aggregates import builtin
from pytest_pitcheval.results.aggregates.answered import Answered, answered
from pytest_pitcheval.results.aggregates.changes import Change, Refusal, Terms, change
from pytest_pitcheval.results.aggregates.computation import Computation, Find, Item, Prepare, Undefined
from pytest_pitcheval.results.aggregates.figures import Aggregate
from pytest_pitcheval.results.aggregates.measuring import measure
from pytest_pitcheval.results.baselines import Measurements
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Record

Stored = Mapping[Key, Mapping[str, Aggregate]]
"""By test and method, and then by name."""


_DIGITS = re.compile(r"([0-9]+)")


def _place(test: Collected) -> list[tuple[int, str]]:
    """For sorting by ID, numbers in it by their value: ``e2`` is before ``e10``."""
    parts = enumerate(_DIGITS.split(test.example_id or ""))
    numbers = ((place, part.lstrip("0") if place % 2 else part) for place, part in parts)
    return [(len(part) if place % 2 else 0, part) for place, part in numbers]


def no_functions(source: str, name: str) -> Prepare:
    """Finds none: of a run that is only looked at."""
    raise Undefined(f"the function of {source} is not looked for here")


class Aggregating:
    """Computes them of ``records``; ``whole`` gives a record with its texts, ``find`` users' own functions.

    ``missing`` says of tests without a record why they left none; ``stored`` are those that a run file has: they are
    not computed again.
    """

    def __init__(
        self,
        records: Mapping[str, Record],
        missing: Mapping[str, str],
        whole: Callable[[Record], Record] = lambda record: record,
        find: Find = no_functions,
        stored: Stored = MappingProxyType({}),
    ) -> None:
        self._records, self._missing, self._whole, self._find, self._stored = records, missing, whole, find, stored
        self._sources: dict[Key, dict[str, str]] | None = None
        self._key: Key | None = None
        self._examples: dict[str, Answered] = {}

    def finding(self, find: Find) -> Aggregating:
        """The same with users' own functions."""
        return Aggregating(self._records, self._missing, self._whole, find, self._stored)

    def sources(self, key: Key) -> dict[str, str]:
        """By name, those that a test has by its fixture, or that its run file has."""
        if self._sources is None:
            self._sources = {key: {name: one.source for name, one in own.items()} for key, own in self._stored.items()}
            for record in self._records.values():
                if record.aggregates:
                    self._sources.setdefault(record.key, {}).update(record.aggregates)
        return self._sources.get(key, {})

    def figure(self, name: str, source: str, tests: Sequence[Collected], is_whole: bool = True) -> Aggregate:
        """One of ``tests``, which are all of their test and method where it ``is_whole``, else a slice of it."""
        stored = self._stored.get(tests[0].key, {}).get(name) if is_whole else None
        if stored is not None:
            return stored
        try:
            return measure(source, self.examples(tests), self._prepared(source, name))
        except Undefined as error:
            return Aggregate(source, examples=len(tests), undefined=str(error))

    def change(
        self, name: str, source: str, tests: Sequence[Collected], before: Measurements, against: str, terms: Terms
    ) -> Change:
        """The same against what a baseline has of it under the method ``against``."""
        try:
            return change(self.examples(tests), before, against, self._prepared(source, name), terms)
        except Undefined as error:
            return Change(Refusal("inconclusive", f"not compared with the baseline: {error}"), against=against)

    def examples(self, tests: Sequence[Collected]) -> list[Answered]:
        """The examples of ``tests`` of one group with their answers; those of the last group are kept.

        In the order of their IDs, in whatever order the tests ran: a function may go by it, and resamples do.
        """
        if tests and tests[0].key != self._key:
            self._key, self._examples = tests[0].key, {}
        return [self._examples.get(test.nodeid) or self._read(test) for test in sorted(tests, key=_place)]

    def _read(self, test: Collected) -> Answered:
        record = self._records.get(test.nodeid)
        found = answered(test, record and self._whole(record), self._missing.get(test.nodeid, "not run"))
        self._examples[test.nodeid] = found
        return found

    def _prepared(self, source: str, name: str) -> Prepare:
        if source not in AGGREGATES:
            return self._find(source, name)

        def prepare(items: Sequence[Item]) -> Computation:
            return builtin.prepare(source, items)

        return prepare
