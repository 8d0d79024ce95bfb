"""Simulated scores as a baseline and a run have them, compared and decided."""

from __future__ import annotations

from benchmarks.gate_simulation.kinds import Array
from pytest_pitcheval.names import MAX_REGRESSION
from pytest_pitcheval.results import gates
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.comparison import Comparison, Coverage, compare
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.results.summaries import Summary

KEY = ("test", "none")

SUMMARY = Summary(*KEY, 0, 0, 0, 0, None, None, Usage(), Usage(), Usage(), 0.0, (), {})


def measurements(scores: Array) -> Measurements:
    """Scores of the shape (rollouts, examples), as a baseline file or a run has them."""
    return Measurements({f"{i}": Measurement(tuple(samples)) for i, samples in enumerate(scores.T.tolist())})


def comparison_of(before: Array, after: Array) -> Comparison:
    """What a run makes of them."""
    old, new = measurements(before), measurements(after)
    return compare(KEY, KEY[1], old, new, Coverage(new.examples.keys()))


def fails(comparison: Comparison, limit: float = gates.DEFAULT_MAX_REGRESSION) -> bool:
    """Whether the regression gate fails a run."""
    [result] = gates.decide([SUMMARY], lambda _: {MAX_REGRESSION: limit}, {KEY: comparison})
    return result.status == "failed"


def p_drop(comparison: Comparison) -> float:
    """The p-value that the gate goes by."""
    assert comparison.result is not None
    return comparison.result.p_drop


def holds(interval: tuple[float, float] | None, value: float) -> bool:
    """Whether ``value`` lies in it."""
    return interval is not None and interval[0] <= value <= interval[1]
