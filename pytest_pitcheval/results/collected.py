"""A test as it was collected, and what its marker asks of all its examples: plain values, as JSON has them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from pytest_pitcheval.names import MEASURED, SCORE
from pytest_pitcheval.results.exams.terms import ExamTerms
from pytest_pitcheval.results.keys import Keyed
from pytest_pitcheval.results.records import FINITE

Limits = Mapping[str, Mapping[str, float]]
"""The limits of gates, by gate and then by metric."""


@dataclasses.dataclass(frozen=True)
class Requirements:
    """What a marker asks of the examples of a test.

    Attributes:
        gates: the limits for all examples.
        lower_is_better: the metrics that get worse when they rise, beside `names.MEASURED`.
        slices: the labels whose values are shown each by itself, with the limits for each value's examples.
        must_pass: the label of examples whose test must pass; None where there is none.
        exam: what a judge's exam asks; None where it is none.
    """

    __pydantic_config__ = FINITE

    gates: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    lower_is_better: tuple[str, ...] = ()
    slices: Mapping[str, Mapping[str, Mapping[str, float]]] = dataclasses.field(default_factory=dict)
    must_pass: str | None = None
    exam: ExamTerms | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that it names."""
        return tuple(dict.fromkeys((*self.slices, *([self.must_pass] if self.must_pass else []))))

    def is_lower_better(self, metric: str) -> bool:
        """Whether ``metric`` gets worse when it rises."""
        return metric in MEASURED or metric in self.lower_is_better

    def to_dict(self) -> dict[str, Any]:
        exam = self.exam.to_dict() if self.exam else None
        return {**dataclasses.asdict(self), "lower_is_better": list(self.lower_is_better), "exam": exam}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Requirements:
        exam = ExamTerms.from_dict(data["exam"]) if data["exam"] else None
        return cls(**{**data, "lower_is_better": tuple(data["lower_is_better"]), "exam": exam})


def of_scores(limits: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Limits of the score alone, a number for each gate."""
    return {gate: {SCORE: limit} for gate, limit in limits.items()}


@dataclasses.dataclass(frozen=True, slots=True)
class Collected(Keyed):
    """An evaluation test as it was collected: what the controller must know to name a lost record.

    Attributes:
        asked: what its marker asks of all examples.
        settings: those of its optimization method.
        labels: those of its row that `Requirements` name, as plain values.
        model, evaluator: as `Key` has them.
    """

    nodeid: str
    test: str
    example_id: str | None
    optimization: str
    asked: Requirements = Requirements()
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    labels: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    model: str = ""
    evaluator: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "asked": self.asked.to_dict()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Collected:
        return cls(**{**data, "asked": Requirements.from_dict(data["asked"])})
