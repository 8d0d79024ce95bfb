"""The tests of one process while they run: which one does, whose LM calls are made, who makes its rollouts."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from pytest_pitcheval.collection.parametrization import optimization_of
from pytest_pitcheval.concurrency.pool import Pool
from pytest_pitcheval.concurrency.slots import LocalSlots, Slots
from pytest_pitcheval.concurrency.upcoming import Upcoming, plan_path
from pytest_pitcheval.concurrency.workers import FlightLog, Worker, stop_path, write_flying
from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.evaluation.in_turn import InTurn
from pytest_pitcheval.evaluation.lanes import lane_key
from pytest_pitcheval.evaluation.lookahead import LookAhead
from pytest_pitcheval.evaluation.running_test import RunningTest, answers_of, may_run_ahead
from pytest_pitcheval.ownership import is_ours, uses_lm
from pytest_pitcheval.reports.progress import Progress
from pytest_pitcheval.rollouts.scopes import Answers
from pytest_pitcheval.session.session import RUNNING, Session

_AHEAD = 4
"""Tests prepared ahead for each rollout that may be in flight: a slow one holds up the others only after so many."""


class Runner:
    """Runs nothing itself: pytest does, and this keeps what belongs to the running test."""

    def __init__(self, session: Session, items: Sequence[pytest.Item]) -> None:
        self._session = session
        self._settings = session.settings
        self._items = items
        self._worker = Worker.of(session.config)
        self._attempts: Counter[str] = Counter()
        self._ahead: dict[str, RunningTest] = {}
        self._evaluator: InTurn | None = None
        self._log: FlightLog | None = None
        if self._worker is not None:
            self._log = FlightLog(session.make_runtime_dir(), self._worker.name)
        self._told = (0, 0)
        self.running: RunningTest | None = None
        plan = plan_path(session.runtime_dir, self._worker.name) if self._worker and self._worker.planned else None
        self.upcoming = Upcoming(items, plan, in_order=self._worker is None)
        self.pool = Pool(self._slots(), stop_path(session.runtime_dir).exists if self._worker else lambda: False)

    @property
    def is_stopping(self) -> bool:
        """Whether pytest runs no further test."""
        return bool(self._items and (self._items[0].session.shouldfail or self._items[0].session.shouldstop))

    @property
    def flying(self) -> tuple[int, int]:
        """How many rollouts are in flight here, and how many LM calls wait for the rate limit."""
        rollouts = self._session.rollouts if "dspy" in sys.modules else None
        return self.pool.in_flight, rollouts.calls_waiting if rollouts else 0

    def tick(self) -> None:
        """Time passes while a test waits: say so, or tell the controller."""
        if self._worker is None:
            self._session.display.update()
        elif self.flying != self._told:
            self._told = self.flying
            write_flying(self._session.runtime_dir, self._worker.name, *self._told)

    @property
    def concurrency(self) -> int:
        """How many rollouts may be in flight in the whole session; one while somebody is debugging."""
        option = self._session.config.getoption
        return 1 if option("usepdb", False) or option("trace", False) else self._settings.concurrency

    def _slots(self) -> Slots:
        if self._worker is None or self._session.is_apart:
            return LocalSlots(self.concurrency)
        from pytest_pitcheval.concurrency.shared_slots import SharedSlots

        folder = self._session.make_runtime_dir() / "slots"
        return SharedSlots(self.concurrency, folder, self._worker.number, self._worker.total)

    @property
    def evaluator(self) -> InTurn:
        """Who makes the rollouts."""
        if self._evaluator is None:
            session, rollouts = self._session, self._session.rollouts
            if self.concurrency == 1:
                self._evaluator = InTurn(rollouts, self.pool)
            else:
                window = self.concurrency * (1 if session.config.getoption("maxfail", 0) else _AHEAD)
                self._evaluator = LookAhead(
                    rollouts,
                    self.pool,
                    self.upcoming,
                    lambda item: lane_key(item, optimization_of(item, self._settings)),
                    self._prepare,
                    window,
                    say=Progress(session.config).say,
                    tick=self.tick,
                    note=self._log.add if self._log else lambda what, nodeid: None,
                )
        return self._evaluator

    # One test after the other

    def start(self, item: pytest.Item) -> None:
        """A new attempt at ``item``: a test that is run again gets new rollouts."""
        self.end()
        ours = is_ours(item)
        if not ours and not uses_lm(item):
            return
        self._attempts[item.nodeid] += 1
        self.running = self._ahead.pop(item.nodeid, None) or self._new(item, self._attempts[item.nodeid])
        if ours:
            item.stash[RUNNING] = self.running
        if self._log is not None and self._log.is_suspect(item.nodeid):
            self._leave_alone(self.running)

    def _leave_alone(self, test: RunningTest) -> None:
        """Until it is over, let nothing else be in flight here: if this worker crashes too, it is because of it."""
        with timeouts.stopped(test.item):
            self.pool.hold(self._settings.timeout)
        assert self._log is not None
        self._log.add("alone", test.item.nodeid)
        test.alone = True

    def _new(self, item: pytest.Item, attempt: int) -> RunningTest:
        answers = answers_of(self._settings)
        if self._log is not None and self._log.was_begun(item.nodeid) and answers is Answers.FRESH:
            answers = Answers.RESUMED  # what a worker that crashed has paid for is not asked again
        place = self.upcoming.place(item)
        return RunningTest(item, self._settings, self._session.timestamp, answers, attempt=attempt, place=place)

    def _prepare(self, item: pytest.Item) -> RunningTest | None:
        """The first attempt at a test that is still to come, unless it cannot be begun."""
        if self._attempts[item.nodeid] or item.nodeid in self._ahead or not is_ours(item) or not may_run_ahead(item):
            return None
        if self._log is not None and self._log.is_suspect(item.nodeid):
            return None
        test = self._new(item, 1)
        try:
            test.make_example()
        except Exception:
            return None  # it is the coming test's own error, and raised again when that runs
        self._ahead[item.nodeid] = test
        return test

    @contextlib.contextmanager
    def fixture_scope(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        """LM calls of a function-scoped fixture are the test's; those of wider ones belong to no rollout."""
        running = self.running
        if running is not None and fixturedef.scope == "function":
            running.function_fixtures.append(fixturedef.argname)
        if running is None or "dspy" not in sys.modules:
            yield
        elif fixturedef.scope == "function":
            self._session.rollouts.begin(running.scope)
            yield
        else:
            with self._session.rollouts.outside():
                yield

    @contextlib.contextmanager
    def call_scope(self) -> Iterator[None]:
        """LM calls of the test's body are the test's, and none may have had an old answer."""
        running = self.running
        if running is None or "dspy" not in sys.modules:
            yield
            return
        self._session.rollouts.begin(running.scope)
        try:
            yield
        finally:
            self._session.rollouts.check_installed(running.scope)
            for run in running.runs:
                run.scope.check()

    def end(self) -> None:
        """The running test is over, and nothing of it is kept."""
        if self.running is not None and RUNNING in self.running.item.stash:
            del self.running.item.stash[RUNNING]
        if self.running is not None and self.running.alone:
            self.pool.go_on()
        self.running = None
        if "dspy" in sys.modules:
            self._session.rollouts.begin(None)

    def close(self) -> None:
        """Begin and note nothing more."""
        self.pool.close()
        if self._log is not None:
            self._log.close()
