"""Logging to MLflow: what is sent where, and what is said of it."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_pitcheval.credentials.addresses import without_credentials
from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.media import FOLDER
from pytest_pitcheval.settings.parts import MlflowSettings
from pytest_pitcheval.tracking.process import TrackingProcess
from pytest_pitcheval.tracking.spool import Spool, Waiting

LOGGING_SECONDS = 10.0
"""How long a session waits for its tracker unless it is told."""

TRIES = 3
"""How often a run is sent that the tracker refuses."""

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
        self._media = directory.absolute() / FOLDER
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

        Yields a line for each, and whether it is bad news. A run that is refused holds up
        none of the others; where the tracker itself fails, those that are left stay where they are.
        """
        deadline, logged, problem = time.monotonic() + seconds, list[tuple[Waiting, dict[str, Any]]](), None
        ours = [waiting for waiting in self.spool.waiting() if waiting.where == self.where]
        for waiting in sorted(ours, key=lambda one: (one.run != first, one.tries, one.run)):
            if not self.spool.is_there(waiting):
                self.spool.remove(waiting.run)
                yield f"mlflow: run {waiting.run} cannot be logged: {waiting.file} is gone", True
                continue
            answer = self._process.ask(self._job(waiting), deadline)
            if error := answer.get("error"):
                yield f"mlflow: {_named(waiting, first)}not logged: {error}; {self._later(waiting, answer)}", True
                if not answer.get("refused"):
                    problem = error
                    break
            else:
                logged.append((self._without_records(waiting, answer), answer))
                yield f"mlflow: {_named(waiting, first)}{answer['link']}", False
        for waiting, answer in logged:  # when the records of all are there
            name = f"mlflow: {_named(waiting, first)}media"
            problem = yield from self._send_media(waiting, answer, name, deadline, problem)

    def _job(self, waiting: Waiting) -> dict[str, Any]:
        return {**waiting.to_dict(), "lock": str(self._lock), "folder": str(self._media)}

    def _without_records(self, waiting: Waiting, answer: Mapping[str, Any]) -> Waiting:
        """What is still to be sent of a run whose records are there: its media, if it has any."""
        left = dataclasses.replace(waiting, logged=str(answer["logged"]), tries=0)
        if not answer["missing"]:
            self.spool.remove(waiting.run)
        else:
            with contextlib.suppress(OSError):  # a full disk: then its records are sent again, and are there once
                self.spool.add(left)
        return left

    def _send_media(
        self, waiting: Waiting, answer: Mapping[str, Any], name: str, deadline: float, problem: str | None
    ) -> Generator[tuple[str, bool], None, str | None]:
        """Send what is missing, one after the other; returns the ``problem`` with the tracker that it ended with."""
        refused = list[str]()
        for number, medium in enumerate(answer["missing"]):
            job = {**self._job(waiting), "medium": medium}
            one = {"error": problem} if problem else self._process.ask(job, deadline)
            if (error := one.get("error")) and not one.get("refused"):
                left = f"{len(answer['missing']) - number} of {answer['media']}"
                yield f"{name}: {left} not logged: {error}; pitcheval sync sends them", True
                return str(error)
            refused += [error] if error else []
        self.spool.remove(waiting.run)
        if refused:
            yield f"{name}: {len(refused)} of {answer['media']} refused: {refused[0]}", True
        if answer["left_out"]:
            yield f"{name}: {answer['left_out']}", False
        return None

    def _later(self, waiting: Waiting, answer: Mapping[str, Any]) -> str:
        """What becomes of a run that was not logged: one that is refused again and again is set aside."""
        tried = dataclasses.replace(waiting, tries=waiting.tries + 1)
        try:
            self.spool.add(tried)
            if answer.get("refused") and tried.tries >= TRIES:
                return f"set aside after {TRIES} tries: {self.spool.set_aside(waiting.run)}"
        except OSError as error:
            return f"and that cannot be noted: {error}"
        return "pitcheval sync sends it"

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


def _named(waiting: Waiting, first: str | None) -> str:
    """The beginning of a line about a run; nothing of the session's own."""
    return "" if waiting.run == first else f"run {waiting.run}: "


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
