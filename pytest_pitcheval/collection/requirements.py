"""What an ``evaluation`` marker asks of all its examples: limits by metric, slices, examples that must pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.names import BY_METRIC, GATES, MAX_MEAN, MIN_MEAN, SCORE

Gates = dict[str, dict[str, float]]
"""Limits by gate and metric."""


def read_gates(arguments: Mapping[str, object], argument: str = "") -> Gates:
    """The limits among ``arguments``; a MarkerError names the wrong one, or the ``argument`` that they are part of."""
    found = {}
    for gate in GATES:
        value = arguments.get(gate)
        if value is not None:
            found[gate] = _limits(gate, value, argument or f"{gate}={value!r}")
    return found


def _limits(gate: str, value: object, where: str) -> dict[str, float]:
    expected = "a number, 0 or more" + (", or a mapping of metrics to numbers" if gate in BY_METRIC else "")
    limits: Mapping[Any, Any] = value if isinstance(value, Mapping) and gate in BY_METRIC else {SCORE: value}
    if not limits or not all(_is_limit(gate, metric, limit) for metric, limit in limits.items()):
        raise MarkerError(f"evaluation marker: {where}: expected {expected}")
    return {str(metric): float(limit) for metric, limit in limits.items()}


def _is_limit(gate: str, metric: object, limit: Any) -> bool:
    """A metric of the user's own may have any mean; scores and drops are 0 or more."""
    if not isinstance(metric, str) or not metric or isinstance(limit, bool) or not isinstance(limit, (int, float)):
        return False
    is_free = gate in (MIN_MEAN, MAX_MEAN) and metric != SCORE
    return math.isfinite(limit) and (is_free or limit >= 0)


def read_names(argument: str, value: object, what: str) -> tuple[str, ...]:
    """Names, or a single one, in the ``argument`` of the marker; ``what`` they are."""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise MarkerError(f"evaluation marker: {argument}={value!r}: expected a list of {what}")
    return tuple(names)


def read_lower_is_better(value: object) -> tuple[str, ...]:
    """The metrics that get worse when they rise; the score is none of them."""
    names = read_names("lower_is_better", value, "metrics")
    if SCORE in names or not all(names):
        raise MarkerError(f"evaluation marker: lower_is_better={value!r}: expected a list of metrics beside the score")
    return names
