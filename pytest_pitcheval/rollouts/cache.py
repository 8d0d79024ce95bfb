"""DSPy's cache, kept apart by rollout: the one place that every cached LM call passes.

DSPy documents ``dspy.cache`` as replaceable. Ours stands in front of whatever cache is there and puts the rollout
into the key, so that freshness and replay hold for every LM however it came into the program: nested modules,
``dspy.BestOfN``, ``dspy.Parallel``, ``acall``, predictors with an LM of their own, a judge inside the metric.
"""

from __future__ import annotations

import functools
import inspect
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from dspy.clients.cache import Cache

from pytest_pitcheval import waits
from pytest_pitcheval.lm.recorders import recorder
from pytest_pitcheval.rollouts.answers import asking
from pytest_pitcheval.rollouts.lm_calls import answer_usage

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.answers.door import Door
    from pytest_pitcheval.rollouts.call_scopes import CallScopes
    from pytest_pitcheval.rollouts.lm_calls import LMCalls
    from pytest_pitcheval.rollouts.scopes import Scope

_DSPYS = "dspy.clients."
"""What the names of DSPy's functions that ask LMs and embedders begin with."""
T = TypeVar("T")

_IGNORED = "ignored_args_for_cache_key"
Ignored = Sequence[str] | None


class RolloutCache:
    """A ``dspy.Cache`` in front of ``inner``; what is not an LM call of a scope passes through.

    ``scopes`` say whose a call is, ``calls`` count it and hold it up, ``thread`` asks a cache on disk; ``note`` is told
    where that keeps nothing, and where something else than the network answers. Before all, and after it, stands
    ``door``, where answers are kept in a file.
    """

    inner: Any
    _scopes: CallScopes
    _calls: LMCalls
    _thread: CacheThread
    _note: Callable[[str], object]
    _door: Door | None
    _pid: int

    def __init__(
        self,
        inner: Any,
        scopes: CallScopes,
        calls: LMCalls,
        thread: CacheThread,
        note: Callable[[str], object] = lambda text: None,
        door: Door | None = None,
    ) -> None:
        ours = {"_scopes": scopes, "_calls": calls, "_thread": thread, "_note": note, "_door": door}
        self.__dict__.update(inner=inner, _pid=os.getpid(), **ours)

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
        is_lm = self._is_lm_call(request)
        if self._door and (recorded := self._door.take(request, scope, is_lm)) is not None:
            return recorded
        if os.getpid() != self._pid and is_lm and not (scope and scope.answers_from_cache):
            # A process that was forked may be of another rollout, and tells nobody what it counts but the budget.
            self._calls.admit(self._calls.asks_cache(), request, None)
            return None
        answer = self._get(scope, request, is_lm, ignored, *args, **kwargs)
        if self._door and answer is not None:
            self._door.keep(request, answer, scope, is_lm, fresh=False)
        elif self._door and is_lm:
            self._door.asks(request, scope)
        return answer

    def _get(
        self, scope: Scope | None, request: dict[str, Any], is_lm: bool, ignored: Ignored, *args: Any, **kwargs: Any
    ) -> Any:
        if scope is None:
            of_nobody = self._calls.asks_cache() if is_lm else None
            answer = None if self._is_apart else self._ask(self.inner.get, request, ignored, *args, **kwargs)
            if answer is None and of_nobody is not None:
                self._calls.keep_to_limits(of_nobody, request, None)
            return answer
        request = dict(scope.keyed(request))
        key, answer = self._key(request, ignored), None
        if not (self._is_dspys and scope.asks_first(key)) and not self._is_apart:
            answer = self._ask(self.inner.get, request, ignored, *args, **kwargs)
        call = self._calls.asks_cache()
        part = call.part
        if answer is None:
            scope.asks_provider(part)
            if library := recorder():
                self._note(f"LM calls went through {library}: what it answers from a recording counts as fresh, too")
            self._calls.keep_to_limits(call, request, scope)
        else:
            if scope.takes_up(key):
                self._calls.took_before(call, answer)
            scope.answered_from_cache(key, part)
        return answer

    def put(self, request: dict[str, Any], value: Any, ignored: Ignored = None, *args: Any, **kwargs: Any) -> None:
        """Store an answer; its tokens and cost are counted for the scope. Arguments as of ``dspy.Cache.put``."""
        ignored = kwargs.pop(_IGNORED, ignored)
        scope = self._scope(request)
        is_lm = self._is_lm_call(request)
        if self._door:
            self._door.keep(request, value, scope, is_lm, fresh=True)
        if is_lm:
            call = self._calls.asks_cache()
            usage = self._calls.settle(call, answer_usage(value), request, scope)
            if scope is not None:
                request = dict(scope.keyed(request))
                key = self._key(request, ignored)
                scope.stored(key, call.part, usage)
        if self._is_apart:
            return
        self._ask(self.inner.put, request, value, ignored, *args, **kwargs)
        if scope is not None and self._is_dspys:
            self._check_kept(key)

    @property
    def _is_apart(self) -> bool:
        """Whether the LM that asks has ``cache=False``, and is here only to have its answers kept in a file."""
        call = asking.current()
        return call is not None and call.keeps_apart

    def _check_kept(self, key: str | None) -> None:
        """DSPy says nothing where its cache cannot be written."""
        inner = self.inner
        if not inner.enable_disk_cache:
            self._forgets("it is in memory only, as where its folder cannot be written")
        elif key is not None and not self._ask(inner.disk_cache.__contains__, key):
            self._forgets(f"its folder takes nothing: {inner.disk_cache_dir}")

    def _forgets(self, why: object) -> None:
        self._note(f"this run cannot be replayed or resumed: DSPy's cache keeps nothing ({why})")

    @property
    def _is_dspys(self) -> bool:
        """Whether the cache behind this one is DSPy's very own, so that it is known what a key is made of."""
        return type(self.inner) is Cache

    def _ask(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """What ``method`` of the cache says; None where its folder is damaged: whatever is asked is fresh then."""
        if not (self._is_dspys and self.inner.enable_disk_cache):
            return method(*args, **kwargs)
        try:
            return self._thread.do(functools.partial(method, *args, **kwargs))
        except (OSError, sqlite3.Error) as error:
            self._forgets(f"{type(error).__name__}: {error}")
            return None

    def _scope(self, request: Mapping[str, Any]) -> Scope | None:
        return self._scopes.current() if self._is_lm_call(request) else None

    def _is_lm_call(self, request: Mapping[str, Any]) -> bool:
        """Whether it is an LM that asks: not an embedder, and no function of others that uses DSPy's cache.

        Those depend on no rollout: the same text has the same vector, the same question the same passages.
        """
        function = str(request.get("_fn_identifier", _DSPYS))
        if function.startswith(_DSPYS):
            return not function.startswith(f"{_DSPYS}embedding")
        return self._calls.is_calling  # an LM of the user's own may cache its answers by DSPy's decorator

    def _key(self, request: dict[str, Any], ignored: Ignored) -> str | None:
        """The key of the request's answer, None where the request cannot be serialized: DSPy caches nothing then.

        Raises TypeError if the cache's ``cache_key`` takes other arguments than these two.
        """
        try:
            return str(self.inner.cache_key(request, ignored))
        except (TypeError, ValueError):
            inspect.signature(self.inner.cache_key).bind(request, ignored)
            return None


class CacheThread:
    """Does work for other threads, one piece after the other, while they wait.

    DSPy's disk cache opens 16 databases for each thread that asks it: many rollouts in flight would take more time
    for that than for their LM calls, and more files than a process may open.
    """

    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="pitcheval-cache")
        self._pid = os.getpid()

    def do(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises; done by the caller once this is closed, and in a process that was forked."""
        if os.getpid() != self._pid:
            return work()
        try:
            done = self._executor.submit(work)
        except RuntimeError:  # it is closed
            return work()
        with waits.waiting("DSPy's cache on disk"):
            return done.result()

    def close(self) -> None:
        """End the thread, as soon as what it has to do is done."""
        self._executor.shutdown(wait=False)
