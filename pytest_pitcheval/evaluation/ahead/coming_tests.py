"""The tests of a process that have not run yet, and the attempts at them."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_pitcheval.collection.collected import asked_by, may_run_ahead
from pytest_pitcheval.evaluation.ahead.lanes import LaneKey, lane_key
from pytest_pitcheval.evaluation.running_test import RunningTest, answers_of
from pytest_pitcheval.ownership import is_ours
from pytest_pitcheval.results.records import PARTS, Usage
from pytest_pitcheval.rollouts.rollout import Answers

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.flight_log import FlightLog
    from pytest_pitcheval.concurrency.upcoming import Upcoming
    from pytest_pitcheval.evaluation.ahead.leaving_out import LeavingOut
    from pytest_pitcheval.evaluation.examples.typed_rows import TypedRows
    from pytest_pitcheval.settings.settings import Settings


class ComingTests:
    """Makes the `RunningTest` of each attempt at a test: when it starts, or before that.

    ``timestamp`` is that of the rollouts; ``log`` knows the flights of workers that have crashed, None without workers;
    ``leaving_out`` which tests are not needed, None where all are; ``is_unchanged`` which will not be asked;
    ``typed_rows`` what rows are cast to.
    """

    def __init__(
        self,
        upcoming: Upcoming,
        settings: Settings,
        timestamp: str,
        log: FlightLog | None,
        leaving_out: LeavingOut | None = None,
        is_unchanged: Callable[[pytest.Item], bool] = lambda item: False,
        typed_rows: TypedRows | None = None,
    ) -> None:
        self._upcoming = upcoming
        self._settings = settings
        self._timestamp = timestamp
        self._log = log
        self._leaving_out = leaving_out
        self._is_unchanged = is_unchanged
        self._typed_rows = typed_rows
        self._attempts: Counter[str] = Counter()
        self._spent: dict[str, dict[str, Usage]] = {}
        self._prepared: dict[str, RunningTest] = {}

    @property
    def expects_more(self) -> bool:
        """Whether it is not known yet which tests come after the next one."""
        return self._upcoming.expects_more

    @property
    def most_unjudged(self) -> float:
        """How many tests to begin before it is known how they are judged.

        Under a cap no more than are in flight at once: else all may be spent on predictions that nobody judges.
        """
        return self._settings.concurrency if self._settings.cap.is_set else math.inf

    def look(self) -> None:
        """Learn which tests come, if there is news."""
        self._upcoming.look()

    def after(self, item: pytest.Item, start: int) -> Iterator[tuple[int, pytest.Item]]:
        """The tests that come after ``item``, with their places in the order, from the place ``start`` on."""
        return self._upcoming.after(item, start)

    def is_left_out(self, item: pytest.Item) -> bool:
        """Whether the test will not run, unless it has begun."""
        return self._leaving_out is not None and self._leaving_out.omission(item) is not None

    def is_held(self, item: pytest.Item) -> bool:
        """Whether the test must not be begun before its turn, and with it those that follow."""
        return self._leaving_out is not None and self._leaving_out.is_held(item)

    def lane_key(self, item: pytest.Item) -> LaneKey:
        """The same for tests that may share what their rollouts need."""
        return lane_key(item, asked_by(item, self._settings))

    def start(self, item: pytest.Item) -> RunningTest:
        """The next attempt at ``item``: a test that is run again gets new rollouts."""
        self._attempts[item.nodeid] += 1
        return self._prepared.pop(item.nodeid, None) or self._new(item, self._attempts[item.nodeid])

    def ended(self, test: RunningTest) -> None:
        """An attempt is over: what its LM calls took counts for the next one at the same test, if there is any."""
        spent = {part: test.usage(part) for part in PARTS}
        if any(usage != Usage() for usage in spent.values()):
            self._spent[test.item.nodeid] = spent

    def prepare(self, item: pytest.Item, running: RunningTest) -> RunningTest | None:
        """The first attempt at a test that is still to come, None where it cannot be begun.

        Its program is that of the ``running`` test.
        """
        begun = self._attempts[item.nodeid] or item.nodeid in self._prepared
        if begun or not is_ours(item) or not may_run_ahead(item) or self.is_left_out(item):
            return None
        if self._is_unchanged(item) or (self._log is not None and self._log.is_suspect(item.nodeid)):
            return None
        test = self._new(item, 1)
        try:
            if self._typed_rows is not None and any(
                self._typed_rows.look(test.own_example, item, running.own_example.declared)
            ):
                return None
            if not test.own_example.may_be_large:
                test.make_example()
        except Exception:
            return None  # it is the coming test's own error, and raised again when that runs
        self._prepared[item.nodeid] = test
        return test

    def _new(self, item: pytest.Item, attempt: int) -> RunningTest:
        answers = answers_of(self._settings)
        if self._log is not None and self._log.was_begun(item.nodeid) and answers is Answers.FRESH:
            answers = Answers.RESUMED  # what a worker that crashed has paid for is not asked again
        place = self._upcoming.place(item)
        earlier = self._spent.get(item.nodeid, {})
        return RunningTest(item, self._settings, self._timestamp, answers, attempt, place, earlier)
