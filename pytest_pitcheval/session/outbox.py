"""What leaves the controller while a session goes on and when it ends: the journal, JUnit, reports, MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.evaluation import timeouts
from pytest_pitcheval.reports import github
from pytest_pitcheval.session import conclusion
from pytest_pitcheval.storage.journal import Journal
from pytest_pitcheval.tracking.tracker import LOGGING_SECONDS, Tracker

if TYPE_CHECKING:
    from pytest_pitcheval.session.conclusion import Results
    from pytest_pitcheval.session.session import Session


class Outbox:
    """Of the controller; made by the first record, or by the end of a session without one."""

    def __init__(self, session: Session) -> None:
        settings = session.settings
        self._session = session
        self.journal = Journal(settings.directory, session.run_id, session.timestamp)
        self.tracker: Tracker | None = None
        if not settings.mlflow.off:
            self.tracker = Tracker(settings.mlflow, settings.directory, session.config.rootpath)
            self.tracker.start()  # it takes seconds, while tests run

    def add(self, record: Mapping[str, Any]) -> None:
        """A record has arrived."""
        self.journal.append(record)

    def publish(self, found: Results) -> None:
        """Complete the XML file that pytest has just written, write reports, log the run; whatever was asked for."""
        settings = self._session.settings
        if settings.junit_path is not None:
            conclusion.amend_junit(self._session, found, settings.junit_path)
        if settings.html_path or settings.markdown_path or github.summary_path():
            from pytest_pitcheval.reports import publishing

            baseline = self._session.baseline
            publishing.write_reports(settings, found, baseline.records if baseline else {})
        if self.tracker is not None:
            seconds = settings.mlflow.timeout or LOGGING_SECONDS
            seconds = timeouts.left_of_session(self._session.config, time.monotonic() - self._session.started, seconds)
            found.logged.extend(self.tracker.send(seconds, self._session.run_id))

    def close(self) -> None:
        """End what is still being sent."""
        if self.tracker is not None:
            self.tracker.close()
