"""DSPy's cache, kept apart by rollout: the one place that every cached LM call passes.

DSPy documents ``dspy.cache`` as replaceable. Ours stands in front of whatever cache is there and puts the rollout
into the key, so that freshness and replay hold for every LM however it came into the program: nested modules,
``dspy.BestOfN``, ``dspy.Parallel``, ``acall``, predictors with an LM of their own, a judge inside the metric.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import dspy
from dspy.utils.callback import ACTIVE_CALL_ID, BaseCallback

from pytest_pitcheval import thread_scopes
from pytest_pitcheval.errors import Ambiguous, StaleAnswer
from pytest_pitcheval.language_models import secret_values
from pytest_pitcheval.names import GENERATOR
from pytest_pitcheval.records import Usage
from pytest_pitcheval.scopes import RolloutScope, Scope

_SCOPE = "pitcheval_scope"
_PART = "pitcheval_part"


class Rollouts:
    """This process's scopes: the running test's, and those that ``entered`` blocks carry into DSPy's threads."""

    def __init__(self) -> None:
        self._of_test: Scope | None = None
        self._home = threading.get_ident()
        self._flying: list[RolloutScope] = []
        self._mutex = threading.Lock()
        self._stack = contextlib.ExitStack()
        self._is_awaiting = False
        self._closed = False
        self.callback = _LMCallback(self)

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
        mine = {_SCOPE: scope, _PART: part, "callbacks": [*others, self.callback], "track_usage": True}
        with dspy.context(**mine, **settings):
            yield
        self.check_installed(scope)

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

    def get(self, request: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The cached answer, or None; counted for the scope. Arguments as of ``dspy.Cache.get``."""
        scope = self._scope(request)
        if scope is None:
            return self.inner.get(request, *args, **kwargs)
        request = dict(scope.keyed(request))
        answer = self.inner.get(request, *args, **kwargs)
        part = self._rollouts.callback.asks_cache()
        if answer is None:
            scope.asks_provider(part)
        else:
            scope.answered_from_cache(self._key(request, *args, **kwargs), part)
        return answer

    def put(self, request: dict[str, Any], value: Any, *args: Any, **kwargs: Any) -> None:
        """Store an answer; its tokens and cost are counted for the scope. Arguments as of ``dspy.Cache.put``."""
        scope = self._scope(request)
        if scope is not None:
            request = dict(scope.keyed(request))
            key = self._key(request, *args[:1], **{k: v for k, v in kwargs.items() if k != "enable_memory_cache"})
            scope.stored(key, self._rollouts.callback.asks_cache(), answer_usage(value))
        self.inner.put(request, value, *args, **kwargs)

    def _scope(self, request: Mapping[str, Any]) -> Scope | None:
        # Embeddings do not depend on the rollout: the same text has the same vector.
        if str(request.get("_fn_identifier", "")).startswith("dspy.clients.embedding"):
            return None
        return self._rollouts.current()

    def _key(self, request: dict[str, Any], *args: Any, **kwargs: Any) -> str | None:
        try:
            return str(self.inner.cache_key(request, *args, **kwargs))
        except (TypeError, ValueError):  # not serializable: DSPy caches nothing then
            return None


@dataclasses.dataclass
class _Call:
    """An LM call in progress; ``asked`` once the cache was asked for it."""

    lm: Any
    part: str
    asked: bool = False


class _LMCallback(BaseCallback):
    """Sees every LM call begin and end: who made it, whether it failed, whether it went past the cache."""

    def __init__(self, rollouts: Rollouts) -> None:
        self._rollouts = rollouts
        self._calls: dict[str, _Call] = {}
        self.keys: set[str] = set()
        """The credentials of all LMs that were called, to be kept out of reports."""

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        part = dspy.settings.get(_PART) or getattr(instance, "pitcheval_part", GENERATOR)
        self._calls[call_id] = _Call(instance, part)
        self.keys |= secret_values(getattr(instance, "kwargs", None) or {})

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        call = self._calls.pop(call_id, None)
        if call is None or isinstance(exception, Ambiguous):  # the latter has been told to whom it may concern
            return
        scope = self._rollouts.current()
        if scope is None:
            return
        if not call.asked:
            scope.bypassed_cache(call.part, Usage(fresh=1) + history_usage(call.lm, outputs))
        scope.ended(call.part, exception)

    def asks_cache(self) -> str:
        """Note that the calling thread's LM call asks the cache; returns who makes it."""
        call = self._calls.get(ACTIVE_CALL_ID.get() or "")
        if call is None:  # a thread of the user's own: no callbacks there
            return dspy.settings.get(_PART) or GENERATOR
        call.asked = True
        return call.part


def answer_usage(answer: Any) -> Usage:
    """Tokens and cost of an answer in any of the forms that DSPy caches: a mapping, or LiteLLM's response."""
    if isinstance(answer, Mapping):
        return _usage(answer.get("usage"), answer.get("cost"))
    hidden = getattr(answer, "_hidden_params", None) or {}
    return _usage(getattr(answer, "usage", None), hidden.get("response_cost"))


def history_usage(lm: Any, outputs: Any) -> Usage:
    """Tokens and cost of the call of ``lm`` that returned this very ``outputs`` object; unknown cost if not found."""
    for entry in reversed(getattr(lm, "history", None) or []):
        if entry.get("outputs") is outputs:
            return _usage(entry.get("usage"), entry.get("cost"))
    return Usage(cost=None)


def _usage(tokens: Any, cost: float | None) -> Usage:
    def read(*names: str) -> int:
        values = (tokens.get(n) if isinstance(tokens, Mapping) else getattr(tokens, n, None) for n in names)
        return next((int(value) for value in values if value), 0)

    return Usage(
        prompt_tokens=read("prompt_tokens", "input_tokens"),
        completion_tokens=read("completion_tokens", "output_tokens"),
        cost=None if cost is None else float(cost),
    )
