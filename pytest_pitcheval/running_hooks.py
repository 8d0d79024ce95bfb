"""The hooks that see single tests; registered only in sessions that have evaluation tests."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_pitcheval import reports, timeouts
from pytest_pitcheval.running_test import check_markers
from pytest_pitcheval.session import RUNNING, Session


class MarkerHooks:
    """After ``skip`` and ``skipif``, other than `RunningHooks`, and before any fixture, which may cost LM calls."""

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if RUNNING in item.stash:
            check_markers(item)


class RunningHooks:
    """Hooks as a plugin object, for the process that runs tests and for the controller that hears of them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self._session.start(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        with self._session.fixture_scope(fixturedef.scope):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with self._session.call_scope(item):
            return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        reports.finish(self._session, item, call, report)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._session.is_worker:
            return
        if record := getattr(report, reports.RECORD, None):
            self._session.keep(report.nodeid, record)
        elif report.when not in ("setup", "call", "teardown"):  # xdist's own report of a worker's end
            worker = getattr(getattr(getattr(report, "node", None), "gateway", None), "id", "")
            self._session.lost[report.nodeid] = f"worker {worker} crashed while it ran"

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        timeouts.note_set(item, settings)

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> None:
        timeouts.note_cancelled(item)
