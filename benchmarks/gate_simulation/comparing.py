"""Simulated scores as a baseline and a run have them, compared and decided."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from benchmarks.gate_simulation.kinds import Array
from pytest_pitcheval.names import Family
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


def decide(before: Array, after: Array, limits: Mapping[str, float], family: Family) -> set[str]:
    """The tests of a session that fail a gate, by their number; scores are (tests, examples, rollouts)."""
    found = {
        str(number): comparison_of(old.T, new.T) for number, (old, new) in enumerate(zip(before, after, strict=True))
    }
    summaries = [dataclasses.replace(SUMMARY, test=number) for number in found]
    named = {summary.key: dataclasses.replace(found[summary.test], test=summary.test) for summary in summaries}
    decided = gates.decide(summaries, lambda _: limits, named, family=family)
    return {gate.test for gate in decided if gate.status == "failed"}


def holds(interval: tuple[float, float] | None, value: float) -> bool:
    """Whether ``value`` lies in it."""
    return interval is not None and interval[0] <= value <= interval[1]
