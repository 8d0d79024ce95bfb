"""What a metric of a whole set came to: a plain value, as run files have it."""

from __future__ import annotations

import dataclasses
from typing import Any

from pytest_pitcheval.results.records import FINITE
from pytest_pitcheval.results.significance.means import mean


@dataclasses.dataclass(frozen=True)
class Aggregate:
    """One metric of a whole set: of the examples of a test and method, or of a slice of them.

    Attributes:
        source: the name of a built-in one, or the fixture that gives its function: ``tests/conftest.py::aggregates``.
        values: one for each rollout number; none where it is undefined.
        ci95: the interval of their mean; None where it is not known.
        examples: how many it is of, and ``unchanged`` how many of them as the baseline has them.
        fields: the fields of predictions that it reads.
        undefined: why it has no value, in a line; empty where it has.
        is_open: whether all that is missing was left out because gates were decided.
    """

    __pydantic_config__ = FINITE

    source: str
    values: tuple[float, ...] = ()
    ci95: tuple[float, float] | None = None
    examples: int = 0
    unchanged: int = 0
    fields: tuple[str, ...] = ()
    undefined: str = ""
    is_open: bool = False

    @property
    def value(self) -> float | None:
        """The mean over rollout numbers."""
        return mean(self.values)

    def to_dict(self) -> dict[str, Any]:
        data = dataclasses.asdict(self)
        data |= {"value": self.value, "values": list(self.values), "fields": list(self.fields)}
        return data | {"ci95": list(self.ci95) if self.ci95 else None}
