"""Puts the plugin's cache and callback in place around whatever makes LM calls for a test."""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, MutableSet
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import dspy

from pytest_pitcheval.errors import StaleAnswer
from pytest_pitcheval.lm.histories import forget_formatted
from pytest_pitcheval.lm.patient_lm import BOUNDED
from pytest_pitcheval.rollouts.answers import asking
from pytest_pitcheval.rollouts.answers.door import Door
from pytest_pitcheval.rollouts.cache import CacheThread, RolloutCache
from pytest_pitcheval.rollouts.call_scopes import SCOPE, CallScopes
from pytest_pitcheval.rollouts.lm_calls import PART, LMCalls
from pytest_pitcheval.rollouts.rollout import Rollout
from pytest_pitcheval.rollouts.threads import (
    branches,
    child_processes,
    environment,
    left_out,
    process_wide,
    progress_bars,
    strands,
)
from pytest_pitcheval.rollouts.threads.event_loops import EventLoop
from pytest_pitcheval.rollouts.watched import callbacks, embedders, tools, uncached
from pytest_pitcheval.rollouts.watched.models import ModelsAsked

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.limits.limiter import Limiter
    from pytest_pitcheval.rollouts.answers.book import AnswerBook
    from pytest_pitcheval.rollouts.scopes import Scope
    from pytest_pitcheval.rollouts.spending import Spending


class Rollouts:
    """What rollouts need in this process: ``scopes``, ``calls`` as DSPy's callback, the ``loop`` of async programs.

    ``limiter`` and ``spending`` are asked before each LM request; ``clock`` gives what stops the running test's timeout
    meanwhile; ``bounded`` says that tests have no timeouts that end their LM calls; ``note`` is told what the run
    cannot do; ``book`` has recorded answers, or keeps them, None where neither was asked for;
    ``live_tools`` run in a replay, too.
    """

    def __init__(
        self,
        limiter: Limiter,
        clock: Callable[[], AbstractContextManager[object]],
        spending: Spending,
        bounded: bool = False,
        note: Callable[[str], object] = lambda text: None,
        book: AnswerBook | None = None,
        live_tools: Collection[str] = (),
    ) -> None:
        self.book = book
        self._live_tools = live_tools
        self._bounded = bounded
        self._note = note
        self.started: weakref.WeakSet[threading.Thread] = weakref.WeakSet()
        """The threads that programs and metrics have started."""
        self.scopes = CallScopes(clock)
        self.calls = LMCalls(self.scopes, limiter, spending)
        self._limiter = limiter
        self._spending = spending
        self._cache_thread = CacheThread()
        self.models = ModelsAsked()
        self.loop = EventLoop()
        self._around: contextlib.ExitStack | None = None
        self._installing = threading.Lock()
        self._closed = False

    def begin(self, scope: Scope | None) -> None:
        """From now on ``scope`` is that of the running test, None: no test has one."""
        self.scopes.begin(scope)
        if scope is not None:
            self.install()
        else:  # a record has been made of pictures
            forget_formatted()

    @contextlib.contextmanager
    def entered(self, scope: Scope, part: str | None = None, **settings: Any) -> Iterator[None]:
        """Within it, LM calls belong to ``scope``, in all threads that DSPy starts.

        ``part`` says who makes them; None: its mark ``pitcheval_part`` does. ``settings`` are DSPy's. Raises
        StaleAnswer if something took our cache away meanwhile.
        """
        self.install(scope)
        mine = {SCOPE: scope, PART: part, "callbacks": self._callbacks(), "track_usage": True}
        if self._bounded or not isinstance(scope, Rollout):  # compiling is charged to no test
            mine[BOUNDED] = True
        if isinstance(scope, Rollout) and dspy.settings.get("trace") is not None:
            mine["trace"] = scope.trace
        try:
            with branches.counted(), dspy.context(**mine, **settings):
                yield
        except BaseException:
            self.install(scope)  # what raised says enough
            raise
        self.check_installed(scope)

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Within it, the calling thread's LM calls belong to no rollout; a cap holds for them all the same."""
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.scopes.outside())
            if self._spending.is_capped:
                self.install()
                stack.enter_context(dspy.context(callbacks=self._callbacks()))
            yield

    def land(self, rollout: Rollout) -> None:
        """What is in flight of a rollout that may ask no further lands first, and counts."""
        self.loop.wait_until(lambda: not self.calls.is_asking(rollout))

    def _callbacks(self) -> list[Any]:
        return [*(one for one in dspy.settings.get("callbacks") or [] if one is not self.calls), self.calls]

    def install(self, entering: Scope | None = None) -> None:
        """Stand in front of DSPy's cache; again if the user has configured another one. Threads are looked after.

        That makes stale what is in flight, but for the scope that is just ``entering``.
        """
        with self._installing:
            if isinstance(dspy.cache, RolloutCache) or self._closed:
                return
            door = Door(self.book, self.calls) if self.book else None
            dspy.cache = RolloutCache(dspy.cache, self.scopes, self.calls, self._cache_thread, self._note, door)
            if self._around is None:
                self._around = _around(self.scopes, self.calls, self.started, self._note)
                if self.book is not None:
                    self.calls.at_the_door = asking.passes_cache
                    self._around.enter_context(asking.kept(self.book, self.scopes, self.calls))
                    self._around.enter_context(tools.kept(self.book, self.scopes, self._live_tools))
                elif self._spending.is_capped:
                    self._around.enter_context(uncached.admitted(self.calls.admit_uncached))
                return
        for rollout in self.scopes.in_flight:
            if rollout is not entering:
                rollout.report(_replaced(rollout))

    def check_installed(self, scope: Scope) -> None:
        """Raise StaleAnswer if the cache was replaced during ``scope``: its answers may be old ones."""
        if isinstance(scope, Rollout) and not isinstance(dspy.cache, RolloutCache) and not self._closed:
            self.install()  # so that it is said once
            raise _replaced(scope)

    def uninstall(self) -> None:
        """Give DSPy's cache back, for good: rollouts that are still in flight do not take it again."""
        self._closed = True
        self.loop.close()
        if self._around is not None:
            self._around.close()
        self._limiter.close()
        self._cache_thread.close()
        if isinstance(dspy.cache, RolloutCache):
            dspy.cache = dspy.cache.inner
        if self.book is not None:
            self.book.close()


def _around(
    scopes: CallScopes, calls: LMCalls, started: MutableSet[threading.Thread], note: Callable[[str], object]
) -> contextlib.ExitStack:
    """What is different in this process while there are rollouts."""
    with contextlib.suppress(RuntimeError):  # another thread has configured DSPy
        dspy.configure()  # else the first thread whose program does it would be DSPy's main one
    stack = contextlib.ExitStack()
    stack.enter_context(strands.handed_on(scopes.own, started))
    stack.enter_context(progress_bars.kept_apart())
    stack.enter_context(environment.whole())
    stack.enter_context(process_wide.noted(process_wide.Changes(scopes.own_beside_others, scopes.of_coming, note)))
    stack.enter_context(left_out.told(functools.partial(_leave_out, scopes)))
    stack.enter_context(callbacks.kept(calls, scopes.own))
    stack.enter_context(embedders.counted(calls.embeds))
    stack.enter_context(child_processes.without_old_answers())
    stack.enter_context(child_processes.without_memory(scopes.own))
    return stack


def _leave_out(scopes: CallScopes, errors: Collection[BaseException]) -> None:
    scope = scopes.own()
    if scope is not None:
        scope.left_out(errors)


def _replaced(rollout: Rollout) -> StaleAnswer:
    return StaleAnswer(f"rollout {rollout.rollout_id}: dspy.cache was replaced meanwhile; do that in conftest.py")
