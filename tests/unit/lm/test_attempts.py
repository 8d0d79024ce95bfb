"""An attempt of an LM call ends, however slowly its answer arrives."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time

import pytest

from pytest_pitcheval.lm import attempts
from pytest_pitcheval.lm.attempts import Attempt


class Model:
    model = "openai/slow"


NAME: contextvars.ContextVar[str] = contextvars.ContextVar("NAME", default="")


def test_work_that_ends_is_as_without(monkeypatch: pytest.MonkeyPatch) -> None:
    NAME.set("of the caller")
    with Attempt(Model(), 0, 0).entered() as attempt:
        assert attempt.within(60, lambda: (NAME.get(), attempts.current())) == ("of the caller", attempt)
        with pytest.raises(ZeroDivisionError):
            attempt.within(60, lambda: 1 / 0)
        with pytest.raises(TimeoutError, match="its own"):
            attempt.within(60, raises_timeout)
    assert attempts.current() is None


def raises_timeout() -> None:
    raise TimeoutError("its own")


def test_work_without_an_end_is_given_up_and_that_is_told() -> None:
    told: list[BaseException] = []
    never = threading.Event()
    attempt = Attempt(Model(), 0, 0)
    attempt.on_given_up = told.append
    with pytest.raises(TimeoutError, match=r"openai/slow: no end of its answer after 0\.1 s"):
        attempt.within(0.1, never.wait)
    assert len(told) == 1
    never.set()


def test_a_coroutine_without_an_end_is_cancelled() -> None:
    cancelled: list[bool] = []

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(True)

    async def call() -> None:
        attempt = Attempt(Model(), 0, 0)
        assert await attempt.awaited_within(60, asyncio.sleep(0, "answer")) == "answer"
        with pytest.raises(TimeoutError, match="no end"):
            await attempt.awaited_within(0.05, hang())
        await asyncio.sleep(0)

    asyncio.run(call())
    assert cancelled == [True]


def test_waiting_for_its_turn_is_no_work() -> None:
    attempt = Attempt(Model(), 0, 0)

    def wait_then_answer() -> str:
        with attempt.waiting():
            worked = attempt.seconds
            time.sleep(0.6)
            assert attempt.seconds == worked
        return "answer"

    assert attempt.within(0.5, wait_then_answer) == "answer"
