"""The hooks that see single tests; registered only in sessions that have evaluation tests."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_pitcheval.evaluation import outcomes, timeouts
from pytest_pitcheval.evaluation.runner import Runner
from pytest_pitcheval.evaluation.running_test import check_markers
from pytest_pitcheval.names import RERUN
from pytest_pitcheval.session.session import RUNNING, Session


class MarkerHooks:
    """After ``skip`` and ``skipif``, other than `RunningHooks`, and before any fixture, which may cost LM calls."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if RUNNING in item.stash:
            check_markers(item)


class RunningHooks:
    """Hooks as a plugin object, for the process that runs tests and for the controller that hears of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def _runner(self) -> Runner:
        assert self._session.runner is not None  # a test runs in this process
        return self._session.runner

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        self._runner.upcoming.starts(nextitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._runner.start(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        with self._runner.fixture_scope(fixturedef):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self) -> Generator[None, Any, Any]:
        __tracebackhide__ = True
        with self._runner.call_scope():
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        outcomes.finish(self._session, item, call, report)
        return report

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        return (RERUN, "R", RERUN.upper()) if report.outcome == RERUN else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        self._make_room()
        if not self._session.is_worker:
            self._keep(report)
        outcome = yield
        if report.when == "teardown":
            self._tick()
        if self._session.runner is not None and self._session.runner.is_stopping:
            self._session.stop()
        return outcome

    def _tick(self) -> None:
        if self._session.is_worker:
            self._runner.tick()
        elif self._session.has_evaluations:
            self._session.display.update()

    def _make_room(self) -> None:
        if not self._session.is_worker and self._session.has_evaluations:
            self._session.display.erase()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self._make_room()

    def _keep(self, report: pytest.TestReport) -> None:
        if record := report.__dict__.pop(outcomes.RECORD, None):  # pytest keeps reports: not twice
            self._session.keep(report.nodeid, record)
        elif report.when not in ("setup", "call", "teardown") and report.failed:  # xdist's own of a worker's end
            worker = getattr(getattr(getattr(report, "node", None), "gateway", None), "id", "")
            self._session.lost[report.nodeid] = f"worker {worker} crashed while it ran"

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        timeouts.note_set(item, settings)

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> None:
        timeouts.note_cancelled(item)
