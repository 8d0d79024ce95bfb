"""The one thread that asks DSPy's disk cache."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class CacheThread:
    """Does work for other threads, one piece after the other, while they wait.

    DSPy's disk cache opens 16 databases for each thread that asks it: many rollouts in flight would take more time
    for that than for their LM calls, and more files than a process may open.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pitcheval-cache")
        self._pid = os.getpid()

    def do(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises; done by the caller once this is closed, and in a process that was forked."""
        if os.getpid() != self._pid:
            return work()
        try:
            done = self._executor.submit(work)
        except RuntimeError:  # it is closed
            return work()
        return done.result()

    def close(self) -> None:
        """End the thread, as soon as what it has to do is done."""
        self._executor.shutdown(wait=False)
