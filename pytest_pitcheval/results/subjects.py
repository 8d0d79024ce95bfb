"""Subjects: what a gate is about, a metric of all examples of a test and method, or of a slice of them."""

from __future__ import annotations

from typing import NamedTuple

from pytest_pitcheval.names import MEASURED, SCORE
from pytest_pitcheval.results.records import Key


class Slice(NamedTuple):
    """The examples of a test and method whose ``label`` has this ``value``; its text is ``topic=refunds``."""

    label: str
    value: str

    def __str__(self) -> str:
        return f"{self.label}={self.value}"


class Subject(NamedTuple):
    """One metric of one test and method; of all its examples where there is no ``slice``."""

    key: Key
    metric: str = SCORE
    slice: Slice | None = None

    @property
    def part(self) -> Subject:
        """The same examples' score: what all metrics of these examples have in common."""
        return self._replace(metric=SCORE)

    @property
    def slice_text(self) -> str | None:
        """As files tell the slice; None for all examples."""
        return None if self.slice is None else str(self.slice)

    @property
    def is_measured(self) -> bool:
        """Whether each rollout has it by nature: `names.MEASURED`."""
        return self.metric in MEASURED
