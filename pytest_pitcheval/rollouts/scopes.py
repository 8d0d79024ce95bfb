"""Scopes: whose LM calls are being made, and what becomes of them. Knows nothing of DSPy."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, NamedTuple

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.failures import origins
from pytest_pitcheval.results.records import PARTS, Usage, total
from pytest_pitcheval.rollouts.threads.strands import Moment
from pytest_pitcheval.storage.answers.answer import Place

_KEPT = 100
"""Failures of one scope that are kept: a compilation may have thousands, each with all that its frames hold."""


_tool: ContextVar[str] = ContextVar("pitcheval_tool", default="")


@contextlib.contextmanager
def within(tool: str) -> Iterator[None]:
    """Within it, whatever is asked is asked by a ``tool`` of a program."""
    token = _tool.set(f"{_tool.get()}/{tool}" if _tool.get() else tool)
    try:
        yield
    finally:
        _tool.reset(token)


class Failure(NamedTuple):
    """An LM call that failed.

    Attributes:
        asked: what it was asked, to be compared with what is asked later.
        is_answered: whether its maker has got an answer to a later call.
        is_left_out: whether its maker has not heard of it: then only an answer to the same makes up for it.
    """

    part: str
    error: BaseException
    begun: Moment
    ended: Moment
    asked: object = None
    is_answered: bool = False
    is_left_out: bool = False

    def after_answer(self, part: str, begun: Moment, asked: object) -> Failure:
        """The same once a call of ``part`` that was ``begun`` then, and ``asked`` this, is answered."""
        follows = part == self.part and begun.may_follow(self.ended)
        if follows and self.is_left_out:
            follows = repr(asked) == repr(self.asked)
        return self._replace(is_answered=self.is_answered or follows)


class Scope:
    """The LM calls of one phase of work, counted; the base is the compile phase, which uses the cache as usual.

    Thread-safe: a program may call its LM from many threads. ``place`` says in a file of answers whose they are.
    """

    def __init__(self, place: Place | None = None) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._usage = dict.fromkeys(PARTS, Usage())
        self._waits = 0
        self._waiting_since = 0.0
        self._waited = 0.0
        self._failures: deque[Failure] = deque(maxlen=_KEPT)
        self._answered: dict[str, Moment] = {}
        self._models: dict[str, set[str]] = {}
        self.refusal: PitchevalError | None = None
        """Why a call was not sent, or no further one will be: the session may spend no more, or is a replay."""

    @property
    def place(self) -> Place | None:
        """Whose calls they are in a file of answers, and within which tool; None for those of no test."""
        tool = _tool.get()
        return self._place._replace(within=tool) if self._place is not None and tool else self._place

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

    @property
    def answers_from_cache(self) -> bool:
        """Whether it may have answers that an earlier session has left."""
        return True

    @property
    def is_replayed(self) -> bool:
        """Whether it may have no answer that is fresh."""
        return False

    def asks_first(self, key: str | None) -> bool:
        """Whether no cache can have the answer of ``key``, as it is this rollout's own and never asked for yet."""
        return False

    def takes_up(self, key: str | None) -> bool:
        """Whether this is the first answer of ``key`` to this rollout, which had one in the run that is repeated."""
        return False

    def asks(self, part: str, model: str) -> None:
        """An LM call of ``part`` begins."""
        with self._lock:
            self._models.setdefault(part, set()).add(model)

    def models(self, part: str) -> set[str]:
        """The models that LM calls of ``part`` were to."""
        with self._lock:
            return set(self._models.get(part, ()))

    def answered_from_cache(self, key: str | None, part: str) -> None:
        """An answer with this key came from the cache."""
        self.count(part, Usage(cached=1))

    def replayed(self, part: str) -> None:
        """An answer was taken from a file."""
        self.count(part, Usage(cached=1))

    def missed(self, problem: PitchevalError) -> None:
        """A call is not recorded, and may not be sent; ``problem`` is raised next."""
        self.refused(problem)

    def asks_provider(self, part: str) -> None:
        """The cache has no answer: the call goes to the provider."""
        self.count(part, Usage(fresh=1))

    def stored(self, key: str | None, part: str, usage: Usage) -> None:
        """The provider's answer was put into the cache; ``usage`` has its tokens and cost."""
        self.count(part, usage)

    def bypassed_cache(self, part: str, usage: Usage) -> None:
        """A call was made by an LM that does not use the cache; ``usage`` counts it."""
        self.count(part, usage)

    def refused(self, refusal: PitchevalError) -> None:
        """The session may not spend what a call would cost: whoever goes on without an answer has come to nothing."""
        self.refusal = self.refusal or refusal

    def not_sent(self, part: str) -> None:
        """The call that was just counted as one to the provider has not got there; perhaps it is made again."""
        self.count(part, Usage(fresh=-1))

    def ended(
        self,
        part: str,
        error: BaseException | None,
        begun: Moment | None = None,
        now: Moment | None = None,
        asked: object = None,
    ) -> None:
        """An LM call that was ``begun`` then, and ``asked`` this, has ended: with its error after all retries or None.

        ``now`` is when, if not now.
        """
        now = now or Moment.now()
        begun = begun or now
        if error is not None:
            self.count(part, Usage(failed=1))
        with self._lock:
            if error is not None:
                self._failures.append(Failure(part, error, begun, now, asked))
            else:
                self._answered[part] = now
                kept = [failure.after_answer(part, begun, asked) for failure in self._failures]
                self._failures = deque(kept, maxlen=_KEPT)

    def left_out(self, errors: Collection[BaseException]) -> None:
        """The maker of the LM calls that failed with these ``errors``, or raised them further, goes on without them."""
        causes = {id(cause) for error in errors for cause in origins(error)}
        with self._lock:
            kept = [
                failure._replace(is_answered=False, is_left_out=True) if id(failure.error) in causes else failure
                for failure in self._failures
            ]
            self._failures = deque(kept, maxlen=_KEPT)

    def failures(self, part: str | None = None) -> list[BaseException]:
        """The errors of all LM calls of ``part``, None: of all, that have failed."""
        with self._lock:
            return [failure.error for failure in self._failures if part in (None, failure.part)]

    def failure(self, part: str | None = None, forgiving: bool = False) -> BaseException | None:
        """The error of the last LM call of ``part``, None: of any, that failed; None if no call counts as failed.

        With ``forgiving`` a call does not count whose maker went on to make another one that was answered, unless it
        never heard of the failure (`left_out`). A call that was cancelled does not count anyway where another one was
        answered meanwhile or later, as it is when the fastest of several wins.
        """
        with self._lock:
            failures = [failure for failure in self._failures if part in (None, failure.part)]
            open_ = [failure for failure in failures if not self._is_made_up_for(failure, forgiving)]
        return open_[-1].error if open_ else None

    def _is_made_up_for(self, failure: Failure, forgiving: bool) -> bool:
        if isinstance(failure.error, asyncio.CancelledError):
            answered = self._answered.get(failure.part)
            return answered is not None and answered.tick > failure.begun.tick
        return forgiving and failure.is_answered

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
