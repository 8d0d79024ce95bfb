"""What a metric may return, as a verdict."""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections import UserString
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_pitcheval.errors import MetricFailed, one_line
from pytest_pitcheval.results.plain import text_of


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the metric said of one prediction; ``score`` in the metric's own unit (0 to 1)."""

    score: float
    feedback: str | None = None
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)


def mean_of(verdicts: Sequence[Verdict]) -> Verdict:
    """Several verdicts on one prediction as one, with the first one's feedback; a metric that one lacks is left out."""
    first = verdicts[0]
    names = [name for name in first.metrics if all(name in verdict.metrics for verdict in verdicts)]
    metrics = {name: statistics.mean(verdict.metrics[name] for verdict in verdicts) for name in names}
    return Verdict(statistics.mean(verdict.score for verdict in verdicts), first.feedback, metrics)


def read_verdict(result: Any) -> Verdict:
    """What a metric returned: a bool, a number, or a ``dspy.Prediction`` with ``score`` and perhaps ``feedback``.

    Its further fields that are numbers become `Verdict.metrics`. Raises MetricFailed for anything else.
    """
    number = as_number(result)
    if number is not None and not callable(getattr(type(result), "keys", None)):
        return Verdict(number)
    fields = _fields(result)
    number = as_number(fields.pop("score", None))
    if number is None:
        raise MetricFailed(
            f"the metric returned {shown(result)}; expected a finite number, a bool or a dspy.Prediction with score"
        )
    feedback = fields.pop("feedback", None)
    numbers = {text_of(name): as_number(value) for name, value in fields.items()}
    metrics = {name: value for name, value in numbers.items() if value is not None}
    return Verdict(number, None if feedback is None else text_of(feedback), metrics)


_TEXTS = (str, bytes, bytearray, memoryview, UserString)


def as_number(value: Any) -> float | None:
    """``value`` as a finite float if it is a number or bool (numpy's too), else None.

    None also of texts that Python reads as one, and of a mock, whose ``float()`` is 1: nobody has scored anything.
    """
    kind = type(value)
    if value is None or issubclass(kind, _TEXTS) or any(base.__module__ == "unittest.mock" for base in kind.__mro__):
        return None
    try:
        number = float(value)
    except (Exception, SystemExit):  # of a value's own conversion
        return None
    return number if math.isfinite(number) else None


def _fields(result: Any) -> dict[str, Any]:
    """Those of a mapping or a ``dspy.Prediction``; nothing of what cannot be read as one."""
    try:
        return dict(result.items()) if callable(getattr(type(result), "keys", None)) else {}
    except (Exception, SystemExit):
        return {}


def shown(value: Any) -> str:
    """``repr(value)``, on one line."""
    try:
        return one_line(repr(value))
    except (Exception, SystemExit) as error:
        return f"a {type(value).__name__} whose repr() raised {type(error).__name__}"
