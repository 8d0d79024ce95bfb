"""The hooks of a process that runs tests; registered only where tests are ours, or ask for our LMs."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import pytest

from pytest_pitcheval.collection.marker_checks import check_markers
from pytest_pitcheval.errors import BudgetReached, FixtureStopped, one_line
from pytest_pitcheval.evaluation import outcomes, sending, timeouts
from pytest_pitcheval.evaluation.cleaning import Cleaner
from pytest_pitcheval.evaluation.runner import Runner
from pytest_pitcheval.evaluation.running_test import RUNNING
from pytest_pitcheval.lm.failures import origins
from pytest_pitcheval.names import BUDGET
from pytest_pitcheval.ownership import may_hold_lm
from pytest_pitcheval.results.records import Omission


class MarkerHooks:
    """After ``skip`` and ``skipif``, other than `RunningHooks`, and before any fixture, which may cost LM calls."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if RUNNING in item.stash:
            check_markers(item)


class RefusalHooks:
    """Skip tests whose LM calls are not sent, because the session has spent what it may.

    They stand around each phase of a test, with whatever fixtures and other plugins do in it.
    """

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        with _skipped(item):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        with _skipped(item):
            return (yield)


@contextlib.contextmanager
def _skipped(item: pytest.Item) -> Iterator[None]:
    """Within it, what comes of a call that was refused skips the test."""
    __tracebackhide__ = True
    try:
        yield
    except Exception as error:
        refusal = next((cause for cause in origins(error) if isinstance(cause, BudgetReached)), None)
        if refusal is None:
            raise
        if running := item.stash.get(RUNNING, None):
            running.left_out(Omission(BUDGET, str(refusal)))
        pytest.skip(str(refusal))


class RunningHooks:
    """Tell the runner what pytest does with its tests; ``secrets`` gives the credentials that no report may show."""

    def __init__(self, runner: Runner, secrets: Callable[[], Sequence[str]]) -> None:
        self._runner = runner
        self._secrets = secrets

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        self._runner.upcoming.starts(nextitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._runner.start(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any], request: Any) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        with self._runner.fixture_scope(fixturedef):
            try:
                value = yield
            except SystemExit as error:
                if self._runner.running is None:
                    raise
                stopped = FixtureStopped(f"fixture {fixturedef.argname} raised {one_line(error)}")
                # As pytest keeps other exceptions: else it finds the fixture half made at every test to come.
                fixturedef.cached_result = (None, fixturedef.cache_key(request), (stopped, None))
                raise stopped from error
        self._runner.made(fixturedef.argname, value)
        self._runner.aggregates.made(fixturedef, value)
        return value

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        Cleaner(self._secrets()).warning(warning_message)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        with self._runner.call_scope():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        # A timeout in the midst of it would end the session, and a traceback takes long on a busy machine.
        is_long = call.excinfo is not None and self._runner.running is not None
        with timeouts.stopped(item) if is_long else contextlib.nullcontext():
            report = yield
            may_show_keys = self._runner.may_show_keys or may_hold_lm(item)
            outcomes.finish(item, call, report, self._secrets, may_show_keys, self._runner.lm_keys)
        if call.when == "teardown":
            self._runner.end()
            if no_price := self._runner.process.budget.no_price:
                sending.end_session(report, str(no_price))
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        outcomes.finish_again(report, self._secrets)
        outcome = yield
        if report.when == "teardown":
            self._runner.meter.test_ended()
            self._runner.tick()
        if self._runner.is_stopping:
            self._runner.pool.close()
        return outcome

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        timeouts.note_set(item, settings)

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> None:
        timeouts.note_cancelled(item)
