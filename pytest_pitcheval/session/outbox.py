"""What leaves the process that reports, during a session and at its end: the journal, JUnit, reports, MLflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_pitcheval.concurrency.process import Process
from pytest_pitcheval.storage.journal import Journal
from pytest_pitcheval.tracking.tracker import LOGGING_SECONDS, Tracker

if TYPE_CHECKING:
    from pytest_pitcheval.reports.results import Results


class Outbox:
    """Made before the first evaluation test runs, as far as its process knows of them."""

    def __init__(self, process: Process, rootpath: Path) -> None:
        settings = process.settings
        self._process = process
        self.journal = Journal(settings.directory, process.run_id, process.timestamp)
        self.tracker: Tracker | None = None
        if not settings.mlflow.off:
            self.tracker = Tracker(settings.mlflow, settings.directory, rootpath)

    def begin(self) -> None:
        """Evaluation tests are going to run.

        Raises:
            PitchevalError: another session has the same ID.
        """
        self.journal.begin()
        if self.tracker is not None:
            self.tracker.start()  # it takes seconds, while tests run

    def add(self, record: Mapping[str, Any]) -> int | None:
        """A record has arrived; returns its place in the journal."""
        return self.journal.append(record)

    def publish(self, results: Results, left: Callable[[float], float]) -> None:
        """Complete the XML file that pytest has just written, write reports, log the run; whatever was asked for.

        ``left`` says what the session's own timeout leaves of some seconds.
        """
        from pytest_pitcheval.reports import github

        settings = self._process.settings
        if settings.junit_path is not None:
            from pytest_pitcheval.reports import publishing

            publishing.amend_junit(settings.junit_path, results)
        if settings.html_path or settings.markdown_path or github.summary_path():
            from pytest_pitcheval.reports import publishing

            publishing.write_reports(settings, results)
        self.journal.close(remove=results.report.file.path in results.paths)
        if self.tracker is not None:
            seconds = left(settings.mlflow.timeout or LOGGING_SECONDS)
            results.logged.extend(self.tracker.send(seconds, self._process.run_id))

    def close(self) -> None:
        """End what is still being sent; a journal of nothing goes."""
        self.journal.close(remove=self.journal.is_empty)
        if self.tracker is not None:
            self.tracker.close()
