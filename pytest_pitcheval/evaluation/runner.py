"""The tests of one process while they run: which one does, whose LM calls are made, who makes its rollouts."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import pytest

from pytest_pitcheval.concurrency.flight_log import FlightLog, write_flying
from pytest_pitcheval.concurrency.places import slots_of
from pytest_pitcheval.concurrency.pool import Pool
from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.concurrency.upcoming import Upcoming, plan_path
from pytest_pitcheval.concurrency.workers.workload import Meter
from pytest_pitcheval.credentials.known import secret_values
from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.evaluation.ahead.coming_tests import ComingTests
from pytest_pitcheval.evaluation.ahead.lanes import is_harmless
from pytest_pitcheval.evaluation.ahead.leaving_out import LeavingOut
from pytest_pitcheval.evaluation.ahead.lookahead import LookAhead
from pytest_pitcheval.evaluation.examples.typed_rows import TypedRows
from pytest_pitcheval.evaluation.in_turn import InTurn
from pytest_pitcheval.evaluation.running_test import RUNNING, RunningTest
from pytest_pitcheval.ownership import LMS, is_ours, uses_lm
from pytest_pitcheval.programs.aggregates.given import GivenAggregates
from pytest_pitcheval.programs.identities import Identities, keys_in
from pytest_pitcheval.reports.progress import Progress
from pytest_pitcheval.results.records import Usage

if TYPE_CHECKING:
    from pytest_pitcheval.evaluation.affected.unchanged import Unchanged
    from pytest_pitcheval.programs.compilation import Compiler
    from pytest_pitcheval.rollouts.rollouts import Rollouts

_AHEAD = 4
"""Tests prepared ahead for each rollout that may be in flight: a slow one holds up the others only after so many."""


class Runner:
    """What belongs to the test that pytest is running, and to those that it runs next.

    ``update`` says how far the session is, where this process is the one that reports.
    """

    def __init__(
        self, process: Process, config: pytest.Config, items: Sequence[pytest.Item], update: Callable[[], None]
    ) -> None:
        self.process = process
        self._config = config
        self._settings = process.settings
        self._worker = worker = process.worker
        self._items = items
        self._update = update
        self._rollout_maker: InTurn | None = None
        self._rollouts: Rollouts | None = None
        self._log = FlightLog(process.make_runtime_dir(), worker.name, process.notes.add) if worker else None
        self._told, self._keys = (0, 0), set[str]()
        self._any_may_ask = self._has_lm = False
        self.meter = Meter()
        self.running: RunningTest | None = None
        self._alone: RunningTest | None = None
        plan = plan_path(process.runtime_dir, worker.name) if worker and worker.planned else None
        self.upcoming = Upcoming(items, plan, in_order=worker is None)
        self._leaving_out = LeavingOut(process, items)
        self.typed_rows, self.aggregates = TypedRows(items, self._settings), GivenAggregates(config.rootpath)
        settled = (self._leaving_out, lambda item: self.unchanged.is_expected(item), self.typed_rows)
        self._coming = ComingTests(self.upcoming, self._settings, process.timestamp, self._log, *settled)
        self.pool = Pool(slots_of(process, self.concurrency), process.stop_path.exists if worker else lambda: False)

    @property
    def rollouts(self) -> Rollouts:
        """This process's rollouts; the first use imports DSPy."""
        if self._rollouts is None:
            os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "true")  # else LiteLLM fetches a price list
            from pytest_pitcheval.concurrency.limits.limiter import Limiter
            from pytest_pitcheval.rollouts.answers.opening import open_book
            from pytest_pitcheval.rollouts.rollouts import Rollouts
            from pytest_pitcheval.rollouts.spending import Spending

            folder, total = (self.process.make_runtime_dir(), self._worker.total) if self._worker else (None, 1)
            patience, note = self._settings.timeout, self.process.notes.add
            book = open_book(self.process, lambda: self.lm_keys)
            limits = () if book and book.strict else self._settings.rate_limits
            limiter = Limiter(limits, folder, lambda: self.pool.closed, patience=patience, processes=total, note=note)
            bounded = not self._config.pluginmanager.hasplugin("timeout")
            spending, live = Spending.of(self.process), self._settings.live_tools
            self._rollouts = Rollouts(limiter, self._clock_stopped, spending, bounded, note, book, live)
        return self._rollouts

    @property
    def rollouts_made(self) -> Rollouts | None:
        """This process's rollouts, None where no test has needed them so far."""
        return self._rollouts

    def _clock_stopped(self) -> AbstractContextManager[object]:
        """Within it, time is not charged to the running test."""
        return timeouts.stopped(self.running.item) if self.running else contextlib.nullcontext()

    @functools.cached_property
    def compiler(self) -> Compiler:
        """This process's compiler of programs."""
        from pytest_pitcheval.programs.compilation import Compiler

        return Compiler(self.process, self.rollouts, apart=self.concurrency > 1)

    @functools.cached_property
    def identities(self) -> Identities:
        """The fingerprints of this process's fixtures."""
        return Identities(self.process.notes.add)

    @functools.cached_property
    def unchanged(self) -> Unchanged:
        """What the scores of this process's tests come from, and which are not asked for, as that is the same."""
        from pytest_pitcheval.evaluation.affected.unchanged import Unchanged

        return Unchanged(self._settings, self.process.before, self.process.notes.add, self.typed_rows.identity)

    @property
    def lm_keys(self) -> set[str]:
        """The credentials of all LMs that fixtures gave or that were called in this process."""
        return self._keys | (self._rollouts.calls.keys if self._rollouts else set())

    def made(self, fixture: str, value: object) -> None:
        """A fixture was made: the credentials of LMs are known before their first call, and their first record."""
        if fixture in LMS:
            self._keys |= secret_values(getattr(value, "kwargs", None) or {})
        elif fixture in ("program", "metric"):
            self._keys |= keys_in(value)

    def started_threads(self) -> list[threading.Thread]:
        """The threads that programs and metrics have started here, as far as they are still there."""
        return list(self._rollouts.started) if self._rollouts else []

    @property
    def is_stopping(self) -> bool:
        """Whether pytest runs no further test."""
        return bool(self._items and (self._items[0].session.shouldfail or self._items[0].session.shouldstop))

    @property
    def flying(self) -> tuple[int, int]:
        """How many rollouts are in flight here, and how many LM calls wait for the rate limit."""
        return self.pool.in_flight, self._rollouts.scopes.calls_waiting if self._rollouts else 0

    def tick(self) -> None:
        """Time passes while a test waits: say so, or tell the controller, and hear which tests are decided."""
        self._leaving_out.look(self.running, self._rollout_maker)
        if self._worker is None:
            self._update()
        elif self.flying != self._told:
            self._told = self.flying
            write_flying(self.process.runtime_dir, self._worker.name, *self._told)

    def say(self, text: str) -> None:
        """Tell the user a line, while tests run."""
        Progress(self._config).say(text)

    def note(self, what: str, nodeid: str) -> None:
        """Write down that a flight of ``nodeid`` has ``begun`` or ``landed``, in case that this worker crashes."""
        if self._log is not None:
            self._log.add(what, nodeid)

    def is_alone(self, test: RunningTest) -> bool:
        """Whether nothing else may be in flight, because a worker crashed that may have done so over this test."""
        return test is self._alone

    @property
    def concurrency(self) -> int:
        """How many rollouts may be in flight in the whole session; one while somebody is debugging."""
        option = self._config.getoption
        return 1 if option("usepdb", False) or option("trace", False) else self._settings.concurrency

    @property
    def rollout_maker(self) -> InTurn:
        """Who makes the rollouts."""
        if self._rollout_maker is None:
            if self.concurrency == 1:
                self._rollout_maker = InTurn(self.rollouts, self.pool)
            else:
                may_end_early = self._config.getoption("maxfail", 0) or self._settings.stop
                window = self.concurrency * (1 if may_end_early else _AHEAD)
                self._rollout_maker = LookAhead(self.rollouts, self.pool, self._coming, self, window)
        return self._rollout_maker

    # One test after the other

    def start(self, item: pytest.Item) -> None:
        """A new attempt at ``item``: a test that is run again gets new rollouts."""
        self.end()
        ours = is_ours(item)
        if not ours and not uses_lm(item) and not self._any_may_ask:
            return
        self.running, self._has_lm = self._coming.start(item), uses_lm(item)
        if self._settings.answers or self._settings.record:
            self.rollouts.install()  # before fixtures that all tests share ask for anything
        if ours:
            item.stash[RUNNING] = self.running
            self._leaving_out.starts(self.running, self._rollout_maker)
        if self._log is not None and self._log.is_suspect(item.nodeid):
            self._leave_alone(self.running)

    @property
    def may_show_keys(self) -> bool:
        """Whether the test that runs has to do with an LM, so that its reports may have a key in them."""
        return self._has_lm or (self.running is not None and self.running.first.total != Usage())

    def adopt(self, item: pytest.Item | None = None) -> RunningTest | None:
        """The test that runs gets an LM or a fixture of ours, perhaps not by name: it is watched from now on.

        So are all that come after it: pytest does not tell when they ask for an LM that is there already.
        """
        self._any_may_ask = self._has_lm = True
        item = item or self._current_item()
        if self.running is None and item is not None:
            self.start(item)
            self._has_lm = True
            self.rollouts.begin(self.running.first if self.running else None)
        return self.running

    def adopt_as_ours(self, item: pytest.Item) -> RunningTest:
        """The same for a fixture that makes ``item`` an evaluation: it leaves a record."""
        running = self.adopt(item)
        assert running is not None
        running.adopted()
        item.stash[RUNNING] = running
        return running

    def _current_item(self) -> pytest.Item | None:
        """The test that pytest runs, as it says in its environment variable."""
        nodeid = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        return next((item for item in self._items if item.nodeid.replace("\x00", "(null)") == nodeid), None)

    def _leave_alone(self, test: RunningTest) -> None:
        """Until it is over, let nothing else be in flight here: if this worker crashes too, it is because of it."""
        with timeouts.stopped(test.item):
            self.pool.hold(self._settings.timeout)
        assert self._log is not None
        self._log.add("alone", test.item.nodeid)
        self._alone = test

    @contextlib.contextmanager
    def fixture_scope(self, fixturedef: pytest.FixtureDef[object]) -> Iterator[None]:
        """LM calls of a function-scoped fixture are the test's; those of wider ones belong to no rollout."""
        running = self.running
        if fixturedef.argname in LMS:
            running = self.adopt()
        if running is not None and fixturedef.scope == "function" and not is_harmless(fixturedef, running.item):
            running.set_up(fixturedef.argname)
        if running is None or ("dspy" not in sys.modules and not self.process.budget.is_set):
            yield
        elif fixturedef.scope == "function":
            self.rollouts.begin(running.first)
            yield
        else:
            with self.rollouts.outside():
                yield

    @contextlib.contextmanager
    def call_scope(self) -> Iterator[None]:
        """LM calls of the test's body are the test's, and none may have had an old answer."""
        running = self.running
        if running is None or "dspy" not in sys.modules:
            yield
            return
        self.rollouts.begin(running.first)
        try:
            yield
        finally:
            self.rollouts.check_installed(running.first)
            for rollout in running.rollouts:
                rollout.check()

    def end(self) -> None:
        """The running test is over, and nothing of it is kept."""
        if self.running is not None and RUNNING in self.running.item.stash:
            self._coming.ended(self.running)
            del self.running.item.stash[RUNNING]
            self.running.forget_example()
        if self._alone is not None:
            self._alone = None
            self.pool.go_on()
        self.running = None
        if "dspy" in sys.modules:
            self.rollouts.begin(None)

    def close(self) -> None:
        """Begin and note nothing more."""
        self.pool.close()
        if self._log is not None:
            self._log.close()
        if self._rollouts is not None:
            self._rollouts.uninstall()
