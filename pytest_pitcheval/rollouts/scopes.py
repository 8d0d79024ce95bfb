"""Scopes: whose LM calls are being made, and what becomes of them. Knows nothing of DSPy."""

from __future__ import annotations

import contextlib
import enum
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_pitcheval.errors import PitchevalError, ReplayMiss, StaleAnswer
from pytest_pitcheval.results.records import PARTS, Usage, total
from pytest_pitcheval.rollouts.rollout_id import RolloutId


class Scope:
    """The LM calls of one phase of work, counted; the base is the compile phase, which uses the cache as usual.

    Thread-safe: a program may call its LM from many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._usage = dict.fromkeys(PARTS, Usage())
        self._waits = 0
        self._waiting_since = 0.0
        self._waited = 0.0
        self.failure: BaseException | None = None
        """The error of the last LM call, or None if a later call went well."""

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Time within it, in any thread, is spent waiting for permission to call the LM."""
        with self._lock:
            if not self._waits:
                self._waiting_since = time.monotonic()
            self._waits += 1
        try:
            yield
        finally:
            with self._lock:
                self._waits -= 1
                if not self._waits:
                    self._waited += time.monotonic() - self._waiting_since

    @property
    def waited(self) -> float:
        """Seconds of waiting until now."""
        with self._lock:
            return self._waited + (time.monotonic() - self._waiting_since if self._waits else 0.0)

    def keyed(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """The request whose fields make up the cache key."""
        return request

    def asks_first(self, key: str | None) -> bool:
        """Whether no cache can have an answer with this key, which has the scope's rollout in it."""
        return False

    def answered_from_cache(self, key: str | None, part: str) -> None:
        """An answer with this key came from the cache."""
        self.count(part, Usage(cached=1))

    def asks_provider(self, part: str) -> None:
        """The cache has no answer: the call goes to the provider."""
        self.count(part, Usage(fresh=1))

    def stored(self, key: str | None, part: str, usage: Usage) -> None:
        """The provider's answer was put into the cache; ``usage`` has its tokens and cost."""
        self.count(part, usage)

    def bypassed_cache(self, part: str, usage: Usage) -> None:
        """A call was made by an LM that does not use the cache; ``usage`` counts it."""
        self.count(part, usage)

    def not_sent(self, part: str) -> None:
        """The call that was just counted as one to the provider has not got there, and is made again."""
        self.failure = None
        self.count(part, Usage(fresh=-1))

    def ended(self, part: str, error: BaseException | None) -> None:
        """An LM call ended, with its error after DSPy's retries or None."""
        self.failure = error
        if error is not None:
            self.count(part, Usage(failed=1))

    def count(self, part: str, usage: Usage) -> None:
        with self._lock:
            self._usage[part] += usage

    def usage(self, part: str) -> Usage:
        """What the calls of ``part`` took so far."""
        with self._lock:
            return self._usage[part]

    @property
    def total(self) -> Usage:
        return total(self.usage(part) for part in PARTS)


class Answers(enum.Enum):
    """Where the answers to a rollout's LM calls may come from."""

    FRESH = "the provider, never what another rollout left in the cache"
    REPLAYED = "the cache, never the provider"
    RESUMED = "the cache, else the provider"


class RolloutScope(Scope):
    """The LM calls of one rollout, with a rule for where their answers come from."""

    def __init__(self, rollout_id: RolloutId, answers: Answers = Answers.FRESH) -> None:
        super().__init__()
        self.rollout_id = rollout_id
        self._answers = answers
        self._own_keys: set[str] = set()
        self._problem: PitchevalError | None = None

    def keyed(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        kept = {name: value for name, value in request.items() if name != "timeout"}  # that decides no answer
        return {**kept, "rollout_id": self.rollout_id.key(request.get("rollout_id"))}

    def asks_first(self, key: str | None) -> bool:
        return self._answers is Answers.FRESH and key is not None and key not in self._own_keys

    def answered_from_cache(self, key: str | None, part: str) -> None:
        super().answered_from_cache(key, part)
        if self._answers is Answers.FRESH and key not in self._own_keys:
            self.report(
                StaleAnswer(f"rollout {self.rollout_id}: an LM call was answered from the cache of another rollout")
            )

    def asks_provider(self, part: str) -> None:
        if self._answers is Answers.REPLAYED:
            miss = ReplayMiss(
                f"rollout {self.rollout_id}: an LM call of this replay is not in DSPy's cache; "
                "expected the options of the first run"
            )
            self.report(miss)
            raise miss
        super().asks_provider(part)

    def stored(self, key: str | None, part: str, usage: Usage) -> None:
        super().stored(key, part, usage)
        if key is not None:
            self._own_keys.add(key)

    def bypassed_cache(self, part: str, usage: Usage) -> None:
        super().bypassed_cache(part, usage)
        if self._answers is Answers.REPLAYED:
            self.report(ReplayMiss(f"rollout {self.rollout_id}: an LM with cache=False cannot be replayed"))

    def report(self, problem: PitchevalError) -> None:
        """Remember the first problem: a program may swallow the exception, the test must not."""
        self._problem = self._problem or problem

    def check(self) -> None:
        """Raise the problem of this rollout, if it has one."""
        if self._problem is not None:
            raise self._problem
