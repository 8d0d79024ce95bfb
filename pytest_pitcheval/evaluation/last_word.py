"""The status that pytest ends a test with, whatever plugin tries the test again or changes its reports.

Reports are heard where they are logged, once every other plugin has changed what it changes: a record that was made
earlier knows only what its own attempt came to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from pytest_pitcheval.errors import one_line
from pytest_pitcheval.results.records import Status

_FINAL = ("passed", "failed", "skipped")
"""pytest's own outcomes; with any other a plugin says that it tries the test again."""


class Phase(NamedTuple):
    """What one report says of a test.

    Attributes:
        when: ``setup``, ``call`` or ``teardown``.
        part: whether it is about a part of the test only, a subtest.
        xfail: why the test was expected to fail, if it was and did.
        reason: one line of why it did not pass.
    """

    when: str | None
    outcome: str
    part: bool = False
    xfail: str | None = None
    reason: str | None = None


def phase_of(report: pytest.TestReport) -> Phase:
    """What ``report`` says, as it stands."""
    xfail = str(getattr(report, "wasxfail", "")) if report.skipped and hasattr(report, "wasxfail") else None
    reason = None if report.passed or report.skipped else _reason(report)
    return Phase(report.when, report.outcome, hasattr(report, "context"), xfail, reason)


def _reason(report: pytest.TestReport) -> str | None:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(getattr(crash, "message", None) or report.longrepr or "").strip()
    return one_line(text) if text else None


class LastWords:
    """What pytest has been told of the tests that are not over."""

    def __init__(self) -> None:
        self._phases: dict[tuple[object, str], list[Phase]] = {}

    def hear(self, report: pytest.TestReport) -> None:
        """Take a report into account that every plugin has seen."""
        heard = self._phases.setdefault(self._key(report), [])
        if report.outcome not in _FINAL:  # what was heard is of an attempt that does not count
            heard.clear()
        heard.append(phase_of(report))

    def complete(self, report: pytest.TestReport, record: Mapping[str, Any]) -> dict[str, Any]:
        """``record``, which came with ``report``, with the status that pytest ends its test with."""
        return {**record, **amendments(self._phases.pop(self._key(report), []), record)}

    def is_tried_again(self, report: pytest.TestReport) -> bool:
        """Whether the attempt that ``report`` ends is followed by another one at the same test."""
        return _is_followed(self._phases.get(self._key(report), []))

    @staticmethod
    def _key(report: pytest.TestReport) -> tuple[object, str]:
        return getattr(report, "node", None), report.nodeid  # xdist's: two workers may run one test


def amendments(phases: list[Phase], record: Mapping[str, Any]) -> dict[str, Any]:
    """What the reports of a test's last attempt change of its ``record``."""
    if _is_followed(phases):
        return {}
    status, xfail = status_of(phases)
    error = None if status == "passed" else record["error"]
    if status in ("failed", "error") and error is None and record["score"] is None:
        error = next((phase.reason for phase in phases if phase.outcome == "failed"), None)
    return {"status": status, "xfail": xfail, "error": error}


def _is_followed(phases: list[Phase]) -> bool:
    """Whether they are of an attempt that is followed by another one."""
    return bool(phases) and phases[0].outcome not in _FINAL and all(phase.when == "teardown" for phase in phases[1:])


def status_of(phases: list[Phase]) -> tuple[Status, str | None]:
    """The status that ``phases`` come to, and why the test was expected to fail, if it was and did.

    The first failure names it. Neither a skipped teardown nor a skipped part undoes a test that has passed.
    """
    for phase in phases:
        if phase.outcome == "failed":
            return ("failed" if phase.when == "call" else "error"), None
    for phase in phases:
        if phase.outcome == "skipped" and phase.when != "teardown" and not phase.part:
            return "skipped", phase.xfail
    return "passed", None
