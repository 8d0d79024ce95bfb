"""The ``dspy.LM`` that options make: it asks again by itself, so that each request is seen by the rate limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import dspy

from pytest_pitcheval.lm.failures import backoff, is_rate_limited, is_transient, retry_after

RATE_LIMITED_ATTEMPTS = 10
"""Requests that may be refused one after the other because there were too many, before the call has failed."""


class PatientLM(dspy.LM):
    """A ``dspy.LM`` with its own retries.

    DSPy's happen where nobody sees them. Here a request that fails is one like any other: it keeps to the rate
    limit, and all workers heed its ``Retry-After``. ``num_retries`` is for failures that may pass (as in DSPy, 3
    unless set); what is refused with status 429 is asked up to 10 times, as long as ``patience`` seconds (300) are
    enough for each wait.
    """

    def __init__(self, model: str, num_retries: int = 3, patience: float = 300.0, **arguments: Any) -> None:
        super().__init__(model, num_retries=0, **arguments)
        self.pitcheval_retries = num_retries
        self.pitcheval_patience = patience

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for attempt in range(RATE_LIMITED_ATTEMPTS):
            try:
                with self._attempted(attempt):
                    return super().__call__(*args, **kwargs)
            except Exception as error:
                if not self.asks_again(error, attempt):
                    raise
                time.sleep(0 if is_rate_limited(error) else backoff(attempt))
        raise AssertionError  # the last attempt has raised

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        for attempt in range(RATE_LIMITED_ATTEMPTS):
            try:
                with self._attempted(attempt):
                    return await super().acall(*args, **kwargs)
            except Exception as error:
                if not self.asks_again(error, attempt):
                    raise
                await asyncio.sleep(0 if is_rate_limited(error) else backoff(attempt))
        raise AssertionError  # the last attempt has raised

    def asks_again(self, error: BaseException | None, attempt: int) -> bool:
        """Whether the call goes on after its ``attempt`` (from 0) failed with ``error``."""
        if is_rate_limited(error):
            return attempt + 1 < RATE_LIMITED_ATTEMPTS and (retry_after(error) or 0) <= self.pitcheval_patience
        return is_transient(error) and attempt < self.pitcheval_retries

    def dump_state(self) -> dict[str, Any]:
        """As that of a plain ``dspy.LM``, so that programs can be loaded without this package."""
        state: dict[str, Any] = super().dump_state()
        if "_dspy_lm_class" in state:
            state["_dspy_lm_class"] = "dspy.clients.lm.LM"
        return {**state, "num_retries": self.pitcheval_retries}

    @contextmanager
    def _attempted(self, attempt: int) -> Iterator[None]:
        token = _attempt.set((self, attempt))
        try:
            yield
        finally:
            _attempt.reset(token)


_attempt: ContextVar[tuple[PatientLM, int] | None] = ContextVar("pitcheval_attempt", default=None)


def goes_on(error: BaseException | None) -> bool:
    """Whether the LM call that is just ending with ``error`` will be made again."""
    current = _attempt.get()
    return error is not None and current is not None and current[0].asks_again(error, current[1])


def attempt() -> int:
    """The number of the attempt, from 0, that the LM call is just making."""
    current = _attempt.get()
    return current[1] if current else 0
