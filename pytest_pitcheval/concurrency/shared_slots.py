"""Places for rollouts that several processes share, as locks of files."""

from __future__ import annotations

import functools
import itertools
import threading
from pathlib import Path

import filelock

from pytest_pitcheval.concurrency.slots import Release, once

_LOOKED_AT = 8
"""Places of others that are tried at a time: each is a file to open."""


class SharedSlots:
    """``count`` places for all processes with the same ``folder``: each is the lock of a file there.

    The operating system gives back what a killed process held. Each process looks at other places first, so they
    seldom meet: the first that number ``process`` of ``processes`` looks at is its share.
    """

    poll: float | None = 0.02

    def __init__(self, count: int, folder: Path, process: int = 0, processes: int = 1) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        first = process * count // processes
        numbers = [(first + n) % count for n in range(count)]
        self._locks = [filelock.FileLock(folder / f"{n}.lock", thread_local=False) for n in numbers]
        share = max(1, count // processes)
        self._own, self._others = self._locks[:share], itertools.cycle(self._locks[share:])
        self._looked_at = min(_LOOKED_AT, count - share)
        self._mutex = threading.Lock()

    def take(self) -> Release | None:
        with self._mutex:
            for lock in (*self._own, *itertools.islice(self._others, self._looked_at)):
                if not lock.is_locked and self._locked(lock):
                    return once(functools.partial(self._give_back, lock))
        return None

    def _give_back(self, lock: filelock.BaseFileLock) -> None:
        with self._mutex:  # a FileLock counts, and does not expect to be taken while it is being released
            lock.release()

    @staticmethod
    def _locked(lock: filelock.BaseFileLock) -> bool:
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            return False
        return True
