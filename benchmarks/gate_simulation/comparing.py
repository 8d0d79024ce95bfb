"""Simulated scores as a baseline and a run have them, compared and decided."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.gate_simulation.kinds import Array
from pytest_pitcheval.names import Family
from pytest_pitcheval.results.baselines import Measurement, Measurements
from pytest_pitcheval.results.collected import Requirements
from pytest_pitcheval.results.comparison import Comparison, Coverage, compare
from pytest_pitcheval.results.deciding import gates
from pytest_pitcheval.results.deciding.limits import Limit
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import Usage
from pytest_pitcheval.results.subjects import Subject
from pytest_pitcheval.results.summaries.summary import Summary

KEY = Key("test", "none")

SUMMARY = Summary(
    KEY.test, KEY.optimization, 0, 0, 0, 0, None, None, Usage(), Usage(), Usage(), 0.0, (), Requirements()
)
SUBJECT = Subject(KEY)


def measurements(scores: Array) -> Measurements:
    """Scores of the shape (rollouts, examples), as a baseline file or a run has them."""
    return Measurements({f"{i}": Measurement(tuple(samples)) for i, samples in enumerate(scores.T.tolist())})


def comparison_of(before: Array, after: Array, subject: Subject = SUBJECT) -> Comparison:
    """What a run makes of them."""
    old, new = measurements(before), measurements(after)
    return compare(subject, KEY.optimization, old, new, Coverage(new.examples.keys()))


def decide(before: Array, after: Array, limits: Mapping[str, float], family: Family) -> set[str]:
    """The tests of a session that fail a gate, by their number; scores are (tests, examples, rollouts)."""
    pairs = {Subject(Key(str(n), KEY.optimization)): pair for n, pair in enumerate(zip(before, after, strict=True))}
    comparisons = {subject: comparison_of(old.T, new.T, subject) for subject, (old, new) in pairs.items()}
    held_to = [Limit(subject, *limit) for subject in pairs for limit in limits.items()]
    decided = gates.decide(held_to, dict.fromkeys(pairs, SUMMARY), comparisons, family=family)
    return {gate.test for gate in decided if gate.status == "failed"}


def holds(interval: tuple[float, float] | None, value: float) -> bool:
    """Whether ``value`` lies in it."""
    return interval is not None and interval[0] <= value <= interval[1]
