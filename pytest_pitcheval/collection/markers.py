"""The ``evaluation`` and ``optimization`` markers, parsed into frozen values."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from pytest_pitcheval.collection.requirements import (
    read_gates,
    read_lower_is_better,
    read_must_pass,
    read_names,
    read_slices,
)
from pytest_pitcheval.errors import MarkerError
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.settings.choices import Choice
from pytest_pitcheval.settings.methods import UNOPTIMIZED, Optimization, check_method

OfMetrics = float | Mapping[str, float] | None
"""A limit of the score, or limits by metric."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """One ``evaluation`` marker.

    Attributes:
        dataset: a path, a sequence of examples, or a callable that returns one.
        inputs: the names of the input fields; empty where the examples themselves know them.
        threshold: the lowest score that passes, or None.
        rollouts: rollouts of each example, or None for the option's.
        limit: only the first so many examples.
        min_mean, max_mean: what the mean of the examples must reach, or must not exceed, of the score or by metric.
        min_aggregate: what metrics of the whole set must reach, by name.
        min_pass_rate: the smallest share of them that must pass, or None.
        max_error_rate: the largest share of them without a score, or None.
        max_regression, max_example_drop: how far all, or a single one, may get worse than in the baseline, as above.
        lower_is_better: the metrics that get worse when they rise.
        slices: labels whose values are shown each by itself; as a mapping, with the gates of each.
        must_pass: the label of examples whose test must pass, or None.
        types: what values are cast to, by column, in place of what the program declares.
        judge_rollouts: verdicts on each rollout's prediction, or None for one.
    """

    dataset: str | os.PathLike[str] | Sequence[Any] | Callable[[], Sequence[Any]]
    inputs: tuple[str, ...] = ()
    threshold: float | None = None
    rollouts: int | None = None
    limit: int | None = None
    min_mean: OfMetrics = None
    max_mean: OfMetrics = None
    min_aggregate: Mapping[str, float] | None = None
    min_pass_rate: float | None = None
    max_error_rate: float | None = None
    max_regression: OfMetrics = None
    max_example_drop: OfMetrics = None
    lower_is_better: str | Sequence[str] = ()
    slices: str | Sequence[str] | Mapping[str, Mapping[str, OfMetrics]] = ()
    must_pass: str | None = None
    types: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    judge_rollouts: int | None = None

    @property
    def dataset_name(self) -> str:
        """How the dataset is called in a message."""
        return os.fspath(self.dataset) if isinstance(self.dataset, (str, os.PathLike)) else "the dataset"

    def requirements(self) -> Requirements:
        """What it asks of all examples together; a MarkerError names the wrong argument."""
        lower = read_lower_is_better(self.lower_is_better)
        return Requirements(read_gates(vars(self)), lower, read_slices(self.slices), read_must_pass(self.must_pass))


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
    check_number("threshold", parsed.threshold, float)
    check_number("rollouts", parsed.rollouts, int)
    check_number("judge_rollouts", parsed.judge_rollouts, int)
    check_number("limit", parsed.limit, int)
    check_types(parsed.types)
    parsed.requirements()  # a MarkerError where one of its arguments is wrong
    return dataclasses.replace(parsed, inputs=read_names("inputs", parsed.inputs, "field names"))


def check_types(types: object) -> None:
    if isinstance(types, Mapping) and all(isinstance(n, str) and not isinstance(t, str) for n, t in types.items()):
        return
    raise MarkerError(f"evaluation marker: types={types!r}: expected a mapping of columns to types")


def check_number(name: str, value: object, kind: type) -> None:
    """Raise MarkerError unless ``value`` is None, a count from 1 on, or for a float a number from 0 on."""
    if value is None:
        return
    numeric = isinstance(value, (int, kind)) and not isinstance(value, bool)
    least, most = (1, sys.maxsize) if kind is int else (0, sys.float_info.max)
    if not numeric or not least <= value <= most:  # type: ignore[operator]
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
