"""DSPy's cache, kept apart by rollout: the one place that every cached LM call passes.

DSPy documents ``dspy.cache`` as replaceable. Ours stands in front of whatever cache is there and puts the rollout
into the key, so that freshness and replay hold for every LM however it came into the program: nested modules,
``dspy.BestOfN``, ``dspy.Parallel``, ``acall``, predictors with an LM of their own, a judge inside the metric.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import dspy
from dspy.clients.cache import Cache

from pytest_pitcheval.errors import Ambiguous, StaleAnswer
from pytest_pitcheval.rollouts import thread_scopes
from pytest_pitcheval.rollouts.cache_thread import CacheThread
from pytest_pitcheval.rollouts.lm_calls import PART, LMCallback, answer_usage
from pytest_pitcheval.rollouts.scopes import RolloutScope, Scope

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.limiter import Limiter

_SCOPE = "pitcheval_scope"
_IGNORED = "ignored_args_for_cache_key"
Ignored = Sequence[str] | None


class Rollouts:
    """This process's scopes: the running test's, and those that ``entered`` blocks carry into DSPy's threads.

    ``limiter`` is asked before each LM request; ``clock`` stops that of the running test's timeout meanwhile.
    """

    def __init__(self, limiter: Limiter, clock: Callable[[], AbstractContextManager[object]]) -> None:
        self.limiter = limiter
        self._clock = clock
        self._of_test: Scope | None = None
        self._home = threading.get_ident()
        self._flying: list[RolloutScope] = []
        self._mutex = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._is_awaiting = False
        self._closed = False
        self.calls_waiting = 0
        """How many LM calls wait for permission now."""
        self.callback = LMCallback(self)
        self.cache_thread = CacheThread()

    def current(self) -> Scope | None:
        """The scope of the calling thread, None outside any. Raises Ambiguous where it cannot be told."""
        return self._own_scope() or self._scope_of_stray()

    @staticmethod
    def _own_scope() -> Scope | None:
        scope: Scope | None = dspy.settings.get(_SCOPE)
        return scope or thread_scopes.inherited()

    def _scope_of_stray(self) -> Scope | None:
        """Whose scope a thread works for that no rollout has started: the test's, unless that waits for a flight."""
        if threading.get_ident() == self._home or not self._is_awaiting:
            return self._of_test
        with self._mutex:
            flying = tuple(self._flying)
        if len(flying) < 2:
            return flying[0] if flying else self._of_test
        problem = Ambiguous(
            f"rollout {flying[0].rollout_id} or another one: an LM call came from a thread that was there before "
            "the rollouts; expected --eval-concurrency=1, or such calls within the context of whom they are for"
        )
        for scope in flying:
            scope.report(problem)
        raise problem

    @contextlib.contextmanager
    def flying(self, scope: RolloutScope) -> Iterator[None]:
        """Within it, the rollout of ``scope`` is made beside the running test."""
        with self._mutex:
            self._flying.append(scope)
        try:
            yield
        finally:
            with self._mutex:
                self._flying.remove(scope)

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Within it, the running test waits for rollouts that are made beside it."""
        self._is_awaiting = True
        try:
            yield
        finally:
            self._is_awaiting = False

    def begin(self, scope: Scope | None) -> None:
        """From now on ``scope`` is that of the running test; it reaches threads that DSPy's settings do not."""
        self._home = threading.get_ident()
        self._of_test = scope
        if scope is not None:
            self.install()

    @contextlib.contextmanager
    def entered(self, scope: Scope, part: str | None = None, **settings: Any) -> Iterator[None]:
        """Within it, LM calls belong to ``scope``, in all threads that DSPy starts.

        ``part`` says who makes them; None: its mark ``pitcheval_part`` does. ``settings`` are DSPy's. Raises
        StaleAnswer if something took our cache away meanwhile.
        """
        self.install(scope)
        others = [one for one in dspy.settings.get("callbacks") or [] if one is not self.callback]
        mine = {_SCOPE: scope, PART: part, "callbacks": [*others, self.callback], "track_usage": True}
        try:
            with dspy.context(**mine, **settings):
                yield
        except BaseException:
            self.install(scope)  # what raised says enough
            raise
        self.check_installed(scope)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Within it, the calling thread waits for permission to ask: that is charged to no rollout, and no test."""
        scope = self._own_scope() or self._of_test
        with contextlib.ExitStack() as stack:
            self._count_waiting(1)
            stack.callback(self._count_waiting, -1)
            if scope is not None:
                stack.enter_context(scope.waiting())
            if threading.get_ident() == self._home and not self._is_awaiting:
                stack.enter_context(self._clock())
            yield

    def _count_waiting(self, change: int) -> None:
        with self._mutex:
            self.calls_waiting += change

    @contextlib.contextmanager
    def outside(self) -> Iterator[None]:
        """Within it, the running test does not count: whatever is called is not part of its rollout."""
        of_test, self._of_test = self._of_test, None
        try:
            with dspy.context(**{_SCOPE: None}):
                yield
        finally:
            self._of_test = of_test

    def look_ahead(self) -> None:
        """From now on, until `uninstall`, there may be rollouts in flight beside the running test."""
        self._stack.enter_context(thread_scopes.handed_on(self._own_scope))

    def install(self, entering: Scope | None = None) -> None:
        """Stand in front of DSPy's cache; again if the user has configured another one.

        That makes stale what is in flight, but for the scope that is just ``entering``.
        """
        if isinstance(dspy.cache, RolloutCache) or self._closed:
            return
        dspy.cache = RolloutCache(dspy.cache, self)
        with self._mutex:
            for scope in self._flying:
                if scope is not entering:
                    scope.report(_replaced(scope))

    def uninstall(self) -> None:
        """Give DSPy's cache back, for good: rollouts that are still in flight do not take it again."""
        self._closed = True
        self._stack.close()
        self.limiter.close()
        self.cache_thread.close()
        if isinstance(dspy.cache, RolloutCache):
            dspy.cache = dspy.cache.inner

    def check_installed(self, scope: Scope) -> None:
        """Raise StaleAnswer if the cache was replaced during ``scope``: its answers may be old ones."""
        if isinstance(scope, RolloutScope) and not isinstance(dspy.cache, RolloutCache) and not self._closed:
            self.install()  # so that it is said once
            raise _replaced(scope)


def _replaced(scope: RolloutScope) -> StaleAnswer:
    return StaleAnswer(f"rollout {scope.rollout_id}: dspy.cache was replaced meanwhile; do that in conftest.py")


class RolloutCache:
    """A ``dspy.Cache`` in front of another; what is not an LM call of a scope passes through."""

    inner: Any
    _rollouts: Rollouts

    def __init__(self, inner: Any, rollouts: Rollouts) -> None:
        self.__dict__["inner"] = inner
        self.__dict__["_rollouts"] = rollouts

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)

    def __contains__(self, key: str) -> bool:
        return key in self.inner

    def get(self, request: dict[str, Any], ignored: Ignored = None, *args: Any, **kwargs: Any) -> Any:
        """The cached answer, or None; counted for the scope. Arguments as of ``dspy.Cache.get``."""
        ignored = kwargs.pop(_IGNORED, ignored)
        scope = self._scope(request)
        if scope is None:
            answer = self._ask(self.inner.get, request, ignored, *args, **kwargs)
            if answer is None and not _is_embedding(request):
                self._rollouts.callback.keep_to_limits(self._rollouts.callback.asks_cache(), request)
            return answer
        request = dict(scope.keyed(request))
        key, answer = self._key(request, ignored), None
        if not (self._is_dspys and scope.asks_first(key)):
            answer = self._ask(self.inner.get, request, ignored, *args, **kwargs)
        call = self._rollouts.callback.asks_cache()
        part = call.part
        if answer is None:
            scope.asks_provider(part)
            self._rollouts.callback.keep_to_limits(call, request)
        else:
            scope.answered_from_cache(key, part)
        return answer

    def put(self, request: dict[str, Any], value: Any, ignored: Ignored = None, *args: Any, **kwargs: Any) -> None:
        """Store an answer; its tokens and cost are counted for the scope. Arguments as of ``dspy.Cache.put``."""
        ignored = kwargs.pop(_IGNORED, ignored)
        scope = self._scope(request)
        if scope is not None:
            request = dict(scope.keyed(request))
            key = self._key(request, ignored)
            call, usage = self._rollouts.callback.asks_cache(), answer_usage(value)
            scope.stored(key, call.part, usage)
            self._rollouts.callback.settle(call, usage)
        self._ask(self.inner.put, request, value, ignored, *args, **kwargs)

    @property
    def _is_dspys(self) -> bool:
        """Whether the cache behind this one is DSPy's very own, so that it is known what a key is made of."""
        return type(self.inner) is Cache

    def _ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._is_dspys and self.inner.enable_disk_cache:
            return self._rollouts.cache_thread.do(functools.partial(method, *args, **kwargs))
        return method(*args, **kwargs)

    def _scope(self, request: Mapping[str, Any]) -> Scope | None:
        return None if _is_embedding(request) else self._rollouts.current()

    def _key(self, request: dict[str, Any], ignored: Ignored) -> str | None:
        """The key of the request's answer, None where the request cannot be serialized: DSPy caches nothing then.

        Raises TypeError if the cache's ``cache_key`` takes other arguments than these two.
        """
        try:
            return str(self.inner.cache_key(request, ignored))
        except (TypeError, ValueError):
            inspect.signature(self.inner.cache_key).bind(request, ignored)
            return None


def _is_embedding(request: Mapping[str, Any]) -> bool:
    """Embeddings do not depend on the rollout: the same text has the same vector."""
    return str(request.get("_fn_identifier", "")).startswith("dspy.clients.embedding")
