"""How many rollouts may be in flight: places that are taken and given back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Protocol

Release = Callable[[], None]
"""Gives a place back; calling it again does nothing."""


class Slots(Protocol):
    """Places for rollouts; thread-safe."""

    poll: float | None
    """Seconds after which to ask again where none is free; None: only this process gives any back."""

    def take(self) -> Release | None:
        """A place, or None where all are taken now."""


class LocalSlots:
    """``count`` places for the threads of one process."""

    poll: float | None = None

    def __init__(self, count: int) -> None:
        self._free = threading.Semaphore(count)

    def take(self) -> Release | None:
        return once(self._free.release) if self._free.acquire(blocking=False) else None


def once(release: Callable[[], object]) -> Release:
    """``release``, which does something the first time only."""
    first = itertools.count()

    def released() -> None:
        if next(first) == 0:
            release()

    return released
