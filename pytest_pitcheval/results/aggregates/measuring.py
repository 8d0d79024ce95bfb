"""The value of a metric of a whole set in each rollout, and how far off it may be."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

from pytest_pitcheval.results.aggregates.answered import Answered, lacking, rollouts_of
from pytest_pitcheval.results.aggregates.computation import Computation, Item, Prepare, Undefined
from pytest_pitcheval.results.aggregates.figures import Aggregate

PATIENCE = 20.0
"""Seconds that resamples may take as far as one value's time tells; else there is no interval."""

_IMPORTS = 5.0
"""Seconds that a first call may take of which imports are the better part."""

_FEWEST = 2
_MOST_UNDEFINED = 0.05
"""The share of resamples that may have no value, such as a correlation of equal numbers."""


def measure(source: str, examples: Sequence[Answered], prepare: Prepare) -> Aggregate:
    """A metric of ``examples``; undefined where one of them lacks a prediction: it is never that of the survivors."""
    unchanged = sum(example.unchanged for example in examples)
    about = Aggregate(source, examples=len(examples), unchanged=unchanged)
    if reason := lacking(examples):
        missing = [example for example in examples if example.lacks]
        return _undefined(about, reason, bool(missing) and all(example.is_open for example in missing))
    rollouts = rollouts_of(examples)
    if not rollouts:
        return _undefined(about, "there is no example")
    items = [Item(one, prediction) for one in examples for prediction in one.predictions[-rollouts:]]
    columns = [range(number, len(items), rollouts) for number in range(rollouts)]
    try:
        computation = prepare(items)
        values = tuple(computation.value(column) for column in columns)
    except Undefined as error:
        return _undefined(about, str(error))
    ci95 = _interval(computation, columns)
    return Aggregate(source, values, ci95, len(examples), unchanged, computation.fields)


def _takes_too_long(computation: Computation, columns: Sequence[Sequence[int]]) -> bool:
    """Whether there is no time for all resamples: a first call may import what it needs, as later ones do not."""
    calls = computation.resamples * len(columns)
    if computation.cost * calls > PATIENCE and computation.cost < _IMPORTS:
        try:
            computation.value(columns[0])
        except Undefined:
            return True
    return computation.cost * calls > PATIENCE


def _undefined(about: Aggregate, reason: str, is_open: bool = False) -> Aggregate:
    return Aggregate(
        about.source, examples=about.examples, unchanged=about.unchanged, undefined=reason, is_open=is_open
    )


def _interval(computation: Computation, columns: Sequence[Sequence[int]]) -> tuple[float, float] | None:
    """The 95 % percentile interval of the mean over rollouts, by resampling examples with all their rollouts.

    Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979; always the same draws. It
    is too short with few examples, and cannot tell of what none of them shows.
    """
    import numpy as np

    examples, resamples = len(columns[0]), computation.resamples
    if examples < _FEWEST or _takes_too_long(computation, columns):
        return None
    drawn, found, rollouts = random.Random(0), [], np.asarray(columns)
    for _ in range(resamples):
        places = np.frombuffer(drawn.randbytes(8 * examples), dtype=np.uint64) % examples
        try:
            values = [computation.value(rollout) for rollout in rollouts[:, places]]
        except Undefined:
            continue
        found.append(statistics.fmean(values))
    if len(found) < (1 - _MOST_UNDEFINED) * resamples:
        return None
    found.sort()
    cut = max(1, round((len(found) + 1) * 0.025))
    return found[cut - 1], found[-cut]
