"""The ``dspy.LM`` that options make: it asks again by itself, so that each request is seen by the rate limit."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import dspy

from pytest_pitcheval.lm.attempts import Attempt, current
from pytest_pitcheval.lm.failures import backoff, is_rate_limited, is_transient, retry_after

BOUNDED = "pitcheval_bounded"
"""DSPy's setting that says that no test's timeout ends a call: then the LM's own does, however the answer arrives."""

RATE_LIMITED_ATTEMPTS = 10
"""Requests that may be refused one after the other because there were too many, before the call has failed."""


class PatientLM(dspy.LM):
    """A ``dspy.LM`` with its own retries.

    DSPy's happen where nobody sees them. Here a request that fails is one like any other: it keeps to the rate
    limit, and all workers heed its ``Retry-After``. ``num_retries`` is for failures that may pass (as in DSPy, 3
    unless set); what is refused with status 429 is asked up to 10 times, as long as ``patience`` seconds (300) are
    enough for what a provider asks the call to wait in all.
    """

    def __init__(self, model: str, num_retries: int = 3, patience: float = 300.0, **arguments: Any) -> None:
        super().__init__(model, num_retries=0, **arguments)
        self.pitcheval_retries = num_retries
        self.pitcheval_patience = patience

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        told = 0.0
        for number in range(RATE_LIMITED_ATTEMPTS):
            attempt = Attempt(self, number, told)
            try:
                with attempt.entered():
                    seconds = self._bound(kwargs)
                    if seconds is None:
                        return super().__call__(*args, **kwargs)
                    return attempt.within(seconds, lambda: super(PatientLM, self).__call__(*args, **kwargs))
            except Exception as error:
                if not self.asks_again(error, attempt):
                    raise
                told += retry_after(error) or 0
                time.sleep(0 if is_rate_limited(error) else backoff(number))
        raise AssertionError  # the last attempt has raised

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        told = 0.0
        for number in range(RATE_LIMITED_ATTEMPTS):
            attempt = Attempt(self, number, told)
            try:
                with attempt.entered():
                    seconds, call = self._bound(kwargs), super().acall(*args, **kwargs)
                    return await (call if seconds is None else attempt.awaited_within(seconds, call))
            except Exception as error:
                if not self.asks_again(error, attempt):
                    raise
                told += retry_after(error) or 0
                await asyncio.sleep(0 if is_rate_limited(error) else backoff(number))
        raise AssertionError  # the last attempt has raised

    def _bound(self, arguments: dict[str, Any]) -> float | None:
        """Seconds after which a call with these ``arguments`` is given up; None: something else sees to that."""
        seconds = arguments.get("timeout", self.kwargs.get("timeout"))
        is_bounded = dspy.settings.get(BOUNDED) and dspy.settings.get("send_stream") is None  # that is for one thread
        return float(seconds) if is_bounded and isinstance(seconds, (int, float)) else None

    def asks_again(self, error: BaseException | None, attempt: Attempt) -> bool:
        """Whether the call goes on after ``attempt`` failed with ``error``."""
        if is_rate_limited(error):
            told = attempt.told + (retry_after(error) or 0)
            return attempt.number + 1 < RATE_LIMITED_ATTEMPTS and told <= self.pitcheval_patience
        return is_transient(error) and attempt.number < self.pitcheval_retries

    def dump_state(self) -> dict[str, Any]:
        """As that of a plain ``dspy.LM``, so that programs can be loaded without this package."""
        state: dict[str, Any] = super().dump_state()
        if "_dspy_lm_class" in state:
            state["_dspy_lm_class"] = "dspy.clients.lm.LM"
        return {**state, "num_retries": self.pitcheval_retries}


def goes_on(error: BaseException | None) -> bool:
    """Whether the LM call that is just ending with ``error`` will be made again."""
    attempt = current()
    return error is not None and attempt is not None and bool(attempt.lm.asks_again(error, attempt))
