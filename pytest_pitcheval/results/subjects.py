"""Subjects: what a gate is about, a metric of all examples of a test and method, or of a slice of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pytest_pitcheval.names import MEASURED, SCORE
from pytest_pitcheval.results.collected import Collected
from pytest_pitcheval.results.keys import Key
from pytest_pitcheval.results.records import label_text

_TRUE = frozenset({"true", "yes", "1"})
_FALSE = frozenset({"false", "no", "0", ""})


class Slice(NamedTuple):
    """The examples of a test and method whose ``label`` has this ``value``; its text is ``topic=refunds``.

    Without a value they are those whose label is true, and its text is the label.
    """

    label: str
    value: str = ""

    def __str__(self) -> str:
        return f"{self.label}={self.value}" if self.value else self.label


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


@dataclasses.dataclass(frozen=True)
class SliceSummary:
    """The examples of one slice: how many were collected, have a score, and passed; the mean of their scores.

    One without examples is gone from the dataset.
    """

    label: str
    value: str
    examples: int = 0
    scored: int = 0
    passed: int = 0
    mean: float | None = None
    ci95: tuple[float, float] | None = None
    left_out: int = 0

    @property
    def slice(self) -> Slice:
        """Which slice it is."""
        return Slice(self.label, self.value)

    @property
    def pass_rate(self) -> float | None:
        """Passed tests over collected ones that were not left out; None of nothing."""
        needed = self.examples - self.left_out
        return self.passed / needed if needed else None

    @property
    def scored_text(self) -> str:
        """``5/6``; ``gone`` where the dataset has no such example any more."""
        return f"{self.scored}/{self.examples}" if self.examples else "gone"

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "ci95": list(self.ci95) if self.ci95 else None}


def slices_of(tests: Iterable[Collected]) -> dict[Slice, list[Collected]]:
    """The tests of each slice that their marker asks for, by label, values in the order of the dataset.

    Those that must pass are the slice of that label without a value.
    """
    found: dict[Slice, list[Collected]] = {}
    collected = list(tests)
    for label in dict.fromkeys(label for test in collected for label in test.asked.slices):
        for test in collected:
            if value := label_text(test.labels.get(label)):
                found.setdefault(Slice(label, value), []).append(test)
    for test in collected:
        if test.asked.must_pass is not None and is_true(test.labels.get(test.asked.must_pass)):
            found.setdefault(Slice(test.asked.must_pass), []).append(test)
    return found


def is_true(label: Any) -> bool | None:
    """Whether a label says yes, as CSV files do too; None where it says neither that nor no."""
    if label is None:
        return False
    if isinstance(label, str):
        text = label.strip().lower()
        return True if text in _TRUE else False if text in _FALSE else None
    return label != 0 if isinstance(label, (bool, int, float)) else None


def values_of(rows: Iterable[Mapping[str, Any]], label: str) -> list[str]:
    """The values of ``label`` that name slices, in the order of the ``rows``' labels."""
    return list(dict.fromkeys(value for row in rows if (value := label_text(row.get(label)))))
