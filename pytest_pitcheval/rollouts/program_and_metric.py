"""One example through program and metric, and what is made of the exceptions on the way."""

from __future__ import annotations

import asyncio
import dataclasses
import inspect
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pytest_pitcheval.errors import LMCallFailed, MetricFailed, one_line
from pytest_pitcheval.rollouts.scopes import RolloutScope, Scope

_CLIENT_LIBRARIES = {"litellm", "openai", "anthropic", "httpx", "httpcore", "requests", "urllib3", "aiohttp"}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the metric said of one prediction; ``score`` in the metric's own unit (0 to 1)."""

    score: float
    feedback: str | None = None
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


def is_lm_error(error: BaseException | None) -> bool:
    """Whether ``error``, or what it was raised from, is a failure of the LM's transport or provider."""
    while error is not None:
        if isinstance(error, (ConnectionError, TimeoutError, LMCallFailed)) or any(
            kind.__module__.partition(".")[0] in _CLIENT_LIBRARIES or kind.__name__ == "LMError"
            for kind in type(error).__mro__
        ):
            return True
        error = error.__cause__
    return False


def predict(program: Callable[..., Any], inputs: Mapping[str, Any], scope: Scope) -> Any:
    """``program(**inputs)``, for an async-only program too.

    Raises:
        LMCallFailed: the program ended because of an LM call that failed, or hid that its last one did.
        Exception: whatever else the program raised.
    """
    __tracebackhide__ = True
    try:
        prediction = _call(program, inputs)
    except Exception as error:
        _check(scope)
        if is_lm_error(error) or is_lm_error(scope.failure):
            raise LMCallFailed(f"an LM call of the program failed: {one_line(error)}{_of(scope)}") from error
        raise
    _check(scope)
    if is_lm_error(scope.failure):
        raise LMCallFailed(
            f"the program went on after its LM call had failed: {one_line(scope.failure)}{_of(scope)}"
        ) from scope.failure
    return prediction


def _call(program: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    __tracebackhide__ = True
    kind = type(program)  # DSPy warns of whoever looks at an instance's forward
    only_async = hasattr(kind, "aforward") and not hasattr(kind, "forward")
    result = program.acall(**inputs) if only_async else program(**inputs)  # type: ignore[attr-defined]
    return asyncio.run(result) if inspect.iscoroutine(result) else result  # as dspy.asyncify's programs give


def judge(metric: Callable[..., Any], example: Any, prediction: Any, scope: Scope) -> Verdict:
    """``metric(example, prediction)`` as a `Verdict`.

    Raises:
        LMCallFailed: the judge's LM call failed, even where the metric turned that into a score.
        MetricFailed: the metric raised something else, or returned no finite number.
    """
    try:
        result = metric(example, prediction)
    except Exception as error:
        _check(scope)
        if is_lm_error(error) or is_lm_error(scope.failure):
            raise LMCallFailed(f"an LM call of the metric failed: {one_line(error)}{_of(scope)}") from error
        raise MetricFailed(f"the metric raised {one_line(error)}{_of(scope)}") from error
    _check(scope)
    if is_lm_error(scope.failure):
        raise LMCallFailed(
            f"the metric returned {result!r} after its LM call had failed: {one_line(scope.failure)}{_of(scope)}"
        ) from scope.failure
    return read_verdict(result)


def _check(scope: Scope) -> None:
    if isinstance(scope, RolloutScope):
        scope.check()


def _of(scope: Scope) -> str:
    return f" (rollout {scope.rollout_id})" if isinstance(scope, RolloutScope) else ""


def read_verdict(result: Any) -> Verdict:
    """What a metric returned: a bool, a number, or a ``dspy.Prediction`` with ``score`` and perhaps ``feedback``.

    Its further fields that are numbers become `Verdict.metrics`. Raises MetricFailed for anything else.
    """
    number = as_number(result)
    if number is not None and not callable(getattr(result, "keys", None)):
        return Verdict(number)
    fields = dict(_fields(result))
    number = as_number(fields.pop("score", None))
    if number is None:
        raise MetricFailed(
            f"the metric returned {one_line(repr(result))}; "
            "expected a finite number, a bool or a dspy.Prediction with score"
        )
    feedback = fields.pop("feedback", None)
    numbers = {name: as_number(value) for name, value in fields.items()}
    metrics = {name: value for name, value in numbers.items() if value is not None}
    return Verdict(number, None if feedback is None else str(feedback), metrics)


def as_number(value: Any) -> float | None:
    """``value`` as a finite float if it is a number or bool (numpy's too), else None."""
    if value is None or isinstance(value, (str, bytes)):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _fields(result: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(result, Mapping) or callable(getattr(result, "keys", None)):
        yield from result.items()
