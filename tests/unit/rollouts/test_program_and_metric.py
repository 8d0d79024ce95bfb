"""One example through program and metric: verdicts, and whose fault an exception is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from pytest_pitcheval.errors import LMCallFailed, MetricFailed, StaleAnswer
from pytest_pitcheval.names import GENERATOR
from pytest_pitcheval.rollouts.program_and_metric import (
    Verdict,
    as_number,
    is_lm_error,
    judge,
    predict,
    read_verdict,
)
from pytest_pitcheval.rollouts.rollout_id import RolloutId
from pytest_pitcheval.rollouts.scopes import RolloutScope, Scope


class LMError(Exception):
    """Named like DSPy's own."""


class Prediction(dict[str, Any]):
    """Has fields, and compares as a number by its score, as ``dspy.Prediction`` does."""

    def __float__(self) -> float:
        return float(self["score"])


def raising(error: Exception) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        raise error

    return call


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0.5, 0.5),
        (1, 1.0),
        (True, 1.0),
        (np.float32(0.5), 0.5),
        (np.bool_(True), 1.0),
        (Decimal("0.5"), 0.5),
        (Prediction(score=0.5), 0.5),
        (None, None),
        ("0.5", None),
        (b"1", None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        (1j, None),
        ([0.5], None),
        (object(), None),
    ],
)
def test_as_number(value: Any, number: float | None) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize(
    ("result", "verdict"),
    [
        (0.5, Verdict(0.5)),
        (True, Verdict(1.0)),
        (np.float64(0.5), Verdict(0.5)),
        ({"score": 1, "feedback": None}, Verdict(1.0)),
        (Prediction(score=0.5, feedback="good", length=3, note="x"), Verdict(0.5, "good", {"length": 3.0})),
        (Prediction(score=0.5, feedback=["a"], broken=float("nan")), Verdict(0.5, "['a']", {})),
    ],
)
def test_read_verdict(result: Any, verdict: Verdict) -> None:
    assert read_verdict(result) == verdict


@pytest.mark.parametrize(
    "result", [None, "0.7", float("nan"), float("-inf"), 10**400, {}, {"score": "0.7"}, {"feedback": "x"}, object()]
)
def test_no_verdict(result: Any) -> None:
    with pytest.raises(MetricFailed, match=r"^the metric returned .*; expected a finite number, .*$"):
        read_verdict(result)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (LMError(), True),
        (LMCallFailed(), True),
        (caused(ValueError(), ConnectionError()), True),
        (caused(KeyError(), caused(ValueError(), LMError())), True),
        (type("APIError", (Exception,), {"__module__": "litellm.exceptions"})(), True),
        (type("Mine", (type("APIError", (Exception,), {"__module__": "openai"}),), {})(), True),
        (type("Error", (Exception,), {"__module__": "openaiish"})(), False),
        (ValueError(), False),
        (FileNotFoundError(), False),
        (None, False),
    ],
)
def test_is_lm_error(error: Exception | None, expected: bool) -> None:
    assert is_lm_error(error) is expected


def test_predict_returns_what_the_program_returns() -> None:
    assert predict(lambda question: question.upper(), {"question": "why?"}, Scope()) == "WHY?"


def test_predict_runs_an_async_program() -> None:
    class Program:
        async def aforward(self, question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

        async def acall(self, **inputs: str) -> str:
            return await self.aforward(**inputs)

        def __call__(self, **inputs: str) -> str:
            raise NotImplementedError

    assert predict(Program(), {"question": "why?"}, Scope()) == "WHY?"


def test_what_the_program_raises_is_its_own() -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as raised:
        predict(raising(error), {}, Scope())
    assert raised.value is error


def test_a_program_that_ends_by_an_lm_error() -> None:
    scope = RolloutScope(RolloutId("now", "test[e0]"))
    with pytest.raises(LMCallFailed, match=r"^an LM call of the program failed: ConnectionError: down.*now/test\[e0\]"):
        predict(raising(ConnectionError("down")), {}, scope)


@pytest.mark.parametrize("call", [lambda: "I do not know", raising(KeyError("answer"))], ids=["answers", "raises"])
def test_a_program_that_hides_an_lm_error(call: Callable[..., Any]) -> None:
    scope = Scope()
    scope.ended(GENERATOR, ConnectionError("down"))
    with pytest.raises(LMCallFailed, match=r"down|answer"):
        predict(call, {}, scope)


def test_a_program_that_recovers_from_an_lm_error() -> None:
    scope = Scope()
    scope.ended(GENERATOR, ConnectionError("down"))
    scope.ended(GENERATOR, None)
    assert predict(lambda: "recovered", {}, scope) == "recovered"


def test_a_problem_of_the_rollout_comes_first() -> None:
    scope = RolloutScope(RolloutId("now", "test[e0]"))
    scope.report(StaleAnswer("stale"))
    for call in (raising(ValueError()), lambda: 1):
        with pytest.raises(StaleAnswer):
            predict(call, {}, scope)
    for metric in (raising(ValueError()), lambda example, prediction: 1):
        with pytest.raises(StaleAnswer):
            judge(metric, None, None, scope)


def test_judge_asks_the_metric() -> None:
    assert judge(lambda example, prediction: example == prediction, "a", "a", Scope()) == Verdict(1.0)


def test_a_metric_that_raises() -> None:
    with pytest.raises(MetricFailed, match=r"^the metric raised ZeroDivisionError: division by zero$") as raised:
        judge(lambda example, prediction: 1 / 0, None, None, Scope())
    assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_a_metric_that_ends_by_an_lm_error() -> None:
    with pytest.raises(LMCallFailed, match=r"^an LM call of the metric failed: TimeoutError: slow$"):
        judge(raising(TimeoutError("slow")), None, None, Scope())


def test_a_metric_that_turns_an_lm_error_into_a_zero() -> None:
    scope = Scope()
    scope.ended(GENERATOR, ConnectionError("down"))
    with pytest.raises(LMCallFailed, match=r"^the metric returned 0.0 after its LM call had failed: .*down$"):
        judge(lambda example, prediction: 0.0, None, None, scope)
