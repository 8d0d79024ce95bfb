"""LM requests kept within rate limits, those of all threads and workers of a session together."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_pitcheval import files, waits

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.limits.buckets import Bucket
    from pytest_pitcheval.settings.rate_limits import RateLimit

CHARACTERS = 4
"""Of a token, about."""


class Limiter:
    """Lets LM requests through one by one.

    ``folder`` is what the processes of the session share, None where there is one only. ``patience`` is the longest
    pause in seconds: whoever is to wait longer has failed, and nobody else waits for it. ``processes`` and ``note`` are
    as `Bucket` has them.
    """

    def __init__(
        self,
        limits: Sequence[RateLimit],
        folder: Path | None,
        stopped: Callable[[], bool],
        patience: float = math.inf,
        processes: int = 1,
        note: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._buckets: list[Bucket] = []
        if limits:
            from pytest_pitcheval.concurrency.limits.buckets import Bucket

            self._buckets = [Bucket(limit, number, folder, processes, note) for number, limit in enumerate(limits)]
        self._pause_file = folder / "pause.json" if folder else None
        self._paused_until = 0.0
        self._pause_seen = 0
        self._stopped = stopped
        self._patience = patience

    def holds_for(self, model: str) -> bool:
        """Whether a request to ``model`` may have to wait."""
        return self._until() > time.monotonic() or any(b.limit.holds_for(model) for b in self._buckets)

    def wait(self, model: str, prompt: str) -> int:
        """Wait until one request to ``model`` may be sent; it counts as sent now, with the tokens expected of it.

        Returns the tokens that ``prompt`` is taken for, a quarter of its characters.
        """
        tokens = len(prompt) // CHARACTERS
        with waits.waiting("the end of a pause that a provider asked for"):
            while (left := self._until() - time.monotonic()) > 0 and not self._stopped():
                time.sleep(min(left, 0.5))
        with waits.waiting("the rate limit"):
            for bucket in self._buckets:
                if bucket.limit.holds_for(model):
                    bucket.take(tokens, self._stopped)
        return tokens

    def settle(self, model: str, expected_prompt: int, tokens: int, answer: int) -> None:
        """A request to ``model`` was answered: it took ``tokens`` in all, ``answer`` of them in the answer.

        ``expected_prompt`` is what `wait` returned for it; token limits make good what was estimated wrongly.
        """
        for bucket in self._buckets:
            if bucket.limit.holds_for(model):
                bucket.settle(expected_prompt, tokens, answer)

    def pause(self, seconds: float) -> None:
        """Send nothing for ``seconds``, in no process: a provider has asked for that. Nothing if it asks too much."""
        if seconds > self._patience:
            return
        until = max(time.monotonic() + seconds, self._until())
        self._paused_until = until
        if self._pause_file is not None:
            with contextlib.suppress(OSError):  # a full disk: the others hear it from the provider
                files.write_json(self._pause_file, until, indent=None)

    def _until(self) -> float:
        """The end of the pause, on the clock that all processes of a machine share."""
        if self._pause_file is not None:
            with contextlib.suppress(OSError, ValueError, TypeError):
                changed = self._pause_file.stat().st_mtime_ns
                if changed != self._pause_seen:
                    until = float(json.loads(self._pause_file.read_text(encoding="utf-8")))
                    self._pause_seen, self._paused_until = changed, max(self._paused_until, until)
        return self._paused_until

    def close(self) -> None:
        for bucket in self._buckets:
            bucket.close()
