"""A rollout's scope in the threads that its program starts.

DSPy's settings reach the threads of ``dspy.Parallel``, but not a plain ``threading.Thread`` or a thread pool. While
several rollouts are in flight in one process, their scope has to reach those as well. As tracing libraries do it, the
start of a thread and the handing of work to a thread pool are wrapped for as long as that goes on.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from pytest_pitcheval.rollouts.scopes import Scope

T = TypeVar("T")

OWN_THREADS = "pitcheval-"
"""What the names of the plugin's own threads begin with: they serve all rollouts."""

_inherited: ContextVar[Scope | None] = ContextVar("pitcheval_scope", default=None)


def inherited() -> Scope | None:
    """The scope of whoever gave the calling thread its work, None if that had none."""
    return _inherited.get()


def bound(scope: Scope, work: Callable[..., T]) -> Callable[..., T]:
    """``work``, in whichever thread, in ``scope``."""

    def in_scope(*args: Any, **kwargs: Any) -> T:
        token = _inherited.set(scope)
        try:
            return work(*args, **kwargs)
        finally:
            _inherited.reset(token)

    return in_scope


@contextlib.contextmanager
def handed_on(current: Callable[[], Scope | None]) -> Iterator[None]:
    """Within it, threads and what thread pools are given inherit the scope that ``current`` says of their starter."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit
    over = False

    def start_in_scope(thread: threading.Thread) -> None:
        scope = None if over else current()
        if scope is not None and not thread.name.startswith(OWN_THREADS):
            thread.run = bound(scope, thread.run)  # type: ignore[method-assign]
        start(thread)

    def submit_in_scope(pool: ThreadPoolExecutor, work: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        if not over and (scope := current()) is not None:
            work = bound(scope, work)
        return submit(pool, work, *args, **kwargs)

    threading.Thread.start = start_in_scope  # type: ignore[method-assign, assignment]
    ThreadPoolExecutor.submit = submit_in_scope  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        over = True  # where another library has wrapped ours meanwhile, ours stays below it and does nothing
        if threading.Thread.start is start_in_scope:
            threading.Thread.start = start  # type: ignore[method-assign]
        if ThreadPoolExecutor.submit is submit_in_scope:
            ThreadPoolExecutor.submit = submit  # type: ignore[method-assign]
