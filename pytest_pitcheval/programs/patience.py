"""How long compiling may go on without an LM call that ends, here and in another process that is waited for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from concurrent.futures import wait
from pathlib import Path
from typing import TypeVar

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.attempts import begun_apart
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.storage.answers.answer import Place

T = TypeVar("T")

_TICK = 0.5
"""Seconds between two looks whether an LM call has an end."""


class Compiling(Scope):
    """The LM calls of one compilation, each of which is a sign of life for those who wait for its ``locks``."""

    def __init__(self, locks: Iterable[Path], place: Place | None = None) -> None:
        super().__init__(place)
        self._lock_path = next(iter(locks))
        self._given_up = False

    def give_up(self) -> None:
        """Ask no provider any more: nobody waits for the program."""
        self._given_up = True

    def asks_provider(self, part: str) -> None:
        if self._given_up:
            raise PitchevalError("compiling was given up")
        super().asks_provider(part)

    def count(self, part: str, usage: Usage) -> None:
        super().count(part, usage)
        with contextlib.suppress(OSError):  # where there are no locks, nobody waits
            os.utime(self._lock_path)


class SignsOfLife:
    """Those of whoever holds the lock at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: int | None = None
        self._seen = 0.0

    def idle(self, waited: float) -> float:
        """How many of the ``waited`` seconds have passed since the last one."""
        with contextlib.suppress(OSError):
            changed = self._path.stat().st_mtime_ns
            if changed != self._last:
                self._last, self._seen = changed, waited if self._last is not None else 0.0
        return waited - self._seen


def done_apart(work: Callable[[], T], check: Callable[[], object], give_up: Callable[[], object]) -> T:
    """What ``work`` returns or raises, done in a thread of its own while ``check`` raises nothing.

    Else ``give_up`` is called, though the thread may go on for ever.
    """
    done = begun_apart(work, "pitcheval-call-compiling")
    try:
        while not done.done():
            wait([done], _TICK)
            if not done.done():
                check()
    except BaseException:
        give_up()
        raise
    return done.result()
