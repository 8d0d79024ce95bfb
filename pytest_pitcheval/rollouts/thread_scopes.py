"""A rollout's context in the threads that its program starts.

DSPy's settings, the rollout's scope among them, reach the threads of ``dspy.Parallel``, but not a plain
``threading.Thread`` or a thread pool. As tracing libraries do it, and Python itself may from 3.14 on, the start of a
thread and the handing of work to a thread pool are wrapped: what runs there gets a copy of the context variables.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import threading
from collections.abc import Callable, Iterator, MutableSet
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from pytest_pitcheval.rollouts import strands

T = TypeVar("T")

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

    threading.Thread.start = start_in_context  # type: ignore[method-assign, assignment]
    ThreadPoolExecutor.submit = submit_in_context  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        over = True  # where another library has wrapped ours meanwhile, ours stays below it and does nothing
        if threading.Thread.start is start_in_context:
            threading.Thread.start = start  # type: ignore[method-assign]
        if ThreadPoolExecutor.submit is submit_in_context:
            ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]


def _in_copy_of_context(work: Callable[..., T]) -> Callable[..., T]:
    context = contextvars.copy_context()
    context.run(strands.enter)
    return functools.partial(context.run, work)
