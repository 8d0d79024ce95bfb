"""The line that says how far a session has come: kept below pytest's own output, or now and then without a terminal."""

from __future__ import annotations

import contextlib
import functools
import importlib
import shutil
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pytest_pitcheval.reports.progress import Progress
from pytest_pitcheval.results.records import Record, Usage
from pytest_pitcheval.session.status import SessionStatus

if TYPE_CHECKING:
    from pytest_pitcheval.results.collected import Collected
    from pytest_pitcheval.settings.settings import Settings

_IN_FLIGHT = 0.1
"""Seconds after which the first LM calls are on their way, so that what is done meanwhile takes nothing from them."""
_NEEDED = ("scipy.special", "pytest_pitcheval.session.closing.conclusion", "pytest_pitcheval.reports.terminal")
"""What the end of the session imports: half a second, better spent while tests wait for their LM.

Not in a thread: the interpreter may end within its import, whose lock then stays locked, and pytest rewrites what is
imported with `ast`, which two threads may not use at once.
"""
_REDRAWN = 0.5
"""Seconds between two drawings on a terminal."""
_PRINTED = 10.0
"""Seconds between two lines elsewhere."""
_MANY, _LONG = 20, 60.0
"""Tests, and seconds by earlier runs, from which a session says at its start what it will take."""
_MOST_BYTES = 10_000_000
"""Of run files that are read for that: more of them would take longer than it is worth."""


def _preload(module: str) -> None:
    # CPython 3.11 raises where two threads parse at once (python/cpython#106905): then the end imports it.
    with contextlib.suppress(SystemError):
        importlib.import_module(module)


class Display:
    """Of the process that reports: the controller, or pytest on its own.

    ``total`` is the number of evaluation tests; ``flying`` says how many rollouts are in flight, and how many LM
    calls wait for the rate limit; ``spent`` what has been spent of what may be, nothing without a cap.
    """

    def __init__(
        self,
        progress: Progress,
        total: int,
        flying: Callable[[], tuple[int, int]],
        spent: Callable[[], str] = lambda: "",
    ) -> None:
        self._progress = progress
        self._total = total
        self._flying = flying
        self._spent = spent
        self._done: set[str] = set()
        self._usage = Usage()
        self._started = self._drawn = time.monotonic()
        self._text = ""
        self._meanwhile: list[Callable[[], object]] = [functools.partial(_preload, name) for name in _NEEDED]
        self._has_estimated = False

    def add(self, record: Record) -> None:
        """A record has arrived."""
        self._done.add(record.nodeid)
        self._usage += record.usage

    def estimate(self, settings: Settings, collected: Callable[[], Sequence[Collected]]) -> None:
        """Once, while tests wait for their LM, say what a long session will take, by what its tests took before."""
        is_fresh = settings.replay is None and settings.resume is None
        if self._total >= _MANY and is_fresh and not self._has_estimated:
            self._meanwhile.insert(0, functools.partial(self._say_estimate, settings, collected))
        self._has_estimated = True

    def _say_estimate(self, settings: Settings, collected: Callable[[], Sequence[Collected]]) -> None:
        from pytest_pitcheval.storage import estimates

        wanted = [estimates.Wanted(one.nodeid, one.key, settings.rollouts.chosen()) for one in collected()]
        asked = estimates.sample(wanted)
        before = estimates.look_back(settings.directory, asked, settings.models, settings.prices, _MOST_BYTES)
        found = [(one.examples, one.took) for one in estimates.estimate(wanted, before) if one.took is not None]
        took = estimates.total(took for _, took in found)
        if took.seconds / settings.concurrency >= _LONG:
            known = f"{sum(examples for examples, _ in found)} of {len(wanted)} examples"
            self._progress.say(f"{known}: {took.text(settings.concurrency)}, by earlier runs")

    def update(self) -> None:
        """Say how far the session is; what was just said is shown again on a terminal, if it was erased."""
        now, on_terminal = time.monotonic(), self._progress.is_terminal
        if now - self._started >= _IN_FLIGHT:
            while self._meanwhile:
                self._meanwhile.pop(0)()
        if now - self._drawn >= (_REDRAWN if on_terminal else _PRINTED):
            self._drawn = now
            self._text = self._status(now - self._started).text(shutil.get_terminal_size().columns - 12)
        elif not on_terminal or self._progress.is_shown:
            return
        if self._text:
            self._progress.show(self._text)

    def erase(self) -> None:
        """Make room for what pytest prints next."""
        self._progress.erase()

    def _status(self, seconds: float) -> SessionStatus:
        in_flight, waiting = self._flying()
        return SessionStatus(len(self._done), self._total, in_flight, waiting, self._usage, seconds, self._spent())
