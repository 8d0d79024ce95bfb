"""LM requests kept within rate limits, those of all threads and workers of a session together."""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyrate_limiter import AbstractBucket, InMemoryBucket, Rate, RateItem, SQLiteBucket

from pytest_pitcheval import storage

if TYPE_CHECKING:
    from pytest_pitcheval.rate_limits import RateLimit

_UNITS = 1000
"""Into so many units at most a token limit is divided: the bucket keeps a row for each."""
_MARGIN = 0.08
_LONGEST_MARGIN = 0.25
"""A window is longer by this share of it, but not by more seconds: requests do not all take as long to arrive."""
_SMOOTHED = 10
"""A limit a second is one a tenth of a second as well, so that no burst arrives when the last one does."""
_CHARACTERS = 4
"""Of a token, about."""
_FIRST_ANSWER = 100
"""Tokens of an answer before one has been seen."""


class _Bucket:
    """One limit; ``tokens`` is how many of them make a unit, None where requests are counted."""

    def __init__(self, limit: RateLimit, number: int, folder: Path | None) -> None:
        self.limit = limit
        self._unit = max(1, limit.amount // _UNITS) if limit.of_tokens else 1
        self._most = limit.amount // self._unit
        self._mutex = threading.Lock()
        self._owed = 0.0
        self._answer = float(_FIRST_ANSWER)
        self._bucket = _make_bucket(_rates(self._most, limit), number, folder)

    def take(self, prompt_tokens: int, stopped: Callable[[], bool]) -> None:
        """Wait until one more request is within the limit: first come, first served within a process."""
        with self._mutex:
            weight = self._weight(prompt_tokens)
            while not stopped():
                with self._bucket.limiter_lock() or contextlib.nullcontext():  # type: ignore[attr-defined]
                    # Within the lock: a request is let through at this time, not when it began to wait for others.
                    item = RateItem("request", time.monotonic_ns() // 1_000_000, weight)
                    if self._bucket.put(item):
                        self._bucket.leak(item.timestamp)
                        return
                    wait = self._bucket.waiting(item)
                time.sleep(max(1, wait if isinstance(wait, int) else 1) / 1000)

    def _weight(self, prompt_tokens: int) -> int:
        if not self.limit.of_tokens:
            return 1
        expected = prompt_tokens + self._answer
        units = math.ceil((expected + self._owed) / self._unit)
        weight = min(max(1, units), self._most)
        self._owed -= weight * self._unit - expected
        return weight

    def settle(self, expected_prompt: int, tokens: int, answer: int) -> None:
        """The last request took ``tokens``: what was expected wrongly, the next ones make good."""
        if self.limit.of_tokens:
            with self._mutex:
                self._owed += tokens - (expected_prompt + self._answer)
                self._answer += (answer - self._answer) / 8

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


class Limiter:
    """Lets LM requests through one by one.

    ``folder`` is what the processes of the session share, None where there is one only.
    """

    def __init__(self, limits: Sequence[RateLimit], folder: Path | None, stopped: Callable[[], bool]) -> None:
        self._buckets = [_Bucket(limit, number, folder) for number, limit in enumerate(limits)]
        self._pause_file = folder / "pause.json" if folder else None
        self._paused_until = 0.0
        self._pause_seen = 0
        self._stopped = stopped

    def holds_for(self, model: str) -> bool:
        """Whether a request to ``model`` may have to wait."""
        return self._until() > time.monotonic() or any(b.limit.holds_for(model) for b in self._buckets)

    def wait(self, model: str, prompt: str) -> int:
        """Wait until a request to ``model`` may be sent; returns the tokens that ``prompt`` is taken for."""
        tokens = len(prompt) // _CHARACTERS
        while (left := self._until() - time.monotonic()) > 0 and not self._stopped():
            time.sleep(min(left, 0.5))
        for bucket in self._buckets:
            if bucket.limit.holds_for(model):
                bucket.take(tokens, self._stopped)
        return tokens

    def settle(self, model: str, expected_prompt: int, tokens: int, answer: int) -> None:
        """A request to ``model`` took ``tokens`` in all, ``answer`` of them in the answer."""
        for bucket in self._buckets:
            if bucket.limit.holds_for(model):
                bucket.settle(expected_prompt, tokens, answer)

    def pause(self, seconds: float) -> None:
        """Send nothing for ``seconds``, in no process: a provider has asked for that."""
        until = max(time.monotonic() + seconds, self._until())
        self._paused_until = until
        if self._pause_file is not None:
            storage.write_json(self._pause_file, until, indent=None)

    def _until(self) -> float:
        """The end of the pause, on the clock that all processes of a machine share."""
        if self._pause_file is not None:
            with contextlib.suppress(FileNotFoundError):
                changed = self._pause_file.stat().st_mtime_ns
                if changed != self._pause_seen:
                    found = json.loads(self._pause_file.read_text(encoding="utf-8"))
                    self._pause_seen, self._paused_until = changed, max(self._paused_until, found)
        return self._paused_until

    def close(self) -> None:
        for bucket in self._buckets:
            bucket.close()
