"""Which branch of a program does something: a thread or task by what it does, and the how-manieth to do that it is.

The same in each session, whichever branch is the faster one. What LM calls and tools start does not count: where their
answers are replayed, there is none of it. Knows nothing of DSPy.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import itertools
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any


class _Branch:
    def __init__(self, path: str = "") -> None:
        self.path = path
        self._numbers: dict[str, itertools.count[int]] = {}

    def next(self, work: Any) -> _Branch:
        """Numbered among those that do the same: libraries start threads of their own once in a while."""
        name = _name(work)
        number = next(self._numbers.setdefault(name, itertools.count(1)))
        return _Branch(f"{self.path}{' / ' if self.path else ''}{name} {number}")


def _name(work: Any) -> str:
    while isinstance(work, functools.partial):
        work = work.func
    return str(getattr(work, "__qualname__", type(work).__qualname__))


_current: ContextVar[_Branch | None] = ContextVar("pitcheval_branch", default=None)
_uncounted: ContextVar[bool] = ContextVar("pitcheval_uncounted", default=False)


def current() -> str:
    """That of the caller, such as ``Agent.ask 2``, the second one to do that; "" for what starts them."""
    branch = _current.get()
    return branch.path if branch else ""


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Within it, the branches of a program or metric are counted, from 1."""
    token = _current.set(_Branch())
    try:
        yield
    finally:
        _current.reset(token)


@contextlib.contextmanager
def uncounted() -> Iterator[None]:
    """Within it, what is started is no branch."""
    token = _uncounted.set(True)
    try:
        yield
    finally:
        _uncounted.reset(token)


def begin_in(context: contextvars.Context, work: Any) -> None:
    """The caller starts ``work``, a function or coroutine, that is going to run in ``context``, a copy of its own."""
    branch = _current.get()
    if branch is not None and not _uncounted.get():
        context.run(_current.set, branch.next(work))


def task(loop: asyncio.AbstractEventLoop, coroutine: Any, **kwargs: Any) -> asyncio.Task[Any]:
    """A task factory: each task is a branch."""
    if kwargs.get("context") is not None:  # whoever gives a context wants the task to run in that very one
        return asyncio.Task(coroutine, loop=loop, **kwargs)
    context = contextvars.copy_context()
    begin_in(context, coroutine)
    kwargs.pop("context", None)
    return context.run(functools.partial(asyncio.Task, coroutine, loop=loop, **kwargs))
