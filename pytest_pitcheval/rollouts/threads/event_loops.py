"""The event loop that async programs run in: one as long as the session, as it is in production.

A client that a program keeps (of HTTP, MCP, a database) belongs to the loop that it was first used in.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from concurrent.futures import wait
from typing import Any

from pytest_pitcheval.rollouts.threads import branches
from pytest_pitcheval.rollouts.threads.strands import OWN_THREADS

_PATIENCE = 1.0
"""Seconds that the end of a session waits for what is left in the loop."""


class EventLoop:
    """Runs coroutines for all threads, side by side in a thread of its own, or each in the calling thread.

    ``shared`` is the former. Where one rollout is made after the other it need not be, and debuggers stay usable.
    """

    def __init__(self) -> None:
        self.shared = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._mutex = threading.Lock()
        self._turn = threading.RLock()

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What ``coroutine`` returns or raises, in the context of the caller."""
        __tracebackhide__ = True
        if not self.shared:
            with self._turn:  # an optimizer's threads may ask an async metric
                if self._loop is None:
                    self._loop = _new_loop()
                return self._loop.run_until_complete(coroutine)
        future = asyncio.run_coroutine_threadsafe(coroutine, self._started())
        wait([future])
        error = future.exception()
        if error is not None:
            raise error
        return future.result()

    def finish(self) -> None:
        """Let what a coroutine has begun, and not waited for, come to its end; in the shared loop it does by itself."""
        loop = self._loop
        if loop is not None and not self.shared and (tasks := asyncio.all_tasks(loop)):
            loop.run_until_complete(asyncio.wait(tasks))

    def leave_behind(self) -> None:
        """Something there does not come to an end: what begins now gets another loop."""
        with self._mutex:
            self._loop = self._thread = None

    def close(self) -> None:
        """End the loop, and what goes on in it."""
        with self._mutex:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is None:
            _end(loop)
        elif loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_PATIENCE)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._turn, self._mutex:
            loop = self._loop = self._loop or _new_loop()  # compiling may have used it in its own thread
            if self._thread is None:
                self._thread = threading.Thread(target=_serve, args=(loop,), name=f"{OWN_THREADS}loop", daemon=True)
                self._thread.start()
            return loop


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    loop.set_task_factory(branches.task)
    return loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        _end(loop)


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """As ``asyncio.run`` leaves a loop: nothing goes on in it."""
    with contextlib.closing(loop):
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks, timeout=_PATIENCE))
        loop.run_until_complete(loop.shutdown_asyncgens())
