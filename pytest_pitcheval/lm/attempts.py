"""One attempt of an LM call: which it is, how long it takes without waiting, and its end where the answer has none.

A client's timeout is one for each read: an answer that arrives a byte at a time never exceeds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")

_TICK = 0.5
"""Seconds after which to look whether an attempt has begun to wait for its turn."""


class Attempt:
    """The attempt ``number`` (from 0) of a call of ``lm``.

    Attributes:
        told: how many seconds the call has been asked to wait by its provider before this attempt.
        on_given_up: what is to be told when it is given up, though it may go on where nobody sees it.
    """

    def __init__(self, lm: Any, number: int, told: float) -> None:
        self.lm = lm
        self.number = number
        self.told = told
        self.on_given_up: Callable[[BaseException], object] = lambda error: None
        self._began = time.monotonic()
        self._waiting_since: float | None = None

    @property
    def seconds(self) -> float:
        """How long it has been at work."""
        now = self._waiting_since
        return (time.monotonic() if now is None else now) - self._began

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it, the call waits for its turn: that is no work."""
        self._waiting_since = since = time.monotonic()
        try:
            yield
        finally:
            self._began += time.monotonic() - since
            self._waiting_since = None

    @contextlib.contextmanager
    def entered(self) -> Iterator[Attempt]:
        """Within it, it is what `current` says."""
        token = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(token)

    def within(self, seconds: float, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises; TimeoutError after ``seconds``, though its thread goes on."""
        done = begun_apart(work, "pitcheval-call")
        while not done.done():
            wait([done], self._next_look(seconds))
        return done.result()

    async def awaited_within(self, seconds: float, work: Coroutine[Any, Any, T]) -> T:
        """`within` for a coroutine, which is cancelled."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=self._next_look(seconds))
        finally:
            task.cancel()
        return task.result()

    def _next_look(self, seconds: float) -> float:
        left = seconds - self.seconds
        if left <= 0:
            error = TimeoutError(f"{self.lm.model}: no end of its answer after {seconds:g} s")
            self.on_given_up(error)
            raise error
        return min(left, _TICK)


def begun_apart(work: Callable[[], T], name: str) -> Future[T]:
    """``work`` in a daemon thread of this ``name`` and in this context: it may go on for ever."""
    done: Future[T] = Future()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            done.set_result(context.run(work))
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return done


_current: contextvars.ContextVar[Attempt | None] = contextvars.ContextVar("pitcheval_attempt", default=None)


def current() -> Attempt | None:
    """The attempt that the LM call of the calling thread is just making; None if its LM makes one only."""
    return _current.get()
