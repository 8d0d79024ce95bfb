"""Threads that do what is queued, the first in order first, as many pieces at once as there are slots.

They are daemons: at the end of a session nobody waits for what a provider still owes.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from pytest_pitcheval import waits
from pytest_pitcheval.concurrency.slots import Release, Slots, once

Order = tuple[int, ...]
"""Smaller ones first."""


_TICK = 1.0
"""Seconds after which a waiting thread looks whether its wait has become pointless."""


class Closed(Exception):
    """The pool begins nothing more."""


class Task:
    """A place in the queue: ``begin`` is called with the task once it has a slot, unless it was cancelled.

    ``is_held`` says whether `Pool.hold` holds it up.
    """

    def __init__(self, begin: Callable[[Task], None], is_held: bool = True) -> None:
        self._begin = begin
        self.is_held = is_held
        self._begun: bool | None = None
        self._mutex = threading.Lock()
        self._release: Release | None = None
        self._over = threading.Event()

    @property
    def begun(self) -> bool:
        """Whether it got its slot."""
        return self._begun is True

    def cancel(self) -> bool:
        """Whether it will never begin."""
        with self._mutex:
            if self._begun is None:
                self._begun = False
            return not self._begun

    def start(self, release: Release) -> None:
        """Begin with a slot that ``release`` gives back."""
        with self._mutex:
            if self._begun is None:
                self._begun, self._release = True, release
        if self._begun:
            self._begin(self)
        else:
            release()

    def end(self) -> None:
        """What was begun is over."""
        self.give_up()
        self._over.set()

    def is_over(self, seconds: float) -> bool:
        """Whether nothing goes on in it, or begins, after ``seconds`` at the latest."""
        return self.cancel() or self._over.wait(seconds)

    def give_up(self) -> None:
        """Give the slot back, though what was begun may go on for ever."""
        if self._release is not None:
            self._release()


class _Queued(NamedTuple):
    order: Order
    number: int
    task: Task


class Pool:
    """The queue of one process, and its threads.

    ``stopped`` says that nothing more is to begin, as `close` does: ``-x`` may have ended the session elsewhere.
    """

    def __init__(self, slots: Slots, stopped: Callable[[], bool] = lambda: False) -> None:
        self._slots = slots
        self._stopped = stopped
        self._queue: list[_Queued] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._work: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._idle = 0
        self._dispatcher: threading.Thread | None = None
        self._closed = False
        self._holding = False
        self.in_flight = 0
        """How many slots this process has taken."""

    @property
    def closed(self) -> bool:
        """Whether nothing more begins."""
        return self._closed

    @property
    def queued(self) -> int:
        """How many pieces wait for a slot."""
        return len(self._queue)

    def submit(self, order: Order, work: Callable[[], None]) -> Task:
        """Queue ``work``, which must not raise, for a thread. Once the pool is closed it is cancelled."""

        def begin(task: Task) -> None:
            def worked() -> None:
                waits.note("a slot", queued)
                try:
                    work()
                finally:
                    task.end()

            self._in_thread(worked)

        task, queued = Task(begin), time.monotonic()
        try:
            self._enqueue(order, task)
        except Closed:
            task.cancel()
        return task

    def try_slot(self, stack: contextlib.ExitStack) -> bool:
        """Whether there is a slot for the calling thread at once, and nobody before it; ``stack`` gives it back."""
        with self._changed:
            release = None if self._closed or self._first() else self._take()
        if release is not None:
            stack.callback(release)
        return release is not None

    @contextlib.contextmanager
    def slot(self, order: Order) -> Iterator[None]:
        """A slot for the calling thread, once it is its turn. Raises Closed where there will be none."""
        granted = threading.Event()
        task = Task(lambda _: granted.set(), is_held=False)
        self._enqueue(order, task)
        try:
            with waits.waiting("a slot"):
                while not granted.wait(_TICK):
                    if self._closed and task.cancel():
                        raise Closed
            yield
        finally:
            task.cancel()
            task.give_up()

    def hold(self, seconds: float) -> None:
        """Begin nothing in threads, until `go_on`; returns when nothing is in flight, or after ``seconds``."""
        with self._changed:
            self._holding = True
            self._changed.wait_for(lambda: not self.in_flight, seconds)

    def go_on(self) -> None:
        """Let the queue go on after `hold`."""
        with self._changed:
            self._holding = False
            self._changed.notify_all()

    def close(self) -> None:
        """Begin nothing more; what is in flight goes on."""
        with self._changed:
            self._closed = True
            for queued in self._queue:
                queued.task.cancel()
            self._queue.clear()
            for _ in range(self._idle):  # they end
                self._work.put(None)
            self._idle = 0
            self._changed.notify_all()

    def _enqueue(self, order: Order, task: Task) -> None:
        with self._changed:
            if self._closed:
                raise Closed
            heapq.heappush(self._queue, _Queued(order, next(self._numbers), task))
            if self._dispatcher is None:
                self._dispatcher = threading.Thread(target=self._dispatch, name="pitcheval-queue", daemon=True)
                self._dispatcher.start()
            self._changed.notify_all()

    def _take(self) -> Release | None:
        with self._changed:
            release = self._slots.take()
            if release is None:
                return None
            self.in_flight += 1

        def released() -> None:
            release()
            with self._changed:
                self.in_flight -= 1
                self._changed.notify_all()

        return once(released)

    def _dispatch(self) -> None:
        while (found := self._next()) is not None:
            task, release = found
            task.start(release)

    def _next(self) -> tuple[Task, Release] | None:
        """The first in the queue and a slot for it, as soon as there are both; None once the pool is closed."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._first() or self._closed)
                if not self._closed and self._stopped():
                    self.close()
                if self._closed:
                    return None
                first, release = self._first(), self._take()
                if first is not None and release is not None:
                    self._remove(first)
                    return first.task, release
                self._changed.wait(self._slots.poll)

    def _first(self) -> _Queued | None:
        """The one whose turn it is."""
        if not self._holding:
            return self._queue[0] if self._queue else None
        return next((queued for queued in self._queue if not queued.task.is_held), None)

    def _remove(self, one: _Queued) -> None:
        if one is self._queue[0]:
            heapq.heappop(self._queue)
        else:
            self._queue.remove(one)
            heapq.heapify(self._queue)

    def _in_thread(self, work: Callable[[], None]) -> None:
        with self._changed:
            spawn = self._idle == 0
            if not spawn:
                self._idle -= 1
        if spawn:
            threading.Thread(target=self._run, name="pitcheval-rollout", daemon=True).start()
        self._work.put(work)

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()
            del work  # nothing of it is kept while the thread waits for more
            with self._changed:
                if self._closed:
                    return
                self._idle += 1
