"""What a judge's exam is: its dataset, its labels, and what qualifies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

PASS_OR_FAIL = (0.0, 1.0)
"""The grades where people say no more than that."""


@dataclasses.dataclass(frozen=True)
class ExamTerms:
    """What a ``judge_exam`` marker asks of the answers of its dataset.

    Attributes:
        label: the column in which people's labels are.
        grades: the labels that there are, in their order; `PASS_OR_FAIL` where these are the only ones.
        dataset: digits that change with any of its rows.
        limits: by name, those of `names.EXAM_GATES` that are asked for.
        models: the names of models that labelled, where these are taken beside people.
    """

    label: str
    grades: tuple[float, ...] = PASS_OR_FAIL
    dataset: str = ""
    limits: Mapping[str, float] = dataclasses.field(default_factory=dict)
    models: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "grades": list(self.grades), "models": list(self.models)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ExamTerms:
        return cls(**{**data, "grades": tuple(data["grades"]), "models": tuple(data.get("models", ()))})
