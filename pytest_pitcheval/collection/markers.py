"""The ``evaluation`` and ``optimization`` markers, parsed into frozen values."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.names import GATES
from pytest_pitcheval.settings.choices import Choice
from pytest_pitcheval.settings.methods import UNOPTIMIZED, Optimization, check_method


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One ``evaluation`` marker.

    Attributes:
        dataset: a path, a sequence of examples, or a callable that returns one.
        inputs: the names of the input fields; empty where the examples themselves know them.
        threshold: the lowest score that passes, or None.
        rollouts: rollouts of each example, or None for the option's.
        limit: only the first so many examples.
        min_mean, min_pass_rate: what the examples together must reach, 0 to 1, or None.
        max_error_rate: the largest share of them without a score, or None.
        max_regression, max_example_drop: how far all, or a single one, may fall below the baseline, or None.
    """

    dataset: str | os.PathLike[str] | Sequence[Any] | Callable[[], Sequence[Any]]
    inputs: tuple[str, ...] = ()
    threshold: float | None = None
    rollouts: int | None = None
    limit: int | None = None
    min_mean: float | None = None
    min_pass_rate: float | None = None
    max_error_rate: float | None = None
    max_regression: float | None = None
    max_example_drop: float | None = None

    @property
    def gates(self) -> dict[str, float]:
        """The gates that are set, by name."""
        gates = {name: getattr(self, name) for name in GATES}
        return {name: limit for name, limit in gates.items() if limit is not None}


def parse_evaluation(mark: pytest.Mark) -> Evaluation:
    """The marker's value; a MarkerError names the wrong argument."""
    try:
        parsed = Evaluation(*mark.args[:1], **mark.kwargs)
        if len(mark.args) != 1:
            raise TypeError(f"takes one positional argument, the dataset, but {len(mark.args)} were given")
    except TypeError as error:
        reason = str(error).replace("Evaluation.__init__()", "").strip()
        reason = reason.replace(". Did you mean ", ", did you mean ").rstrip("?")  # as Python 3.13 says it
        raise MarkerError(f"evaluation marker: {reason}; expected evaluation(dataset, *, inputs, ...)") from None
    _check_number("threshold", parsed.threshold, float)
    for gate in GATES:
        _check_number(gate, getattr(parsed, gate), float)
    _check_number("rollouts", parsed.rollouts, int)
    _check_number("limit", parsed.limit, int)
    return dataclasses.replace(parsed, inputs=_names(parsed.inputs))


def _names(inputs: object) -> tuple[str, ...]:
    names = [inputs] if isinstance(inputs, str) else inputs
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise MarkerError(f"evaluation marker: inputs={inputs!r}: expected a list of field names")
    return tuple(names)


def _check_number(name: str, value: object, kind: type) -> None:
    if value is None:
        return
    numeric = isinstance(value, (int, kind)) and not isinstance(value, bool)
    if not numeric or not (1 if kind is int else 0) <= value < math.inf:  # type: ignore[operator]
        expected = "a whole number, 1 or more" if kind is int else "a number, 0 or more"
        raise MarkerError(f"evaluation marker: {name}={value!r}: expected {expected}")


def parse_optimization(mark: pytest.Mark) -> Optimization:
    """The marker's method and settings; a MarkerError names what is wrong."""
    if len(mark.args) != 1 or not isinstance(mark.args[0], str):
        raise MarkerError(f"optimization marker: {mark.args!r}: expected one method name")
    try:
        return Optimization(check_method(mark.args[0]), dict(mark.kwargs))
    except ValueError as error:
        raise MarkerError(f"optimization marker: {mark.args[0]!r}: {error}") from None


def choose_optimizations(marked: Sequence[Optimization], methods: Choice[tuple[str, ...]]) -> list[Optimization]:
    """The methods a test runs with: those of the options or of its markers, as `Choice.chosen` says, else ``none``.

    A marker's settings for a method also hold when the command line or the ini file names that method.
    """
    settings: dict[str, Mapping[str, Any]] = {mark.method: mark.settings for mark in marked}
    names = methods.or_default((UNOPTIMIZED,), marker=tuple(settings) or None)
    return [Optimization(name, settings.get(name, {})) for name in names]
