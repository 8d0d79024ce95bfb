"""Logging to MLflow: what is sent where, and what is said of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from pytest_pitcheval.credentials import without_credentials
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.settings.settings import MlflowSettings
from pytest_pitcheval.tracking.process import TrackingProcess
from pytest_pitcheval.tracking.spool import Spool, Waiting

LOGGING_SECONDS = 10.0
"""How long a session waits for its tracker unless it is told."""

_DEFAULT = "MLflow's local store"


class Tracker:
    """The tracker of one session or command.

    Args:
        directory: the ``--eval-dir``.
        folder: the root directory, where MLflow's own local store is.
    """

    def __init__(self, settings: MlflowSettings, directory: Path, folder: Path) -> None:
        self._settings = settings
        self.spool = Spool(directory)
        self._lock = directory / "locks" / "spool.lock"
        self._process = TrackingProcess({"uri": settings.uri, "experiment": settings.experiment}, folder)

    @property
    def where(self) -> str:
        """The tracker, without credentials."""
        return without_credentials(self._settings.uri) if self._settings.uri else _DEFAULT

    def start(self) -> None:
        """Get ready while tests run."""
        self._process.start()

    def wait_for(self, run: str, file: Path, programs: list[Path]) -> None:
        """Note that a run is to be logged, before anything is tried."""
        settings = self._settings
        waiting = Waiting(
            run,
            str(file.resolve()),
            self.where,
            settings.run_name,
            settings.tags,
            settings.traces,
            tuple(str(path.resolve()) for path in programs),
        )
        self.spool.add(waiting)

    def send(self, seconds: float, first: str | None = None) -> Iterator[tuple[str, bool]]:
        """Send all runs that wait for this tracker, ``first`` before others, within ``seconds`` for all.

        Yields a line for each, and whether it is bad news. After an error, those that are left stay where they are.
        """
        deadline = time.monotonic() + seconds
        ours = [one for one in self.spool.waiting() if one.where == self.where]
        for one in sorted(ours, key=lambda waiting: (waiting.run != first, waiting.run)):
            if not Path(one.file).is_file():
                self.spool.remove(one.run)
                yield f"mlflow: run {one.run} cannot be logged: {one.file} is gone", True
                continue
            name = "" if one.run == first else f"run {one.run}: "
            answer = self._process.ask({**one.to_dict(), "lock": str(self._lock)}, deadline)
            if error := answer.get("error"):
                yield f"mlflow: {name}not logged: {error}; pitcheval sync sends it", True
                return
            self.spool.remove(one.run)
            yield f"mlflow: {name}{answer['link']}", False

    def fetch(self, reference: str, seconds: float) -> str:
        """The run file that an MLflow run holds, as text.

        Raises:
            PitchevalError: there is none, or the tracker does not answer within ``seconds``.
        """
        answer = self._process.ask({"fetch": reference}, time.monotonic() + seconds)
        if error := answer.get("error"):
            raise PitchevalError(str(error))
        return str(answer["document"])

    def close(self) -> None:
        """End whatever is going on."""
        self._process.close()


def fetch(settings: MlflowSettings, directory: Path, folder: Path, reference: str) -> str:
    """The run file that an MLflow run (its ID, ``latest`` or ``latest@BRANCH``) holds, as text.

    Raises:
        PitchevalError: nothing is logged, there is no such run, or the tracker does not answer in time.
    """
    if settings.off:
        raise PitchevalError("--eval-mlflow is 'off': expected a tracker to ask")
    tracker = Tracker(settings, directory, folder)
    try:
        return tracker.fetch(reference, settings.timeout or LOGGING_SECONDS)
    finally:
        tracker.close()
