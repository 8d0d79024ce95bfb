"""One example through program and metric: whose fault an exception is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pytest_pitcheval.errors import LMCallFailed, MetricFailed, StaleAnswer
from pytest_pitcheval.names import GENERATOR, JUDGE
from pytest_pitcheval.rollouts.program_and_metric import ask_metric, run_program
from pytest_pitcheval.rollouts.rollout import Rollout
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import Scope
from pytest_pitcheval.rollouts.verdicts import Verdict


def raising(error: Exception) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise error

    return call


def test_predict_returns_what_the_program_returns() -> None:
    assert run_program(lambda question: question.upper(), {"question": "why?"}, Scope()) == "WHY?"


def test_predict_runs_an_async_program() -> None:
    class Program:
        async def aforward(self, question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

        async def acall(self, **inputs: str) -> str:
            return await self.aforward(**inputs)

        def __call__(self, **inputs: str) -> str:
            raise NotImplementedError

    assert run_program(Program(), {"question": "why?"}, Scope()) == "WHY?"


def test_what_the_program_raises_is_its_own() -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as raised:
        run_program(raising(error), {}, Scope())
    assert raised.value is error


def test_a_program_that_ends_by_an_lm_error() -> None:
    scope = Rollout(RolloutId("now", "test[e0]"))
    with pytest.raises(LMCallFailed, match=r"^an LM call of the program failed: ConnectionError: down.*now/test\[e0\]"):
        run_program(raising(ConnectionError("down")), {}, scope)


@pytest.mark.parametrize("call", [lambda: "I do not know", raising(KeyError("answer"))], ids=["answers", "raises"])
def test_a_program_that_hides_an_lm_error(call: Callable[..., Any]) -> None:
    scope = Scope()
    scope.ended(GENERATOR, ConnectionError("down"))
    with pytest.raises(LMCallFailed, match=r"down|answer"):
        run_program(call, {}, scope)


def test_a_program_that_recovers_from_an_lm_error() -> None:
    scope = Scope()
    scope.ended(GENERATOR, ConnectionError("down"))
    scope.ended(GENERATOR, None)
    assert run_program(lambda: "recovered", {}, scope) == "recovered"


def test_a_problem_of_the_rollout_comes_first() -> None:
    scope = Rollout(RolloutId("now", "test[e0]"))
    scope.report(StaleAnswer("stale"))
    for call in (raising(ValueError()), lambda: 1):
        with pytest.raises(StaleAnswer):
            run_program(call, {}, scope)
    for metric in (raising(ValueError()), lambda example, prediction: 1):
        with pytest.raises(StaleAnswer):
            ask_metric(metric, None, None, scope)


def test_judge_asks_the_metric() -> None:
    assert ask_metric(lambda example, prediction: example == prediction, "a", "a", Scope()) == Verdict(1.0)


def test_a_metric_that_raises() -> None:
    with pytest.raises(MetricFailed, match=r"^the metric raised ZeroDivisionError: division by zero$") as raised:
        ask_metric(lambda example, prediction: 1 / 0, None, None, Scope())
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_metric_that_ends_by_an_lm_error() -> None:
    with pytest.raises(LMCallFailed, match=r"^an LM call of the metric failed: TimeoutError: slow$"):
        ask_metric(raising(TimeoutError("slow")), None, None, Scope())


@pytest.mark.parametrize("error", [ConnectionError("down"), ValueError("down"), MemoryError("down")])
def test_a_metric_that_turns_a_failed_call_into_a_zero(error: Exception) -> None:
    scope = Scope()
    scope.ended(JUDGE, error)
    with pytest.raises(LMCallFailed, match=r"^the metric returned 0.0 after its LM call had failed: .*down$"):
        ask_metric(lambda example, prediction: 0.0, None, None, scope)


def test_what_succeeds_after_a_failed_call_of_the_metric_makes_up_for_nothing() -> None:
    scope = Scope()
    scope.ended(JUDGE, ValueError("refused"))
    scope.ended(JUDGE, None)
    with pytest.raises(LMCallFailed, match="refused"):
        ask_metric(lambda example, prediction: 0.5, None, None, scope)


def test_a_failed_call_that_the_program_made_up_for_is_none_of_the_metrics() -> None:
    scope = Scope()
    scope.ended(GENERATOR, ValueError("refused"))
    assert ask_metric(lambda example, prediction: 0.5, None, None, scope) == Verdict(0.5)


class Group(Exception):
    """As an ExceptionGroup is, which Python 3.10 has not."""

    exceptions = (KeyError("other"), ValueError("refused"))


def test_what_a_program_raises_is_of_a_failed_call_though_another_succeeded() -> None:
    """As with ``asyncio.gather``: one call fails, those beside it are answered, and the error comes out at the end."""
    scope, error = Scope(), Group("two failed")
    scope.ended(GENERATOR, Group.exceptions[1])
    scope.ended(GENERATOR, None)
    with pytest.raises(LMCallFailed, match=r"^an LM call of the program failed: Group: two failed$"):
        run_program(raising(error), {}, scope)
