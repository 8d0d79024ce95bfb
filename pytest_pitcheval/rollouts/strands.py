"""Strands: what a program does side by side, so that one part of it says nothing of the other.

A piece of work for a thread pool is one, a thread, and an asyncio task. Knows nothing of DSPy.
"""

from __future__ import annotations

import asyncio
import itertools
import weakref
from contextvars import ContextVar
from typing import Any, NamedTuple

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
