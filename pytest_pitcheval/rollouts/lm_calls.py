"""LM calls as DSPy's callbacks see them: whose they are, when they may be sent, what they took, how they ended."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import dspy
from dspy.utils.callback import BaseCallback

from pytest_pitcheval.credentials.known import secret_values
from pytest_pitcheval.errors import Ambiguous, BudgetReached, NoPrice
from pytest_pitcheval.lm import attempts
from pytest_pitcheval.lm.failures import backoff, is_rate_limited, origins, retry_after
from pytest_pitcheval.lm.histories import Histories, without_media
from pytest_pitcheval.lm.patient_lm import PatientLM, goes_on
from pytest_pitcheval.names import GENERATOR
from pytest_pitcheval.options.numbers import number_in
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.rollouts.threads.strands import Moment

if TYPE_CHECKING:
    from pytest_pitcheval.concurrency.limits.limiter import Limiter
    from pytest_pitcheval.rollouts.call_scopes import CallScopes
    from pytest_pitcheval.rollouts.scopes import Scope
    from pytest_pitcheval.rollouts.spending import Spending

PART = "pitcheval_part"
"""DSPy's setting, and attribute of LMs, that says who calls: the program or the metric."""

_ASKED = ("request", "messages", "prompt")
"""The arguments of an LM call that say what is asked."""

_TOLD = (Ambiguous, BudgetReached, NoPrice)
"""What has been told to whom it may concern, and was never sent."""

_active: ContextVar[str] = ContextVar("pitcheval_call", default="")
"""The ID of the LM call that is being made here."""


@dataclasses.dataclass
class Call:
    """An LM call in progress.

    Attributes:
        asked: whether the cache was asked for it.
        tokens: those of its prompt, as they are estimated.
        begun: when, and in which strand of its program.
        scope: whose it is; None where its thread was given none.
        since: when its request was sent, monotonic; None while it waits for permission.
        within: the ID of the call around it, as a rule none.
        about: the prompt or the messages, in any of DSPy's forms.
    """

    lm: Any
    part: str
    asked: bool = False
    tokens: int = 0
    begun: Moment = dataclasses.field(default_factory=Moment.now)
    within: str = ""
    about: object = None
    scope: Scope | None = None
    since: float | None = dataclasses.field(default_factory=time.monotonic)


class LMCalls(BaseCallback):
    """DSPy's callback: sees each LM call begin and end, who made it, whether it failed or went past the cache.

    ``scopes`` say whose a call is; ``limiter`` says when it may be sent, ``spending`` whether, and what it cost.
    """

    def __init__(self, scopes: CallScopes, limiter: Limiter, spending: Spending) -> None:
        self._scopes = scopes
        self._limiter = limiter
        self._spending = spending
        self._calls: dict[str, Call] = {}
        self._histories = Histories()
        self.at_the_door: Callable[[Any], bool] = lambda lm: False
        """Whether all that an LM asks passes DSPy's cache, though it has no use for that."""
        self.keys: set[str] = set()
        """The credentials of all LMs that were called, to be kept out of reports."""

    def on_lm_start(self, call_id: str, instance: Any, inputs: dict[str, Any]) -> None:
        part = dspy.settings.get(PART) or getattr(instance, "pitcheval_part", GENERATOR)
        asked = [inputs.get(name) for name in _ASKED]
        call = Call(instance, part, within=_active.get(), about=asked, scope=self._scopes.own())
        self._calls[call_id] = call
        if call.scope is not None:
            call.scope.asks(part, str(getattr(instance, "model", "")))
        _active.set(call_id)
        if attempt := attempts.current():
            attempt.on_given_up = lambda error: self.on_lm_end(call_id, None, error)
        self.keys |= secret_values(getattr(instance, "kwargs", None) or {})
        if getattr(instance, "cache", True) is False and not self.at_the_door(instance):
            self._wait(call, _model(call, inputs), inputs)

    def on_lm_end(self, call_id: str, outputs: Any, exception: BaseException | None = None) -> None:
        call = self._calls.pop(call_id, None)
        if call is not None:
            _active.set(call.within)
        if call is not None and exception is None:
            self._histories.answered(call.lm, call.about, outputs)
        if is_rate_limited(exception):
            asked_for, attempt = retry_after(exception), attempts.current()
            self._limiter.pause(backoff(attempt.number if attempt else 0) if asked_for is None else asked_for)
        if call is None or any(isinstance(cause, _TOLD) for cause in origins(exception)):
            return
        scope, took = self._scopes.current(), Usage()
        if not call.asked and exception is None:
            took = self.settle(call, history_usage(call.lm, outputs), {}, scope)
        if scope is None:
            return
        if not call.asked:
            scope.bypassed_cache(call.part, Usage(fresh=1) + took)
        if not goes_on(exception):
            scope.ended(call.part, exception, call.begun, asked=call.about)

    @property
    def is_calling(self) -> bool:
        """Whether the calling thread is within an LM call."""
        return _active.get() in self._calls

    @property
    def part(self) -> str:
        """Who makes the call that the calling thread is within."""
        call = self._calls.get(_active.get())
        return call.part if call else dspy.settings.get(PART) or GENERATOR

    def asks_cache(self) -> Call:
        """Note that the calling thread's LM call asks the cache; returns it."""
        call = self._calls.get(_active.get())
        if call is None:  # a thread of the user's own: no callbacks there
            call = Call(None, self.part)
        call.asked = True
        return call

    def keep_to_limits(self, call: Call, request: Mapping[str, Any], scope: Scope | None) -> None:
        """Wait until the request of ``call`` may be sent; the time is none of its rollout's. Raises as `admit`."""
        self.admit(call, request, scope)
        if self._wait(call, _model(call, request), request):
            self.admit(call, request, scope)  # others may have spent the rest meanwhile

    def admit_uncached(self, lm: Any, arguments: Mapping[str, Any]) -> None:
        """Before ``lm`` is asked with ``arguments``: the budget is asked where no cache will be. Raises as `admit`.

        An LM class of the user's own may have a cache of its own, which only a fresh rollout has nothing from.
        """
        scope = self._scopes.current()
        asks_none = arguments.get("cache", getattr(lm, "cache", True)) is False
        is_fresh = scope is not None and not scope.answers_from_cache and not isinstance(lm, dspy.LM)
        if self.at_the_door(lm) or (scope is not None and scope.is_replayed):
            return
        if asks_none or is_fresh:
            self._spending.admit(lm, str(getattr(lm, "model", "")), scope)

    def admit(self, call: Call, request: Mapping[str, Any], scope: Scope | None) -> None:
        """Let the request of ``call`` be sent, which ``scope`` has counted already. Raises as `Spending.admit`."""
        try:
            self._spending.admit(call.lm, _model(call, request), scope)
        except (BudgetReached, NoPrice):
            if scope is not None:
                scope.not_sent(call.part)
            raise

    def _wait(self, call: Call, model: str, request: Mapping[str, Any]) -> bool:
        """Wait until the request of ``call`` may be sent; whether that took time."""
        if is_held := self._limiter.holds_for(model):
            # A picture in base64 would be taken for a text of a million tokens.
            prompt = str(without_media(request.get("messages") or request.get("prompt") or ""))
            attempt, call.since = attempts.current(), None
            with self._scopes.waiting(), attempt.waiting() if attempt else contextlib.nullcontext():
                call.tokens = self._limiter.wait(model, prompt)
            call.since = time.monotonic()
        return is_held

    def embeds(self, model: str, texts: Sequence[str]) -> None:
        """A hosted embedder is about to be asked for the vectors of ``texts``. Raises as `Spending.embed`.

        For the running test where a thread serves all: ``dspy.Embeddings`` asks once for what several rollouts seek.
        """
        scope = self._scopes.own_or_of_test()
        cost = self._spending.embed(model, texts, scope)
        if scope is not None:
            scope.count(dspy.settings.get(PART) or GENERATOR, Usage(embeddings=1, cost=cost))

    @staticmethod
    def took_before(call: Call, answer: Any) -> None:
        """The run that is made again asked for this ``answer``: ``dspy.track_usage`` counts it as it did then.

        DSPy counts nothing of what a cache answers; a metric that looks at tokens would score otherwise.
        """
        tracker = dspy.settings.get("usage_tracker")
        tokens = answer.get("usage") if isinstance(answer, Mapping) else getattr(answer, "usage", None)
        if tracker is not None and tokens:
            tracker.add_usage(_model(call, {}), dict(tokens))

    def is_asking(self, scope: Scope) -> bool:
        """Whether an LM call of ``scope`` is being made: its program may have ended before threads and tasks of its."""
        return any(call.scope is scope for call in list(self._calls.values()))

    def check_ends(self, scope: Scope, seconds: float) -> None:
        """Raise TimeoutError if an LM call of ``scope`` takes longer than ``seconds``, or than its own timeout.

        The longer of the two counts. A `PatientLM` sees to its calls itself, and so to each of its attempts.
        """
        for call in list(self._calls.values()):
            if call.scope is not scope or call.since is None or isinstance(call.lm, PatientLM):
                continue
            own = (getattr(call.lm, "kwargs", None) or {}).get("timeout")
            most = max(seconds, own) if isinstance(own, (int, float)) else seconds
            if time.monotonic() - call.since > most:
                raise TimeoutError(f"{getattr(call.lm, 'model', 'an LM')}: no end of its answer after {most:g} s")

    def settle(self, call: Call, usage: Usage, request: Mapping[str, Any], scope: Scope | None) -> Usage:
        """The request of ``call`` was answered; returns what it took, with the cost as options have it."""
        tokens, model = usage.prompt_tokens + usage.completion_tokens, _model(call, request)
        self._limiter.settle(model, call.tokens, tokens, usage.completion_tokens)
        return self._spending.settle(call.lm, model, usage, scope)


def _model(call: Call, request: Mapping[str, Any]) -> str:
    return str(getattr(call.lm, "model", None) or request.get("model") or "")


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
        return next((int(number) for value in values if (number := _spent(value))), 0)

    return Usage(
        prompt_tokens=read("prompt_tokens", "input_tokens"),
        completion_tokens=read("completion_tokens", "output_tokens"),
        cost=_spent(cost),
    )


_MOST = 1e15
"""Tokens, or dollars, of one answer: a provider that claims more has reached any cap, and sums stay numbers."""


def _spent(told: Any) -> float | None:
    """What an answer says that it took, up to `_MOST`; None where it says nothing that can be, which lifts no cap."""
    try:
        number = number_in(told) if isinstance(told, str) else float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    return min(number, _MOST) if number is not None and 0 <= number < math.inf else None
