"""Places for rollouts that several processes share, as locks of files."""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from pytest_pitcheval.concurrency.slots import LocalSlots, Release, once

_MOST = 10_000
"""More places than threads have room; each is an object in every process."""
_LOOKED_AT = 8
"""Places of others that are tried at a time: each is a file to open."""


class SharedSlots:
    """``count`` places for all processes with the same ``folder``: each is the lock of a file there.

    The operating system gives back what a killed process held. Each process looks at other places first, so they
    seldom meet: the first that number ``process`` of ``processes`` looks at is its share.

    Where the file system gives no locks (NFS without its lock service, a full or read-only disk, no file left to
    open), each process keeps to its share from then on, and ``note`` is told why.
    """

    poll: float | None = 0.02

    def __init__(
        self,
        count: int,
        folder: Path,
        process: int = 0,
        processes: int = 1,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._note = note
        self._part: LocalSlots | None = None
        count = min(count, _MOST)
        first = process * count // processes
        numbers = [(first + n) % count for n in range(count)]
        self._locks = [filelock.FileLock(folder / f"{n}.lock", thread_local=False) for n in numbers]
        share = max(1, count // processes)
        self._own, self._others = self._locks[:share], itertools.cycle(self._locks[share:])
        self._looked_at = min(_LOOKED_AT, count - share)
        self._mutex = threading.Lock()
        self._share = share
        with self._noting():
            folder.mkdir(parents=True, exist_ok=True)

    def take(self) -> Release | None:
        if self._part is None:
            with self._noting():
                return self._take()
        return self._part.take() if self._part is not None else None

    def _take(self) -> Release | None:
        with self._mutex:
            for lock in (*self._own, *itertools.islice(self._others, self._looked_at)):
                if not lock.is_locked and self._locked(lock):
                    return once(functools.partial(self._give_back, lock))
        return None

    @contextlib.contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._part = LocalSlots(self._share)
            self._note(f"the workers share no places for rollouts, each keeps to its part: no locks in {error}")

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
