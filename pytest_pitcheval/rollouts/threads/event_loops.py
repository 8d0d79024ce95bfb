"""The event loop that async programs run in: one as long as the session, as it is in production.

A client that a program keeps (of HTTP, MCP, a database) belongs to the loop that it was first used in.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any

from pytest_pitcheval.rollouts.threads import branches
from pytest_pitcheval.rollouts.threads.strands import OWN_THREADS

_PATIENCE = 1.0
"""Seconds that the end of a session waits for what is left in its loops."""
_TICK = 0.01
"""Seconds between two looks whether something is over."""


class EventLoop:
    """Runs coroutines for all threads, side by side in a thread of its own, or each in the calling thread.

    ``shared`` is the former. Where one rollout is made after the other it need not be, and debuggers stay usable.
    """

    def __init__(self) -> None:
        self.shared = False
        self._loop: _Loop | None = None
        self._all: list[_Loop] = []
        self._closed = False
        self._mutex = threading.Lock()
        self._turn = threading.RLock()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What ``coroutine`` returns or raises, in the context of the caller.

        Raises CancelledError where the session ends meanwhile, or has ended.
        """
        __tracebackhide__ = True
        with self._turn:  # an optimizer's threads may ask an async metric
            loop = self._current(coroutine)
            if loop.thread is None:
                return loop.run(coroutine)
        future = loop.submit(coroutine)
        error = future.exception()
        if error is not None:
            raise error
        return future.result()

    def wait_until(self, is_over: Callable[[], bool]) -> None:
        """Until then, what a coroutine has begun, and not waited for, goes on; in the shared loop it does by itself."""
        while not is_over():
            if self.shared or self._loop is None:
                time.sleep(_TICK)
            else:
                self.run(asyncio.sleep(_TICK))

    def leave_behind(self) -> None:
        """Something there does not come to an end: what begins now gets another loop."""
        with self._mutex:
            self._loop = None

    def close(self) -> None:
        """End all loops, for good, and what goes on in them; one that is blocked ends as soon as it goes on."""
        with self._mutex:
            self._closed = True
            loops, self._all = self._all, []
        for loop in loops:
            loop.stop()
        until = time.monotonic() + _PATIENCE
        for loop in loops:
            if loop.thread is not None:
                loop.thread.join(max(0.0, until - time.monotonic()))

    def _current(self, coroutine: Coroutine[Any, Any, Any]) -> _Loop:
        with self._mutex:
            if self._closed:
                raise _late(coroutine)
            if self._loop is None:
                self._loop = _Loop()
                self._all.append(self._loop)
            if self.shared:  # compiling may have used it in its own thread
                self._loop.serve()
            return self._loop


class _Loop:
    """One of asyncio's, which whoever runs it last closes: a collector that finds it open warns of it anywhere."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None
        self._made = asyncio.new_event_loop()
        self._made.set_task_factory(branches.task)
        self._mutex = threading.Lock()
        self._pending: set[Future[Any]] = set()
        self._callers = 0
        self._stopping = False

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What ``coroutine`` returns or raises; in the calling thread."""
        __tracebackhide__ = True
        with self._mutex:
            if self._stopping:
                raise _late(coroutine)
            self._callers += 1
        try:
            return self._made.run_until_complete(coroutine)
        except RuntimeError as error:
            if not self._stopping:
                raise
            raise CancelledError(_OVER) from error
        finally:
            with self._mutex:
                self._callers -= 1
                is_last = self._stopping and not self._callers
            if is_last:
                _end(self._made)

    def serve(self) -> None:
        """From now on it runs in a thread of its own."""
        if self.thread is None:
            thread = threading.Thread(target=self._serve, name=f"{OWN_THREADS}loop", daemon=True)
            thread.start()
            self.thread = thread

    def submit(self, coroutine: Coroutine[Any, Any, Any]) -> Future[Any]:
        """What ``coroutine`` is going to return or raise, in the loop's own thread."""
        with self._mutex:
            if self._stopping:
                raise _late(coroutine)
            future = asyncio.run_coroutine_threadsafe(coroutine, self._made)
            self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        return future

    def stop(self) -> None:
        """Whoever waits for what goes on in it does not any more, and it ends."""
        with self._mutex:
            self._stopping = True
            is_run = self.thread is not None or self._callers > 0
            for future in list(self._pending):
                future.cancel()
            if is_run:
                self._made.call_soon_threadsafe(self._made.stop)
        if not is_run:
            _end(self._made)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._made)
        try:
            while not self._stopping:
                with contextlib.suppress(SystemExit, KeyboardInterrupt):  # the task that raised it tells its caller
                    self._made.run_forever()
        finally:
            _end(self._made)


_OVER = "the session is over"


def _late(coroutine: Coroutine[Any, Any, Any]) -> CancelledError:
    coroutine.close()
    return CancelledError(_OVER)


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """As ``asyncio.run`` leaves a loop: nothing goes on in it."""
    with contextlib.closing(loop):
        loop.call_soon(loop.stop)
        with contextlib.suppress(SystemExit, KeyboardInterrupt):
            loop.run_forever()  # what it was told before, another stop too
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_PATIENCE))
        loop.run_until_complete(loop.shutdown_asyncgens())
