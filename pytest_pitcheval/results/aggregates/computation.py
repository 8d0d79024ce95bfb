"""What computes a metric of a whole set, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from pytest_pitcheval.errors import PitchevalError
from pytest_pitcheval.results.aggregates.answered import Answered


class Undefined(PitchevalError):
    """A metric of a whole set has no value; the message says why, without its name."""


class Item(NamedTuple):
    """An example, and one of the predictions that were made for it."""

    example: Answered
    prediction: Mapping[str, Any]


class Computation(Protocol):
    """A metric made ready for some items, of which it is then asked for any choice.

    Attributes:
        cost: seconds that one value takes, as far as it is known by now.
        resamples: of how many resamples its interval is to be.
    """

    cost: float
    resamples: int

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of predictions that have been read by now."""

    def value(self, chosen: Sequence[int]) -> float:
        """Of the items at these positions, in this order; one may stand twice. Raises Undefined."""


Prepare = Callable[[Sequence[Item]], Computation]
"""Makes a metric ready; raises Undefined where it has no value of such items."""

Find = Callable[[str, str], Prepare]
"""Gives the metric that a source, as `figures.Aggregate` has it, has under a name; raises Undefined."""
