"""One rate limit: a bucket of pyrate-limiter's, which the processes of a session may share."""

from __future__ import annotations

import contextlib
import math
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate, RateItem, SQLiteBucket

if TYPE_CHECKING:
    from pytest_pitcheval.settings.rate_limits import RateLimit

_UNITS = 1000
"""A token limit is counted in units, this many at most: the bucket keeps a row for each unit in use."""
_MARGIN = 0.08
"""A share of the limit's window."""
_LONGEST_MARGIN = 0.25
"""Seconds. The bucket's window is longer than the limit's, by `_MARGIN` of it or by this if that is less: the provider
sees two requests closer together than they were sent if the first was longer on its way."""
_SMOOTHED = 10
"""A limit a second is one a tenth of a second as well, so that no burst arrives when the last one does."""
_UNSHARED = (OSError, sqlite3.Error)
"""What there is where processes cannot share a bucket."""
_TICK = 0.5
"""Seconds after which one that waits looks whether there is still something to wait for."""
_FIRST_ANSWER = 100
"""Tokens of an answer before one has been seen."""


class Bucket:
    """One limit, which the processes with the same ``folder`` share, ``processes`` in all.

    Where they cannot (a file system without locks, a full disk), each keeps to its part, and ``note`` is told why.
    """

    def __init__(
        self,
        limit: RateLimit,
        number: int,
        folder: Path | None,
        processes: int = 1,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.limit = limit
        self._processes, self._note = processes, note
        self._unit = max(1, limit.amount // _UNITS) if limit.of_tokens else 1
        self._most = limit.amount // self._unit
        self._mutex = threading.Lock()
        self._owed = 0.0
        self._answer = float(_FIRST_ANSWER)
        try:
            self._bucket = _make_bucket(_rates(self._most, limit), number, folder)
        except _UNSHARED as error:
            self._keep_to_part(error)

    def _keep_to_part(self, error: Exception) -> None:
        part = self.limit.part(self._processes)
        self._most = max(1, part.amount // self._unit)
        self._bucket = InMemoryBucket(_rates(self._most, part))
        self._note(f"the workers share no rate limit, each keeps to its part of the rate limit: {error}")

    def take(self, prompt_tokens: int, stopped: Callable[[], bool]) -> None:
        """Wait until one more request is within the limit: first come, first served within a process."""
        with self._mutex:
            weight = self._weight(prompt_tokens)
            while not stopped():
                try:
                    wait = self._try(weight)
                except _UNSHARED as error:
                    self._keep_to_part(error)
                    weight, wait = min(weight, self._most), 0.0
                if wait is None:
                    return
                time.sleep(min(_TICK, max(0.001, wait)))

    def _try(self, weight: int) -> float | None:
        """Let a request through, or the seconds after which to try again."""
        with self._bucket.limiter_lock() or contextlib.nullcontext():  # type: ignore[attr-defined]
            # Within the lock: a request is let through at this time, not when it began to wait for others.
            item = RateItem("request", time.monotonic_ns() // 1_000_000, weight)
            if self._bucket.put(item):
                self._bucket.leak(item.timestamp)
                return None
            wait = self._bucket.waiting(item)
        return wait / 1000 if isinstance(wait, int) else 0.0

    def _weight(self, prompt_tokens: int) -> int:
        if not self.limit.of_tokens:
            return 1
        expected = prompt_tokens + self._answer
        units = math.ceil((expected + self._owed) / self._unit)
        weight = min(max(1, units), self._most)
        self._owed -= weight * self._unit - expected
        return weight

    def settle(self, expected_prompt: int, tokens: int, answer: int) -> None:
        """A request took ``tokens`` in all, ``answer`` of them in its answer; ``expected_prompt`` were expected before.

        The difference to what `take` reserved is added to, or taken from, what the next requests reserve: a window's
        worth at most, whatever a provider says of one answer.
        """
        if self.limit.of_tokens:
            most = self.limit.amount
            with self._mutex:
                self._owed = min(self._owed + min(tokens, most) - (expected_prompt + self._answer), most)
                self._answer += (min(answer, most) - self._answer) / 8

    def close(self) -> None:
        self._bucket.close()


def _rates(count: int, limit: RateLimit) -> list[Rate]:
    seconds = limit.seconds
    rates = [Rate(count, round(1000 * (seconds + min(_MARGIN * seconds, _LONGEST_MARGIN))))]
    if seconds == 1 and count >= 2 * _SMOOTHED and not limit.of_tokens:
        rates.insert(0, Rate(math.ceil(count / _SMOOTHED), 1000 // _SMOOTHED))
    return rates


def _make_bucket(rates: list[Rate], number: int, folder: Path | None) -> AbstractBucket:
    if folder is None:
        return InMemoryBucket(rates)
    path = str(folder / f"limit-{number}.sqlite")
    return SQLiteBucket.init_from_file(rates, db_path=path, use_file_lock=True)
