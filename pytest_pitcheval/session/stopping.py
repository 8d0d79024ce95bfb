"""With ``--eval-stop``: records are heard of as they arrive, and tests whose gates are decided need no more of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_pitcheval.concurrency.standings import Standing

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.process import Process
    from pytest_pitcheval.results.deciding.early.stopping import Stopping
    from pytest_pitcheval.results.keys import Key
    from pytest_pitcheval.results.records import Record
    from pytest_pitcheval.settings.settings import Settings
    from pytest_pitcheval.storage.references import RepeatedRun

_BEYOND = 0.5
"""Of the examples that a look is at: at most so many further ones are begun before it is taken."""


def stops(settings: Settings, repeated: RepeatedRun | None) -> bool:
    """Whether examples may be left out, where the run ``repeated`` is replayed or resumed.

    A replayed run leaves out what it left out then. A finished run is resumed to run what it has left out.
    """
    if repeated is None:
        return settings.stop
    return settings.stop and not repeated.finished if settings.resume else repeated.stopped


class Stopper:
    """Of the process that hears of all tests: it tells those that run them, which may be others."""

    def __init__(self, process: Process, stopping: Stopping) -> None:
        self._process = process
        self._stopping = stopping
        self._tell(stopping.keys)

    def hear(self, record: Record) -> None:
        """A test has ended for good."""
        if record.key in self._stopping.keys:
            self._stopping.hear(record)
            self._tell([record.key])

    def _tell(self, keys: Iterable[Key]) -> None:
        news = [self._process.standings.tell(key, self._standing(key)) for key in keys]
        if any(news):
            self._process.tell_standings()

    def _standing(self, key: Key) -> Standing:
        look = self._stopping.next_look(key)
        if look is None:
            return Standing(self._stopping.reason(key))
        beyond = min(self._process.settings.concurrency, math.ceil(_BEYOND * look))
        return Standing(None, look + beyond)
