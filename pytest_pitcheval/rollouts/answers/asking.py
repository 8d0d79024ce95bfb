"""Each LM call while answers are kept in a file: those too that do not pass DSPy's cache, and those that fail.

An LM with ``cache=False`` is let through DSPy's cache, which keeps nothing of it; of an LM that has a ``forward`` of
its own, what it returns is kept, and taken in its place.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import uuid
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import dspy
from dspy.utils.callback import with_callbacks

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.lm.failures import Recorded
from pytest_pitcheval.lm.patient_lm import goes_on
from pytest_pitcheval.rollouts.answers.lm_values import NotPlain, exactly
from pytest_pitcheval.rollouts.answers.requests import direct_request
from pytest_pitcheval.rollouts.threads import branches
from pytest_pitcheval.rollouts.threads.replacing import replaced
from pytest_pitcheval.storage.answers.answer import LM

if TYPE_CHECKING:
    from pytest_pitcheval.rollouts.answers.book import AnswerBook
    from pytest_pitcheval.rollouts.call_scopes import CallScopes
    from pytest_pitcheval.rollouts.lm_calls import LMCalls
    from pytest_pitcheval.storage.answers.answer import Place


class Asking:
    """An LM call that is being made, with ``arguments``.

    Attributes:
        keeps_apart: whether nothing of it is to be put into DSPy's cache, nor taken from there.
        at_the_door: whether the cache was asked for it.
        missed: the place and request that nothing is recorded of, as long as it is not answered.
        outputs: what it returns.
    """

    def __init__(self, arguments: dict[str, Any], keeps_apart: bool) -> None:
        self.arguments = {**arguments, "cache": True} if keeps_apart else arguments
        self.keeps_apart = keeps_apart
        self.at_the_door = False
        self.missed: tuple[Place | None, Any] | None = None
        self.outputs: Any = None


_current: ContextVar[Asking | None] = ContextVar("pitcheval_asking", default=None)


def current() -> Asking | None:
    """The LM call that the calling thread makes."""
    return _current.get()


def passes_cache(lm: Any) -> bool:
    """Whether what ``lm`` asks can be let through DSPy's cache: DSPy's own LM with its own ``forward``."""
    if not isinstance(lm, dspy.LM) or not getattr(lm, "_cache_responses", True):
        return False
    names = ("forward", "aforward")
    return all(name not in vars(lm) and getattr(type(lm), name) is getattr(dspy.LM, name) for name in names)


@contextlib.contextmanager
def kept(book: AnswerBook, scopes: CallScopes, calls: LMCalls) -> Iterator[None]:
    """Within it, LM calls are answered from ``book`` or kept there, whatever their LM is."""
    keeper = _Keeper(book, scopes, calls)
    call, acall = _wrapped(keeper, dspy.BaseLM.__call__, dspy.BaseLM.acall)
    with replaced(dspy.BaseLM, "__call__", call), replaced(dspy.BaseLM, "acall", acall):
        try:
            yield
        finally:
            keeper.over = True


def _wrapped(keeper: _Keeper, call: Callable[..., Any], acall: Callable[..., Any]) -> tuple[Any, Any]:
    """The two methods, with callbacks as DSPy's own have them."""
    call, acall = (getattr(method, "__wrapped__", method) for method in (call, acall))

    @functools.wraps(call)
    def kept_call(self: Any, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        with keeper.asking(self, prompt, messages, kwargs) as asking:
            if asking.outputs is None:
                asking.outputs = call(self, prompt, messages=messages, **asking.arguments)
            return asking.outputs

    @functools.wraps(acall)
    async def kept_acall(self: Any, prompt: Any = None, messages: Any = None, **kwargs: Any) -> Any:
        with keeper.asking(self, prompt, messages, kwargs) as asking:
            if asking.outputs is None:
                asking.outputs = await acall(self, prompt, messages=messages, **asking.arguments)
            return asking.outputs

    return with_callbacks(kept_call), with_callbacks(kept_acall)


class _Keeper:
    def __init__(self, book: AnswerBook, scopes: CallScopes, calls: LMCalls) -> None:
        self._book = book
        self._scopes = scopes
        self._calls = calls
        self.over = False

    @contextlib.contextmanager
    def asking(self, lm: Any, prompt: Any, messages: Any, arguments: dict[str, Any]) -> Iterator[Asking]:
        """Within it, the call is `current`; its outputs are there if they are recorded, and else kept afterwards."""
        if self.over:
            yield Asking(arguments, keeps_apart=False)
            return
        direct = not passes_cache(lm)
        asking = Asking(arguments, keeps_apart=not direct and not arguments.get("cache", getattr(lm, "cache", True)))
        if direct:
            place, request = self._place(), direct_request(lm, prompt, messages, arguments, self._calls.part)
            self._take(asking, place, request, lm, {"prompt": prompt, "messages": messages, "kwargs": arguments})
            if asking.outputs is not None:
                yield asking
                return
            asking.missed = place, request
            self._calls.admit_uncached(lm, arguments)
        token = _current.set(asking)
        try:
            with branches.uncounted():
                yield asking
        except Exception as error:
            self._keep_failure(asking, error)
            raise
        finally:
            _current.reset(token)
        if direct and not asking.at_the_door:
            self._keep(asking)

    def _place(self) -> Place | None:
        scope = self._scopes.current()
        return scope.place if scope else None

    def _take(self, asking: Asking, place: Place | None, request: Any, lm: Any, entry: dict[str, Any]) -> None:
        """Raises what the call raised when it was recorded, and ReplayMiss where its LM is known, and it is not."""
        scope, taken = self._scopes.current(), self._book.take(place, LM, request)
        if taken is None:
            if self._book.strict and not self._book.has(place, LM, lambda asked: asked.get("call") != "direct"):
                miss = self._book.miss(place, LM, request, "an LM call")
                if scope is not None:
                    scope.missed(miss)
                raise miss
            return
        call = self._calls.asks_cache()
        if scope is not None:
            scope.replayed(call.part)
        asking.outputs = _with_attributes(taken.get())
        _remember(lm, {**entry, "outputs": asking.outputs})

    def _keep(self, asking: Asking) -> None:
        assert asking.missed is not None
        try:
            self._book.keep(*self._missed(asking), value=exactly(asking.outputs))
        except NotPlain as problem:
            self._book.note(f"--eval-record: what an LM with a forward of its own answers cannot be kept: {problem}")

    def _keep_failure(self, asking: Asking, error: Exception) -> None:
        """Not where it is asked again, nor where it is no answer of the LM's."""
        is_answer = not (isinstance(error, (PitchevalError, Recorded)) or goes_on(error))
        if asking.missed is not None and is_answer:
            self._book.keep(*self._missed(asking), error=error)

    @staticmethod
    def _missed(asking: Asking) -> tuple[Place | None, str, Any]:
        assert asking.missed is not None
        place, request = asking.missed
        return place, LM, request


class _Attributes(dict[str, Any]):
    """An output with fields, which DSPy's adapters read as attributes, too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def _with_attributes(value: Any) -> Any:
    if isinstance(value, dict):
        return _Attributes({name: _with_attributes(item) for name, item in value.items()})
    return [_with_attributes(item) for item in value] if isinstance(value, list) else value


def _remember(lm: Any, entry: dict[str, Any]) -> None:
    """In the LM's history, as DSPy does it for each answer."""
    if dspy.settings.get("disable_history") or not hasattr(lm, "update_history"):
        return
    about: dict[str, Any] = {
        "response": None,
        "usage": {},
        "cost": None,
        "model": getattr(lm, "model", ""),
        "uuid": str(uuid.uuid4()),
    }
    lm.update_history({**entry, **about, "timestamp": datetime.datetime.now().isoformat(), "model_type": "chat"})
