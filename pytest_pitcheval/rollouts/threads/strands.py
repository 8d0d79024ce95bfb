"""Strands: what a program does side by side, so that one part of it says nothing of the other.

A piece of work for a thread pool is one, a thread, and an asyncio task. DSPy's settings, a rollout's scope among them,
reach the threads of ``dspy.Parallel``, but not a plain ``threading.Thread`` or a thread pool. As tracing libraries do
it, and Python itself may from 3.14 on, the start of a thread and the handing of work to a thread pool are wrapped: what
runs there gets a copy of the context variables. Knows nothing of DSPy.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import itertools
import threading
import weakref
from collections.abc import Callable, Iterator, MutableSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from pytest_pitcheval.rollouts.threads import branches
from pytest_pitcheval.rollouts.threads.replacing import replaced

T = TypeVar("T")

_ticks = itertools.count(1)


def tick() -> int:
    """A number greater than all before."""
    return next(_ticks)


class Strand:
    """Something that goes on beside others since ``created``, a `tick`."""

    def __init__(self) -> None:
        self.created = tick()


_of_thread: ContextVar[Strand | None] = ContextVar("pitcheval_strand", default=None)
_of_tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], Strand] = weakref.WeakKeyDictionary()


def enter() -> None:
    """What the calling thread does in this context from now on is a strand of its own."""
    _of_thread.set(Strand())


def current() -> Strand | None:
    """The strand of the caller, None for what a rollout does by itself."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no event loop runs here
        return _of_thread.get()
    if task is None:
        return _of_thread.get()
    strand = _of_tasks.get(task)
    if strand is None:
        strand = _of_tasks[task] = Strand()
    return strand


class Moment(NamedTuple):
    """When and where something was done."""

    tick: int = 0
    strand: Strand | None = None

    @classmethod
    def now(cls) -> Moment:
        return cls(tick(), current())

    def may_follow(self, other: Moment) -> bool:
        """Whether who did this may have known of ``other``: it was later, and not by something beside it."""
        if self.tick <= other.tick:
            return False
        return self.strand is None or self.strand is other.strand or self.strand.created > other.tick


_submitting: ContextVar[bool] = ContextVar("pitcheval_submitting", default=False)

OWN_THREADS = "pitcheval-"
"""What the names of the plugin's own threads begin with: they serve all rollouts."""


@contextlib.contextmanager
def handed_on(
    current: Callable[[], object | None], started: MutableSet[threading.Thread] | None = None
) -> Iterator[None]:
    """Within it, threads and what thread pools are given inherit the context of a starter that has a scope.

    ``current`` gives the scope of the calling thread, None where it has none; into ``started`` go the threads that one
    with a scope starts, those of pools too.
    """
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    over = False

    def start_in_context(thread: threading.Thread) -> None:
        if not (over or thread.name.startswith(OWN_THREADS) or current() is None):
            if started is not None:
                started.add(thread)
            if not _submitting.get():
                thread.run = _in_copy_of_context(thread.run)  # type: ignore[method-assign]
        start(thread)

    def submit_in_context(pool: ThreadPoolExecutor, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        if not over and current() is not None:
            work = _in_copy_of_context(work)
        token = _submitting.set(True)  # a thread of the pool works for whoever submits: it inherits nothing itself
        try:
            return submit(pool, work, *args, **kwargs)
        finally:
            _submitting.reset(token)

    pools = replaced(ThreadPoolExecutor, "submit", submit_in_context)
    with replaced(threading.Thread, "start", start_in_context), pools:
        try:
            yield
        finally:
            over = True


def _in_copy_of_context(work: Callable[..., T]) -> Callable[..., T]:
    context = contextvars.copy_context()
    context.run(enter)
    branches.begin_in(context, work)
    return functools.partial(context.run, work)
