"""The hooks of the process that hears of all tests: xdist's controller, or pytest on its own."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from pytest_pitcheval.evaluation import sending
from pytest_pitcheval.evaluation.last_word import LastWords
from pytest_pitcheval.names import RERUN
from pytest_pitcheval.reports import junit
from pytest_pitcheval.results.printable import printable_line
from pytest_pitcheval.session.controller import Controller


class ListeningHooks:
    """Keep the records that reports bring, and the progress line out of pytest's way."""

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._last_words = LastWords()

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        return (RERUN, "R", RERUN.upper()) if report.outcome == RERUN else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self) -> None:
        self._controller.make_room()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, Any, Any]:
        self._controller.make_room()
        if report.when in ("call", "teardown"):  # what precedes them waits for rollouts
            self._controller.workforce.hear(report.duration)
        sent, end = sending.take_from(report), sending.end_of_session(report)
        try:
            outcome = yield
        finally:
            self._keep(report, sent)
        self._make_smaller(report)
        if report.when == "teardown":
            self._controller.update()
        if end is not None:
            pytest.exit(printable_line(end), returncode=pytest.ExitCode.USAGE_ERROR)
        return outcome

    def _make_smaller(self, report: pytest.TestReport) -> None:
        """pytest keeps the three reports of every test to its end, though it asks no more of them than is left here."""
        if self._forget(report):
            return
        report.user_properties = [each for each in report.user_properties if not each[0].startswith(junit.PREFIX)]
        if self._controller.runner is None and report.when in ("setup", "call", "teardown"):
            self._controller.texts.share(report)

    def _forget(self, report: pytest.TestReport) -> bool:
        """Let pytest forget a report that only durations are asked of: of a setup or teardown that went well."""
        config = self._controller.config
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        kept = getattr(terminal, "stats", {}).get("", ())
        if not kept or kept[-1] is not report or config.getoption("durations", None) is not None:
            return False
        if report.when == "call" or not report.passed or report.sections:
            return False
        kept.pop()
        return True

    def _keep(self, report: pytest.TestReport, sent: sending.Sent | None) -> None:
        self._last_words.hear(report)
        if sent is not None:
            self._controller.learn(sent.keys)
            is_final = not self._last_words.is_tried_again(report)
            self._controller.keep(report.nodeid, self._last_words.complete(report, sent.record), is_final)
        elif report.when not in ("setup", "call", "teardown") and report.failed:  # xdist's own of a worker's end
            worker = getattr(getattr(getattr(report, "node", None), "gateway", None), "id", "")
            self._controller.lost[report.nodeid] = f"worker {worker} crashed while it ran"
